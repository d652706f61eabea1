#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir {

/// A node that may hold replicas.
struct placeable_node {
  std::string id;
  /// Its share against other nodes'; at least 1.
  uint32_t weight = 1;
  /// It should be primary of nothing, where there is another.
  bool backup_only = false;

  friend bool operator==(const placeable_node& x, const placeable_node& y) {
    return x.id == y.id && x.weight == y.weight
           && x.backup_only == y.backup_only;
  }
};

/// The nodes of a shard, its primary first.
using shard_placement = std::vector<std::string>;

/// Places `replicas` replicas of every shard, or as many as there are nodes, on
/// distinct nodes: each node gets its share of the replicas, and of the
/// primaries, within one, by few moves from the present placement.
///
/// First the primaries, by the fewest moves there are: when a node joins a
/// balanced placement, they are those that it gets, and when one leaves, those
/// that it had. Then the other copies, by the fewest new ones that these
/// primaries allow. Each is an assignment at the least cost; see `assign`.
/// Where balance, primaries that stay and few copies can't be had at once, they
/// win in this order; that costs one copy more in one of 200 changes.
///
/// With equal weights every node ends within one. With unequal ones it comes as
/// near as there are nodes for the copies of a shard.
///
/// @param present by shard number; names of other nodes are ignored
std::vector<shard_placement> balance(const std::vector<placeable_node>& nodes,
                                     std::vector<shard_placement> present,
                                     uint32_t replicas);

} // namespace weir
