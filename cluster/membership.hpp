#pragma once

#include "cluster/config_store.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace weir {

/// A node as the coordinator knows it.
struct cluster_node {
  /// Node id, disk id and the count of its starts.
  member self;
  std::string name;
  /// Its share of the shards, against other nodes'.
  uint32_t weight = 1;
  /// It gives its shards away, and takes no others.
  bool draining = false;
  bool up = false;
  /// Of the coordinator's clock, ms; 0: never.
  int64_t last_seen = 0;
  /// The same for people: wall clock, ms since the epoch; 0: not known.
  int64_t seen_at = 0;
};

/// When a node is taken for dead, and how much it is trusted; times in ms.
struct membership_options {
  /// A node that was not heard of for so long is dead. Ten heartbeats, so that
  /// a pause of a busy machine is none.
  int64_t failure_timeout = 2'000;
  /// From one `advance` to the next no more than this counts, for any silence:
  /// twice what lies between them. Who let more go by stood still, or was
  /// stopped with its machine, and has yet to read what came in meanwhile.
  int64_t step_max = 400;
  /// A node that has died so often within `flapping_window` leads nothing for a
  /// minute, and with every further death twice as long.
  uint32_t flapping_deaths = 3;
  int64_t flapping_window = 600'000;
  int64_t backup_only_min = 60'000;
  int64_t backup_only_max = 1'800'000;
};

/// Which nodes there are, and which of them live. Knows no shards.
class membership {
public:
  explicit membership(membership_options options = {}) : options_(options) {
    // nop
  }

  /// A node from the catalog, not yet heard of.
  void remember(cluster_node x);

  /// A node has come (back).
  void join(cluster_node x, int64_t now);

  /// Its connection is lost, and an attempt to reconnect failed.
  void lose(const std::string& node, int64_t now);

  /// It was heard of.
  /// @returns false if that was another life of it than the present one
  bool seen(const member& x, int64_t now);

  /// For people: when that was.
  void note_time(const std::string& node, int64_t wall);

  /// Takes the silent ones for dead. Silence does not grow while nobody is up,
  /// since nobody could take anyone's place: who comes back first is only the
  /// first. Nor does it by more than `step_max`.
  void advance(int64_t now);

  void drain(const std::string& node, bool on);

  /// As if it had never been there; a disk that is gone stays so.
  void forget(const std::string& node);

  /// An operator declares that this disk will never be seen again.
  void declare_gone(const node_disk& x) {
    gone_.insert({x.node, x.disk});
  }

  bool is_gone(const node_disk& x) const {
    return gone_.count({x.node, x.disk}) > 0;
  }

  const cluster_node* find(const std::string& node) const;

  /// This very life of it is up.
  bool is_up(const member& x) const;

  /// Nobody is missing.
  bool all_up() const;

  /// Its disk is there, whatever process runs on it.
  bool is_up(const node_disk& x) const;

  /// It has died too often lately to be primary, where there is another.
  bool backup_only(const std::string& node, int64_t now) const;

  const std::map<std::string, cluster_node>& all() const {
    return nodes_;
  }

private:
  struct record {
    std::deque<int64_t> deaths;
    int64_t backup_only_until = 0;
    int64_t penalty = 0;
  };

  void died(cluster_node& x, int64_t now);
  void excuse(int64_t now);

  membership_options options_;
  std::map<std::string, cluster_node> nodes_;
  std::map<std::string, record> records_;
  std::set<std::pair<std::string, std::string>> gone_;
  /// Nothing before the first time.
  std::optional<int64_t> advanced_at_;
};

} // namespace weir
