#pragma once

#include "cluster/outbox.hpp"
#include "cluster/replica_effects.hpp"
#include "cluster/shard.hpp"
#include "messages/cluster_wire.hpp"
#include "messages/window_wire.hpp"
#include "messages/wire.hpp"
#include "windows/failure.hpp"

#include <caf/actor_control_block.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

// Messages between the actors of one process. They carry pointers and never
// leave it.

namespace weir {

/// A block for a shard, as the node took it from a frame.
struct local_block {
  uint64_t epoch = 0;
  uint32_t attempt = 0;
  std::shared_ptr<const std::string> bytes;
  caf::strong_actor_ptr reply_to;
};

/// To the journal: make this durable, then say so with `stored`.
struct store_entry {
  entry_ptr entry;
  /// Up to this index, entries are known to be committed.
  uint64_t committed = 0;
};

/// From the journal: every entry of the shard up to this one is durable.
struct stored {
  log_position upto;
};

/// From the journal: this entry of the shard, and all after it, did not reach
/// the disk.
struct store_refused {
  entry_ptr entry;
  failure why;
};

/// To the journal: what must not be forgotten beside the log. Written again
/// until it is durable, and then answered by `record_stored`.
struct put_record {
  replica_record record;
};

struct record_stored {
  uint64_t promised = 0;
};

/// To the journal: what `put_record` wrote last for `shard`.
struct load_record {
  uint32_t shard = 0;
};

struct loaded_record {
  replica_record record;
};

/// To the journal: delete the entries of `shard` after this index.
struct cut_log {
  uint32_t shard = 0;
  uint64_t after = 0;
};

/// What a checkpoint covers; all zero: there is none.
struct checkpoint_extent {
  uint64_t from_index = 0;
  log_position end;
};

/// To the journal: these entries, which follow `after`, shall take the place of
/// all of the shard's, as soon as this checkpoint has taken the place of its
/// own.
struct stage_log {
  uint32_t shard = 0;
  log_position after;
  checkpoint_extent checkpoint;
  std::vector<entry_ptr> entries;
};

/// To the journal: it has.
struct install_log {
  uint32_t shard = 0;
};

/// To the journal, before a log is read: this is the checkpoint that was found.
struct settle_log {
  uint32_t shard = 0;
  checkpoint_extent checkpoint;
};

/// To the journal, from itself: the queue is drained, commit.
struct commit_now {
  // nop
};

/// To the journal: entries of `shard` from index `from` on, in order, a batch
/// at a time.
struct read_log {
  uint32_t shard = 0;
  uint64_t from = 0;
  /// Chain value of the entry before, if known.
  std::optional<uint64_t> previous;
  /// Reading ends with the entry that makes it more.
  size_t bytes_max = 1 << 20;
};

/// Some entries of a log; none: the log ends here.
struct log_part {
  std::vector<entry_ptr> entries;
  /// What was known to be committed when the last one of them was written.
  uint64_t committed = 0;
};

/// To the journal: is the log of `shard` whole?
struct check_log {
  uint32_t shard = 0;
};

struct log_checked {
  uint64_t from = 0;
  uint64_t entries = 0;
};

/// To the journal: entries of `shard` up to `upto` are in a checkpoint.
struct truncate_log {
  uint32_t shard = 0;
  uint64_t upto = 0;
};

/// To the journal: what its commits have to survive from now on.
struct set_durability {
  /// Else a killed process only.
  bool survives_power_cut = true;
};

/// To journal and checkpoint store: the shard leaves this node.
struct remove_shard {
  uint32_t shard = 0;
};

/// To journal and checkpoint store: what there is of `shard` is damaged, and
/// nobody counts on it. Keep it in `directory`, and forget it; without one the
/// journal chooses one.
struct put_aside_shard {
  uint32_t shard = 0;
  std::string directory;
};

/// Where it is now.
struct shard_put_aside {
  std::string directory;
};

/// To the checkpoint store: what you hold of `shard`.
struct load_checkpoint {
  uint32_t shard = 0;
};

/// To the checkpoint store: begin to read the checkpoint of `shard`, for
/// another node.
struct open_copy {
  uint32_t shard = 0;
};

struct opened_copy {
  bool found = false;
  shard_meta meta;
  /// What to ask for the chunks by.
  std::vector<int64_t> chunks;
  uint64_t bytes = 0;
};

/// To the checkpoint store: one chunk of an opened checkpoint.
struct read_chunk {
  uint32_t shard = 0;
  int64_t chunk = 0;
};

struct checkpoint_chunk {
  std::string bytes;
  uint64_t covers = 0;
};

/// To the copy of the coordinator's directory: what is to be asked for first?
struct begin_copy {
  // nop
};

/// What that copy holds by now, durably.
struct copy_state {
  /// What to ask for next.
  std::string wish;
  catalog_mark held;
  /// Nothing was missing but results of windows when the last part was made.
  bool current = false;
  /// Nor were these.
  bool complete = false;
  /// It has every result of windows that end by then.
  time_ms final_through = before_time;
  /// The greatest generation that it has promised to follow.
  uint64_t promised = 0;
};

/// To that copy: promise to follow no directory of an earlier generation.
struct promise_generation {
  uint64_t generation = 0;
};

/// A shard's checkpoint, whole.
struct loaded_checkpoint {
  bool found = false;
  shard_meta meta;
  std::vector<checkpoint_chunk> chunks;
};

/// To the checkpoint store: should the next checkpoint of `shard` be whole?
struct weigh_checkpoint {
  uint32_t shard = 0;
};

struct checkpoint_advice {
  /// Everything has to be written, not just what changed.
  bool full = false;
};

/// To the checkpoint store: begins a checkpoint of `shard`.
struct begin_checkpoint {
  uint32_t shard = 0;
  bool full = false;
};

struct put_chunk {
  uint32_t shard = 0;
  checkpoint_chunk chunk;
};

struct finish_checkpoint {
  uint32_t shard = 0;
  shard_meta meta;
};

struct abort_checkpoint {
  uint32_t shard = 0;
};

/// Bytes stored for a step of a checkpoint.
struct checkpoint_stored {
  uint64_t bytes = 0;
};

/// To a shard: write a checkpoint now.
struct checkpoint_shard {
  // nop
};

/// From a shard: its log is no longer needed up to `upto`; 0: no checkpoint was
/// made.
struct shard_checkpointed {
  uint32_t shard = 0;
  uint64_t upto = 0;
};

/// What a shard's log must hold before it takes anything.
struct shard_rules {
  std::shared_ptr<const shard_settings> settings;
  std::shared_ptr<const window_plan> plan;
  /// Windows that end by then are sealed.
  time_ms sealed_through = before_time;
};

/// To a shard: what the coordinator says of it.
struct announced_shard {
  announcement what;
  shard_rules rules;
};

/// To a shard: a message from another copy of it.
struct peer_bytes {
  std::shared_ptr<const std::string> bytes;
};

/// To a shard: this node can't be reached.
struct peer_lost {
  std::string node;
};

/// From a shard: to the copy on another node.
struct outgoing_peer {
  std::string node;
  std::string bytes;
};

/// From a shard: its part in replication has changed; the node need not wait
/// for the next tick to say so.
struct shard_moved {
  shard_report report;
};

/// To a shard: what is there of you?
struct check_shard {
  // nop
};

/// To a shard: the cluster's clock and settings. Answered by a shard_report, so
/// that a busy shard gets one at a time.
struct shard_tick {
  time_ms cluster_clock = -1;
  /// Windows that end by then may be forgotten.
  time_ms final_through = before_time;
  std::shared_ptr<const shard_settings> settings;
  std::shared_ptr<const window_plan> plan;
  /// The cluster's window, ms.
  time_ms window = 0;
};

/// To a shard: seal windows, then send the node a shard_sealed.
struct seal_shard {
  seal_range range;
  /// Comes first, if the shard doesn't have it yet.
  std::shared_ptr<const window_plan> plan;
};

/// From a shard: what it has in windows that never change again.
struct shard_sealed {
  uint32_t shard = 0;
  seal_range range;
  /// Beyond, nothing is included.
  time_ms upto = 0;
  std::shared_ptr<const std::vector<window_partial>> windows;
};

/// From a shard: what it holds in windows that are not final.
struct shard_windows {
  std::vector<window_partial> windows;
};

/// To a shard: how are you?
struct report_shard {
  // nop
};

/// An actor's own alarm; it knows what for.
struct timer {
  uint8_t what = 0;
};

/// To a node: where others reach it from now on. It takes part then.
struct listening {
  address at;
};

/// To the dialer.
struct dial {
  address to;
  /// What we say of ourselves.
  hello who;
  std::chrono::milliseconds timeout = std::chrono::seconds{10};
};

struct dialed {
  caf::strong_actor_ptr actor;
  welcome who;
};

/// How far the reader has come in its input.
struct input_mark {
  /// Number of the last record read.
  uint64_t record = 0;
  /// Digest of all records up to it; only for named producers.
  uint64_t digest = 0;
  /// Among them: what can't be read, and what had been acknowledged before.
  uint64_t malformed = 0;
  uint64_t duplicate = 0;
  /// Greatest time among them, of what was acknowledged before too, but of no
  /// record that the shards refuse as being from the future; -1: none.
  time_ms greatest = -1;
};

/// Blocks from the reader to the ingest actor.
struct outgoing_parcel {
  std::vector<std::pair<uint32_t, outgoing_block>> blocks;
  input_mark mark;
  /// Every record up to this one is in some block that was handed over, or was
  /// dropped.
  uint64_t handed_over = 0;
  /// The input has ended, or the reader gave up.
  bool end = false;
  /// With `end`: windows need not wait for more.
  bool flush = false;
};

/// To the query actor.
struct ask_averages {
  std::vector<average_request> requests;
};

} // namespace weir
