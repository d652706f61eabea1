#pragma once

#include "windows/failure.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// Who serves a shard, and the one place that decides it.

namespace weir {

/// One life of one copy: a node, the disk that it writes to, and the count of
/// its starts. A restarted process or a new disk is somebody else.
struct member {
  std::string node;
  std::string disk;
  uint64_t incarnation = 0;

  friend bool operator==(const member& x, const member& y) {
    return x.node == y.node && x.disk == y.disk
           && x.incarnation == y.incarnation;
  }
};

/// A disk of a node, whatever process runs on it.
struct node_disk {
  std::string node;
  std::string disk;

  friend bool operator==(const node_disk& x, const node_disk& y) {
    return x.node == y.node && x.disk == y.disk;
  }
};

/// One epoch of one shard.
struct shard_config {
  uint32_t shard = 0;
  /// 1, 2, 3, ...: every change makes a new one.
  uint64_t epoch = 0;
  /// Node id of the primary; empty while the shard waits for one.
  std::string primary;
  /// The in-sync set: all of them hold an entry before it is acknowledged.
  std::vector<member> members;
  /// Disks that may hold acknowledged entries although they are no members.
  std::vector<node_disk> eligible;
  /// Fewer members than this acknowledge nothing.
  uint32_t min_copies = 1;

  friend bool operator==(const shard_config& x, const shard_config& y) {
    return x.shard == y.shard && x.epoch == y.epoch && x.primary == y.primary
           && x.members == y.members && x.eligible == y.eligible
           && x.min_copies == y.min_copies;
  }
};

/// What shall replace a shard's configuration.
struct config_change {
  /// The epoch that is replaced; 0: the shard was never configured.
  uint64_t expected = 0;
  /// Of a greater epoch.
  shard_config next;
};

/// Keeps the configuration of every shard, and decides who may change it: of
/// two proposals made from one epoch only one succeeds (PacificA, Lin et al.,
/// 2008).
class config_store {
public:
  virtual ~config_store() = default;

  /// Nothing if the shard was never configured.
  virtual result<std::optional<shard_config>> get(uint32_t shard) = 0;

  /// By shard, ascending.
  virtual result<std::vector<shard_config>> get_all() = 0;

  /// Makes each of the changes whose shard's epoch is still the expected one,
  /// one after the other, and all of them durable at once: a node that dies
  /// changes hundreds of shards, and a flush each would take seconds.
  /// @returns by change; true: it is on disk, false: nothing changed. After a
  /// failure all or none of them may be there: read before acting on it.
  virtual result<std::vector<bool>> change(const std::vector<config_change>& xs)
    = 0;

  /// The same for one.
  result<bool> compare_and_set(uint64_t expected, const shard_config& next) {
    auto done = change({{expected, next}});
    if (!done)
      return tl::unexpected(std::move(done.error()));
    return done->front();
  }
};

} // namespace weir
