#pragma once

#include "cluster/replica.hpp"
#include "messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>
#include <optional>

namespace weir {

/// What a shard needs to know of its node.
struct shard_context {
  uint32_t shard = 0;
  /// Of the cluster.
  uint32_t shards = 0;
  /// This life of the node.
  member self;
  std::string node_name;
  local_node_actor node;
  journal_actor journal;
  checkpoint_actor checkpoints;
  replica_options replication;
  shard_rules rules;
  /// The cluster's window, ms: what a query without a width asks for.
  time_ms window = 0;
  size_t checkpoint_chunk_entities = 1000;
  /// Another actor of this life had the shard before.
  bool again = false;
};

/// Carries messages into and out of a `replica`, which decides.
class shard_host_state {
public:
  static inline constexpr const char* name = "shard";

  void init(shard_actor::stateful_pointer<shard_host_state> self,
            shard_context context);

  // As a primary: shard_host.cpp.
  void append(const local_block& x);
  void open(const open_session& x, caf::strong_actor_ptr sender);
  average_answers average(const average_batch& x) const;
  void tick(const shard_tick& x);
  shard_report report() const;
  shard_check check() const;
  void seal(const seal_shard& x);
  caf::result<shard_windows> windows(const get_partials& x) const;

  // As one of several: shard_replication.cpp.
  void announce(const announced_shard& x);
  void promise(const fence& x);
  void decide(const decision& x);
  void receive(const peer_bytes& x);
  void lost(const peer_lost& x);
  bool drop(const drop_copy& x);
  void written(const stored& x);
  void refused(const store_refused& x);
  void promised(const record_stored& x);

  // Checkpoints: shard_checkpoint.cpp.
  void checkpoint();

  // Backups: shard_backup.cpp.
  caf::result<backup_begun> begin(const begin_backup& x);
  caf::result<backup_chunk> read(const read_backup_chunk& x);
  caf::result<backup_log> read(const read_backup_log& x);
  void end(const end_backup& x);

private:
  enum class phase : uint8_t { recovering, ready, failed, dropped };

  /// Who waits for the acknowledgements of a producer.
  struct caller {
    caf::strong_actor_ptr actor;
    uint32_t attempt = 0;
    uint64_t session = 0;
    /// Of the last block; 0 for a session that was opened.
    uint64_t position = 0;
    /// That it was sent under, where this was refused.
    uint64_t epoch = 0;
  };

  /// A checkpoint that another node reads.
  struct copy_out {
    uint64_t transfer = 0;
    std::vector<int64_t> chunks;
    uint64_t bytes = 0;
    uint64_t bytes_in_all = 0;
    int64_t since = 0;
  };

  /// A backup that reads this shard.
  struct backup_out {
    /// It reads the checkpoint, which therefore stays as it is.
    bool reads_checkpoint = true;
    std::vector<int64_t> chunks;
    /// It still needs the log after this index.
    uint64_t after = 0;
    int64_t heard = 0;
  };

  void recover();
  void load_state();
  void settle(const checkpoint_extent& found);
  void replay();
  void recovered();
  void fail_for_good(failure why);

  // A damaged copy is made anew: shard_damage.cpp.
  void begin_anew();
  void try_again();
  void put_aside();
  void note_if_whole();

  int64_t now() const;
  void act();
  void follow_rules();
  void turn_callers_away(ec code, const std::string& why);
  void carry_out(const journal_append& x);
  void carry_out(const journal_cut& x);
  void carry_out(const record_write& x);
  void carry_out(const peer_send& x);
  void carry_out(const coordinator_send& x);
  void carry_out(const producers_acknowledge& x);
  void carry_out(const journal_read& x);
  void carry_out(const copy_open& x);
  void carry_out(const copy_read_chunk& x);
  void carry_out(const copy_close& x);
  void carry_out(const new_copy_begin& x);
  void carry_out(const new_copy_chunk& x);
  void carry_out(const new_copy_install& x);
  void carry_out(const new_copy_abandon& x);
  void replace_checkpoint(const new_copy_install& x);
  void replace_log(uint64_t transfer);

  void refuse(const caf::strong_actor_ptr& to, append_ack ack, ec code,
              std::string text) const;
  bool turn_away(const caf::strong_actor_ptr& to, const append_ack& ack,
                 uint64_t epoch);
  void redirect(const caf::strong_actor_ptr& to, append_ack ack, uint64_t epoch,
                ec code, std::string text);
  void redirect_refused();
  std::string who_serves() const;
  std::string not_serving() const;
  bool serving() const;
  time_ms unconfirmed_for() const;
  void answer_seal();
  void next_chunk(uint64_t number);
  void end_checkpoint(uint64_t upto);
  void stop_checkpoint();
  void forget_silent_backups();
  bool backup_reads_checkpoint() const;
  uint64_t log_kept_after() const;
  backup_out* find_backup(const std::string& id);

  shard& core() {
    return replica_->state();
  }

  const shard& core() const {
    return replica_->state();
  }

  shard_actor::stateful_pointer<shard_host_state> self_ = nullptr;
  shard_context context_;
  std::unique_ptr<replica> replica_;
  phase phase_ = phase::recovering;
  std::string trouble_;
  /// What is on the disk is of no use, but the disk is.
  bool damaged_ = false;
  bool disk_was_full_ = false;
  int64_t failed_at_ = 0;
  bool putting_aside_ = false;
  /// When that may be tried again.
  int64_t put_aside_at_ = INT64_MIN;
  /// What became of the copy before, until this one is a member.
  std::string made_anew_;
  /// The last entry that recovery has read.
  log_position replayed_;
  /// Until all that they sent is acknowledged.
  std::map<producer_id, caller> callers_;
  /// Those that were refused while it is not clear who leads next.
  std::map<producer_id, caller> refused_;
  time_ms cluster_clock_ = -1;
  /// What came while it was recovering: it would come again, but much later.
  std::optional<announced_shard> early_announcement_;
  std::optional<fence> early_fence_;
  std::vector<peer_bytes> early_messages_;
  /// What was told the node last, to tell it of changes at once.
  uint64_t told_epoch_ = 0;
  replica_role told_role_ = replica_role::idle;
  bool told_serving_ = false;
  /// Since when it leads, with the rules in its log.
  uint64_t ruled_since_ = 0;

  /// The number of the checkpoint that is being made; 0: none is.
  uint64_t checkpointing_ = 0;
  uint64_t checkpoints_ = 0;
  /// A copy from another node is being written in its place.
  bool receiving_copy_ = false;
  /// By node.
  std::map<std::string, copy_out> copies_out_;
  /// By the backup's id.
  std::map<std::string, backup_out> backups_out_;
  /// What the node waits for, until that is committed.
  std::optional<seal_range> sealing_;
};

shard_actor::behavior_type shard_host(
  shard_actor::stateful_pointer<shard_host_state> self, shard_context context);

} // namespace weir
