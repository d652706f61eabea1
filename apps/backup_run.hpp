#pragma once

#include "apps/backup_manifest.hpp"
#include "apps/backup_source.hpp"
#include "apps/transfer_line.hpp"
#include "cluster/catalog_horizon.hpp"
#include "storage/backup_store.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>

namespace weir {

/// Reads a running cluster into a directory.
///
/// Shards come first, each its checkpoint and the log behind it; then the
/// catalog, as it is at one moment; then the rest of each log up to that moment
/// at least, but for entries that the catalog can't account for (see
/// catalog_horizon). So the backup holds all that was acknowledged by that
/// moment, and its windows are final where its shards have sealed them.
///
/// Only what is committed is read, and that never changes: whoever holds a copy
/// may serve it. That nothing is missing can be told by the primary alone, and
/// only if it is still the primary when all is read.
class backup_run {
public:
  /// @param directory exists, and is empty
  backup_run(backup_source& source, const process_settings& process,
             std::string directory);

  /// The manifest of the whole; it is not written. Fails with the shard that
  /// could not be read.
  result<backup_manifest> run();

private:
  using clock = std::chrono::steady_clock;

  /// Between two attempts at what is away.
  static constexpr auto retry_pause = std::chrono::milliseconds{200};

  /// What gives nothing for so many times `timeout` is unavailable: a failover
  /// takes less than one.
  static constexpr int timeouts_max = 3;

  std::chrono::milliseconds patience() const {
    return timeouts_max * std::chrono::milliseconds{process_.timeout};
  }

  /// How far a shard is.
  struct progress {
    /// Its checkpoint is there, and the log may follow.
    bool based = false;
    /// Its log was cut where the catalog ends.
    bool cut = false;
    /// It was led when its log was read to the end, in this epoch.
    bool led = false;
    uint64_t epoch = 0;
    /// Entries that are not in the backup.
    uint64_t behind = 0;
  };

  // All of it: backup_run.cpp.
  template <class Step>
  result<void> patiently(uint32_t shard, Step step);
  result<void> keep(result<void> x);
  result<void> refresh();
  result<void> copy_checkpoint(uint32_t shard, size_t attempt);
  result<void> pull_log(uint32_t shard, size_t other,
                        const catalog_horizon* horizon);
  result<void> append(uint32_t shard, const backup_log& x,
                      const catalog_horizon* horizon);
  void keep_up(uint32_t present);
  result<void> finish_log(uint32_t shard, const catalog_horizon& horizon);
  result<bool> finish_logs(const catalog_horizon& horizon);
  result<backup_manifest> close();
  void show(uint32_t shard, const std::string& trouble = {});

  // The catalog: backup_catalog.cpp.
  result<void> copy_catalog_file();
  result<catalog_horizon> read_catalog();

  backup_source& source_;
  const process_settings& process_;
  std::string directory_;
  std::string id_;
  std::optional<backup_store> store_;
  std::map<uint32_t, progress> shards_;
  /// A failure of the own disk, which no other node can help.
  std::optional<failure> stuck_;
  clock::time_point kept_up_ = clock::now();
  backup_manifest manifest_;
  transfer_line line_;
};

} // namespace weir
