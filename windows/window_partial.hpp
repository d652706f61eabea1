#pragma once

#include "windows/bytes.hpp"
#include "windows/failure.hpp"
#include "windows/partial.hpp"
#include "windows/window_plan.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// The exact totals of one metric in one window.
struct metric_partial {
  std::string metric;
  partial total;

  friend bool operator==(const metric_partial& x, const metric_partial& y) {
    return x.metric == y.metric && x.total == y.total;
  }
};

/// What one or several shards know of a window.
struct window_partial {
  window_bounds bounds;
  /// Nothing will be added any more.
  bool sealed = false;
  /// Readings of all metrics.
  uint64_t count = 0;
  /// Sorted by name, each once.
  std::vector<metric_partial> metrics;

  friend bool operator==(const window_partial& x, const window_partial& y) {
    return x.bounds == y.bounds && x.sealed == y.sealed && x.count == y.count
           && x.metrics == y.metrics;
  }
};

/// Totals of a metric in a window that a list has at most: 1 million are some
/// 150 MB of bytes, and decoded at most 700 MB.
constexpr size_t list_cells_max = 1'000'000;

/// Windows that a list has at most, be they empty.
constexpr size_t list_windows_max = 1'000'000;

/// Adds `from` to `into` by bounds and metric. A window of both is sealed if it
/// is in both. Both lists are in order of end and start, and so is the outcome.
void merge(std::vector<window_partial>& into,
           const std::vector<window_partial>& from);

/// How far a list of the first `count_max` windows goes: to the end of its last
/// one if it is full, for others may follow, and else to the end of all time.
time_ms reach_of(const std::vector<window_partial>& xs, size_t count_max);

/// Of merged lists of the first windows each, keeps what is in all of them: the
/// windows up to the least `reach_of`, and of these the first `count_max`. If
/// one of the lists was full, then so is what is left.
void keep_first(std::vector<window_partial>& xs, time_ms reach,
                size_t count_max);

/// Appends a list in order of end and start, each metric's name once.
/// @pre within `list_cells_max` and `list_windows_max`.
void encode_windows(const std::vector<window_partial>& xs, byte_writer& out);

/// Reads what `encode_windows` wrote, and nothing else. Any bytes are safe.
/// Fails with `version_mismatch`, with `limit_reached`, or with `malformed` if
/// no list encodes to such bytes.
result<std::vector<window_partial>> decode_windows(std::string_view bytes);

} // namespace weir
