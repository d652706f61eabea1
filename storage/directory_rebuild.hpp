#pragma once

#include "cluster/config_recovery.hpp"
#include "cluster/rollups.hpp"
#include "storage/catalog_copy.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir {

/// A node that has answered.
struct surviving_node {
  member self;
  std::string name;
  /// HOST:PORT.
  std::string address;
  /// The newest coordinator's directory that it has heard of.
  uint64_t generation = 0;
  /// What its journal says of each shard.
  std::vector<config_witness> records;
};

/// A node that has not.
struct missing_node {
  node_disk self;
  /// As the copies call it; its id where they don't.
  std::string name;
  /// Empty where they don't tell.
  std::string address;
};

/// What was put together, and out of what.
struct rebuilt_directory {
  std::string cluster;
  uint64_t generation = 0;
  uint64_t settings_version = 0;
  uint64_t plan_version = 0;
  uint64_t finals = 0;
  uint64_t producers = 0;
  /// Configurations that stay as they were, ...
  uint32_t shards_kept = 0;
  /// ... and of which the disks shall elect who leads.
  std::vector<uint32_t> shards_electing;
  /// Nothing is known of them.
  std::vector<uint32_t> shards_unknown;
  /// What was acknowledged may be missing.
  std::vector<uint32_t> shards_at_risk;
  std::vector<std::string> without;
};

/// Puts a coordinator's directory together from what nodes know: of each part
/// the newest there is. It asks nobody: see apps/rebuild_coordinator.cpp.
///
/// Rows are compared by what grows in them: versions, epochs, sessions. Only
/// producers are taken from one copy as a whole, the newest one, because some
/// of them are summed up in others.
class directory_rebuild {
public:
  /// @param generation of the directory to be made
  explicit directory_rebuild(uint64_t generation) : generation_(generation) {
    // nop
  }

  /// A node has answered. `copy` is what it has copied; null: nothing.
  /// Errors: `wrong_cluster`; those of reading.
  result<void> add(surviving_node node, std::shared_ptr<catalog_copy> copy);

  /// Nodes that are part of the cluster, as far as is known, or that a
  /// configuration names, and that have not answered with the same disk.
  std::vector<missing_node> missing() const;

  /// Decides, and writes everything into `target`, which is empty. Errors:
  /// `not_found` if there is nothing to begin with; `unavailable` if a node is
  /// missing that is not named in `without`; `invalid_argument` if one is named
  /// that is not missing; `conflict` if something acknowledged may be lost with
  /// those, unless that is accepted; those of writing.
  /// @param without names or ids of nodes that are given up with their disks
  result<rebuilt_directory> write(catalog& target,
                                  const std::vector<std::string>& without,
                                  bool accept_loss, int64_t now);

private:
  std::map<uint32_t, recovered_config> configs(
    const std::vector<node_disk>& without) const;
  result<void> write_settings(catalog& target, rebuilt_directory& out,
                              bool pass_over);
  result<void> write_nodes(catalog& target, int64_t now);
  result<void> write_windows(catalog& target, rebuilt_directory& out,
                             bool pass_over);
  uint32_t shards() const;
  uint32_t min_copies() const;

  uint64_t generation_;
  std::vector<surviving_node> nodes_;
  std::vector<std::shared_ptr<catalog_copy>> copies_;
  std::optional<cluster_record> cluster_;
  std::map<uint64_t, setting_map> settings_;
  std::map<std::string, node_record> listed_;
  std::map<uint32_t, std::vector<shard_config>> configs_;
  std::map<uint32_t, known_commit> known_;
  std::vector<node_disk> gone_;
  /// Of the newest copy.
  catalog_mark newest_;
  std::vector<producer_record> producers_;
  std::optional<rollup_record> rollup_;
  uint64_t last_sequence_ = 0;
  /// Some copy has every result of windows that end by then.
  time_ms final_through_ = before_time;
};

} // namespace weir
