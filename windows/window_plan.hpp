#pragma once

#include "windows/bytes.hpp"
#include "windows/failure.hpp"
#include "windows/reading.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace weir {

/// The times in [start, end), in ms since the epoch.
struct window_bounds {
  time_ms start = 0;
  time_ms end = 0;

  friend bool operator==(const window_bounds& x, const window_bounds& y) {
    return x.start == y.start && x.end == y.end;
  }

  friend bool operator!=(const window_bounds& x, const window_bounds& y) {
    return !(x == y);
  }
};

/// A part [from, until) of time with one rule.
struct plan_segment {
  /// A bound of a window, or the least int64.
  time_ms from = 0;
  /// A bound of a window, or the greatest int64.
  time_ms until = 0;
  /// Windows of so many ms, aligned to the epoch by floor division. 0: one
  /// window, which is the segment.
  time_ms every = 0;
  /// Sealed by hand. Only if `every` is 0.
  bool closed = false;

  friend bool operator==(const plan_segment& x, const plan_segment& y) {
    return x.from == y.from && x.until == y.until && x.every == y.every
           && x.closed == y.closed;
  }
};

/// Which window a time belongs to: at most one, and none where no window is
/// announced. Windows that reach an extreme of int64 end there, and so the
/// greatest int64 is in none.
///
/// Every change makes a greater version. A change of duration takes two steps,
/// because readings flow meanwhile: `prepare` says what is to come, and when
/// every shard has said how far its readings reach, `settle` says from when on.
class window_plan {
public:
  static constexpr time_ms forever = std::numeric_limits<time_ms>::max();

  static constexpr time_ms always = std::numeric_limits<time_ms>::min();

  /// Explicit windows and changes of duration that a plan remembers. The plan
  /// is in every shard's log whenever it changes: 10,000 take some 100 KiB.
  static constexpr size_t segments_max = 10'000;

  /// No windows at all. Version 0.
  window_plan() = default;

  /// Windows of `every` ms over all of time. Version 1.
  /// @pre `every` is in [1, time_max].
  static window_plan periodic(time_ms every);

  uint64_t version() const {
    return version_;
  }

  const std::vector<plan_segment>& segments() const {
    return segments_;
  }

  /// The announced window that holds `time`.
  std::optional<window_bounds> find(time_ms time) const;

  /// The segment that holds `time`, or null.
  const plan_segment* segment_at(time_ms time) const;

  /// The greatest end of an announced window that is at most `through`, or the
  /// least int64.
  time_ms last_end(time_ms through) const;

  /// The first announced window with an end after `after_end`.
  std::optional<window_bounds> next(time_ms after_end) const;

  /// Windows follow one another for all time to come.
  bool periodic() const {
    return every() != 0;
  }

  /// The duration of those in ms, or 0.
  time_ms every() const;

  /// The duration that is prepared, 0 for none at all, if any is prepared.
  const std::optional<time_ms>& pending() const {
    return pending_;
  }

  // -- explicit windows ------------------------------------------------------

  /// Announces a window. Fails with `invalid_argument` if it is empty or
  /// outside of [time_min, time_max + 1], with `conflict` if it overlaps an
  /// announced one or while a change of duration is prepared, and with
  /// `limit_reached` at `segments_max`.
  result<void> open(window_bounds bounds);

  /// Marks the explicit window that holds `inside` as closed, and returns it.
  /// Fails with `not_found` if there is none, and with `conflict` if windows
  /// there are periodic, or if it is closed already.
  result<window_bounds> close(time_ms inside);

  // -- change of duration ----------------------------------------------------

  /// Prepares windows of `every` ms, or, with 0, none. Fails with
  /// `invalid_argument` below 0 or beyond `time_max`, with `conflict` if that
  /// is the rule already or another change is prepared, and with
  /// `limit_reached` at `segments_max`.
  result<void> prepare(time_ms every);

  /// Lets the prepared change begin at the first time that is a bound of old
  /// and new windows, later than `greatest`, and not before what is announced
  /// explicitly.
  /// @param greatest the greatest time of a reading that any shard had seen
  ///        when it took the prepared plan, and of any seal; the least int64 if
  ///        there was none.
  /// @returns that time. Fails with `invalid_argument` if it is not before the
  ///          end of the year 9999, and the change is dropped; with `not_found`
  ///          if none is prepared.
  result<time_ms> settle(time_ms greatest);

  /// Drops the prepared change, if any.
  void abandon();

  /// Makes the next `n` versions those of nobody: plans may have been announced
  /// under them that are lost.
  void pass_over(uint64_t n) {
    version_ += n;
  }

  /// Forgets segments that end by `final_through`, but for the last of those.
  /// Readings of then are outside of all windows, no longer late.
  void prune(time_ms final_through);

  /// Appends version byte, version, pending change and segments.
  void encode(byte_writer& out) const;

  /// Replaces the content by what `encode` wrote. Any bytes are safe.
  /// @returns false if no plan encodes to such bytes; it is unchanged then.
  bool decode(byte_reader& in);

  friend bool operator==(const window_plan& x, const window_plan& y) {
    return x.version_ == y.version_ && x.segments_ == y.segments_
           && x.pending_ == y.pending_;
  }

private:
  size_t first_ending_after(time_ms time) const;

  result<time_ms> boundary_after(time_ms greatest) const;

  uint64_t version_ = 0;
  /// In order of time, without overlaps.
  std::vector<plan_segment> segments_;
  std::optional<time_ms> pending_;
};

} // namespace weir
