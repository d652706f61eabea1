#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir {

/// One shard as placement sees it.
struct placed_shard {
  /// Node id of the owner; empty before the first.
  std::string owner;
  /// Its owner is there and it holds nothing: it may be handed on as it is.
  bool movable = false;
};

struct shard_move {
  uint32_t shard = 0;
  /// Empty when the shard had no owner.
  std::string from;
  std::string to;

  friend bool operator==(const shard_move& x, const shard_move& y) {
    return x.shard == y.shard && x.from == y.from && x.to == y.to;
  }
};

/// The fewest moves that place every shard without an owner, and bring the
/// nodes as near to one another as movable shards allow (within one, when all
/// of them are).
/// @param nodes ids of the nodes that can take shards
/// @param shards by shard number
std::vector<shard_move> place(const std::vector<std::string>& nodes,
                              const std::vector<placed_shard>& shards);

} // namespace weir
