#include "storage/journal.hpp"
#include "storage/journal_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

// How another node's log takes the place of a shard's own.

namespace weir {

using namespace journal_rows;

namespace {

constexpr auto put_mark_sql
  = "REPLACE INTO staged_log (shard, after_idx, after_epoch, after_chain,"
    " from_index, idx, epoch, chain, crc)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

constexpr auto find_mark_sql
  = "SELECT after_idx, after_epoch, after_chain, from_index, idx, epoch, chain,"
    " crc FROM staged_log WHERE shard = ?1";

std::string install_sql() {
  return fmt::format("INSERT INTO entry ({0}) SELECT {0} FROM staged"
                     " WHERE shard = ?1 ORDER BY idx",
                     entry_columns);
}

tl::unexpected<failure> refused(const std::string& path, uint32_t shard,
                                ec code, const std::string& why) {
  return fail(code, fmt::format("{}: shard {}: the log of another node is "
                                "refused: {}; begin the copy anew",
                                path, shard, why));
}

} // namespace

result<void> journal::prepare_stage() {
  return db_.prepare({
    {stage_, insert_sql("staged").c_str(), "stage an entry"},
    {has_staged_,
     "SELECT shard FROM (SELECT shard FROM staged UNION ALL"
     " SELECT shard FROM staged_log) WHERE shard = ?1 LIMIT 1",
     "look for a staged log"},
    {install_, install_sql().c_str(), "install a staged log"},
    {drop_staged_, "DELETE FROM staged WHERE shard = ?1", "drop a staged log"},
    {put_mark_, put_mark_sql, "complete a staged log"},
    {find_mark_, find_mark_sql, "read what a staged log is for"},
    {drop_mark_, "DELETE FROM staged_log WHERE shard = ?1",
     "drop a staged log's mark"},
  });
}

uint64_t journal::mark_crc(uint32_t shard, const staged_mark& x) {
  auto& [from_index, end] = x.checkpoint;
  return row_crc(shard, x.after.index, x.after.epoch, x.after.chain, from_index,
                 end.index, end.epoch, end.chain);
}

result<void> journal::delete_staged(uint32_t shard) {
  return drop_staged_.run(shard).and_then([&] {
    return drop_mark_.run(shard);
  });
}

result<void> journal::begin_stage(uint32_t shard, const log_position& after,
                                  const checkpoint_range& checkpoint) {
  auto& [from_index, end] = checkpoint;
  if (after.index > from_index || from_index > end.index
      || (after.index == end.index && !(after == end)))
    return refused(db_.path(), shard, ec::conflict,
                   fmt::format("it begins after entry {}, and its checkpoint "
                               "needs it from {} to {}",
                               after.index, from_index, end.index));
  if (auto done = discard_staged(shard); !done)
    return done;
  stages_[shard] = {after, checkpoint, after};
  return {};
}

result<void> journal::stage(uint32_t shard,
                            const std::vector<entry_ptr>& entries) {
  auto found = stages_.find(shard);
  assert(found != stages_.end());
  auto& self = found.value();
  auto& end = self.checkpoint.end;
  auto last = self.last;
  for (auto& x : entries) {
    assert(x->shard == shard);
    auto fine = check(*x).and_then([&] {
      return check_next(last, *x);
    });
    if (!fine)
      return fine;
    last = position_of(*x);
    if (last.index == end.index && !(last == end))
      return refused(db_.path(), shard, ec::conflict,
                     fmt::format("entry {} is not the one at which its "
                                 "checkpoint ends",
                                 end.index));
  }
  if (auto done = commit(); !done)
    return done;
  auto done = db_.transact([&]() -> result<void> {
    for (auto& x : entries)
      if (auto added = insert(stage_, *x, 0); !added)
        return added;
    return {};
  });
  if (done)
    self.last = last;
  return done;
}

result<void> journal::end_stage(uint32_t shard) {
  auto found = stages_.find(shard);
  assert(found != stages_.end());
  auto& self = found->second;
  auto& end = self.checkpoint.end;
  if (self.last.index < end.index)
    return refused(db_.path(), shard, ec::sequence_gap,
                   fmt::format("it ends at entry {}, and its checkpoint holds "
                               "entries up to {}",
                               self.last.index, end.index));
  if (auto done = commit(); !done)
    return done;
  auto crc = mark_crc(shard, {self.after, self.checkpoint});
  auto done = db_.transact([&] {
    return put_mark_.run(shard, self.after.index, self.after.epoch,
                         self.after.chain, self.checkpoint.from_index,
                         end.index, end.epoch, end.chain, crc);
  });
  if (!done)
    return done;
  // The checkpoint, once synced, must not outlive a log that was not.
  return db_.checkpoint();
}

result<void> journal::install_staged(uint32_t shard) {
  auto mark = find_mark(shard);
  if (!mark)
    return tl::unexpected(std::move(mark.error()));
  assert(*mark);
  return install(shard, **mark);
}

result<void> journal::install(uint32_t shard, const staged_mark& x) {
  if (auto done = commit(); !done)
    return done;
  tails_.erase(shard);
  auto done = db_.transact([&] {
    return remove_.run(shard)
      .and_then([&] {
        return install_.run(shard);
      })
      .and_then([&] {
        return delete_staged(shard);
      });
  });
  if (!done)
    return done;
  stages_.erase(shard);
  auto rows = first_index(shard);
  if (!rows)
    return tl::unexpected(std::move(rows.error()));
  if (!*rows)
    tails_[shard] = x.after;
  return {};
}

result<void> journal::discard_staged(uint32_t shard) {
  stages_.erase(shard);
  auto any = has_staged(shard);
  if (!any)
    return tl::unexpected(std::move(any.error()));
  if (auto done = commit(); !done || !*any)
    return done;
  return db_.transact([&] {
    return delete_staged(shard);
  });
}

result<bool> journal::settle(uint32_t shard,
                             const checkpoint_range& checkpoint) {
  auto done = [](result<void> x, bool installed) -> result<bool> {
    if (!x)
      return tl::unexpected(std::move(x.error()));
    return installed;
  };
  auto any = has_staged(shard);
  if (!any || !*any)
    return any;
  auto suits = holds(shard, checkpoint);
  if (!suits)
    return suits;
  if (*suits)
    return done(discard_staged(shard), false);
  auto mark = find_mark(shard);
  if (!mark)
    return tl::unexpected(std::move(mark.error()));
  if (!*mark || !((*mark)->checkpoint == checkpoint))
    return done(discard_staged(shard), false);
  return done(install(shard, **mark), true);
}

result<bool> journal::has_staged(uint32_t shard) {
  auto res = false;
  auto note = [&](const row&) -> result<bool> {
    res = true;
    return false;
  };
  if (auto done = has_staged_.each(note, shard); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<std::optional<journal::staged_mark>> journal::find_mark(uint32_t shard) {
  auto res = std::optional<staged_mark>{};
  auto check_and_keep = [&](const row& x) -> result<bool> {
    auto number = [&](int column) {
      return x.integer<uint64_t>(column);
    };
    res = staged_mark{{number(0), number(1), number(2)},
                      {number(3), {number(4), number(5), number(6)}}};
    if (mark_crc(shard, *res) != number(7))
      return damaged(db_.path(), shard,
                     "the mark of a copy that was being installed is not what "
                     "was written (its checksum differs)");
    return true;
  };
  if (auto done = find_mark_.each(check_and_keep, shard); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

/// Whether the shard's log is one for this checkpoint: it has all that must be
/// replayed, and the checkpoint's end, or begins right after that. A damaged
/// one is not; who goes on with it is told by `read`.
result<bool> journal::holds(uint32_t shard, const checkpoint_range& x) {
  auto first = first_index(shard);
  if (!first)
    return tl::unexpected(std::move(first.error()));
  if (!*first || **first > x.from_index + 1)
    return false;
  auto start = std::max(**first, x.from_index);
  auto previous = std::optional<uint64_t>{};
  if (start > x.end.index)
    previous = x.end.chain;
  auto res = false;
  auto look = [&](const log_entry& entry, uint64_t) {
    res = entry.index > x.end.index || position_of(entry) == x.end;
    return entry.index < x.end.index;
  };
  auto done = read(shard, start, previous, look);
  if (done)
    return res;
  if (done.error().code == ec::damaged)
    return false;
  return tl::unexpected(std::move(done.error()));
}

} // namespace weir
