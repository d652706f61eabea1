#pragma once

#include "cluster/rollups.hpp"
#include "messages/wire.hpp"

// What crosses a process boundary for the windows over all entities. The rules
// of wire.hpp hold.

namespace weir {

// -- node and coordinator

/// A shard under one of its configurations.
struct shard_assignment {
  uint32_t shard = 0;
  uint64_t epoch = 0;
};

/// Asks a node to seal windows in its shards, and for their totals.
struct seal_windows {
  seal_range range;
  /// A shard whose log has an older plan must take that first.
  uint64_t plan_version = 0;
  /// The shards to cover, and no others.
  std::vector<shard_assignment> shards;
};

/// Totals over some shards of a node, of sealed windows.
struct sealed_partials {
  std::string node;
  seal_range range;
  std::vector<uint32_t> shards;
  /// The last window's end, or `range.through`: beyond it, nothing is included.
  time_ms upto = 0;
  /// encode_windows()
  std::string windows;
};

/// Asks a node what its shards hold of windows that are not final.
struct get_partials {
  /// Windows that end after `from` and begin before `to`.
  time_ms from = 0;
  time_ms to = 0;
  /// Else just how many readings.
  bool totals = false;
  uint32_t windows_max = 0;
};

struct held_partials {
  std::vector<uint32_t> shards;
  /// encode_windows()
  std::string windows;
};

// -- clients and coordinator

/// What to do with the windows.
struct change_windows {
  enum class what : uint8_t {
    /// Windows of `every` ms from the next boundary on; 0: none.
    every = 0,
    /// Announce [start, end).
    open = 1,
    /// Close the one that holds `start`.
    close = 2,
  };

  what kind = what::every;
  time_ms every = 0;
  time_ms start = 0;
  time_ms end = 0;
};

/// Every shard will know of it once all have this version of the plan.
struct windows_changed {
  uint64_t version = 0;
  /// Of the window.
  time_ms start = 0;
  time_ms end = 0;
};

/// One metric of a window over all entities.
struct metric_total {
  std::string metric;
  /// partial::encode()
  std::string total;
};

struct window_answer {
  time_ms start = 0;
  time_ms end = 0;
  window_state state = window_state::open;
  /// Of final ones: they are numbered as they become final.
  uint64_t sequence = 0;
  /// Closed by hand, and not final yet.
  bool closing = false;
  /// Readings of all metrics.
  uint64_t readings = 0;
  std::vector<metric_total> metrics;
};

/// Asks for the totals of windows.
struct window_query {
  /// Windows that end after `from` and begin before `to`.
  time_ms from = 0;
  time_ms to = 0;
  /// Empty: all.
  std::string metric;
  /// Ask the shards for what is not final.
  bool partial = false;
};

/// Asks for the windows that have become final after the one with this number.
struct follow_windows {
  uint64_t after = 0;
  /// Wait so long for the first, ms.
  time_ms wait = 0;
};

/// In the order of time, or, to follow_windows, in that of becoming final.
struct window_answers {
  /// `not_found`: no window is announced there.
  ec code = ec::none;
  std::string text;
  std::vector<window_answer> windows;
  /// There are more: ask again from the last one's end, or after its number.
  bool more = false;
  /// Shards whose part is missing from what is not final.
  std::vector<uint32_t> missing;
};

/// Asks how the windows stand.
struct get_windows {
  /// Final ones to show, at most.
  uint32_t finals = 10;
  /// Others, at most.
  uint32_t others = 1'000;
};

/// Something that the windows wait for.
struct window_holder {
  enum class what : uint8_t {
    /// A producer that has come no further than `time`; -1: it has not said.
    producer = 0,
    /// A shard whose partials are missing.
    shard = 1,
    /// A shard whose log does not have the present plan.
    plan = 2,
    /// Producers have until `time` to come back after a restart.
    settling = 3,
    /// No producer is live that could say more, nor has one been flushed.
    nobody = 4,
    /// The wall clock, which has to reach `time`.
    clock = 5,
  };

  what kind = what::producer;
  /// Name or id.
  std::string producer;
  uint32_t shard = 0;
  /// Name; empty: none.
  std::string node;
  time_ms time = -1;
  /// What is wrong with the shard.
  std::string text;
};

struct window_list {
  /// Of open-ended windows, ms; 0: there are none.
  time_ms every = 0;
  /// Since when that holds; the least int64: for all times.
  time_ms every_from = 0;
  /// ms; -1: no change is under way.
  time_ms every_pending = -1;
  time_ms lateness = 0;
  uint64_t version = 0;
  /// -1 before the first report.
  time_ms watermark = -1;
  /// Every window that ends by then is final; the least int64 before any.
  time_ms final_through = 0;
  /// Those that hold readings or were announced one by one, in the order of
  /// time, with the last final ones first.
  std::vector<window_answer> windows;
  /// Not all are listed.
  bool more = false;
  std::vector<uint32_t> missing;
  std::vector<window_holder> held_by;
};

WEIR_INSPECT(shard_assignment, x.shard, x.epoch)
WEIR_INSPECT(seal_range, x.after, x.through, x.single)
WEIR_INSPECT(seal_windows, x.range, x.plan_version, x.shards)
WEIR_INSPECT(sealed_partials, x.node, x.range, x.shards, x.upto, x.windows)
WEIR_INSPECT(get_partials, x.from, x.to, x.totals, x.windows_max)
WEIR_INSPECT(held_partials, x.shards, x.windows)
WEIR_INSPECT(change_windows, x.kind, x.every, x.start, x.end)
WEIR_INSPECT(windows_changed, x.version, x.start, x.end)
WEIR_INSPECT(metric_total, x.metric, x.total)
WEIR_INSPECT(window_answer, x.start, x.end, x.state, x.sequence, x.closing,
             x.readings, x.metrics)
WEIR_INSPECT(window_query, x.from, x.to, x.metric, x.partial)
WEIR_INSPECT(follow_windows, x.after, x.wait)
WEIR_INSPECT(window_answers, x.code, x.text, x.windows, x.more, x.missing)
WEIR_INSPECT(get_windows, x.finals, x.others)
WEIR_INSPECT(window_holder, x.kind, x.producer, x.shard, x.node, x.time, x.text)
WEIR_INSPECT(window_list, x.every, x.every_from, x.every_pending, x.lateness,
             x.version, x.watermark, x.final_through, x.windows, x.more,
             x.missing, x.held_by)

} // namespace weir
