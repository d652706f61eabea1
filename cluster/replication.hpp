#pragma once

#include "cluster/config_store.hpp"
#include "cluster/log.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

// What the copies of a shard tell one another, and the coordinator. Messages
// may be lost, repeated, late and out of order, and are harmless then: each
// names its shard, its epoch, and the life of the process that sends it.

namespace weir {

using entry_ptr = std::shared_ptr<const log_entry>;

// -- between a primary and those that follow it

/// From the primary: a part of its log. Without entries it is a heartbeat, or
/// asks whether the logs are the same up to `previous`.
struct replicate {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  member from;
  /// The entry before the first one here.
  log_position previous;
  std::vector<entry_ptr> entries;
  /// Everything up to this index is committed.
  uint64_t committed = 0;
};

/// Answer: this process's log is the primary's up to `held`, durably.
struct replicated {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  member from;
  log_position held;
  /// Up to this index nothing waits for memory or disk here: more may come.
  uint64_t taken = 0;
  /// Something in between is missing: send again what follows `held`.
  bool again = false;
};

/// Answer: `previous` is not in this log. What is can be found by `ends`: of
/// two logs, the entries of one index and epoch are the same.
struct log_claim {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  member from;
  /// What lies below can't be undone.
  log_position applied;
  /// Beyond that, the last entry of each epoch, ascending.
  std::vector<log_position> ends;
};

/// Answer of one that has promised a greater epoch, or can't follow at all.
struct not_followed {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  member from;
  uint64_t promised = 0;
  /// Its disk or its copy is of no use.
  bool failed = false;
};

/// From the primary: begins a copy of a checkpoint, because the log alone does
/// not lead there.
struct copy_begin {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  member from;
  /// Tells one copy from any other one that the same process sends.
  uint64_t transfer = 0;
  /// As in `shard_meta`, with the number of chunks that follow. Without any
  /// bytes: there is no checkpoint, and the log begins at its first entry.
  uint64_t from_index = 0;
  log_position end;
  std::string meta;
  uint64_t chunks = 0;
};

/// The checkpoint's chunk `number`, from 0 on.
struct copy_chunk {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  member from;
  uint64_t transfer = 0;
  uint64_t number = 0;
  std::string bytes;
  uint64_t covers = 0;
};

/// Answer: the first `chunks` of them are taken.
struct copy_taken {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  member from;
  uint64_t transfer = 0;
  uint64_t chunks = 0;
};

using peer_message
  = std::variant<replicate, replicated, log_claim, not_followed, copy_begin,
                 copy_chunk, copy_taken>;

// -- between a node and the coordinator

/// What the coordinator wants to become of a shard. Only the primary brings it
/// about, since it alone knows who holds what.
struct replica_goals {
  /// To be taken in.
  std::vector<member> learners;
  /// Node that should be primary, once it is a member; empty: as it is.
  std::string successor;
  /// Nodes that hold more copies than are wanted.
  std::vector<std::string> surplus;

  friend bool operator==(const replica_goals& x, const replica_goals& y) {
    return x.learners == y.learners && x.successor == y.successor
           && x.surplus == y.surplus;
  }
};

/// From the coordinator, again and again: the shard's configuration, as it is
/// on the coordinator's disk.
struct announcement {
  shard_config config;
  replica_goals goals;
};

/// From the primary: change the configuration. Answered by a `decision`.
struct proposal {
  member from;
  shard_config next;
  /// The epoch that it is to replace.
  uint64_t expected = 0;
};

/// To the proposer: what the store says after that.
struct decision {
  shard_config present;
  /// Why the proposal was not even tried; empty if it was.
  std::string refused;
};

/// From the coordinator, when no member is left that could lead: promise
/// `epoch`, and then say what you hold.
struct fence {
  uint32_t shard = 0;
  uint64_t epoch = 0;
};

/// Answer to a `fence`, after the promise was synced.
struct fence_report {
  uint32_t shard = 0;
  /// What was promised: not below the fence's.
  uint64_t epoch = 0;
  member from;
  /// The end of its log on the disk.
  log_position end;
  /// The last entry that it knows to be committed.
  log_position committed;
};

/// From the coordinator: this copy is not wanted any more.
struct drop_copy {
  uint32_t shard = 0;
  uint64_t epoch = 0;
};

using coordinator_message = std::variant<proposal, fence_report>;

} // namespace weir
