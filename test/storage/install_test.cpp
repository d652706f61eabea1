#include "storage/state_store.hpp"
#include "test/storage/journal_fixture.hpp"

#include <rapidcheck.h>

// A checkpoint and a log that come from another node take the place of a
// shard's own, in two files one after the other, and a crash comes in between.

using namespace weir;
using namespace weir::test;

namespace {

constexpr uint32_t the_shard = 4;

/// A copy of a shard, as it is stored: a checkpoint that needs no replay, and
/// entries that follow it, or contain its last one.
struct stored_copy {
  std::optional<log_position> checkpoint;
  std::vector<log_entry> log;

  checkpoint_meta meta() const {
    return {checkpoint->index, checkpoint->index, checkpoint->epoch,
            checkpoint->chain, "meta of " + std::to_string(checkpoint->chain)};
  }

  friend bool operator==(const stored_copy& x, const stored_copy& y) {
    return x.checkpoint == y.checkpoint && same(x.log, y.log);
  }
};

enum class moment { before, written, finished, synced, replaced };

struct node {
  temporary_directory dir;
  std::string name = "a";
  std::optional<journal> log;
  std::optional<state_store> state;

  node() {
    open();
  }

  std::string path(const char* file) const {
    return dir.file(name + file);
  }

  void open() {
    log.emplace(must(journal::open(path("journal.db"), durability::power)));
    state.emplace(must(state_store::open(path("state.db"))));
  }

  /// The files as they are go on under another name.
  /// @param power without what was not synced
  void crash(bool power) {
    auto journal_path = path("journal.db");
    auto state_path = path("state.db");
    name += "a";
    copy(journal_path, path("journal.db"));
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

  /// What `new_copy_begin`, `new_copy_chunk` and `new_copy_install` are about,
  /// until the crash.
  void install(const stored_copy& x, moment crash) {
    if (crash == moment::before)
      return;
    if (x.checkpoint) {
      must(state->begin(the_shard, true));
      must(state->add_chunk(the_shard, x.checkpoint->index, x.meta().meta));
      if (crash == moment::written)
        return;
      must(state->finish(the_shard, x.meta()));
    } else {
      if (crash == moment::written)
        return;
      must(state->remove_shard(the_shard));
    }
    if (crash == moment::finished)
      return;
    must(state->sync());
    if (crash == moment::synced)
      return;
    auto entries = std::vector<entry_ptr>{};
    for (auto& entry : x.log)
      entries.push_back(std::make_shared<const log_entry>(entry));
    must(
      log->replace(the_shard, x.checkpoint.value_or(log_position{}), entries));
  }

  stored_copy recover() {
    auto res = stored_copy{};
    auto keep = [&](std::string_view bytes, uint64_t covers) -> result<void> {
      RC_ASSERT(bytes == res.meta().meta);
      RC_ASSERT(covers == res.checkpoint->index);
      return {};
    };
    if (auto meta = must(state->meta(the_shard))) {
      res.checkpoint = {meta->index, meta->epoch, meta->chain};
      RC_ASSERT(must(state->load(the_shard, keep)) == res.meta());
    }
    auto end = res.checkpoint.value_or(log_position{});
    if (!must(log->follows(the_shard, end)))
      must(log->replace(the_shard, end, {}));
    auto got = read_log(*log, the_shard, end.index + 1, end.chain);
    must(got.end);
    res.log = got.entries;
    return res;
  }
};

/// What `x` has after its checkpoint.
stored_copy after_checkpoint(stored_copy x) {
  while (x.checkpoint && !x.log.empty()
         && x.log[0].index <= x.checkpoint->index)
    x.log.erase(x.log.begin());
  return x;
}

/// A checkpoint somewhere in `xs`, which is all of a log, and what follows,
/// with the entry at its end or without.
stored_copy some_copy(const std::vector<log_entry>& xs, bool with_last) {
  auto res = stored_copy{{}, xs};
  if (auto at = *rc::gen::inRange<size_t>(0, xs.size() + 1); at > 0) {
    res.checkpoint = position_of(xs[at - 1]);
    res.log = slice(xs, with_last ? at - 1 : at, xs.size());
  }
  return res;
}

} // namespace

TEST_SUITE("storage/install") {
  TEST_CASE(
    "a crash while a copy is installed leaves the old one, the new one, "
    "or the new one's checkpoint") {
    auto seen = std::map<std::string, int>{};
    CHECK(rc::check([&] {
      auto parted = *rc::gen::inRange<uint64_t>(0, 12);
      auto theirs = make_log(the_shard, 12);
      auto ours = slice(theirs, 0, parted);
      for (auto& x : make_log(the_shard, *rc::gen::inRange<size_t>(0, 8), 77,
                              parted + 1, parted > 0 ? ours.back().chain : 0))
        ours.push_back(x);
      auto before = some_copy(ours, *rc::gen::arbitrary<bool>());
      auto next = some_copy(theirs, false);
      auto at
        = *rc::gen::element(moment::before, moment::written, moment::finished,
                            moment::synced, moment::replaced);
      auto self = node{};
      self.install({before.checkpoint, {}}, moment::replaced);
      must(self.log->remove_shard(the_shard));
      for (auto& x : before.log)
        must(self.log->append(x));
      must(self.log->commit());
      self.install(next, at);
      auto power = *rc::gen::arbitrary<bool>();
      self.crash(power);
      auto got = self.recover();
      auto kept = after_checkpoint(before);
      if (at < moment::finished || (at == moment::finished && power)) {
        RC_ASSERT(got == kept);
      } else if (at == moment::replaced) {
        RC_ASSERT(got == next);
      } else {
        RC_ASSERT(got.checkpoint == next.checkpoint);
        // The old log counts as far as it goes on from the new checkpoint.
        auto goes_on = stored_copy{next.checkpoint, ours};
        auto end = next.checkpoint.value_or(log_position{}).index;
        auto connected
          = end <= parted && end <= ours.size() && !before.log.empty()
            && before.log[0].index <= end + 1 && before.log.back().index >= end;
        if (!connected)
          goes_on.log.clear();
        RC_ASSERT(got == after_checkpoint(goes_on));
        ++seen[connected ? "old log goes on" : "log is gone"];
      }
      // Whatever it is, the log goes on from there, also after a restart.
      auto end = got.log.empty() ? got.checkpoint.value_or(log_position{})
                                 : position_of(got.log.back());
      auto more = make_log(the_shard, 2, 5, end.index + 1, end.chain);
      must(self.log->append(more[0]));
      must(self.log->append(more[1]));
      must(self.log->commit());
      self.crash(false);
      got.log.insert(got.log.end(), more.begin(), more.end());
      RC_ASSERT(self.recover() == got);
    }));
    CHECK(seen["old log goes on"] > 0);
    CHECK(seen["log is gone"] > 0);
  }

} // TEST_SUITE
