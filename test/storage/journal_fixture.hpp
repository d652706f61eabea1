#pragma once

#include "test/storage/faulty_disk.hpp"
#include "test/storage/support.hpp"

namespace weir::test {

inline log_position position_of(const log_entry& x) {
  return {x.index, x.epoch, x.chain};
}

inline std::vector<entry_ptr> shared(const std::vector<log_entry>& xs) {
  auto res = std::vector<entry_ptr>{};
  for (auto& x : xs)
    res.push_back(std::make_shared<const log_entry>(x));
  return res;
}

/// An open journal.
struct journal_fixture {
  temporary_directory dir;
  std::string path = dir.file("journal.db");
  std::optional<journal> store{must(journal::open(path, durability::power))};

  /// As a process that ended without a word.
  void reopen() {
    store.reset();
    store.emplace(must(journal::open(path, durability::power)));
  }

  void append(const std::vector<log_entry>& xs) {
    for (auto& x : xs)
      must(store->append(x));
  }

  std::vector<log_entry> log(uint32_t shard, uint64_t from = 1,
                             uint64_t previous = 0) {
    auto got = read_log(*store, shard, from, previous);
    must(got.end);
    return got.entries;
  }

  /// Another node's log, whose checkpoint ends right before it.
  void stage(uint32_t shard, const log_position& after,
             const std::vector<log_entry>& xs) {
    must(store->begin_stage(shard, after, {after.index, after}));
    must(store->stage(shard, shared(xs)));
    must(store->end_stage(shard));
  }
};

/// One on a disk that fails when told to, and is there for longer.
struct faulty_disk_owner {
  faulty_disk disk;
};

struct faulty_journal_fixture : faulty_disk_owner, journal_fixture {};

inline std::vector<log_entry> slice(const std::vector<log_entry>& xs,
                                    size_t from, size_t to) {
  return {xs.begin() + static_cast<std::ptrdiff_t>(from),
          xs.begin() + static_cast<std::ptrdiff_t>(to)};
}

} // namespace weir::test
