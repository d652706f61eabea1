#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir {

/// Units of shards that have to go to nodes, those of a shard to distinct ones.
struct assignment_task {
  /// Between what and what a node's units may be.
  struct share {
    size_t least = 0;
    size_t most = 0;
  };

  /// Not there.
  static constexpr int64_t never = INT64_MAX;

  /// What it costs to have a unit of a shard on a node, by shard and node;
  /// `never`, or between 0 and `cost_max`.
  std::vector<std::vector<int64_t>> costs;
  int64_t cost_max = 0;
  /// By node: how many units it shall have.
  std::vector<share> shares;
};

/// By shard: the nodes that its units are on.
using assignment = std::vector<std::vector<size_t>>;

/// Moves units until every node is within its share, and no other assignment of
/// as many units costs less. Where the shares can't be kept, it comes as near
/// as can be, in units beyond them.
///
/// A flow of least cost, made by cancelling negative cycles (Klein, 1967). A
/// step of a cycle is a unit that goes from one node to another one.
///
/// @param start for each shard as many units as it shall have, on distinct
/// nodes, none where it may never be
assignment assign(const assignment_task& task, assignment start);

} // namespace weir
