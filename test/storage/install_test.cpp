#include "storage/state_store.hpp"
#include "test/storage/journal_fixture.hpp"

#include <rapidcheck.h>

#include <map>

// A checkpoint and a log that come from another node take the place of a
// shard's own, in two files one after the other, and a crash comes in between.

using namespace weir;
using namespace weir::test;

namespace {

constexpr uint32_t the_shard = 4;
constexpr uint32_t other_shard = 5;

/// A shard's state: of each of two entities, a digest over its entries.
struct shard_state {
  std::array<uint64_t, 2> entities{};
  log_position end;

  /// An entry is one of the entity that its index tells.
  void apply(const log_entry& x) {
    auto& self = entities[x.index % 2];
    self = chain_after(self, x.crc);
    end = position_of(x);
  }

  friend bool operator==(const shard_state& x, const shard_state& y) {
    return x.entities == y.entities && x.end == y.end;
  }
};

shard_state state_after(const std::vector<log_entry>& xs) {
  auto res = shard_state{};
  for (auto& x : xs)
    res.apply(x);
  return res;
}

/// A copy of a shard, as it is stored.
struct stored_copy {
  /// All entries ever.
  std::vector<log_entry> history;
  /// All 0 without a checkpoint.
  checkpoint_range checkpoint;
  /// The last entry that an entity's chunk covers.
  std::array<uint64_t, 2> covers{};
  /// How many of the first entries the log has no more.
  size_t gone = 0;

  bool has_checkpoint() const {
    return checkpoint.end.index > 0;
  }

  checkpoint_meta meta() const {
    auto& [from_index, end] = checkpoint;
    return {from_index, end.index, end.epoch, end.chain, "meta"};
  }

  std::string chunk(size_t entity) const {
    auto res = std::string{};
    byte_writer{res}.fixed(entity);
    byte_writer{res}.fixed(
      state_after(slice(history, 0, covers[entity])).entities[entity]);
    return res;
  }

  log_position after() const {
    return gone > 0 ? position_of(history[gone - 1]) : log_position{};
  }

  std::vector<log_entry> log() const {
    return slice(history, gone, history.size());
  }
};

/// One of the copies that a shard with this history may have: its checkpoint
/// was made while entries came in, and the log lost what that does not need.
stored_copy some_copy(const std::vector<log_entry>& history) {
  auto res = stored_copy{history, {}, {}, 0};
  auto last = *rc::gen::inRange<uint64_t>(0, history.size() + 1);
  auto first = *rc::gen::inRange<uint64_t>(0, last + 1);
  if (last == 0)
    return res;
  res.checkpoint = {first, position_of(history[last - 1])};
  for (auto& x : res.covers)
    x = *rc::gen::inRange<uint64_t>(first, last + 1);
  res.gone = *rc::gen::inRange<size_t>(0, first + 1);
  return res;
}

enum class moment {
  before,
  chunks,
  begun,
  in_part,
  staged,
  completed,
  finished,
  synced,
  installed,
};

struct node {
  temporary_directory dir;
  std::string name = "a";
  durability level;
  std::optional<journal> log;
  std::optional<state_store> state;

  explicit node(durability x) : level(x) {
    open();
  }

  std::string path(const char* file) const {
    return dir.file(name + file);
  }

  void open() {
    log.emplace(must(journal::open(path("journal.db"), level)));
    state.emplace(must(state_store::open(path("state.db"))));
  }

  /// The files as they are go on under another name.
  /// @param power without what was not synced
  void crash(bool power) {
    auto journal_path = path("journal.db");
    auto state_path = path("state.db");
    name += "a";
    copy(journal_path, path("journal.db"));
    if (!power || level == durability::power)
      copy(journal_path + "-wal", path("journal.db-wal"));
    copy(state_path, path("state.db"));
    if (!power)
      copy(state_path + "-wal", path("state.db-wal"));
    open();
  }

  static void copy(const std::string& from, const std::string& to) {
    if (fs::exists(from))
      put_bytes(to, bytes_of(from));
  }

  /// A copy that has always been here.
  void create(const stored_copy& x) {
    add_chunks(x);
    finish(x);
    must(state->sync());
    append_all(*log, x.log());
    append_all(*log, make_log(other_shard, 3));
    log.reset();
    state.reset();
    open();
  }

  void add_chunks(const stored_copy& x) {
    if (!x.has_checkpoint())
      return;
    must(state->begin(the_shard, true));
    for (auto i : {0u, 1u})
      must(state->add_chunk(the_shard, x.covers[i], x.chunk(i)));
  }

  void finish(const stored_copy& x) {
    if (x.has_checkpoint())
      must(state->finish(the_shard, x.meta()));
    else
      must(state->remove_shard(the_shard));
  }

  /// One from another node, until the crash.
  void install(const stored_copy& x, moment crash) {
    auto half = x.gone + (x.history.size() - x.gone) / 2;
    auto steps = std::map<moment, std::function<void()>>{
      {moment::chunks,
       [&] {
         add_chunks(x);
       }},
      {moment::begun,
       [&] {
         must(log->begin_stage(the_shard, x.after(), x.checkpoint));
       }},
      {moment::in_part,
       [&] {
         must(log->stage(the_shard, shared(slice(x.history, x.gone, half))));
       }},
      {moment::staged,
       [&] {
         must(log->stage(the_shard,
                         shared(slice(x.history, half, x.history.size()))));
       }},
      {moment::completed,
       [&] {
         must(log->end_stage(the_shard));
       }},
      {moment::finished,
       [&] {
         finish(x);
       }},
      {moment::synced,
       [&] {
         must(state->sync());
       }},
      {moment::installed,
       [&] {
         must(log->install_staged(the_shard));
       }},
    };
    for (auto& [at, step] : steps)
      if (at <= crash)
        step();
  }

  /// What becomes of the files, as a shard's recovery goes about it.
  /// @param settled whether a staged log was installed
  shard_state recover(bool& settled) {
    auto res = shard_state{};
    auto covers = std::array<uint64_t, 2>{};
    auto range = checkpoint_range{};
    auto take = [&](std::string_view bytes, uint64_t covered) -> result<void> {
      auto in = byte_reader{bytes};
      auto entity = in.fixed<uint64_t>();
      res.entities[entity] = in.fixed<uint64_t>();
      covers[entity] = covered;
      return {};
    };
    if (auto meta = must(state->load(the_shard, take)))
      range = {meta->from_index, {meta->index, meta->epoch, meta->chain}};
    settled = must(log->settle(the_shard, range));
    // The log may begin with entries that need no replay, or be empty.
    auto got = read_back{};
    auto tail = must(log->tail(the_shard));
    if (tail && tail->index > range.from_index) {
      got = read_log(*log, the_shard, range.from_index + 1, std::nullopt);
      must(got.end);
    }
    res.end = range.end;
    for (auto& x : got.entries) {
      if (x.index == range.end.index)
        RC_ASSERT(position_of(x) == range.end);
      if (x.index == range.end.index + 1)
        RC_ASSERT(x.chain == chain_after(range.end.chain, x.crc));
      if (x.index > covers[x.index % 2])
        res.apply(x);
      else
        res.end = position_of(x);
    }
    RC_ASSERT(res.end.index >= range.end.index);
    if (range.from_index < range.end.index)
      RC_ASSERT(!got.entries.empty());
    return res;
  }
};

} // namespace

TEST_SUITE("storage/install") {
  TEST_CASE("whenever a crash comes while a copy is installed, the shard is "
            "the old one or the new one") {
    auto seen = std::map<std::string, int>{};
    CHECK(rc::check([&] {
      auto parted = *rc::gen::inRange<uint64_t>(0, 12);
      auto theirs = make_log(the_shard, *rc::gen::inRange<size_t>(parted, 13));
      auto ours = slice(theirs, 0, parted);
      for (auto& x : make_log(the_shard, *rc::gen::inRange<size_t>(0, 8), 77,
                              parted + 1, parted > 0 ? ours.back().chain : 0))
        ours.push_back(x);
      auto before = some_copy(ours);
      auto next = some_copy(theirs);
      auto at = static_cast<moment>(
        *rc::gen::inRange(0, static_cast<int>(moment::installed) + 1));
      auto self
        = node{*rc::gen::element(durability::power, durability::process)};
      self.create(before);
      self.install(next, at);
      auto power = *rc::gen::arbitrary<bool>();
      self.crash(power);
      auto settled = false;
      auto got = self.recover(settled);
      auto is_old = got == state_after(ours);
      auto is_new = got == state_after(theirs);
      RC_ASSERT(is_old || is_new);
      if (at < moment::completed)
        RC_ASSERT(is_old && !settled);
      // Without syncs, a power cut may undo what was installed.
      if (at == moment::installed
          && !(power && self.level == durability::process))
        RC_ASSERT(is_new);
      if (at == moment::synced || (at == moment::finished && !power))
        ++seen[settled ? "the new log is installed" : "the old log goes on"];
      // Whatever it is, it stays, and goes on from there.
      self.crash(false);
      auto again = false;
      RC_ASSERT(self.recover(again) == got);
      RC_ASSERT(!again);
      auto more = make_log(the_shard, 2, 5, got.end.index + 1, got.end.chain);
      append_all(*self.log, more);
      for (auto& x : more)
        got.apply(x);
      self.crash(false);
      RC_ASSERT(self.recover(again) == got);
      RC_ASSERT(same(read_log(*self.log, other_shard).entries,
                     make_log(other_shard, 3)));
    }));
    // One run in six gets here.
    CHECK(seen["the new log is installed"] + seen["the old log goes on"] > 0);
  }

} // TEST_SUITE
