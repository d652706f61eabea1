#pragma once

#include "cluster/log.hpp"

#include <cstdint>
#include <string>

namespace weir {

/// Values travel; they never change meaning.
enum class replica_role : uint8_t {
  /// Holds a copy that nobody counts on.
  idle = 0,
  /// Is brought up to date by the primary.
  learner = 1,
  /// A member: everything that is committed is on its disk.
  backup = 2,
  primary = 3,
};

constexpr const char* to_string(replica_role x) {
  switch (x) {
    case replica_role::idle:
      return "idle";
    case replica_role::learner:
      return "learner";
    case replica_role::backup:
      return "backup";
    case replica_role::primary:
      return "primary";
  }
  return "unknown";
}

/// What a replica says of itself in a heartbeat.
struct replica_report {
  uint32_t shard = 0;
  /// Of the configuration that it knows.
  uint64_t epoch = 0;
  uint64_t promised = 0;
  replica_role role = replica_role::idle;
  /// A primary whose no-op is committed.
  bool serving = false;
  /// No reading and no producer was ever entered.
  bool empty = true;
  /// Its copy or its disk is of no use until a restart.
  bool failed = false;
  log_position committed;
  /// The end of its log on the disk.
  log_position end;
  /// Why it doesn't serve, or what is wrong with it; may be empty.
  std::string text;
};

} // namespace weir
