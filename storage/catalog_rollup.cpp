#include "storage/catalog_rows.hpp"

#include <algorithm>
#include <cassert>
#include <functional>
#include <limits>

// The windows in the catalog.

namespace weir {

using namespace catalog_rows;

namespace {

constexpr auto any_number = static_cast<uint64_t>(INT64_MAX);

/// A number as a parameter of SQL, where all are signed.
int64_t clamped(uint64_t x) {
  return static_cast<int64_t>(std::min(x, any_number));
}

tl::unexpected<failure> damaged_final(const std::string& path,
                                      const final_row& x) {
  return damaged(
    path, "result of window",
    fmt::format("[{}, {}), number {}", x.start, x.end, x.sequence));
}

/// All columns but the totals: sequence, starts, ends, readings, stored,
/// totals_crc, crc.
result<final_row> head_of(const std::string& path, const row& x) {
  auto res = final_row{};
  res.sequence = x.integer<uint64_t>(0);
  res.start = x.integer<time_ms>(1);
  res.end = x.integer<time_ms>(2);
  res.readings = x.integer<uint64_t>(3);
  res.stored = x.integer<time_ms>(4);
  if (crc_of(res, x.integer<uint64_t>(5)) != x.integer<uint64_t>(6))
    return damaged_final(path, res);
  return res;
}

/// Gathers rows until there are enough of them.
class final_rows {
public:
  final_rows(const std::string& path, time_ms to, size_t limit,
             size_t bytes_max)
    : path_(path), to_(to), limit_(limit), bytes_left_(bytes_max) {
    assert(limit > 0);
  }

  /// For `statement::each`.
  result<bool> operator()(const row& x) {
    auto res = head_of(path_, x);
    if (!res)
      return tl::unexpected(std::move(res.error()));
    auto totals = x.bytes(7);
    if (res->start >= to_ || (totals.size() > bytes_left_ && !rows.empty()))
      return false;
    if (checksum(totals) != x.integer<uint64_t>(5))
      return damaged_final(path_, *res);
    bytes_left_ -= std::min(totals.size(), bytes_left_);
    res->totals = totals;
    rows.push_back(std::move(*res));
    return rows.size() < limit_;
  }

  std::vector<final_row> rows;

private:
  const std::string& path_;
  time_ms to_;
  size_t limit_;
  size_t bytes_left_;
};

} // namespace

result<void> catalog::prepare_rollup() {
  return db_.prepare({
    {put_rollup_,
     "REPLACE INTO rollup (one, record, last_sequence, crc)"
     " VALUES (1, ?1, ?2, ?3)",
     "write down the windows"},
    {get_rollup_, "SELECT record, last_sequence, crc FROM rollup",
     "read the windows"},
    {put_final_,
     "INSERT INTO final_window (sequence, starts, ends, readings, stored,"
     " totals_crc, crc, totals) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
     "write down a window's result"},
    {has_final_, "SELECT 1 FROM final_window WHERE ends = ?1 AND starts = ?2",
     "look for a window's result"},
    {get_finals_,
     "SELECT sequence, starts, ends, readings, stored, totals_crc, crc, totals"
     " FROM final_window WHERE ends > ?1 ORDER BY ends",
     "read windows' results"},
    {get_finals_after_,
     "SELECT sequence, starts, ends, readings, stored, totals_crc, crc, totals"
     " FROM final_window WHERE sequence > ?1 ORDER BY sequence",
     "read the newest results"},
    {get_last_finals_,
     "SELECT sequence, starts, ends, readings, stored, totals_crc, crc"
     " FROM final_window ORDER BY ends DESC LIMIT ?1",
     "read the last results"},
    {get_first_finals_,
     "SELECT sequence, stored, starts FROM final_window ORDER BY sequence"
     " LIMIT ?1",
     "look for old results"},
    {count_finals_, "SELECT COUNT(*) FROM final_window", "count results"},
    {remove_final_, "DELETE FROM final_window WHERE sequence = ?1",
     "remove an old result"},
  });
}

result<std::optional<catalog::rollup_row>> catalog::load_rollup() {
  auto res = std::optional<rollup_row>{};
  auto done = get_rollup_.each([&](const row& x) -> result<bool> {
    auto& self = res.emplace();
    self.record = x.bytes(0);
    self.last_sequence = x.integer<uint64_t>(1);
    if (row_crc(self.record, self.last_sequence) != x.integer<uint64_t>(2))
      return damaged(db_.path(), "rollup", "record");
    return true;
  });
  if (!done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<std::optional<std::string>> catalog::get_rollup() {
  auto stored = load_rollup();
  if (!stored)
    return tl::unexpected(std::move(stored.error()));
  if (!*stored)
    return std::nullopt;
  return std::move((*stored)->record);
}

result<bool> catalog::has_final(const final_row& x) {
  auto res = false;
  auto note = [&](const row&) -> result<bool> {
    res = true;
    return false;
  };
  if (auto done = has_final_.each(note, x.end, x.start); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<uint64_t> catalog::count_finals() {
  if (finals_count_)
    return *finals_count_;
  auto res = uint64_t{0};
  auto note = [&](const row& x) -> result<bool> {
    res = x.integer<uint64_t>(0);
    return true;
  };
  if (auto done = count_finals_.each(note); !done)
    return tl::unexpected(std::move(done.error()));
  finals_count_ = res;
  return res;
}

result<time_ms> catalog::removed_through() {
  auto res = std::numeric_limits<time_ms>::min();
  auto empty = true;
  auto note = [&](const row& x) -> result<bool> {
    empty = false;
    if (x.integer<uint64_t>(0) > 1)
      res = x.integer<time_ms>(2);
    return false;
  };
  if (auto done = get_first_finals_.each(note, int64_t{1}); !done)
    return tl::unexpected(std::move(done.error()));
  if (!empty)
    return res;
  auto stored = load_rollup();
  if (!stored)
    return tl::unexpected(std::move(stored.error()));
  // Numbers are never used again.
  return *stored && (*stored)->last_sequence > 0
           ? std::numeric_limits<time_ms>::max()
           : res;
}

result<void> catalog::put_rollup(const std::string& record,
                                 const std::vector<final_row>& finals) {
  auto added = uint64_t{0};
  auto done = db_.transact([&]() -> result<void> {
    auto stored = load_rollup();
    if (!stored)
      return tl::unexpected(std::move(stored.error()));
    auto last = *stored ? (*stored)->last_sequence : 0;
    for (auto x : finals) {
      auto known = has_final(x);
      if (!known)
        return tl::unexpected(std::move(known.error()));
      if (*known)
        continue;
      x.sequence = ++last;
      ++added;
      auto totals_crc = checksum(x.totals);
      if (auto put
          = put_final_.run(x.sequence, x.start, x.end, x.readings, x.stored,
                           totals_crc, crc_of(x, totals_crc), blob{x.totals});
          !put)
        return put;
    }
    return put_rollup_.run(blob{record}, last, row_crc(record, last));
  });
  if (!done)
    return done;
  if (finals_count_)
    *finals_count_ += added;
  note(catalog_table::rollup);
  return {};
}

result<std::vector<final_row>> catalog::finals(time_ms from, time_ms to,
                                               size_t limit, size_t bytes_max) {
  // The first that begins too late ends the search: so do all that end later.
  auto res = final_rows{db_.path(), to, limit, bytes_max};
  if (auto done = get_finals_.each(std::ref(res), from); !done)
    return tl::unexpected(std::move(done.error()));
  return std::move(res.rows);
}

result<std::vector<final_row>> catalog::finals_after(uint64_t sequence,
                                                     size_t limit,
                                                     size_t bytes_max) {
  auto res = final_rows{db_.path(), INT64_MAX, limit, bytes_max};
  if (auto done = get_finals_after_.each(std::ref(res), clamped(sequence));
      !done)
    return tl::unexpected(std::move(done.error()));
  return std::move(res.rows);
}

result<std::vector<final_row>> catalog::last_finals(size_t limit) {
  auto res = std::vector<final_row>{};
  auto keep = [&](const row& x) -> result<bool> {
    auto head = head_of(db_.path(), x);
    if (!head)
      return tl::unexpected(std::move(head.error()));
    res.push_back(std::move(*head));
    return true;
  };
  if (auto done = get_last_finals_.each(keep, clamped(limit)); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<size_t> catalog::expire_finals(time_ms stored_before, uint64_t keep,
                                      size_t delete_max) {
  auto count = count_finals();
  if (!count)
    return tl::unexpected(std::move(count.error()));
  auto surplus = *count - std::min(*count, keep);
  auto old = std::vector<uint64_t>{};
  auto note = [&](const row& x) -> result<bool> {
    if (x.integer<time_ms>(1) >= stored_before && old.size() >= surplus)
      return false;
    old.push_back(x.integer<uint64_t>(0));
    return true;
  };
  if (auto done = get_first_finals_.each(note, clamped(delete_max)); !done)
    return tl::unexpected(std::move(done.error()));
  if (old.empty())
    return size_t{0};
  auto done = db_.transact([&]() -> result<void> {
    for (auto sequence : old)
      if (auto removed = remove_final_.run(sequence); !removed)
        return removed;
    return {};
  });
  if (!done)
    return tl::unexpected(std::move(done.error()));
  *finals_count_ -= old.size();
  return old.size();
}

} // namespace weir
