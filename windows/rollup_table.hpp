#pragma once

#include "windows/bytes.hpp"
#include "windows/metric_names.hpp"
#include "windows/reading.hpp"
#include "windows/rollup_window.hpp"
#include "windows/window_partial.hpp"
#include "windows/window_plan.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace weir {

struct rollup_options {
  /// Names that a shard's windows hold at a time: keeps a source that invents
  /// names from filling memory and every message to the coordinator.
  uint32_t metrics_max = 10'000;
  /// Windows times metrics that a shard holds at a time: some 50 MB of integer
  /// readings.
  uint32_t cells_max = 262'144;
};

/// What became of readings: each counts once.
struct rollup_counts {
  uint64_t in = 0;
  /// Of a window that is sealed, or has a part of the time of one.
  uint64_t late = 0;
  /// Of no announced window.
  uint64_t outside = 0;
  /// Past a limit of `rollup_options`.
  uint64_t refused = 0;

  uint64_t total() const {
    return in + late + outside + refused;
  }

  rollup_counts& operator+=(const rollup_counts& x) {
    in += x.in;
    late += x.late;
    outside += x.outside;
    refused += x.refused;
    return *this;
  }

  friend bool operator==(const rollup_counts& x, const rollup_counts& y) {
    return x.in == y.in && x.late == y.late && x.outside == y.outside
           && x.refused == y.refused;
  }
};

/// Readings whose place a settled change of duration decided otherwise than
/// they were counted at first.
struct rollup_correction {
  uint64_t outside_to_in = 0;
  uint64_t in_to_outside = 0;
};

inline rollup_counts& operator+=(rollup_counts& x, const rollup_correction& y) {
  x.in = x.in + y.outside_to_in - y.in_to_outside;
  x.outside = x.outside + y.in_to_outside - y.outside_to_in;
  return x;
}

/// The windows of one shard that are open, or sealed and not yet released.
///
/// All that it holds, answers and counts is a function of the calls that change
/// it, in their order: replicas that apply the same log are the same.
///
/// While a change of duration is prepared, readings after the greatest time so
/// far go into a window of the rule that holds and into one of the rule that is
/// to come, and once it is settled from when on, the windows of the rule that
/// doesn't hold there are dropped. So each is in exactly one window, whichever
/// shard it came to.
class rollup_table {
public:
  explicit rollup_table(rollup_options options = {});

  rollup_table(rollup_table&&) = default;

  rollup_table& operator=(rollup_table&&) = default;

  /// Takes limits from now on; what is held stays.
  void configure(rollup_options options);

  const rollup_options& options() const {
    return options_;
  }

  // -- rules -----------------------------------------------------------------

  /// Takes a plan of a greater version; ignores another. Windows that are not
  /// sealed and that the plan doesn't announce are dropped.
  /// @param greatest no reading so far is later: what the shard tells whoever
  ///        settles a prepared change.
  /// @returns what to add to the sum of the counts of `apply`.
  rollup_correction set_plan(const window_plan& plan, time_ms greatest);

  const window_plan& plan() const {
    return plan_;
  }

  /// Makes every window that ends by `through` immutable. While a change of
  /// duration is prepared, `through` must not pass the time that settles it.
  void seal(time_ms through);

  /// The greatest `through` so far, or the least int64.
  time_ms sealed_through() const {
    return sealed_through_;
  }

  /// Makes one explicit window immutable: one that the plan announces. So does
  /// a plan that says that it is closed.
  /// @returns false, doing nothing, if there is no such window.
  bool close(window_bounds bounds);

  /// Nothing enters it any more.
  bool is_sealed(const window_bounds& x) const;

  /// There is something to release up to `through`.
  bool holds_sealed(time_ms through) const;

  /// Drops sealed windows that end by `through`.
  void release(time_ms through);

  /// Drops that window, if it is sealed.
  void release(window_bounds bounds);

  // -- readings --------------------------------------------------------------

  /// Adds readings to their windows, in their order, all but those that `skip`
  /// names.
  /// @param skip indexes into `batch.readings`, ascending.
  /// @returns what became of all others. While a change of duration is
  ///          prepared, one counts as the rule that holds has it; see
  ///          `set_plan`.
  rollup_counts apply(const reading_batch& batch,
                      const std::vector<uint32_t>& skip);

  // -- answers ---------------------------------------------------------------

  /// Sealed windows with after_end < end <= through that hold readings, in
  /// order, as many as encode to about `bytes_max` bytes, at least one.
  /// @param upto becomes the end of the last one returned if there are more,
  ///        else `through`. Beyond `sealed_through` others may follow.
  std::vector<window_partial> sealed(time_ms after_end, time_ms through,
                                     size_t bytes_max, time_ms& upto) const;

  /// The first `count_max` windows that overlap [from, until), in order, as far
  /// as they are.
  std::vector<window_partial> windows(time_ms from, time_ms until,
                                      bool with_metrics,
                                      size_t count_max) const;

  // -- checkpoint ------------------------------------------------------------

  /// Appends everything but the options. Equal tables have equal bytes,
  /// whatever the order and grouping of their readings.
  void encode(byte_writer& out) const;

  /// Replaces the content by what `encode` wrote. Any bytes are safe.
  /// @returns false if no table encodes to such bytes; it is unchanged then.
  bool decode(byte_reader& in);

  // -- figures ---------------------------------------------------------------

  /// Hash of everything but the options, whatever order readings came in: equal
  /// for replicas that have applied the same log.
  uint64_t digest() const;

  /// Bytes on the heap, roughly. Looks at every cell.
  size_t bytes() const;

  /// Windows times metrics held, those of a prepared rule included.
  size_t cells() const {
    return cells_;
  }

  /// Windows held, those of a prepared rule included.
  size_t windows_held() const {
    return windows_.size() + coming_.size();
  }

  /// Names held.
  size_t metrics() const {
    return metrics_;
  }

private:
  /// By start.
  using window_map = std::map<time_ms, rollup_window>;

  static constexpr time_ms least = std::numeric_limits<time_ms>::min();

  enum class verdict : uint8_t { in, late, outside, refused };

  static constexpr size_t verdicts = 4;

  /// An open window that readings went to lately.
  struct recent_window {
    window_bounds bounds;
    rollup_window* window = nullptr;
  };

  /// Disorder spreads readings over some windows. A power of two.
  static constexpr size_t recent_max = 64;

  recent_window& recent_at(time_ms time);

  void forget_recent();

  verdict apply_one(const reading& r);

  verdict apply_both(const reading& r);

  bool has_room(uint32_t metric, size_t more) const;

  partial* new_cell(rollup_window& window, uint32_t metric);

  void add(window_map& windows, const window_bounds& bounds, const reading& r);

  window_map::iterator drop(window_map& windows, window_map::iterator i);

  void keep_closed(const window_bounds& x);

  bool is_taken(const window_bounds& x) const;

  uint64_t drop_unannounced();

  uint64_t promote();

  /// The first window that ends after `time`.
  window_map::const_iterator first_ending_after(time_ms time) const;

  window_partial export_window(const rollup_window& x, bool with_metrics) const;

  size_t encoded_bytes(const rollup_window& x, std::vector<bool>& named) const;

  void encode_map(const window_map& xs, const std::vector<uint32_t>& positions,
                  byte_writer& out) const;

  bool decode_window(byte_reader& in, const std::vector<uint32_t>& ids,
                     rollup_window& x);

  bool decode_map(byte_reader& in, const std::vector<uint32_t>& ids,
                  window_map& xs);

  bool decode_all(byte_reader& in);

  bool is_consistent() const;

  rollup_options options_;
  window_plan plan_;
  time_ms sealed_through_ = least;
  /// Explicit windows closed by hand that end after `sealed_through_`: start
  /// and end.
  std::set<std::pair<time_ms, time_ms>> closed_;
  window_map windows_;
  /// Windows of the rule that is prepared, of readings after `coming_from_`.
  window_map coming_;
  /// The rule that is prepared; without windows if none is.
  window_plan coming_plan_;
  time_ms coming_from_ = 0;
  std::array<recent_window, recent_max> recent_;
  /// 2^64 / duration, for a place in `recent_` without a division; 0 for
  /// explicit windows.
  uint64_t inverse_ = 0;

  metric_names names_;
  /// Cells that hold each number.
  std::vector<uint32_t> holders_;
  size_t metrics_ = 0;
  size_t cells_ = 0;

  // Of the batch at hand: kept for its memory only.
  std::vector<uint32_t> metric_ids_;
};

} // namespace weir
