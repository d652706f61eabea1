#pragma once

#include "config/endpoint.hpp"
#include "windows/failure.hpp"
#include "windows/reading.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// What a cluster and a process can be told. The defaults stand here; names,
// ranges and reasons in config/options.cpp.

namespace weir {

/// What tells a shard the time. Values are the index of the option's word.
enum class clock_mode : uint8_t { event, wall };

/// What an acknowledged reading survives.
enum class durability_mode : uint8_t { power, process };

/// Values are the index of the option's word.
enum class on_off : uint8_t { on, off };

enum class log_severity : uint8_t { trace, debug, info, warning, error };

/// Settings that decide answers: kept by the coordinator, the same everywhere.
struct cluster_settings {
  time_ms window = 60'000;
  time_ms lateness = 10'000;
  /// Unset: window + lateness. Read it through `effective_retention()`.
  std::optional<time_ms> retention;
  uint32_t cells_max = 1024;
  clock_mode clock = clock_mode::event;
  time_ms future_limit = 300'000;
  durability_mode durability = durability_mode::power;
  uint32_t shards = 32;
  uint32_t replicas = 2;
  uint32_t min_copies = 1;
  uint32_t metrics_per_entity_max = 64;
  uint32_t entities_per_shard_max = 4'000'000;
  /// Per shard.
  uint32_t producers_max = 10'000;
  time_ms producer_expiry = 604'800'000;
  /// Width of the windows over all entities. Unset: there are none but those
  /// that are announced one by one.
  std::optional<time_ms> rollup_every = 60'000;
  /// Unset: the lateness. Read it through `effective_rollup_lateness()`.
  std::optional<time_ms> rollup_lateness;
  time_ms idle_after = 10'000;
  time_ms rollup_keep = 34'560'000'000;
  uint64_t rollup_keep_windows = 1'000'000;
  /// Per shard.
  uint32_t rollup_metrics_max = 4'096;
  /// Per shard: a window's total of one metric is a cell.
  uint32_t rollup_cells_max = 262'144;
  on_off sliding = on_off::on;

  /// How far back readings are kept and taken.
  time_ms effective_retention() const {
    return retention.value_or(window + lateness);
  }

  /// How long past its end a window over all entities takes readings.
  time_ms effective_rollup_lateness() const {
    return rollup_lateness.value_or(lateness);
  }
};

/// Settings of one process; its own business.
struct process_settings {
  endpoint listen = {"127.0.0.1", 7411};
  /// Unset: the address that it listens on.
  std::optional<endpoint> advertise;
  endpoint join = {"127.0.0.1", 7411};
  std::string data = "weir-data";
  /// Empty: the coordinator chooses n1, n2, ...
  std::string name;
  log_severity log_level = log_severity::info;
  /// Empty: standard error.
  std::string log_file;
  /// Empty: connections are not encrypted.
  std::string tls_dir;
  uint64_t inflight_bytes_max = 8 << 20;
  uint64_t frame_bytes_max = 512 << 10;
  uint32_t block_readings_max = 2048;
  uint64_t block_bytes_max = 64 << 10;
  time_ms linger = 5;
  time_ms timeout = 10'000;
  uint64_t node_pending_bytes_max = 128 << 20;
  uint32_t sessions_max = 256;
  /// Bytes of journal.
  uint64_t checkpoint_every = 96 << 20;
  uint32_t checkpoint_chunk_entities = 1000;
  time_ms heartbeat = 200;
  time_ms failure_timeout = 2'000;
  time_ms replace_after = 30'000;
  uint32_t moves_per_node = 2;
};

struct settings {
  cluster_settings cluster;
  process_settings process;
};

/// Option names and texts, in the order of the table. An empty text is an
/// option without a value.
using setting_pairs = std::vector<std::pair<std::string, std::string>>;

/// Every cluster setting as text: what a coordinator stores and sends.
setting_pairs to_pairs(const cluster_settings& x);

/// Reads what `to_pairs` wrote, here or in another version: names that are
/// missing take their defaults; names that this version does not know are
/// `version_mismatch` and named, since answers would differ without them; bad
/// values and combinations are `invalid_argument`.
result<cluster_settings> cluster_settings_from(const setting_pairs& pairs);

/// Sets one cluster setting by its name, as `weir config set` does. Checks the
/// value but not how it goes with the others: see `validate`.
result<void> assign(cluster_settings& x, std::string_view name,
                    std::string_view text);

/// Two settings that do not go together.
struct violation {
  /// The option to change, and one that it clashes with.
  std::string_view option;
  std::string_view other;
  std::string text;
};

std::vector<violation> violations(const cluster_settings& x);
std::vector<violation> violations(const process_settings& x);

/// All violations as one failure, a sentence per line.
result<void> validate(const cluster_settings& x);
result<void> validate(const process_settings& x);

/// Whether a cluster in use may go from `from` to `to`: some settings are
/// fixed when a cluster is created.
result<void> check_change(const cluster_settings& from,
                          const cluster_settings& to);

} // namespace weir
