#include "test/storage/journal_fixture.hpp"

#include <rapidcheck.h>

#include <map>

// The journal against what it should be: maps, of which a commit makes a copy,
// and a crash goes back to that.

using namespace weir;
using namespace weir::test;

namespace {

struct model_log {
  std::vector<log_entry> entries;
  std::vector<uint64_t> committed;
  /// What the next entry has to follow; nothing if it may be any.
  std::optional<log_position> end;
};

struct model {
  std::map<uint32_t, model_log> logs;
  std::map<uint32_t, replica_record> records;
};

/// What `journal::append` says, and what comes of it.
ec append(model_log& self, const log_entry& x, uint64_t committed) {
  for (auto& y : self.entries)
    if (same(x, y))
      return ec::none;
  if (!self.entries.empty() && x.index < self.entries.front().index)
    return ec::none;
  if (self.end && x.index != self.end->index + 1)
    return ec::sequence_gap;
  if (self.end && chain_after(self.end->chain, x.crc) != x.chain)
    return ec::conflict;
  self.entries.push_back(x);
  self.committed.push_back(committed);
  self.end = position_of(x);
  return ec::none;
}

void cut(model_log& self, uint64_t last) {
  if (self.end && self.end->index <= last)
    return;
  while (!self.entries.empty() && self.entries.back().index > last) {
    self.entries.pop_back();
    self.committed.pop_back();
  }
  self.end.reset();
  if (!self.entries.empty())
    self.end = position_of(self.entries.back());
}

/// The last entry stays, as with a log of which checkpoints are made.
void truncate(model_log& self, uint64_t upto) {
  while (self.entries.size() > 1 && self.entries.front().index <= upto) {
    self.entries.erase(self.entries.begin());
    self.committed.erase(self.committed.begin());
  }
}

log_entry entry_after(const log_position& previous, uint32_t shard,
                      uint64_t seed) {
  auto res = make_log(shard, 1, seed, previous.index + 1, previous.chain)[0];
  res.epoch = seed % 5;
  seal(res, shard, previous.index + 1, previous.chain);
  return res;
}

/// A journal, and its model as it was at the last commit and as it is now.
class world {
public:
  void step() {
    auto shard = *rc::gen::inRange<uint32_t>(0, 3);
    auto& log = now_.logs[shard];
    switch (*rc::gen::inRange(0, 14)) {
      default:
        return try_to_append(*rc::gen::weightedElement<log_entry>(
          {{8, next(log, shard)}, {1, again(log, shard)}, {1, other(shard)}}));
      case 7:
      case 8: {
        auto last = some_index(log);
        must(store_->cut(shard, last));
        return cut(log, last);
      }
      case 9: {
        auto record = replica_record{};
        record.promised = *rc::gen::arbitrary<uint64_t>();
        record.config.shard = shard;
        record.config.primary = *rc::gen::arbitrary<std::string>();
        record.config.members.resize(*rc::gen::inRange<size_t>(0, 4));
        must(store_->put_record(record));
        now_.records[shard] = record;
        return;
      }
      case 10:
        return commit();
      case 11:
        return replace(shard);
      case 12:
        commit();
        if (*rc::gen::arbitrary<bool>()) {
          must(store_->remove_shard(shard));
          now_.logs[shard] = {};
        } else {
          auto& kept = now_.logs[shard];
          truncate(kept, some_index(kept));
          if (!kept.entries.empty())
            while (!must(
              store_->truncate(shard, kept.entries.front().index - 1, 2))) {
            }
        }
        durable_ = now_;
        return;
      case 13:
        return crash();
    }
  }

  void compare() {
    auto expected = std::vector<replica_record>{};
    for (auto& [shard, record] : now_.records)
      expected.push_back(record);
    RC_ASSERT(must(store_->records()) == expected);
    for (auto& [shard, log] : now_.logs) {
      auto tail = std::optional<log_position>{};
      if (!log.entries.empty())
        tail = position_of(log.entries.back());
      RC_ASSERT(must(store_->tail(shard)) == tail);
      auto from = log.entries.empty() ? 1 : log.entries.front().index;
      auto got = read_log(*store_, shard, from, std::nullopt);
      must(got.end);
      RC_ASSERT(same(got.entries, log.entries));
      RC_ASSERT(got.committed == log.committed);
    }
  }

private:
  static log_entry next(const model_log& log, uint32_t shard) {
    auto seed = *rc::gen::inRange<uint64_t>(0, 1000);
    return entry_after(log.end.value_or(log_position{seed % 3, 0, seed}), shard,
                       seed);
  }

  static log_entry again(const model_log& log, uint32_t shard) {
    return log.entries.empty() ? other(shard)
                               : *rc::gen::elementOf(log.entries);
  }

  static log_entry other(uint32_t shard) {
    auto seed = *rc::gen::inRange<uint64_t>(0, 1000);
    return entry_after({*rc::gen::inRange<uint64_t>(0, 20), 0, seed}, shard,
                       seed);
  }

  static uint64_t some_index(const model_log& log) {
    auto last = log.end ? log.end->index : 0;
    return last - std::min(last, *rc::gen::inRange<uint64_t>(0, 6));
  }

  void try_to_append(const log_entry& x) {
    auto committed = *rc::gen::inRange<uint64_t>(0, 3);
    auto expected = append(now_.logs[x.shard], x, committed);
    RC_ASSERT(code_of(store_->append(x, committed)) == expected);
  }

  void commit() {
    must(store_->commit());
    RC_ASSERT(!store_->dirty());
    durable_ = now_;
  }

  void replace(uint32_t shard) {
    auto& log = now_.logs[shard];
    auto seed = *rc::gen::inRange<uint64_t>(0, 1000);
    auto after = *rc::gen::arbitrary<bool>() && log.end
                   ? *log.end
                   : log_position{1 + seed % 9, 1, seed};
    auto fresh = model_log{{}, {}, after};
    must(store_->begin_stage(shard, after, {after.index, after}));
    for (auto n = *rc::gen::inRange(0, 5); n > 0; --n) {
      append(fresh, entry_after(*fresh.end, shard, seed++), 0);
      must(store_->stage(shard, shared({fresh.entries.back()})));
    }
    durable_ = now_;
    must(store_->end_stage(shard));
    if (*rc::gen::arbitrary<bool>())
      return must(store_->discard_staged(shard));
    must(store_->install_staged(shard));
    log = fresh;
    durable_ = now_;
  }

  /// The files as they are on the disk, opened under another name.
  void crash() {
    auto path = dir_.file(std::to_string(++life_));
    put_bytes(path, bytes_of(path_));
    if (fs::exists(path_ + "-wal"))
      put_bytes(path + "-wal", bytes_of(path_ + "-wal"));
    path_ = path;
    store_.emplace(must(journal::open(path_, durability::power)));
    now_ = durable_;
    // What follows a log without entries, only memory knew.
    for (auto& [shard, log] : now_.logs)
      if (log.entries.empty())
        log.end.reset();
    durable_ = now_;
  }

  temporary_directory dir_;
  int life_ = 0;
  std::string path_ = dir_.file("0");
  std::optional<journal> store_{must(journal::open(path_, durability::power))};
  model durable_;
  model now_;
};

} // namespace

TEST_SUITE("storage/journal model") {
  TEST_CASE("whatever happens to the journal, it is what a naive one would "
            "be") {
    CHECK(rc::check([] {
      auto self = world{};
      for (auto steps = *rc::gen::inRange(1, 80); steps > 0; --steps) {
        self.step();
        self.compare();
      }
    }));
  }

} // TEST_SUITE
