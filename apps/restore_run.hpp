#pragma once

#include "apps/backup_manifest.hpp"
#include "apps/transfer_line.hpp"
#include "cluster/verdict.hpp"
#include "storage/catalog.hpp"
#include "storage/data_dir.hpp"

#include <string>
#include <vector>

namespace weir {

/// What a backup has become.
struct restored {
  backup_manifest from;
  /// Id of the new cluster.
  std::string cluster;
  uint64_t settings_version = 0;
  size_t producers = 0;
  uint64_t finals = 0;
  /// Of all shards.
  verdict_counts ledger;
};

/// Where the parts of a restored cluster are put: one directory, or two, when
/// coordinator and node are to be processes of their own.
struct restore_paths {
  std::string coordinator;
  std::string node;
};

/// Makes another cluster of a backup: it has one node, which holds all shards,
/// alone, under an epoch beyond all that were. The backup is not touched.
class restore_run {
public:
  /// @param directory of the backup
  /// @param name of the node
  restore_run(std::string directory, restore_paths to, std::string name)
    : directory_(std::move(directory)),
      to_(std::move(to)),
      name_(std::move(name)) {
    // nop
  }

  /// Reads all of it, with every checksum, before anything else. Fails with
  /// `damaged` and file and shard, if any of it is not what was written.
  result<restored> run();

private:
  result<void> read_manifest();
  result<void> copy_files();
  result<void> check_shards();
  result<void> check_catalog(catalog& db);
  result<void> refound(catalog& db, data_dir& node);
  failure of_backup(failure x) const;

  std::string directory_;
  restore_paths to_;
  std::string name_;
  restored res_;
  catalog_contents contents_;
  /// Files whose bytes are not what was written, a sentence each.
  std::vector<std::string> changed_;
  transfer_line line_;
};

} // namespace weir
