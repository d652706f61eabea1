#pragma once

#include "messages/window_wire.hpp"
#include "windows/failure.hpp"
#include "windows/partial.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

// Windows over all entities, as people and scripts read them.

namespace weir {

/// Totals of one metric of a window; or a window that has none to show.
struct window_row {
  time_ms start = 0;
  time_ms end = 0;
  window_state state = window_state::open;
  /// Empty: no reading of any metric.
  std::string metric;
  /// Nothing: not final yet, and nobody asked for what there is so far.
  std::optional<partial> total;
};

/// A row for each metric; at least one. A window that nothing fell into has
/// one with the totals of nothing.
/// @param metric the one that was asked for; empty: all
/// @param so_far totals so far were asked for, too
/// Fails with `version_mismatch` if the totals are in another program's format.
result<std::vector<window_row>> to_rows(const window_answer& x,
                                        const std::string& metric, bool so_far);

/// "open", "complete" or "final".
const char* state_name(window_state x);

/// "every 1m", "every off"
std::string every_text(time_ms every);

/// "[2023-11-14T22:13:00.000Z, 2023-11-14T22:14:00.000Z)"
std::string bounds_text(time_ms start, time_ms end);

/// "value", or "nothing" for a window without any metric.
std::string metric_text(const window_row& x);

/// Integers in full; doubles in as many digits as it takes to read the same;
/// "-" for nothing, "overflow" beyond the greatest double.
std::string value_text(const aggregate_value& x);

/// `{"window_start_ms":, "window_end_ms":, "state":, "metric":}` and then each
/// aggregate by its name: an integer (a string of its digits beyond int64), a
/// double, null for nothing, or "overflow" beyond the greatest double.
nlohmann::ordered_json to_json(const window_row& x);

/// "[A, B) value: count 3, sum 61, ..."
std::string to_line(const window_row& x);

/// START, END, STATE, METRIC, and a column for each aggregate.
std::string to_table(const std::vector<window_row>& rows);

/// What windows wait for: "producer p has come no further than ...".
std::string sentence(const window_holder& x);

/// The same of several; shards of one node with the same trouble share one.
std::vector<std::string> sentences(std::vector<window_holder> xs);

/// "shard 3", "shards 3 and 7", "shards 1, 2, 3, 4 and others".
std::string shards_text(const std::vector<uint32_t>& shards);

/// A window's state, and all that it waits for, a sentence each.
std::vector<std::string> explain(const window_answer& x,
                                 const window_list& list);

/// How the windows stand, as one object.
nlohmann::ordered_json to_json(const window_list& x);

/// The same for people, in lines.
std::string to_text(const window_list& x);

} // namespace weir
