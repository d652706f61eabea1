#pragma once

#include "cluster/leadership.hpp"
#include "cluster/rebuild.hpp"
#include "cluster/replica_effects.hpp"
#include "cluster/replica_report.hpp"
#include "cluster/replication.hpp"
#include "cluster/shard_copy.hpp"
#include "windows/failure.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// One node's copy of one shard, in any role. It has no thread, no clock, no
/// disk and no network: whatever happens is a call, and what has to be done is
/// taken out with `take_effects` after each one.
///
/// Primary/backup after PacificA (Lin et al., 2008), with the eligible set of
/// Kafka's KIP-966. `now` is any clock of this process that does not go back,
/// in ms; safety does not depend on it. `wall` is the wall clock.
class replica {
public:
  /// @param self this life of the node
  /// @param shards number of shards of the cluster
  replica(member self, uint32_t shard, uint32_t shards,
          replica_options options = {});

  replica(const replica&) = delete;
  replica& operator=(const replica&) = delete;

  // -- recovery: record; meta and chunks, if there is a checkpoint; every entry
  // after `replay_start`, in order; `recovered`

  void load_record(const replica_record& x);

  /// Another replica of this life was there before, and may have followed
  /// whatever it has promised.
  void assume_part() {
    part_through_ = record_.promised;
  }

  result<void> load_meta(const shard_meta& x);
  result<void> load_chunk(std::string_view chunk, uint64_t covers);

  /// Where to begin reading the journal, and the chain value there.
  const log_position& replay_start() const;

  /// An entry of the own journal.
  /// @param committed index up to which entries are known to be committed
  result<void> replay(entry_ptr x, uint64_t committed);

  /// The log has ended. Fails with `damaged` if that was before the
  /// checkpoint's end.
  result<void> recovered();

  /// The copy is of no use: it takes part no more, and says so.
  void fail_for_good(failure why);

  /// Whether a copy that is of no use may be put aside and learned anew, by a
  /// new replica of the same life: since it is of no use it was told of a
  /// configuration that does not count on it, and that is later than any in
  /// which it had a part. Nobody can make it a member of one on the ground of
  /// what it held.
  bool expendable() const {
    return expendable_;
  }

  // -- from the coordinator

  void announce(const announcement& x, int64_t now);
  void decide(const decision& x, int64_t now);
  void promise(const fence& x);

  /// Whether the copy may be deleted: nobody counts on it, in that epoch or
  /// since. The record stays whatever becomes of the copy: who forgot a promise
  /// could be talked into following a primary of the past.
  bool drop(const drop_copy& x) const;

  // -- from other replicas of the shard

  void receive(const peer_message& x, int64_t now);

  /// The connection to `node` is lost, and an attempt to reconnect failed.
  void disconnected(const std::string& node, int64_t now);

  // -- from the own disk, as the effects ask for it

  /// Everything up to `x` is durable. Late news of entries that were cut since
  /// are harmless.
  void stored(const log_position& x, int64_t now);

  /// Nothing after `stored` reached the disk. A full disk is tried again; after
  /// anything else this copy takes no part until a restart has read what is
  /// there.
  void not_stored(const failure& why, int64_t now);

  void record_stored(uint64_t promised, int64_t now);

  /// @param entries from the index asked for on, some; none if it is not there
  void log_read(const std::string& node, const std::vector<entry_ptr>& entries,
                int64_t now);

  /// @param meta nothing if there is no checkpoint
  void copy_opened(const std::string& node, uint64_t transfer,
                   const std::optional<shard_meta>& meta, uint64_t chunks,
                   int64_t now);

  void copy_read(const std::string& node, uint64_t transfer, uint64_t number,
                 std::string bytes, uint64_t covers, int64_t now);

  void copy_installed(uint64_t transfer, int64_t now);

  /// The journal has deleted the entries up to `index`, or is about to.
  void truncated(uint64_t index);

  // -- time

  void tick(int64_t now);

  // -- as the primary

  /// A block from a producer; as `shard::admit_block`. A refusal that is not
  /// about the block itself is `unavailable`, `busy` or `disk_full`. A
  /// duplicate is acknowledged when what it repeats is committed.
  offer admit_block(std::string_view bytes, std::shared_ptr<const void> keep,
                    time_ms wall);

  /// A producer's new session; as `shard::admit_session`.
  offer admit_session(producer_id producer, uint64_t session, time_ms wall);

  /// Settings, clocks, plans: `f` takes the shard and returns what one of its
  /// `admit_...` did. Also before the no-op is committed: settings must be in
  /// the log before the first block is. Does nothing while the replica is not
  /// primary, hands over, or can't write.
  template <class Admit>
  offer admit(Admit f) {
    if (!may_write())
      return {};
    return enter(f(copy_->state()));
  }

  // -- what has to be done, and what is so

  effects take_effects();

  replica_role role() const;

  /// It is the primary, and what its predecessors have acknowledged is
  /// committed under it: it may answer, and acknowledge.
  bool serving() const;

  /// Why it does not serve; empty if it does.
  std::string trouble() const;

  /// Epoch since which it has been the primary without a break; 0 if it isn't.
  /// A block that was sent under any epoch since then may be taken.
  uint64_t leads_since() const;

  /// It takes nothing more, because another one shall lead.
  bool hands_over() const {
    return leadership_ && leadership_->closing();
  }

  /// `now` when the primary was last heard of: how stale a backup may be.
  int64_t heard() const {
    return heard_;
  }

  /// `now` when all other members had confirmed that this one leads; nothing if
  /// it doesn't, or is alone.
  std::optional<int64_t> confirmed() const {
    return leadership_ ? leadership_->confirmed() : std::nullopt;
  }

  /// The journal must keep the entries after this index, whatever a checkpoint
  /// covers.
  uint64_t log_needed_after() const;

  replica_report report() const;

  const shard_config& config() const {
    return record_.config;
  }

  const log_position& durable() const {
    return copy_->stored();
  }

  shard& state() {
    return copy_->state();
  }

  const shard& state() const {
    return copy_->state();
  }

private:
  // Whatever role it has: replica.cpp.
  void promise(uint64_t epoch);
  void write_record();
  void take_config(const shard_config& x);
  void judge(const shard_config& x);
  void take_up_role();
  void step_down();
  bool may_lead() const;
  void renew();
  void answer_fence();
  void retry_from_disk();
  offer enter(offer x);
  void acknowledge(producer_id producer);
  bool may_write() const;
  failure refusal() const;
  replica_context context();

  // As a backup or a learner: replica_follow.cpp.
  void receive(const replicate& x);
  void receive(const copy_begin& x);
  void receive(const copy_chunk& x);
  bool accepts(const member& from, uint64_t epoch);
  void follow(const replicate& x);
  void follow_beside(const replicate& x);
  void apply_committed();
  void acknowledge(bool again);
  void claim(const shard_copy& x);
  void take_chunks();
  void install_if_complete();
  void abandon_rebuild();

  member self_;
  uint32_t shard_;
  uint32_t shards_;
  replica_options options_;
  std::unique_ptr<shard_copy> copy_;
  replica_record record_;
  /// The greatest promise that is on the disk.
  uint64_t promised_on_disk_ = 0;
  /// The coordinator waits for a report under this promise; 0: it doesn't.
  uint64_t fenced_ = 0;
  effects effects_;
  int64_t now_ = 0;
  failure failed_;
  bool expendable_ = false;
  /// See `assume_part`.
  uint64_t part_through_ = 0;
  /// Why nothing reaches the disk at present, since when, and when it was last
  /// tried again.
  failure blocked_;
  int64_t blocked_since_ = 0;
  int64_t retried_at_ = 0;

  std::optional<leadership> leadership_;
  /// Long ago, whatever the clock says.
  int64_t renewed_at_ = INT64_MIN / 2;

  /// The primary that is, or was, followed, and when it was last heard of.
  member leader_;
  int64_t heard_ = 0;
  /// The last epoch in which one has been followed, and how far this log is
  /// known to be that one's; nothing before they were found to agree.
  uint64_t followed_epoch_ = 0;
  std::optional<uint64_t> matched_;
  /// What is committed as far as known, and in this log.
  uint64_t committed_ = 0;
  /// A copy in the making, beside the present one.
  std::optional<rebuild> rebuild_;
  uint64_t rebuilds_ = 0;
};

} // namespace weir
