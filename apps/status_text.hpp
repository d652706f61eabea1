#pragma once

#include "messages/wire.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

// How a cluster is, as people and scripts read it.

namespace weir {

/// Whether the shard's present configuration counts on this node.
bool is_member(const shard_status& x, const std::string& node);

/// Copies that hold all that is committed, and have been heard of.
uint32_t copies_of(const shard_status& x);

/// Copies that every shard shall have: the cluster's setting `replicas`.
uint32_t copies_wanted(const cluster_status& x);

/// The node of this name, or null.
const node_status* find_node(const cluster_status& x, const std::string& name);

/// Shards that are served with fewer copies than they shall have, for the same
/// reason.
struct copy_shortage {
  std::vector<uint32_t> shards;
  uint32_t copies = 0;
  uint32_t wanted = 0;
  std::string why;
};

/// In the order of their first shards. Shards that are not served at all have
/// sentences of their own.
std::vector<copy_shortage> shortages(const cluster_status& x);

/// "shards 3 and 7 have 1 of 2 copies: node n2 is down"
std::string sentence(const copy_shortage& x);

/// "32 shards: 30 serving with 2 copies, 2 moving with 1 copy"
std::string copies_line(const cluster_status& x);

/// Bytes a second; 0 before the first.
uint64_t pace_of(const move_status& x);

/// How long it will take at this pace, ms; -1: no telling.
time_ms left_of(const move_status& x);

/// "up", "down since 12:01:07Z", "drained: safe to stop", ...
/// @param now wall clock: a day that is not today's is named
std::string state_text(const node_status& x, time_ms now);

nlohmann::ordered_json to_json(const ledger_counts& x);
nlohmann::ordered_json to_json(const rollup_counts& x);

/// All that there is, as one object.
nlohmann::ordered_json to_json(const cluster_status& x);

/// A line for each count.
std::string to_text(const ledger_counts& x);
std::string to_text(const rollup_counts& x);

/// The same as `to_json`, for people, in lines.
/// @param shards a line for every shard, too
/// @param now wall clock
std::string to_text(const cluster_status& x, bool shards, time_ms now);

} // namespace weir
