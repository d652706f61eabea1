#pragma once

#include "messages/backup_wire.hpp"
#include "messages/local.hpp"
#include "messages/wire.hpp"

#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

// Every actor of Weir on one page. This is the map of the system.
//
// Between processes, data travels in one-way messages with acknowledgements of
// our own; request and response are for the edges, with finite timeouts.

namespace weir {

/// What every published actor answers, whatever else it does.
using door_actor = caf::typed_actor<
  // Compares versions and cluster ids; an error refuses by name.
  caf::replies_to<hello>::with<welcome>>;

/// The COORDINATOR: knows the members, decides who holds which
/// shard, keeps the settings and
/// the producers' sessions. Not on the data path.
using coordinator_actor = door_actor::extend<
  // Takes a node in, or back, and assigns shards to the sender.
  caf::replies_to<join_node>::with<joined>,
  // A node is alive, and how its shards are; answered by a heartbeat_ack.
  caf::reacts_to<heartbeat>,
  // A primary wants another configuration; answered by a shard_decision.
  caf::reacts_to<proposal>,
  // A copy has promised, and tells what it holds.
  caf::reacts_to<fence_report>,
  // A producer's run begins.
  caf::replies_to<open_producer>::with<producer_opened>,
  // How far a run has come. Persisted before it is answered.
  caf::replies_to<report_session>::with<session_reported>,
  // Where every shard is served.
  caf::replies_to<get_routes>::with<routes>,
  // All there is to know.
  caf::replies_to<get_status>::with<cluster_status>,
  // Operators: empty a node, give a disk up, forget a node, force a promotion;
  // what would move.
  caf::replies_to<drain_node>::with<operator_answer>,
  caf::replies_to<remove_node>::with<operator_answer>,
  caf::replies_to<forget_node>::with<operator_answer>,
  caf::replies_to<promote_replica>::with<operator_answer>,
  caf::replies_to<plan_moves>::with<planned_moves>,
  // Settings: read and change.
  caf::replies_to<get_settings>::with<settings_text>,
  caf::replies_to<change_settings>::with<settings_text>,
  // Windows over all entities: change them, list them, ask for totals, wait
  // for further ones.
  caf::replies_to<change_windows>::with<windows_changed>,
  caf::replies_to<get_windows>::with<window_list>,
  caf::replies_to<window_query>::with<window_answers>,
  caf::replies_to<follow_windows>::with<window_answers>,
  // Totals over shards of a node.
  caf::reacts_to<sealed_partials>,
  // From a backup: its catalog.
  caf::replies_to<copy_catalog>::with<catalog_piece>,
  // What a copy of its directory lacks.
  caf::replies_to<get_catalog>::with<catalog_part>>;

/// The same, as its own process sees it.
using local_coordinator_actor = coordinator_actor::extend<
  // From itself, later.
  caf::reacts_to<timer>>;

/// The NODE: owns a data directory and the shards that the coordinator gives
/// it; passes blocks and queries on to them.
using node_actor = door_actor::extend<
  // Blocks from a producer. Each is answered with an append_ack to the
  // sender.
  caf::reacts_to<append_frame>,
  // Likewise.
  caf::reacts_to<open_session>,
  // Sliding averages, answered in the order of the requests.
  caf::replies_to<average_batch>::with<average_answers>,
  // From the coordinator.
  caf::reacts_to<peer_list>, caf::reacts_to<announce_shards>,
  caf::reacts_to<fence>, caf::reacts_to<drop_copy>,
  caf::reacts_to<shard_decision>, caf::reacts_to<settings_text>,
  caf::reacts_to<plan_text>, caf::reacts_to<heartbeat_ack>,
  // Seals windows; answered by sealed_partials, or not at all.
  caf::reacts_to<seal_windows>,
  // What there is of windows that are not final.
  caf::replies_to<get_partials>::with<held_partials>,
  caf::replies_to<get_heartbeat>::with<heartbeat>,
  // From other nodes.
  caf::replies_to<meet_node>::with<meet_node>, caf::reacts_to<replica_message>,
  // What there is of its copies.
  caf::replies_to<check_shards>::with<shard_checks>,
  // From a backup: a shard's checkpoint and log.
  caf::replies_to<begin_backup>::with<backup_begun>,
  caf::replies_to<read_backup_chunk>::with<backup_chunk>,
  caf::replies_to<read_backup_log>::with<backup_log>,
  caf::reacts_to<end_backup>,
  // From whoever rebuilds a coordinator's directory: who it is, what it has
  // copied of the old one, and what its journal knows of configurations.
  caf::replies_to<get_survivor>::with<survivor>,
  caf::replies_to<get_catalog>::with<catalog_part>,
  caf::replies_to<get_records>::with<shard_records>>;

/// The same, as its own process sees it.
using local_node_actor = node_actor::extend<
  // Its port is open.
  caf::reacts_to<listening>,
  // From a shard: how it is, and that its checkpoint is done.
  caf::reacts_to<shard_report>, caf::reacts_to<shard_moved>,
  caf::reacts_to<shard_checkpointed>,
  // From a shard: to another copy of it, and to the coordinator.
  caf::reacts_to<outgoing_peer>, caf::reacts_to<proposal>,
  caf::reacts_to<fence_report>,
  // From a shard: its part of sealed windows.
  caf::reacts_to<shard_sealed>,
  // From itself, later.
  caf::reacts_to<timer>>;

/// The SHARD: one shard's log and windows at this node.
using shard_actor = caf::typed_actor<
  // A block or a session from a producer.
  caf::reacts_to<local_block>, caf::reacts_to<open_session>,
  // Sliding averages.
  caf::replies_to<average_batch>::with<average_answers>,
  // From the coordinator: its configuration, a promise to make, an answer.
  caf::reacts_to<announced_shard>, caf::reacts_to<fence>,
  caf::reacts_to<shard_decision>,
  // From other copies.
  caf::reacts_to<peer_bytes>, caf::reacts_to<peer_lost>,
  // Does what is due, and sends the node a shard_report.
  caf::reacts_to<shard_tick>,
  // The same report, at once.
  caf::replies_to<report_shard>::with<shard_report>,
  // Seals windows, then sends the node a shard_sealed.
  caf::reacts_to<seal_shard>,
  // What it holds of windows that are not final.
  caf::replies_to<get_partials>::with<shard_windows>,
  // Lets go if nobody counts on it: true, and it is gone.
  caf::replies_to<drop_copy>::with<bool>,
  // What there is of it.
  caf::replies_to<check_shard>::with<shard_check>,
  // From a backup: its checkpoint and log.
  caf::replies_to<begin_backup>::with<backup_begun>,
  caf::replies_to<read_backup_chunk>::with<backup_chunk>,
  caf::replies_to<read_backup_log>::with<backup_log>,
  caf::reacts_to<end_backup>,
  // Writes a checkpoint.
  caf::reacts_to<checkpoint_shard>,
  // From the journal.
  caf::reacts_to<stored>, caf::reacts_to<store_refused>,
  caf::reacts_to<record_stored>>;

/// The JOURNAL: owns journal.db, on a thread of its own. Everything queued when
/// it looks is one transaction.
using journal_actor = caf::typed_actor<
  // Makes it durable, then tells the sender.
  caf::reacts_to<store_entry>, caf::reacts_to<commit_now>,
  // What must not be forgotten beside the log; the sender is told when it is
  // durable.
  caf::reacts_to<put_record>, caf::replies_to<load_record>::with<loaded_record>,
  caf::replies_to<get_records>::with<shard_records>,
  // Reads a shard's log, a batch at a time, or all of it.
  caf::replies_to<read_log>::with<log_part>,
  caf::replies_to<check_log>::with<log_checked>,
  // Another log takes the place of a shard's, or of its end; after a crash it
  // has to be found out which one is there.
  caf::replies_to<cut_log>::with<bool>, caf::replies_to<stage_log>::with<bool>,
  caf::replies_to<install_log>::with<bool>,
  caf::replies_to<settle_log>::with<bool>,
  // Deletes what a checkpoint covers.
  caf::reacts_to<truncate_log>,
  // Deletes a shard's whole log, or puts it aside.
  caf::replies_to<remove_shard>::with<bool>,
  caf::replies_to<put_aside_shard>::with<shard_put_aside>,
  // Changes what commits survive.
  caf::replies_to<set_durability>::with<bool>>;

/// The CHECKPOINTS: own state.db, on a thread of their own.
using checkpoint_actor = caf::typed_actor<
  // What a shard recovers from.
  caf::replies_to<load_checkpoint>::with<loaded_checkpoint>,
  // One checkpoint of a shard at a time: begin, chunks, finish. Finished
  // means that it is on the disk itself.
  caf::replies_to<weigh_checkpoint>::with<checkpoint_advice>,
  caf::replies_to<begin_checkpoint>::with<checkpoint_stored>,
  caf::replies_to<put_chunk>::with<checkpoint_stored>,
  caf::replies_to<finish_checkpoint>::with<checkpoint_stored>,
  caf::reacts_to<abort_checkpoint>,
  // A checkpoint for another node, a chunk at a time.
  caf::replies_to<open_copy>::with<opened_copy>,
  caf::replies_to<read_chunk>::with<checkpoint_chunk>,
  // Deletes a shard's checkpoints, or puts them aside.
  caf::replies_to<remove_shard>::with<bool>,
  caf::replies_to<put_aside_shard>::with<shard_put_aside>>;

/// The COPY of the coordinator's directory: owns coordinator-copy.db, on a
/// thread of its own.
using copy_actor = caf::typed_actor<
  // What to ask the coordinator for first, and then after each part.
  caf::replies_to<begin_copy>::with<copy_state>,
  caf::replies_to<catalog_part>::with<copy_state>,
  // For whoever rebuilds the directory.
  caf::replies_to<get_catalog>::with<catalog_part>,
  caf::replies_to<promise_generation>::with<copy_state>>;

/// The DIALER: connects to other processes.
using dialer_actor = caf::typed_actor<
  // Connects and exchanges hello and welcome.
  caf::replies_to<dial>::with<dialed>>;

/// A PRODUCER, as a shard sees it.
using producer_actor = caf::typed_actor<
  // What became of its blocks.
  caf::reacts_to<append_ack>>;

/// The INGEST actor: sends a producer's blocks to whoever serves their shards,
/// until they are acknowledged.
using ingest_actor = caf::typed_actor<
  // From the reader: blocks to send.
  caf::reacts_to<outgoing_parcel>,
  // From a shard, or from a node in its place.
  caf::reacts_to<append_ack>,
  // From itself, later.
  caf::reacts_to<timer>>;

/// The QUERY actor: sends questions to the shards that can answer them.
using query_actor = caf::typed_actor<
  // Any entities; answered in the order of the questions. Never fails as a
  // whole: what could not be reached says so in its own answer.
  caf::replies_to<ask_averages>::with<average_answers>,
  // From itself, later.
  caf::reacts_to<timer>>;

} // namespace weir
