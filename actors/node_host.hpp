#pragma once

#include "actors/node_copy.hpp"
#include "actors/node_peers.hpp"
#include "actors/seal_merger.hpp"
#include "cluster/replica_effects.hpp"
#include "config/settings.hpp"
#include "messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <vector>

namespace weir {

/// What a node is made of.
struct node_context {
  /// Hex ids and counter of the data directory.
  std::string node;
  std::string disk;
  uint64_t incarnation = 0;
  /// Empty until a cluster was joined.
  std::string cluster;
  /// Empty: the coordinator chooses one.
  std::string name;
  process_settings process;
  std::string journal_path;
  journal_actor journal;
  checkpoint_actor checkpoints;
  /// Null in the coordinator's own process, whose directory it shares.
  copy_actor copy;
  dialer_actor dialer;
  /// Of the same process; else it is dialed at `process.join`.
  coordinator_actor coordinator;
  /// Of the program.
  std::string version;
  /// What became of the databases that were here before, if they were lost;
  /// told until there are copies again.
  std::string news;
  /// Shards of which something was found on the disk.
  std::vector<uint32_t> held;
  /// Called in the actor when the node has become a member, whenever that
  /// happens. An error ends the node.
  std::function<result<void>(const joined&)> on_joined;
  /// The cluster won't have this node: it is of no use.
  std::function<void(const failure&)> on_refused;
};

/// Owns the shards of a process and keeps in touch with the coordinator.
class node_host_state {
public:
  static inline constexpr const char* name = "node";

  void init(local_node_actor::stateful_pointer<node_host_state> self,
            node_context context);

  caf::result<welcome> greet(const hello& x) const;
  void append(append_frame& x, const caf::strong_actor_ptr& sender);
  void open(const open_session& x, const caf::strong_actor_ptr& sender);
  caf::result<average_answers> average(const average_batch& x);
  void know(const peer_list& x);
  void announce(const announce_shards& x);
  void promise(const fence& x);
  void decide(const shard_decision& x);
  void drop(const drop_copy& x);
  meet_node meet(const meet_node& x, const caf::strong_actor_ptr& sender);
  void receive(replica_message& x);
  void send(outgoing_peer& x);
  void tell_coordinator(const proposal& x);
  void tell_coordinator(const fence_report& x);
  caf::result<shard_checks> check(const check_shards& x);
  caf::result<backup_begun> begin(const begin_backup& x);
  caf::result<backup_chunk> read(const read_backup_chunk& x);
  caf::result<backup_log> read(const read_backup_log& x);
  void end(const end_backup& x);
  caf::result<survivor> survive(const get_survivor& x);
  caf::result<catalog_part> give(const get_catalog& x);
  caf::result<shard_records> records(const get_records& x);
  void moved(const shard_moved& x);
  void settings(const settings_text& x);
  void plan(const plan_text& x);
  void clock(const heartbeat_ack& x);
  void seal(const seal_windows& x);
  void sealed(const shard_sealed& x);
  caf::result<held_partials> partials(const get_partials& x);
  void report(const shard_report& x);
  caf::result<heartbeat> report_now();
  void checkpointed(const shard_checkpointed& x);
  void begin(const listening& x);
  void alarm(const timer& x);
  void leave(const caf::error& why);
  void down(const caf::down_msg& x);

private:
  enum alarms : uint8_t { dial_again, beat, beat_soon };

  /// What it is in the cluster.
  enum class standing : uint8_t {
    apart,
    /// It has asked to be one of its nodes.
    joining,
    /// It is one of its nodes, and takes over what is new there.
    preparing,
    member,
  };

  struct hosted {
    shard_actor actor;
    shard_report news;
    bool tick_pending = false;
    /// How often its actor has died.
    uint32_t deaths = 0;
    /// It is being dropped; nothing else may begin meanwhile.
    bool leaving = false;
  };

  void connect();
  template <class Failed>
  void join(Failed failed);
  void prepare(const joined& x);
  void joined_cluster(const joined& x);
  void take_settings(const settings_text& x);
  void take_plan(const plan_text& x);
  void tell_shards(const announce_shards& x);
  void retry(const failure& why);
  void check_coordinator();

  bool is_member() const {
    return standing_ == standing::member;
  }

  void spawn_shard(uint32_t shard, hosted& x);
  shard_actor ensure(uint32_t shard);
  void refuse(const caf::strong_actor_ptr& to, append_ack ack, ec code,
              std::string text) const;
  template <class Answer, class Question>
  caf::result<Answer> pass_on(const Question& x);
  heartbeat make_heartbeat() const;
  void send_heartbeat();
  void send_sealed();
  shard_rules rules() const;
  void begin_checkpoints();
  void checkpoint_next();
  void note_if_whole();

  local_node_actor::stateful_pointer<node_host_state> self_ = nullptr;
  node_context context_;
  address listens_;
  coordinator_actor coordinator_;
  standing standing_ = standing::apart;
  /// Attempts to take part, and ends of one.
  uint64_t attempt_ = 0;
  /// Heartbeats since the coordinator last answered one.
  int64_t unanswered_ = 0;
  /// It is being asked whether it is there.
  bool doubting_ = false;
  std::chrono::milliseconds backoff_{0};
  std::string last_trouble_;

  settings_text settings_text_;
  cluster_settings cluster_;
  std::shared_ptr<const shard_settings> shard_settings_;
  time_ms cluster_clock_ = -1;
  std::shared_ptr<const window_plan> plan_
    = std::make_shared<const window_plan>();
  time_ms sealed_through_ = before_time;
  time_ms final_through_ = before_time;
  seal_merger sealing_;
  node_peers peers_;
  node_copy copy_;
  bool beat_is_due_ = false;

  std::map<uint32_t, hosted> shards_;
  /// Bytes of blocks received and not yet committed.
  std::shared_ptr<std::atomic<uint64_t>> pending_
    = std::make_shared<std::atomic<uint64_t>>(0);
  /// Bytes journalled since the last round of checkpoints.
  uint64_t uncovered_bytes_ = 0;
  std::vector<uint32_t> checkpoint_queue_;
  /// Heartbeats since all of its copies have been members.
  uint32_t whole_beats_ = 0;
};

local_node_actor::behavior_type node_host(
  local_node_actor::stateful_pointer<node_host_state> self,
  node_context context);

/// Paces of replication, out of a process's settings.
replica_options to_replica_options(const process_settings& x);

/// The settings that a shard follows, out of the cluster's.
shard_settings to_shard_settings(const cluster_settings& x, uint64_t version);

} // namespace weir
