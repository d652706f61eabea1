#pragma once

#include "cluster/replication.hpp"
#include "cluster/shard.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

// What a replica wants done. Effects are carried out in the order in which they
// come; those on the journal reach the disk in that order, too.

namespace weir {

/// What a copy must not forget beside its log: kept in the journal, and synced
/// with it.
struct replica_record {
  /// Messages of older epochs are refused.
  uint64_t promised = 0;
  /// The newest configuration that was announced; epoch 0 before the first. A
  /// coordinator that lost its directory is rebuilt from these.
  shard_config config;

  friend bool operator==(const replica_record& x, const replica_record& y) {
    return x.promised == y.promised && x.config == y.config;
  }
};

/// Append to the journal; then `replica::stored`, or `replica::not_stored`.
/// What follows an entry that was refused is refused with it, until that one
/// comes again or the log is replaced. An entry that the journal has already
/// counts as stored: a retry may cross with what it repeats.
struct journal_append {
  entry_ptr entry;
  /// Committed by now: worth keeping beside the entry, so that a restart
  /// applies up to there at once.
  uint64_t committed = 0;
};

/// Delete the entries after this index from the journal: they are not in the
/// primary's log. What failed must be reported as a failure for good.
struct journal_cut {
  uint64_t after = 0;
};

/// Write the record into the journal; then `replica::record_stored`.
struct record_write {
  replica_record record;
};

/// Send to the replica of the same shard on `node`.
struct peer_send {
  std::string node;
  peer_message message;
};

struct coordinator_send {
  coordinator_message message;
};

/// All that these producers have in the applied log is committed, on so many
/// copies.
struct producers_acknowledge {
  std::vector<producer_id> producers;
  uint32_t copies = 0;
};

/// Read a part of the own journal, from index `from` on, for `node`; then
/// `replica::log_read`.
struct journal_read {
  std::string node;
  uint64_t from = 0;
};

/// Open the stored checkpoint for `node`, and keep it as it is until
/// `copy_close`; then `replica::copy_opened`. One that is opened already for
/// the same node is replaced.
struct copy_open {
  std::string node;
  uint64_t transfer = 0;
};

/// Read one of its chunks; then `replica::copy_read`.
struct copy_read_chunk {
  std::string node;
  uint64_t transfer = 0;
  uint64_t number = 0;
};

struct copy_close {
  std::string node;
  uint64_t transfer = 0;
};

/// Begin a new checkpoint beside the present one, which stays; forget one that
/// was begun before.
struct new_copy_begin {
  uint64_t transfer = 0;
};

/// Add a chunk to it.
struct new_copy_chunk {
  uint64_t transfer = 0;
  std::string bytes;
  uint64_t covers = 0;
};

/// The new copy is complete. Stage `entries`, which follow `after`, beside the
/// shard's log; make the new checkpoint the present one and sync it; then let
/// the staged log take the place of the shard's; then
/// `replica::copy_installed`. Without `meta.bytes` there is no checkpoint, and
/// an old one goes. Wherever a crash comes, the old copy or the new one must be
/// found, whole.
struct new_copy_install {
  uint64_t transfer = 0;
  shard_meta meta;
  std::vector<entry_ptr> entries;
  /// The entry before the first one of them.
  log_position after;
};

/// The new copy will not be finished.
struct new_copy_abandon {
  uint64_t transfer = 0;
};

using effect
  = std::variant<journal_append, journal_cut, record_write, peer_send,
                 coordinator_send, producers_acknowledge, journal_read,
                 copy_open, copy_read_chunk, copy_close, new_copy_begin,
                 new_copy_chunk, new_copy_install, new_copy_abandon>;

using effects = std::vector<effect>;

/// Limits and paces; times in ms.
struct replica_options {
  /// How often a primary is heard of by those that follow it.
  int64_t heartbeat = 200;
  /// A member that acknowledges nothing for so long, with something to
  /// acknowledge, is proposed for removal: acknowledgements wait for it.
  int64_t stall_timeout = 2'000;
  /// What was not acknowledged is sent again after this: several flushes of a
  /// busy disk.
  int64_t resend_after = 500;
  /// A hand-over that has not drained by then is given up.
  int64_t hand_over_timeout = 1'000;
  /// A learner that has caught up, but whose acknowledgements can't keep pace
  /// with the commits for so long, goes back to being followed only.
  int64_t join_timeout = 1'000;
  /// A copy of a checkpoint of which nothing arrives for so long begins anew:
  /// longer than a busy disk takes to load one.
  int64_t copy_timeout = 30'000;
  /// Bytes of entries in one message: well below CAF's limit of a message.
  uint64_t part_bytes = 256 << 10;
  /// Parts on their way to a learner, so that heartbeats get through between.
  uint64_t learner_credits = 4;
  /// A learner that lags by no more than this may join: it is what the disk of
  /// a node writes in some ten milliseconds.
  uint64_t join_lag_bytes = 1 << 20;
  /// Bytes admitted and not yet committed, beyond which blocks are refused as
  /// `busy`.
  uint64_t uncommitted_bytes_max = 64 << 20;
  /// Bytes that the log may grow by for a learner's sake before admission slows
  /// down to half the learner's pace.
  uint64_t pinned_bytes_max = 512 << 20;
};

} // namespace weir
