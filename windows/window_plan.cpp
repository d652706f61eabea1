#include "windows/window_plan.hpp"

#include "windows/int128.hpp"
#include "windows/time_text.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <string>
#include <utility>

// Bytes of a plan: version of the format (one byte), version of the plan
// (varint), the pending duration plus 1, or 0 for none (varint), number of
// segments (varint), and for each the distance of `from` from the `until` of
// the one before (the first: from the least int64) and its length (varints),
// `every` (varint) and `closed` (one byte).

namespace weir {

namespace {

constexpr uint8_t format_version = 1;

/// The end of the year 9999.
constexpr time_ms end_max = time_max + 1;

/// Windows of `every` have a bound at the result, the last at or before `time`.
int128 floor_to(int128 time, int128 every) {
  auto rest = time % every;
  return time - (rest < 0 ? rest + every : rest);
}

/// Cut off at the extremes of int64, like the windows there.
time_ms clamped(int128 time) {
  return static_cast<time_ms>(
    std::clamp<int128>(time, window_plan::always, window_plan::forever));
}

std::string to_text(const window_bounds& x) {
  return "[" + format_time(x.start) + ", " + format_time(x.end) + ")";
}

std::string to_text(const plan_segment& x) {
  if (x.every == 0)
    return "the window " + to_text(window_bounds{x.from, x.until});
  auto res = "the windows of " + format_duration(x.every);
  if (x.from != window_plan::always)
    res += " from " + format_time(x.from);
  if (x.until != window_plan::forever)
    res += " until " + format_time(x.until);
  return res;
}

window_bounds window_at(const plan_segment& x, time_ms time) {
  if (x.every == 0)
    return {x.from, x.until};
  auto passed = time % x.every;
  if (passed < 0)
    passed += x.every;
  auto res = window_bounds{};
  if (__builtin_sub_overflow(time, passed, &res.start))
    res.start = window_plan::always;
  if (__builtin_add_overflow(time, x.every - passed, &res.end))
    res.end = window_plan::forever;
  return res;
}

bool is_bound(time_ms time, time_ms every) {
  return floor_to(time, every) == time;
}

bool makes_sense(const plan_segment& x) {
  if (x.from >= x.until || x.every < 0 || x.every > time_max)
    return false;
  if (x.every == 0)
    return x.from >= time_min && x.until <= end_max;
  return !x.closed
         && (x.from == window_plan::always || is_bound(x.from, x.every))
         && (x.until == window_plan::forever || is_bound(x.until, x.every));
}

failure too_many_segments() {
  return {ec::limit_reached,
          "the window plan has " + std::to_string(window_plan::segments_max)
            + " parts, which is the limit; wait until older windows are final"};
}

} // namespace

window_plan window_plan::periodic(time_ms every) {
  assert(every > 0 && every <= time_max);
  auto res = window_plan{};
  res.version_ = 1;
  res.segments_.push_back({always, forever, every, false});
  return res;
}

time_ms window_plan::every() const {
  if (segments_.empty() || segments_.back().until != forever)
    return 0;
  return segments_.back().every;
}

// -- lookup ------------------------------------------------------------------

size_t window_plan::first_ending_after(time_ms time) const {
  // Mostly, time goes by in the last segment.
  if (!segments_.empty() && segments_.back().from <= time)
    return segments_.size() - (segments_.back().until > time ? 1 : 0);
  auto i = std::partition_point(segments_.begin(), segments_.end(),
                                [&](const plan_segment& x) {
                                  return x.until <= time;
                                });
  return static_cast<size_t>(i - segments_.begin());
}

const plan_segment* window_plan::segment_at(time_ms time) const {
  auto i = first_ending_after(time);
  if (i == segments_.size() || segments_[i].from > time)
    return nullptr;
  return &segments_[i];
}

std::optional<window_bounds> window_plan::find(time_ms time) const {
  auto x = segment_at(time);
  if (x == nullptr)
    return std::nullopt;
  return window_at(*x, time);
}

time_ms window_plan::last_end(time_ms through) const {
  auto i = first_ending_after(through);
  if (i < segments_.size() && segments_[i].every != 0
      && segments_[i].from < through) {
    auto end = floor_to(through, segments_[i].every);
    if (end > segments_[i].from)
      return static_cast<time_ms>(end);
  }
  return i == 0 ? always : segments_[i - 1].until;
}

std::optional<window_bounds> window_plan::next(time_ms after_end) const {
  auto i = first_ending_after(after_end);
  if (i == segments_.size())
    return std::nullopt;
  return window_at(segments_[i], std::max(after_end, segments_[i].from));
}

// -- explicit windows --------------------------------------------------------

result<void> window_plan::open(window_bounds bounds) {
  if (bounds.start >= bounds.end)
    return fail(ec::invalid_argument,
                "the window " + to_text(bounds)
                  + " is empty; its end must be after its start");
  if (bounds.start < time_min || bounds.end > end_max)
    return fail(ec::invalid_argument,
                "the window " + to_text(bounds)
                  + " is not within the years 1970 to 9999");
  if (pending_)
    return fail(ec::conflict, "a change of the windows' duration is under way; "
                              "open windows when it has begun");
  auto i = first_ending_after(bounds.start);
  if (i < segments_.size() && segments_[i].from < bounds.end)
    return fail(ec::conflict, "the window " + to_text(bounds) + " overlaps "
                                + to_text(segments_[i])
                                + "; windows can't overlap");
  if (segments_.size() >= segments_max)
    return tl::unexpected(too_many_segments());
  segments_.insert(segments_.begin() + static_cast<ptrdiff_t>(i),
                   {bounds.start, bounds.end, 0, false});
  ++version_;
  return {};
}

result<window_bounds> window_plan::close(time_ms inside) {
  auto i = first_ending_after(inside);
  if (i == segments_.size() || segments_[i].from > inside)
    return fail(ec::not_found, "no window holds " + format_time(inside)
                                 + ", so there is none to close");
  auto& x = segments_[i];
  if (x.every != 0)
    return fail(ec::conflict, format_time(inside) + " is in " + to_text(x)
                                + ", which close by themselves");
  if (x.closed)
    return fail(ec::conflict, to_text(x) + " is closed already");
  x.closed = true;
  ++version_;
  return window_bounds{x.from, x.until};
}

// -- change of duration ------------------------------------------------------

result<void> window_plan::prepare(time_ms duration) {
  if (duration < 0 || duration > time_max)
    return fail(ec::invalid_argument,
                "windows can't last " + std::to_string(duration)
                  + " ms; the duration must be in [0, "
                  + std::to_string(time_max) + "], and 0 means no windows");
  if (pending_)
    return fail(ec::conflict,
                "another change of the windows' duration is under way, to "
                  + format_duration(*pending_) + "; wait until it has begun");
  if (duration == every())
    return fail(ec::conflict, "the windows' duration is "
                                + format_duration(duration) + " already");
  // Room for the part that `settle` adds.
  if (segments_.size() >= segments_max)
    return tl::unexpected(too_many_segments());
  pending_ = duration;
  ++version_;
  return {};
}

result<time_ms> window_plan::boundary_after(time_ms greatest) const {
  auto old = every();
  auto step = int128{*pending_};
  auto least = int128{greatest} + 1;
  if (old != 0) {
    least = std::max<int128>(least, segments_.back().from);
    // Below 2^96: both are at most the end of the year 9999.
    step = *pending_ == 0 ? int128{old}
                          : int128{old} / std::gcd(old, *pending_) * *pending_;
  } else if (!segments_.empty()) {
    least = std::max<int128>(least, segments_.back().until);
  }
  auto res = floor_to(least - 1, step) + step;
  if (res <= time_max)
    return static_cast<time_ms>(res);
  return fail(ec::invalid_argument,
              "windows of " + format_duration(old) + " and of "
                + format_duration(*pending_) + " have no common bound after "
                + format_time(clamped(least - 1))
                + " and before the end of the year 9999; choose a duration "
                  "that divides the other");
}

result<time_ms> window_plan::settle(time_ms greatest) {
  if (!pending_)
    return fail(ec::not_found,
                "no change of the windows' duration is under way");
  auto boundary = boundary_after(greatest);
  auto coming = *pending_;
  ++version_;
  if (!boundary) {
    pending_.reset();
    return boundary;
  }
  if (every() != 0) {
    segments_.back().until = *boundary;
    if (segments_.back().from == *boundary)
      segments_.pop_back();
  }
  // Back to what there is until then: the change between never was, and the
  // next one need not wait for its boundary.
  auto taken_back = coming != 0 && !segments_.empty()
                    && segments_.back().every == coming
                    && segments_.back().until == *boundary;
  if (taken_back)
    segments_.back().until = forever;
  else if (coming != 0)
    segments_.push_back({*boundary, forever, coming, false});
  pending_.reset();
  return boundary;
}

void window_plan::abandon() {
  if (!pending_)
    return;
  pending_.reset();
  ++version_;
}

void window_plan::prune(time_ms final_through) {
  auto n = first_ending_after(final_through);
  if (n < 2)
    return;
  segments_.erase(segments_.begin(),
                  segments_.begin() + static_cast<ptrdiff_t>(n - 1));
  ++version_;
}

// -- bytes -------------------------------------------------------------------

void window_plan::encode(byte_writer& out) const {
  out.fixed(format_version);
  out.varint(version_);
  out.varint(pending_ ? static_cast<uint64_t>(*pending_) + 1 : 0);
  out.varint(segments_.size());
  auto last = static_cast<uint64_t>(always);
  for (auto& x : segments_) {
    out.varint(static_cast<uint64_t>(x.from) - last);
    out.varint(static_cast<uint64_t>(x.until) - static_cast<uint64_t>(x.from));
    out.varint(static_cast<uint64_t>(x.every));
    out.fixed(static_cast<uint8_t>(x.closed ? 1 : 0));
    last = static_cast<uint64_t>(x.until);
  }
}

bool window_plan::decode(byte_reader& in) {
  auto res = window_plan{};
  if (in.fixed<uint8_t>() != format_version)
    return false;
  res.version_ = in.varint();
  auto pending = in.varint();
  auto n = in.varint();
  if (!in.ok() || pending > static_cast<uint64_t>(time_max) + 1
      || n > segments_max)
    return false;
  auto last = int128{always};
  for (; n > 0; --n) {
    auto from = last + int128{in.varint()};
    auto until = from + int128{in.varint()};
    auto every = in.varint();
    auto closed = in.fixed<uint8_t>();
    if (!in.ok() || until > forever || every > static_cast<uint64_t>(time_max)
        || closed > 1)
      return false;
    auto x
      = plan_segment{static_cast<time_ms>(from), static_cast<time_ms>(until),
                     static_cast<time_ms>(every), closed == 1};
    if (!makes_sense(x))
      return false;
    res.segments_.push_back(x);
    last = until;
  }
  if (pending != 0) {
    res.pending_ = static_cast<time_ms>(pending - 1);
    // What `prepare` would not have taken.
    if (*res.pending_ == res.every() || res.segments_.size() == segments_max)
      return false;
  }
  *this = std::move(res);
  return true;
}

} // namespace weir
