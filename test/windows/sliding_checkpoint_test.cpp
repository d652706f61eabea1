#include "test/windows/sliding_fixture.hpp"
#include "windows/sliding_table.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <optional>

using namespace weir;
using namespace weir::test;

namespace {

struct chunk {
  std::string bytes;
  uint64_t covers = 0;
};

struct log_entry {
  std::optional<batch_of> batch;
  std::optional<sliding_options> options;
  time_ms clock = 0;
};

/// Where a round of checkpoints began.
struct beginning {
  uint64_t index = 0;
  time_ms clock = 0;
  sliding_options options;
};

sliding_options options_of(time_ms retention, uint32_t cells_max) {
  auto res = sliding_options{};
  res.retention = retention;
  res.cells_max = cells_max;
  res.metrics_per_entity_max = 2;
  return res;
}

/// A shard with a log, a store of chunks and a table that may be lost, next to
/// a table that never is, and is never swept nor stored.
class shard {
public:
  explicit shard(sliding_options options)
    : plain_(options), began_{0, 0, options}, finished_(began_) {
    table_.emplace(options);
    table_->advance(0);
    plain_.advance(0);
  }

  sliding_table& table() {
    return *table_;
  }

  const sliding_table& plain() const {
    return plain_;
  }

  time_ms clock() const {
    return plain_.clock();
  }

  void append(log_entry x) {
    auto index = log_.size() + 1;
    run(plain_, x, index);
    run(*table_, x, index);
    log_.push_back(std::move(x));
  }

  void begin(bool full) {
    in_round_ = store_.size();
    full_ = table_->begin_checkpoint(full);
    began_ = {log_.size(), table_->clock(), table_->options()};
    under_way_ = true;
  }

  /// Returns true if that finished a round.
  bool take(size_t entities_max) {
    if (!under_way_)
      return false;
    auto bytes = std::string{};
    if (table_->next_chunk(entities_max, bytes)) {
      store_.push_back({bytes, log_.size()});
      return false;
    }
    if (full_)
      store_.erase(store_.begin(),
                   store_.begin() + static_cast<ptrdiff_t>(in_round_));
    finished_ = began_;
    under_way_ = false;
    return true;
  }

  void abort() {
    if (!under_way_)
      return;
    table_->abort_checkpoint();
    store_.resize(in_round_);
    under_way_ = false;
  }

  /// Loses the table and recovers it, half a round's chunks included.
  void crash() {
    under_way_ = false;
    table_.emplace(finished_.options);
    table_->advance(finished_.clock);
    for (auto& x : store_)
      REQUIRE(table_->load_chunk(x.bytes, x.covers));
    for (auto i = finished_.index; i < log_.size(); ++i)
      run(*table_, log_[i], i + 1);
    table_->finish_recovery();
  }

private:
  static void run(sliding_table& table, const log_entry& x, uint64_t index) {
    table.advance(x.clock);
    if (x.options)
      table.configure(*x.options, index);
    if (x.batch)
      table.apply(x.batch->get(), {}, index);
  }

  sliding_table plain_;
  std::optional<sliding_table> table_;
  std::vector<log_entry> log_;
  std::vector<chunk> store_;
  beginning began_;
  beginning finished_;
  size_t in_round_ = 0;
  bool full_ = false;
  bool under_way_ = false;
};

enum class act {
  read,
  pause,
  sweep,
  begin,
  begin_full,
  take,
  abort,
  crash,
  configure
};

struct step {
  act what = act::read;
  int entity = 0;
  int metric = 0;
  time_ms time = 0;
};

std::ostream& operator<<(std::ostream& out, const step& x) {
  return out << '{' << static_cast<int>(x.what) << ", e" << x.entity << ", m"
             << x.metric << ", " << x.time << '}';
}

rc::Gen<std::vector<step>> steps() {
  auto one = rc::gen::build<step>(
    rc::gen::set(&step::what,
                 rc::gen::weightedElement<act>({{40, act::read},
                                                {10, act::pause},
                                                {8, act::sweep},
                                                {3, act::begin},
                                                {1, act::begin_full},
                                                {10, act::take},
                                                {1, act::abort},
                                                {2, act::crash},
                                                {1, act::configure}})),
    rc::gen::set(&step::entity, rc::gen::inRange(0, 5)),
    rc::gen::set(&step::metric, rc::gen::inRange(0, 4)),
    rc::gen::set(&step::time, rc::gen::inRange<time_ms>(0, 100)));
  return rc::gen::scale(4.0, rc::gen::container<std::vector<step>>(one));
}

void play(shard& x, const step& s, const number& value) {
  auto now = x.clock();
  switch (s.what) {
    case act::read: {
      auto batch = batch_of{};
      batch.add("e" + std::to_string(s.entity), "m" + std::to_string(s.metric),
                now + 10 - s.time, value);
      x.append({std::move(batch), {}, now});
      break;
    }
    case act::pause:
      x.append({{}, {}, now + s.time * (s.entity == 0 ? 4 : 1) / 2});
      break;
    case act::sweep:
      x.table().sweep(static_cast<size_t>(s.entity));
      break;
    case act::begin:
    case act::begin_full:
      x.begin(s.what == act::begin_full);
      break;
    case act::take:
      x.take(static_cast<size_t>(s.entity) + 1);
      break;
    case act::abort:
      x.abort();
      break;
    case act::crash:
      x.crash();
      break;
    case act::configure:
      x.append(
        {{},
         options_of(50 + 40 * s.entity, static_cast<uint32_t>(2 + s.metric)),
         now});
      break;
  }
}

} // namespace

TEST_SUITE("windows/sliding_checkpoint") {
  TEST_CASE("a table recovers from any crash as if there had been none") {
    CHECK(rc::check([] {
      auto x = shard{options_of(100, 4)};
      for (auto& s : *steps()) {
        play(x, s, *any_number());
        RC_ASSERT(x.table().digest() == x.plain().digest());
      }
      x.crash();
      RC_ASSERT(x.table().digest() == x.plain().digest());
      for (auto e = 0; e < 5; ++e)
        for (auto m = 0; m < 4; ++m) {
          auto id = "e" + std::to_string(e);
          auto metric = "m" + std::to_string(m);
          auto at = x.clock() - *rc::gen::inRange<time_ms>(-20, 150);
          auto got = ask(x.table(), id, metric, at, 50);
          auto expected = ask(x.plain(), id, metric, at, 50);
          RC_ASSERT(got.known_entity == expected.known_entity);
          RC_ASSERT(got.known_metric == expected.known_metric);
          RC_ASSERT(got.count == expected.count);
          RC_ASSERT(got.average == expected.average);
          RC_ASSERT(got.exact == expected.exact);
          RC_ASSERT(got.overflow == expected.overflow);
          RC_ASSERT(got.resolution == expected.resolution);
        }
    }));
  }

  TEST_CASE("a round takes what was touched since the one before, each once") {
    auto table = sliding_table{options_of(1000, 4)};
    auto chunk = std::string{};
    auto touch = [&](const char* id) {
      table.apply(batch_of{}.add(id, "m", 5, 1).get(), {}, 1);
    };
    auto taken = [&] {
      chunk.clear();
      if (!table.next_chunk(100, chunk))
        return size_t{0};
      auto other = sliding_table{options_of(1000, 4)};
      return other.load_chunk(chunk, 1).value();
    };
    for (auto id : {"a", "b", "c"})
      touch(id);
    CHECK(!table.begin_checkpoint(false));
    touch("a");
    CHECK(taken() == 3);
    CHECK(taken() == 0);
    touch("b");
    touch("b");
    table.begin_checkpoint(false);
    CHECK(taken() == 1);
    CHECK(taken() == 0);
    table.begin_checkpoint(false);
    CHECK(taken() == 0);
    CHECK(table.begin_checkpoint(true));
    CHECK(taken() == 3);
  }

  TEST_CASE("what an aborted round took, the next one takes again") {
    auto table = sliding_table{options_of(1000, 4)};
    for (auto id : {"a", "b", "c"})
      table.apply(batch_of{}.add(id, "m", 5, 1).get(), {}, 1);
    auto chunk = std::string{};
    table.begin_checkpoint(false);
    CHECK(table.next_chunk(2, chunk));
    table.abort_checkpoint();
    table.begin_checkpoint(false);
    chunk.clear();
    CHECK(table.next_chunk(10, chunk));
    CHECK(sliding_table{options_of(1000, 4)}.load_chunk(chunk, 1).value() == 3);
  }

  TEST_CASE("after the retention has grown a round is full") {
    auto table = sliding_table{options_of(100, 4)};
    table.advance(1000);
    table.apply(batch_of{}.add("a", "m", 950, 1).get(), {}, 1);
    table.begin_checkpoint(false);
    auto chunk = std::string{};
    CHECK(table.next_chunk(10, chunk));
    table.configure(options_of(200, 4));
    CHECK(table.begin_checkpoint(false));
    table.abort_checkpoint();
    CHECK(table.begin_checkpoint(false));
    CHECK(table.next_chunk(10, chunk));
    CHECK(table.begin_checkpoint(false)); // The last one wasn't at its end.
    while (table.next_chunk(10, chunk))
      ;
    CHECK(!table.begin_checkpoint(false));
    auto other = sliding_table{options_of(200, 4)};
    CHECK(!other.load_chunk(chunk, 1)); // Three chunks are not one.
  }

  TEST_CASE("what a growing retention could not bring back stays incomplete "
            "after a recovery") {
    auto table = sliding_table{options_of(100, 4)};
    table.advance(1000);
    table.apply(batch_of{}.add("a", "m", 950, 1).get(), {}, 1);
    table.configure(options_of(300, 4));
    table.begin_checkpoint(true);
    auto chunk = std::string{};
    CHECK(table.next_chunk(10, chunk));
    auto other = sliding_table{options_of(300, 4)};
    other.advance(1000);
    CHECK(other.load_chunk(chunk, 2));
    other.finish_recovery();
    CHECK(ask(other, "a", "m", 1000, 100).complete);
    CHECK(!ask(other, "a", "m", 1000, 101).complete);
  }

  TEST_CASE("of two states of an entity the one that covers more is kept") {
    auto state = [](int64_t value) {
      auto table = sliding_table{options_of(1000, 4)};
      table.apply(batch_of{}.add("a", "m", 5, value).get(), {}, 1);
      table.begin_checkpoint(true);
      auto res = std::string{};
      table.next_chunk(1, res);
      return res;
    };
    auto table = sliding_table{options_of(1000, 4)};
    CHECK(table.load_chunk(state(1), 10));
    CHECK(table.load_chunk(state(2), 20));
    CHECK(table.load_chunk(state(3), 15));
    auto batch = batch_of{};
    batch.add("a", "m", 6, 4);
    CHECK(table.apply(batch.get(), {}, 20) == 0);
    CHECK(ask(table, "a", "m", 10, 10).average == 2.0);
    table.apply(batch.get(), {}, 21);
    CHECK(ask(table, "a", "m", 10, 10).average == 3.0);
    CHECK(table.entities() == 1);
  }

  TEST_CASE("a chunk takes no more than about a megabyte") {
    auto table = sliding_table{{1'000'000, 32'768, 64, 1000}};
    for (auto e = 0; e < 4; ++e) {
      auto batch = batch_of{};
      for (auto i = 0; i < 32'000; ++i)
        batch.add("e" + std::to_string(e), "m" + std::to_string(i % 2), i, i);
      table.apply(batch.get(), {}, 1);
    }
    for (auto e = 4; e < 8; ++e) {
      auto batch = batch_of{};
      for (auto i = 0; i < 32'000; ++i)
        batch.add("e" + std::to_string(e), "m", i, int64_t{1} << 60);
      table.apply(batch.get(), {}, 1);
    }
    table.begin_checkpoint(true);
    auto chunks = 0;
    for (auto chunk = std::string{}; table.next_chunk(100, chunk);
         chunk.clear(), ++chunks)
      CHECK(chunk.size() < 2 * sliding_table::chunk_bytes_soft_max);
    CHECK(chunks >= 3);
  }

  TEST_CASE("an entity that is forgotten during a round is stored without its "
            "readings") {
    auto table = sliding_table{options_of(100, 4)};
    table.apply(batch_of{}.add("a", "m", 5, 1).get(), {}, 1);
    table.begin_checkpoint(false);
    table.advance(1000);
    while (!table.sweep(1))
      ;
    CHECK(table.entities() == 1);
    auto chunk = std::string{};
    CHECK(table.next_chunk(10, chunk));
    table.sweep(1);
    CHECK(table.entities() == 0);
    auto other = sliding_table{options_of(100, 4)};
    CHECK(other.load_chunk(chunk, 1).value() == 1);
    CHECK(!ask(other, "a", "m", 10, 10).known_metric);
  }
} // TEST_SUITE
