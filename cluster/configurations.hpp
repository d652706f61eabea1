#pragma once

#include "cluster/balance.hpp"
#include "cluster/config_store.hpp"
#include "cluster/membership.hpp"
#include "cluster/replica_report.hpp"
#include "cluster/replication.hpp"
#include "windows/failure.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace weir {

/// What the coordinator makes of its shards; times in ms.
struct configuration_options {
  /// Copies of every shard, where there are as many nodes.
  uint32_t replicas = 2;
  /// Fewer members than this acknowledge nothing. A change makes the next
  /// configuration of each shard.
  uint32_t min_copies = 1;
  /// After a start of the coordinator nobody is replaced for so long: whoever
  /// lives has said so by then.
  int64_t settle = 2'000;
  /// A question is asked again after this long.
  int64_t repeat = 500;
  /// A node that is away keeps its place for so long: a restart brings back the
  /// copies that are there, and nothing has to be made anew.
  int64_t replace_after = 30'000;
  /// Copies that a node takes part in at a time, as primary or as learner, so
  /// that heartbeats and readings get through.
  uint32_t moves_per_node = 2;
};

/// Something to tell a node.
struct instruction {
  std::string node;
  std::variant<announcement, fence, drop_copy> message;
};

/// A shard that shall be led by this node although it could not be elected.
struct forced_promotion {
  std::string node;
  /// Even if its log lacks what was acknowledged.
  bool accept_loss = false;
  /// The operator knows that the old primary's process is gone: it does not
  /// have to promise anything.
  bool old_primary_stopped = false;
};

/// Which copies of a shard count, and who leads: the coordinator's decisions,
/// without its messages. Every configuration is in the store before anyone is
/// told of it, so that telling twice, late or never is harmless: what a node
/// does not seem to know is said again.
///
/// The coordinator itself replaces a primary that is dead or has another life,
/// brings back a shard without any valid member, and changes how many copies
/// there must be to acknowledge anything. All other changes are
/// proposed by the primary, who alone knows what its members hold.
class configurations {
public:
  /// @param store outlives this
  configurations(config_store& store, uint32_t shards,
                 configuration_options options = {},
                 membership_options nodes = {});

  /// Reads all configurations.
  result<void> load(int64_t now);

  /// The greatest commit ever reported, from the catalog: a log that lost its
  /// end is noticed.
  void remember_commit(uint32_t shard, const log_position& x);

  // -- nodes; see `membership`

  membership& nodes() {
    return nodes_;
  }

  const membership& nodes() const {
    return nodes_;
  }

  /// A heartbeat, with all that a node says of its replicas. What is missing it
  /// does not hold.
  void report(const member& from, const std::vector<replica_report>& reports,
              int64_t now);

  // -- requests

  /// Of a primary. A failure is not answered: it will ask again.
  result<decision> propose(const proposal& x);

  void report(const fence_report& x);

  // -- operators

  void set_options(const configuration_options& x) {
    options_ = x;
  }

  /// Fails with `conflict` while the shard has a valid member, and with
  /// `not_found` if the node is not up. Takes effect in `plan`, or is refused
  /// there: see `trouble`. Holds until the shard has a member again, all its
  /// disks are back, or the node's copy turns out to be damaged: a later loss
  /// is another decision.
  result<void> force(uint32_t shard, const forced_promotion& x);

  // -- decisions

  /// Brings the configurations up to date with the nodes that are there.
  /// @returns what some node does not seem to know yet
  result<std::vector<instruction>> plan(int64_t now);

  // -- what is so

  const shard_config& config(uint32_t shard) const {
    return shards_[shard].config;
  }

  /// Empty when the shard is served; else why not.
  std::string trouble(uint32_t shard) const;

  /// The nodes that shall hold the shard, the primary first.
  const std::vector<std::string>& target(uint32_t shard) const {
    return shards_[shard].target;
  }

  /// What a replica said last, or null.
  const replica_report* find_report(uint32_t shard,
                                    const std::string& node) const;

  const log_position& committed(uint32_t shard) const {
    return shards_[shard].committed;
  }

  /// The shards of which `node` is a member, or has a disk that is waited for.
  size_t count_held(const std::string& node) const;

  /// It counts for nothing: it may be stopped for good.
  bool is_empty(const std::string& node) const {
    return count_held(node) == 0;
  }

  uint32_t shards() const {
    return static_cast<uint32_t>(shards_.size());
  }

private:
  struct entry {
    shard_config config;
    /// By node.
    std::map<std::string, replica_report> reports;
    log_position committed;
    std::vector<std::string> target;
    /// An election: what was asked to be promised, and who has.
    uint64_t fence = 0;
    int64_t fenced_at = 0;
    std::map<std::string, fence_report> answers;
    std::optional<forced_promotion> forced;
    /// What the primary was told last.
    replica_goals told;
    std::string trouble;
    /// Why the primary still waits for a member that is dead.
    std::string unstored;
  };

  /// What shall become of a shard.
  struct change {
    entry* of;
    shard_config next;
    /// What was acknowledged and is lost is no longer waited for.
    bool accept_loss = false;
  };

  // Who leads: configurations.cpp.
  bool is_valid(const entry& x, const member& m) const;
  bool is_led(const entry& x) const;
  uint64_t next_epoch(const entry& x) const;
  result<void> install(std::vector<change> changes);
  std::optional<shard_config> create(const entry& x) const;
  bool all_are_there() const;
  /// By node: how many shards it leads.
  using leaderships = std::map<std::string, size_t>;
  shard_config fail_over(const entry& x, leaderships& led, int64_t now) const;
  std::optional<shard_config> adopt_min_copies(const entry& x) const;
  std::string describe(const std::vector<node_disk>& xs) const;

  // Without any valid member: configurations_election.cpp.
  std::optional<shard_config> elect(entry& x, int64_t now,
                                    std::vector<instruction>& out);
  std::vector<node_disk> disks_of(const entry& x) const;
  log_position known_commit(const entry& x) const;
  const fence_report& winner(const entry& x,
                             const std::vector<node_disk>& present) const;
  std::string damage(const entry& x, const node_disk& disk) const;
  bool has_member(const entry& x, const std::vector<node_disk>& disks) const;
  bool is_fenced(const entry& x) const;

  // Where the copies shall be: configurations_goals.cpp.
  void place(int64_t now);
  replica_goals goals_of(const entry& x, int64_t now,
                         std::map<std::string, uint32_t>& moves) const;
  bool is_wanted(const entry& x, const std::string& node) const;
  bool is_complete(const entry& x) const;
  std::optional<shard_config> call_off(const entry& x) const;
  void tell(int64_t now, std::vector<instruction>& out);

  config_store& store_;
  configuration_options options_;
  membership nodes_;
  std::vector<entry> shards_;
  int64_t settled_at_ = 0;
  /// What the present targets were made for.
  std::vector<placeable_node> placed_for_;
  uint32_t placed_replicas_ = 0;
};

} // namespace weir
