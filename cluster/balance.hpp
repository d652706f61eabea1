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
/// primaries, within one, by the fewest moves from the present placement.
///
/// The two are found one after the other. First the replica sets: the fewest
/// copies that bring every node to its share; among equals it takes those that
/// the primaries can follow. Then the primaries among them: shortest augmenting
/// paths from nodes with too many to nodes with too few (Ford and Fulkerson;
/// each step of a path is one role handed over). With equal weights an even
/// share of the primaries always exists within balanced replica sets; with
/// unequal ones it comes as near as the replica sets allow.
///
/// @param present by shard number; names of other nodes are ignored
std::vector<shard_placement> balance(const std::vector<placeable_node>& nodes,
                                     std::vector<shard_placement> present,
                                     uint32_t replicas);

} // namespace weir
