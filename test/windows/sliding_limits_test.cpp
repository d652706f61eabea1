#include "test/windows/sliding_fixture.hpp"
#include "windows/sliding_table.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <map>

using namespace weir;
using namespace weir::test;

namespace {

sliding_options tight() {
  auto res = sliding_options{};
  res.retention = 160; // The entity limit forgets in steps of 10.
  res.cells_max = 4;
  res.metrics_per_entity_max = 2;
  res.entities_max = 3;
  return res;
}

/// The limits of a table, by going through everything there ever was.
class naive_table {
public:
  explicit naive_table(sliding_options options) : options_(options) {
    // nop
  }

  void advance(time_ms clock) {
    clock_ = std::max(clock_, clock);
  }

  time_ms floor() const {
    return clock_ - options_.retention;
  }

  /// Returns false if a limit refuses the reading.
  bool add(const std::string& entity, const std::string& metric, time_ms time,
           number value) {
    if (time <= floor())
      return true;
    auto& metrics = entities_[entity];
    if (last(metrics) <= limit_floor()
        && count_after(limit_floor()) >= options_.entities_max)
      return false;
    auto live = size_t{0};
    for (auto& [name, xs] : metrics)
      live += last(xs) > floor() ? 1 : 0;
    if (last(metrics[metric]) <= floor()
        && live >= options_.metrics_per_entity_max)
      return false;
    metrics[metric].push_back({time, value});
    return true;
  }

  const std::vector<plain_reading>& readings(const std::string& entity,
                                             const std::string& metric) {
    return entities_[entity][metric];
  }

  time_ms last_of(const std::string& entity) {
    return last(entities_[entity]);
  }

private:
  using readings_type = std::vector<plain_reading>;
  using metrics_type = std::map<std::string, readings_type>;

  static time_ms last(const readings_type& xs) {
    auto res = std::numeric_limits<time_ms>::min();
    for (auto& x : xs)
      res = std::max(res, x.time);
    return res;
  }

  static time_ms last(const metrics_type& xs) {
    auto res = std::numeric_limits<time_ms>::min();
    for (auto& [name, x] : xs)
      res = std::max(res, last(x));
    return res;
  }

  time_ms limit_floor() const {
    auto step = options_.retention / 16;
    auto x = floor();
    return x - ((x % step) + step) % step;
  }

  size_t count_after(time_ms time) const {
    auto res = size_t{0};
    for (auto& [id, xs] : entities_)
      res += last(xs) > time ? 1 : 0;
    return res;
  }

  sliding_options options_;
  time_ms clock_ = 0;
  std::map<std::string, metrics_type> entities_;
};

struct step {
  int entity = 0;
  int metric = 0;
  time_ms behind = 0;
  time_ms pause = 0;
  int sweep = 0;
  int checkpoint = 0;
  int64_t value = 0;
};

std::ostream& operator<<(std::ostream& out, const step& x) {
  return out << "{e" << x.entity << ", m" << x.metric << ", -" << x.behind
             << ", +" << x.pause << ", sweep " << x.sweep << ", checkpoint "
             << x.checkpoint << '}';
}

rc::Gen<std::vector<step>> steps() {
  auto one = rc::gen::build<step>(
    rc::gen::set(&step::entity, rc::gen::inRange(0, 6)),
    rc::gen::set(&step::metric, rc::gen::inRange(0, 4)),
    rc::gen::set(&step::behind, rc::gen::inRange<time_ms>(-20, 170)),
    rc::gen::set(&step::pause,
                 rc::gen::weightedElement<time_ms>(
                   {{20, 0}, {10, 3}, {5, 25}, {2, 90}, {1, 200}})),
    rc::gen::set(&step::sweep, rc::gen::inRange(0, 4)),
    rc::gen::set(&step::checkpoint, rc::gen::weightedElement<int>(
                                      {{12, 0}, {1, 1}, {1, 2}, {1, 3}})),
    rc::gen::set(&step::value, rc::gen::inRange<int64_t>(-99, 99)));
  return rc::gen::scale(3.0, rc::gen::container<std::vector<step>>(one));
}

} // namespace

TEST_SUITE("windows/sliding_limits") {
  TEST_CASE("a metric too many is refused and counted, others are taken") {
    auto table = sliding_table{tight()};
    auto batch = batch_of{};
    batch.add("a", "m1", 5, 1).add("a", "m2", 5, 1).add("a", "m3", 5, 1);
    batch.add("a", "m3", 6, 1).add("a", "m1", 6, 1);
    CHECK(table.apply(batch.get(), {}, 1) == 2);
    CHECK(ask(table, "a", "m1", 10, 10).count == 2);
    CHECK(!ask(table, "a", "m3", 10, 10).known_metric);
  }

  TEST_CASE("an entity too many is refused and counted, others are taken") {
    auto table = sliding_table{tight()};
    auto batch = batch_of{};
    for (auto id : {"a", "b", "c", "d", "e", "d", "a"})
      batch.add(id, "m1", 5, 1);
    CHECK(table.apply(batch.get(), {}, 1) == 3);
    CHECK(table.entities() == 3);
    CHECK(ask(table, "a", "m1", 10, 10).count == 2);
    CHECK(!ask(table, "d", "m1", 10, 10).known_entity);
  }

  TEST_CASE("a full table takes a new entity when an old one is forgotten") {
    auto table = sliding_table{tight()};
    auto batch = batch_of{};
    for (auto id : {"a", "b", "c"})
      batch.add(id, "m1", 5, 1);
    CHECK(table.apply(batch.get(), {}, 1) == 0);
    table.advance(180);
    CHECK(table.apply(batch_of{}.add("d", "m1", 150, 1).get(), {}, 2) == 0);
    CHECK(ask(table, "d", "m1", 180, 100).count == 1);
    CHECK(!ask(table, "a", "m1", 180, 100).known_entity);
  }

  TEST_CASE("options out of range are brought into it") {
    auto table = sliding_table{{-5, 0, 0, 0}};
    CHECK(table.options().retention == 1);
    CHECK(table.options().cells_max == 2);
    CHECK(table.options().metrics_per_entity_max == 1);
    CHECK(table.options().entities_max == 1);
    constexpr auto most = std::numeric_limits<uint32_t>::max();
    table.configure({1, most, most, most});
    CHECK(table.options().cells_max == sliding_series::cells_limit);
    CHECK(table.options().metrics_per_entity_max == 65'535);
  }

  TEST_CASE("fewer cells take effect with the next reading") {
    auto options = tight();
    options.cells_max = 64;
    options.retention = 1000;
    auto table = sliding_table{options};
    auto batch = batch_of{};
    for (auto t = 1; t <= 60; ++t)
      batch.add("a", "m1", t, t);
    table.apply(batch.get(), {}, 1);
    CHECK(ask(table, "a", "m1", 30, 10).exact);
    options.cells_max = 4;
    table.configure(options);
    table.apply(batch_of{}.add("a", "m1", 61, 61).get(), {}, 2);
    auto answer = ask(table, "a", "m1", 61, 62);
    CHECK(ask(table, "a", "m1", 30, 10).resolution == 16);
    CHECK(answer.exact);
    CHECK(answer.count == 61);
    CHECK(answer.average == 31.0);
  }

  TEST_CASE("limits and answers agree with a naive table, however memory is "
            "swept and stored") {
    CHECK(rc::check([] {
      auto table = sliding_table{tight()};
      auto swept = sliding_table{tight()};
      auto naive = naive_table{tight()};
      table.advance(0);
      swept.advance(0);
      auto clock = time_ms{0};
      auto batch = batch_of{};
      auto expected = size_t{0};
      auto refused = size_t{0};
      auto index = uint64_t{0};
      for (auto& x : *steps()) {
        auto id = "e" + std::to_string(x.entity);
        auto metric = "m" + std::to_string(x.metric);
        clock += x.pause;
        if (x.pause > 0) {
          refused += table.apply(batch.get(), {}, ++index);
          swept.apply(batch.get(), {}, index);
          batch = batch_of{};
          RC_ASSERT(refused == expected);
          table.advance(clock);
          swept.advance(clock);
          naive.advance(clock);
        }
        if (x.sweep > 0)
          swept.sweep(static_cast<size_t>(x.sweep));
        auto chunk = std::string{};
        if (x.checkpoint == 1)
          swept.begin_checkpoint(x.metric == 0);
        else if (x.checkpoint == 2)
          swept.next_chunk(2, chunk);
        else if (x.checkpoint == 3)
          swept.abort_checkpoint();
        auto value = number::of(x.value);
        batch.add(id, metric, clock - x.behind, value);
        expected += naive.add(id, metric, clock - x.behind, value) ? 0 : 1;
      }
      refused += table.apply(batch.get(), {}, ++index);
      swept.apply(batch.get(), {}, index);
      RC_ASSERT(refused == expected);
      RC_ASSERT(table.digest() == swept.digest());
      for (auto e = 0; e < 6; ++e) {
        auto id = "e" + std::to_string(e);
        auto known = ask(table, id, "m0", clock, 100).known_entity;
        RC_ASSERT(known == (naive.last_of(id) > naive.floor()));
        for (auto m = 0; m < 4; ++m) {
          auto metric = "m" + std::to_string(m);
          auto at = clock - *rc::gen::inRange<time_ms>(-30, 100);
          auto answer = ask(table, id, metric, at, 100);
          RC_ASSERT(ask(swept, id, metric, at, 100).count == answer.count);
          if (!answer.exact)
            continue;
          auto from = std::max(at - 100, naive.floor());
          auto window = naive_window{naive.readings(id, metric), from, at};
          RC_ASSERT(answer.count == window.count);
          RC_ASSERT((answer.count == 0 || window.agrees(answer.average)));
        }
      }
    }));
  }
} // TEST_SUITE
