#pragma once

#include "storage/backup_store.hpp"
#include "storage/file.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// A file of a backup.
struct backup_file {
  std::string name;
  file_digest content;

  friend bool operator==(const backup_file& x, const backup_file& y) {
    return x.name == y.name && x.content == y.content;
  }
};

/// What a backup says of itself, in a file that is written last: a directory
/// without it is no backup, or one that was cut off. Times are wall clock
/// milliseconds since the epoch.
struct backup_manifest {
  /// Id of the cluster.
  std::string cluster;
  /// Of the program, for people, and what it speaks.
  std::string program;
  std::string wire;
  time_ms started = 0;
  /// It holds all that was acknowledged by then.
  time_ms moment = 0;
  time_ms finished = 0;
  /// Entries that came meanwhile, and are not in it.
  uint64_t behind = 0;
  std::vector<backup_file> files;
  /// Every shard, in order.
  std::vector<shard_extent> shards;

  /// JSON, with a checksum over all else.
  std::string to_text() const;

  /// Reads what `to_text` wrote. `damaged` if it is anything else,
  /// `version_mismatch` if a later version wrote it.
  static result<backup_manifest> parse(std::string_view text);

  uint64_t entries() const;
  uint64_t bytes() const;
};

/// Names of the files of a backup.
constexpr const char* manifest_name = "manifest.json";
constexpr const char* backup_catalog_name = "catalog.db";
constexpr const char* backup_file_names[]
  = {backup_catalog_name, "journal.db", "state.db"};

} // namespace weir
