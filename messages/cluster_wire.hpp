#pragma once

#include "cluster/replication.hpp"
#include "messages/wire.hpp"

// What crosses a process boundary for replication and for operators. The rules
// of wire.hpp hold.

namespace weir {

// -- between nodes

/// First message to another node on a new connection: who sends to it there.
/// The answer says the same of the other one.
struct meet_node {
  std::string node;
  std::string disk;
  uint64_t incarnation = 0;
};

/// From one copy of a shard to another one: encode_peer_message().
struct replica_message {
  std::string bytes;
};

// -- coordinator and node

/// Another node of the cluster.
struct peer_address {
  std::string node;
  std::string name;
  address listens;
  /// Whoever gets this connects; else the other one does: two connections
  /// between two processes would time out in turn.
  bool dial = false;
};

/// All other nodes.
struct peer_list {
  std::vector<peer_address> nodes;
};

/// What the coordinator wants of shards; again and again. Repeats are harmless.
struct announce_shards {
  std::vector<announcement> shards;
  /// What a primary's log must hold before it takes anything.
  plan_text plan;
  /// Windows that end by then are sealed; the least int64: none.
  time_ms sealed_through = before_time;
};

/// The answer to a `proposal`.
struct shard_decision {
  uint32_t shard = 0;
  decision what;
};

// -- copies of the coordinator's directory

/// Asks for what a copy lacks.
struct get_catalog {
  /// catalog_wish::encode().
  std::string wish;
};

/// Some of it: catalog_page::encode().
struct catalog_part {
  std::string bytes;
};

/// From whoever rebuilds a directory that was lost: who are you?
struct get_survivor {
  /// From now on, no directory of an earlier generation is to be followed; 0:
  /// nothing is to be promised.
  uint64_t promise = 0;
};

struct survivor {
  std::string node;
  std::string disk;
  uint64_t incarnation = 0;
  std::string name;
  std::string cluster;
  /// It is connected to a coordinator: none is lost.
  bool connected = false;
  /// What it has promised, durably.
  uint64_t generation = 0;
};

/// Asks a node what its journal knows of configurations, from shard `first` on.
struct get_records {
  uint32_t first = 0;
  uint32_t limit = 0;
};

/// What a copy of a shard has promised, and the newest configuration that it
/// was told; of epoch 0 if none.
struct shard_record {
  uint64_t promised = 0;
  shard_config config;
};

/// Those of the shards that were asked for.
struct shard_records {
  std::vector<shard_record> records;
};

// -- operators and coordinator

/// Empties a node, or takes that back.
struct drain_node {
  /// Its name.
  std::string node;
  bool on = true;
};

/// Declares that a node's disk will never be seen again.
struct remove_node {
  std::string node;
};

/// Takes a node that is down and holds nothing off the list.
struct forget_node {
  std::string node;
};

/// Lets a node lead a shard that could not elect anybody.
struct promote_replica {
  uint32_t shard = 0;
  std::string node;
  bool accept_loss = false;
  bool old_primary_stopped = false;
};

/// What came of a request, in a sentence.
struct operator_answer {
  std::string text;
};

/// What would move if a node came, left or were drained, or as it is.
struct plan_moves {
  /// Copies of every shard; 0: as it is.
  uint32_t replicas = 0;
  /// Names of nodes that would come.
  std::vector<std::string> added;
  /// Names of nodes that would leave.
  std::vector<std::string> removed;
};

struct planned_move {
  uint32_t shard = 0;
  /// "copy", "drop", "primary"
  std::string what;
  /// Names of nodes; empty where it does not apply.
  std::string from;
  std::string to;
  /// Bytes of windows to send; 0 for roles.
  uint64_t bytes = 0;
};

struct planned_moves {
  std::vector<planned_move> moves;
};

// -- whoever verifies

/// Asks a node to look at its copies of these shards.
struct check_shards {
  std::vector<uint32_t> shards;
  /// Reads the whole journal of each, too.
  bool journal = false;
};

/// One copy of a shard, as it was at one moment.
struct shard_check {
  uint32_t shard = 0;
  ec code = ec::none;
  std::string text;
  uint64_t epoch = 0;
  replica_role role = replica_role::idle;
  log_position applied;
  log_position end;
  /// Of everything that the log determines; see shard::digest.
  uint64_t digest = 0;
  verdict_counts ledger;
  rollup_counts rollup;
  /// Entries of the journal that were read; index of the first one.
  uint64_t journal_entries = 0;
  uint64_t journal_from = 0;
};

struct shard_checks {
  std::string node;
  std::vector<shard_check> shards;
};

WEIR_INSPECT(member, x.node, x.disk, x.incarnation)
WEIR_INSPECT(node_disk, x.node, x.disk)
WEIR_INSPECT(shard_config, x.shard, x.epoch, x.primary, x.members, x.eligible,
             x.min_copies)
WEIR_INSPECT(replica_goals, x.learners, x.successor, x.surplus)
WEIR_INSPECT(announcement, x.config, x.goals)
WEIR_INSPECT(proposal, x.from, x.next, x.expected)
WEIR_INSPECT(decision, x.present, x.refused)
WEIR_INSPECT(fence, x.shard, x.epoch)
WEIR_INSPECT(fence_report, x.shard, x.epoch, x.from, x.end, x.committed)
WEIR_INSPECT(drop_copy, x.shard, x.epoch)
WEIR_INSPECT(meet_node, x.node, x.disk, x.incarnation)
WEIR_INSPECT(replica_message, x.bytes)
WEIR_INSPECT(peer_address, x.node, x.name, x.listens, x.dial)
WEIR_INSPECT(peer_list, x.nodes)
WEIR_INSPECT(announce_shards, x.shards, x.plan, x.sealed_through)
WEIR_INSPECT(shard_decision, x.shard, x.what)
WEIR_INSPECT(get_catalog, x.wish)
WEIR_INSPECT(catalog_part, x.bytes)
WEIR_INSPECT(get_survivor, x.promise)
WEIR_INSPECT(survivor, x.node, x.disk, x.incarnation, x.name, x.cluster,
             x.connected, x.generation)
WEIR_INSPECT(get_records, x.first, x.limit)
WEIR_INSPECT(shard_record, x.promised, x.config)
WEIR_INSPECT(shard_records, x.records)
WEIR_INSPECT(drain_node, x.node, x.on)
WEIR_INSPECT(remove_node, x.node)
WEIR_INSPECT(forget_node, x.node)
WEIR_INSPECT(promote_replica, x.shard, x.node, x.accept_loss,
             x.old_primary_stopped)
WEIR_INSPECT(operator_answer, x.text)
WEIR_INSPECT(plan_moves, x.replicas, x.added, x.removed)
WEIR_INSPECT(planned_move, x.shard, x.what, x.from, x.to, x.bytes)
WEIR_INSPECT(planned_moves, x.moves)
WEIR_INSPECT(check_shards, x.shards, x.journal)
WEIR_INSPECT(shard_check, x.shard, x.code, x.text, x.epoch, x.role, x.applied,
             x.end, x.digest, x.ledger, x.rollup, x.journal_entries,
             x.journal_from)
WEIR_INSPECT(shard_checks, x.node, x.shards)

} // namespace weir
