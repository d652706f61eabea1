#pragma once

#include "cluster/catalog_mark.hpp"
#include "cluster/config_store.hpp"
#include "cluster/sealing.hpp"
#include "cluster/sessions.hpp"
#include "windows/reading.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

// What a catalog holds. Times are wall clock milliseconds since the epoch,
// given by the caller.

namespace weir {

struct cluster_record {
  /// 32 hexadecimal digits.
  std::string id;
  int64_t created = 0;
  /// Version of what nodes write: blocks, envelopes, checkpoints.
  uint32_t format = 0;

  friend bool operator==(const cluster_record& x, const cluster_record& y) {
    return x.id == y.id && x.created == y.created && x.format == y.format;
  }
};

/// Values by name, as the operator writes them.
using setting_map = std::map<std::string, std::string>;

/// What a node was last known to be. Stored: values never change meaning.
enum class node_state : uint8_t {
  alive = 1,
  dead = 2,
  /// It gives its shards away, and takes no others.
  draining = 3,
  /// The operator declared it gone for good.
  removed = 4,
};

struct node_record {
  std::string id;
  std::string disk;
  std::string name;
  /// HOST:PORT.
  std::string address;
  uint64_t incarnation = 0;
  int64_t last_seen = 0;
  node_state state = node_state::alive;

  friend bool operator==(const node_record& x, const node_record& y) {
    return x.id == y.id && x.disk == y.disk && x.name == y.name
           && x.address == y.address && x.incarnation == y.incarnation
           && x.last_seen == y.last_seen && x.state == y.state;
  }
};

/// How far a shard's log was known to be committed: a replica that ends before
/// it has lost something.
struct known_commit {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  uint64_t index = 0;
  uint64_t chain = 0;

  friend bool operator==(const known_commit& x, const known_commit& y) {
    return x.shard == y.shard && x.epoch == y.epoch && x.index == y.index
           && x.chain == y.chain;
  }
};

/// The totals of one window over all entities, which never change.
struct final_row {
  /// 1, 2, ... in the order of becoming final; some may be missing.
  uint64_t sequence = 0;
  /// [start, end)
  time_ms start = 0;
  time_ms end = 0;
  uint64_t readings = 0;
  /// Opaque here; see windows/rollup_table.hpp.
  std::string totals;
  /// When it became final.
  time_ms stored = 0;

  friend bool operator==(const final_row& x, const final_row& y) {
    return x.sequence == y.sequence && x.start == y.start && x.end == y.end
           && x.readings == y.readings && x.totals == y.totals
           && x.stored == y.stored;
  }
};

/// Where a catalog comes from.
struct catalog_lineage {
  /// What a copy holds; of a coordinator's own the generation alone counts.
  catalog_mark held;
  /// A copy has the results of windows up to this number, unless they have
  /// expired, ...
  uint64_t last_sequence = 0;
  /// ... and these are all results of windows that end by then.
  time_ms final_through = before_time;
  /// Directories of earlier generations are not followed any more.
  uint64_t promised = 0;

  friend bool operator==(const catalog_lineage& x, const catalog_lineage& y) {
    return x.held == y.held && x.last_sequence == y.last_sequence
           && x.final_through == y.final_through && x.promised == y.promised;
  }
};

/// Something that has to be remembered of what operators did.
struct event_record {
  int64_t happened = 0;
  std::string what;
};

/// The last events are kept, years of operators' work.
constexpr uint32_t events_max = 10'000;

/// Everything but the windows, as loaded at a start.
struct catalog_contents {
  std::optional<cluster_record> cluster;
  /// By version.
  std::map<uint64_t, setting_map> settings;
  std::vector<node_record> nodes;
  std::vector<shard_config> shards;
  std::vector<known_commit> known;
  std::vector<producer_record> producers;
  /// Disks that were declared gone.
  std::vector<node_disk> gone;
};

} // namespace weir
