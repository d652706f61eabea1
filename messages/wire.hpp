#pragma once

#include "cluster/catalog_mark.hpp"
#include "cluster/log.hpp"
#include "cluster/replica_report.hpp"
#include "cluster/sealing.hpp"
#include "cluster/sessions.hpp"
#include "cluster/verdict.hpp"
#include "windows/failure.hpp"
#include "windows/reading.hpp"
#include "windows/rollup_table.hpp"

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/meta/type_name.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

// Every type that crosses a process boundary, and nothing else.
//
// CAF 0.17 writes the *name* of a type and then its fields by position. Adding
// a type is therefore compatible; renaming one, or touching the fields of an
// inspect(), is not: bump `wire_version` and re-record test/golden/. `hello`
// and `welcome` must never change, because with them versions are compared.

namespace weir {

/// Processes with different versions refuse each other by name.
constexpr const char* wire_version = "weir/6";

// -- doors

/// First message on every connection.
struct hello {
  /// The sender's `wire_version`.
  std::string wire;
  /// Hex id of the cluster that the sender belongs to; empty if none yet.
  std::string cluster;
  /// "node", "client"
  std::string role;
  std::string name;
};

/// Answer to a `hello` that may stay.
struct welcome {
  std::string wire;
  std::string cluster;
  /// "coordinator", "node"
  std::string role;
  std::string name;
};

/// Where a process can be reached.
struct address {
  std::string host;
  uint16_t port = 0;

  friend bool operator==(const address& x, const address& y) {
    return x.host == y.host && x.port == y.port;
  }
};

/// The cluster's settings as names and texts (see config/options.cpp).
struct settings_text {
  uint64_t version = 0;
  std::vector<std::pair<std::string, std::string>> values;
};

// -- node and coordinator

/// A node asks to take part. Hex ids; see storage/data_dir.hpp.
struct join_node {
  std::string node;
  std::string disk;
  uint64_t incarnation = 0;
  /// Empty: the coordinator chooses one.
  std::string name;
  address listens;
  /// Of the program, for people.
  std::string version;
  /// Of the newest coordinator's directory that it has heard of; 0: none.
  uint64_t generation = 0;
};

struct joined {
  std::string cluster;
  std::string name;
  settings_text settings;
};

/// Which windows over all entities there are: window_plan::encode().
struct plan_text {
  uint64_t version = 0;
  std::string bytes;
};

/// Values travel and are shown by name; they never change meaning.
enum class shard_state : uint8_t {
  recovering = 0,
  serving = 1,
  /// The text says why.
  failed = 2,
  /// Another node leads it.
  following = 3,
};

/// A checkpoint on its way to another node.
struct copy_progress {
  /// Node id.
  std::string to;
  uint64_t bytes = 0;
  uint64_t bytes_in_all = 0;
  /// ms since it began.
  time_ms elapsed = 0;
};

struct shard_report {
  uint32_t shard = 0;
  shard_state state = shard_state::recovering;
  std::string text;
  /// Its part in replication.
  replica_report replica;
  /// Only of a primary.
  std::vector<copy_progress> copies;
  /// -1 before the first reading.
  time_ms clock = -1;
  uint64_t entities = 0;
  uint64_t window_bytes = 0;
  verdict_counts ledger;
  /// Of the plan in its log, and the greatest time of a reading before that;
  /// the least int64: none.
  uint64_t plan_version = 0;
  time_ms plan_greatest = before_time;
  rollup_counts rollup;
};

struct heartbeat {
  std::string node;
  uint64_t incarnation = 0;
  std::vector<shard_report> shards;
  uint64_t memory_bytes = 0;
  uint64_t journal_bytes = 0;
  /// Received but not yet committed.
  uint64_t pending_bytes = 0;
  /// Settings version that all shards follow.
  uint64_t settings_version = 0;
  /// Plan that it knows of.
  uint64_t plan_version = 0;
  /// What is wrong with the node as a whole, such as a full disk.
  std::string trouble;
  /// Its copy of the coordinator's directory has every result of windows that
  /// end by then.
  time_ms copied_through = before_time;
};

/// Asks a node for a heartbeat with what all its shards have applied by now.
struct get_heartbeat {
  // nop
};

struct heartbeat_ack {
  /// -1 before the first reading.
  time_ms cluster_clock = -1;
  /// The results of windows that end by then are stored, with enough copies;
  /// the least int64: none.
  time_ms final_through = before_time;
  /// What there is to copy of the coordinator's directory.
  catalog_mark catalog;
};

// -- producers

struct open_producer {
  /// Empty: a producer with a random id, for this run alone.
  std::string name;
  /// Carry on with the input of the session before.
  bool resume = false;
};

struct producer_opened {
  producer_id producer;
  uint64_t session = 0;
  /// The last input's record 1 has number `base` + 1.
  uint64_t base = 0;
  /// Every record up to this number was acknowledged, at least.
  uint64_t prefix = 0;
  /// Digest of the input's records `base` + 1 to `digest_at`.
  uint64_t digest = 0;
  uint64_t digest_at = 0;
};

struct session_reported {
  uint64_t session = 0;
};

/// One block on its way to a shard's primary.
struct block_message {
  uint32_t shard = 0;
  /// The shard's epoch as the sender knows it.
  uint64_t epoch = 0;
  /// Comes back in the answer: see cluster/outbox.hpp.
  uint32_t attempt = 0;
  /// See cluster/block.hpp.
  std::string bytes;
};

/// Blocks for shards of one node; each is answered by itself.
struct append_frame {
  std::vector<block_message> blocks;
};

/// Asks a shard to refuse older sessions of `producer`, and where its log ends
/// for it. Answered like a block.
struct open_session {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  producer_id producer;
  uint64_t session = 0;
};

/// Answer of a shard, or of the node in its place, to a producer.
struct append_ack {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  uint32_t attempt = 0;
  producer_id producer;
  uint64_t session = 0;
  /// `none`: all up to `position` is committed. Else why not, and `text`.
  ec code = ec::none;
  std::string text;
  /// The producer's last committed position in this shard.
  uint64_t position = 0;
  /// With `sequence_gap`: its last position in the log, committed or not.
  uint64_t last = 0;
  /// Of this session in this shard, up to `position`.
  verdict_counts counts;
  /// How many replicas hold it.
  uint32_t copies = 0;
  /// With `stale_epoch`: id of the node that leads the shard in `epoch`; empty:
  /// ask the coordinator.
  std::string primary;
};

// -- queries

struct get_routes {
  // nop
};

struct node_route {
  std::string node;
  std::string name;
  address listens;
  bool up = false;
};

struct shard_route {
  /// Index into `routes::nodes`; beyond it: nowhere yet.
  uint32_t node = UINT32_MAX;
  /// Indexes of nodes with other copies, which answer when the primary can't.
  std::vector<uint32_t> backups;
  uint64_t epoch = 0;
  /// Why it isn't served; empty when it is.
  std::string trouble;
};

struct routes {
  std::string cluster;
  settings_text settings;
  std::vector<node_route> nodes;
  std::vector<shard_route> shards;
};

struct average_request {
  std::string entity;
  std::string metric;
  /// 0: the cluster's window.
  time_ms width = 0;
  /// Without it: now, by the shard's clock.
  bool has_at = false;
  time_ms at = 0;
};

/// Questions to one shard.
struct average_batch {
  uint32_t shard = 0;
  std::vector<average_request> requests;
};

struct average_answer {
  /// `none`: answered. Else why not, and `text`.
  ec code = ec::none;
  std::string text;
  bool known_entity = false;
  bool known_metric = false;
  uint64_t count = 0;
  /// Meaningless when `count` is 0.
  double average = 0;
  bool exact = true;
  bool complete = true;
  /// The window is (start, end].
  time_ms start = 0;
  time_ms end = 0;
  time_ms resolution = 1;
  uint32_t shard = 0;
  uint64_t epoch = 0;
  std::string node;
  std::string role;
  time_ms stale = 0;
  /// Metrics of the entity, where the one asked for is not among them.
  std::vector<std::string> metrics;
};

struct average_answers {
  /// In the order of the requests.
  std::vector<average_answer> answers;
};

// -- operators

struct get_status {
  // nop
};

struct node_status {
  std::string name;
  std::string node;
  address listens;
  /// "up", "down", "draining", "drained"
  std::string state;
  /// Of the program.
  std::string version;
  /// Wall clock, ms, of the last heartbeat; 0 before the first.
  time_ms last_seen = 0;
  uint32_t primaries = 0;
  uint32_t backups = 0;
  uint64_t memory_bytes = 0;
  uint64_t journal_bytes = 0;
  uint64_t pending_bytes = 0;
  uint64_t entities = 0;
  /// Accepted readings a second, over the last seconds.
  double rate = 0;
  std::string trouble;
};

/// One copy of a shard.
struct copy_status {
  /// Name of the node.
  std::string node;
  /// "primary", "backup", "learner", "idle"; empty: nothing was heard of it.
  std::string role;
  /// Last entry on its disk, and that it has applied.
  uint64_t end = 0;
  uint64_t applied = 0;
  /// What is wrong with it, if anything.
  std::string text;
};

/// A copy on its way.
struct move_status {
  uint32_t shard = 0;
  /// Names of nodes.
  std::string from;
  std::string to;
  uint64_t bytes = 0;
  uint64_t bytes_in_all = 0;
  time_ms elapsed = 0;
};

struct shard_status {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  /// Name of the node; empty: none yet.
  std::string primary;
  /// Names of the other members.
  std::vector<std::string> backups;
  std::vector<copy_status> copies;
  /// Names of the nodes that shall hold it, the primary first.
  std::vector<std::string> target;
  /// "serving", "recovering", "moving", "unavailable"
  std::string state;
  std::string text;
  bool empty = true;
  uint64_t index = 0;
  uint64_t entities = 0;
  uint64_t window_bytes = 0;
};

struct ledger_counts {
  uint64_t received = 0;
  uint64_t accepted = 0;
  uint64_t duplicate = 0;
  uint64_t late = 0;
  uint64_t future = 0;
  uint64_t malformed = 0;
  uint64_t refused = 0;
};

struct producer_status {
  producer_id producer;
  /// Empty for a random one.
  std::string name;
  uint64_t session = 0;
  uint64_t prefix = 0;
  bool live = false;
  uint64_t malformed = 0;
  uint64_t duplicate = 0;
};

struct cluster_status {
  std::string cluster;
  time_ms clock = -1;
  settings_text settings;
  std::vector<node_status> nodes;
  std::vector<shard_status> shards;
  std::vector<move_status> moves;
  ledger_counts ledger;
  std::vector<producer_status> producers;
  double rate = 0;
  /// -1 before the first report of a producer.
  time_ms watermark = -1;
  rollup_counts rollup;
};

struct get_settings {
  // nop
};

/// Changes the named settings; the others stay.
struct change_settings {
  std::vector<std::pair<std::string, std::string>> values;
};

// -- how CAF reads and writes them

/// CAF leaves out a field whose type is a local message (see types.hpp), and
/// says nothing: it arrives with its default.
template <class... Fields>
constexpr void assert_all_travel(const Fields&...) {
  static_assert((!caf::allowed_unsafe_message_type<Fields>::value && ...),
                "a local message can't be a part of one that travels");
}

#define WEIR_INSPECT(type, ...)                                                \
  template <class Inspector>                                                   \
  typename Inspector::result_type inspect(Inspector& f, type& x) {             \
    assert_all_travel(__VA_ARGS__);                                            \
    return f(caf::meta::type_name("weir::" #type), __VA_ARGS__);               \
  }

#define WEIR_INSPECT_EMPTY(type)                                               \
  template <class Inspector>                                                   \
  typename Inspector::result_type inspect(Inspector& f, type&) {               \
    return f(caf::meta::type_name("weir::" #type));                            \
  }

/// A double that travels as its bits, which is what CAF makes of most doubles,
/// too: but it spoils denormals, and does not come to an end with infinity.
struct as_bits {
  double& value;

  /// What an inspector takes.
  as_bits& lvalue() {
    return *this;
  }
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, as_bits& x) {
  auto bits = uint64_t{0};
  std::memcpy(&bits, &x.value, sizeof(bits));
  if constexpr (Inspector::writes_state) {
    auto error = f(bits);
    std::memcpy(&x.value, &bits, sizeof(bits));
    return error;
  } else {
    return f(bits);
  }
}

WEIR_INSPECT(producer_id, x.high, x.low)
WEIR_INSPECT(verdict_counts, x.accepted, x.late, x.future, x.refused)
WEIR_INSPECT(rollup_counts, x.in, x.late, x.outside, x.refused)
WEIR_INSPECT(plan_text, x.version, x.bytes)
WEIR_INSPECT(hello, x.wire, x.cluster, x.role, x.name)
WEIR_INSPECT(welcome, x.wire, x.cluster, x.role, x.name)
WEIR_INSPECT(address, x.host, x.port)
WEIR_INSPECT(settings_text, x.version, x.values)
WEIR_INSPECT(join_node, x.node, x.disk, x.incarnation, x.name, x.listens,
             x.version, x.generation)
WEIR_INSPECT(joined, x.cluster, x.name, x.settings)
WEIR_INSPECT(log_position, x.index, x.epoch, x.chain)
WEIR_INSPECT(replica_report, x.shard, x.epoch, x.promised, x.role, x.serving,
             x.empty, x.failed, x.committed, x.end, x.text)
WEIR_INSPECT(copy_progress, x.to, x.bytes, x.bytes_in_all, x.elapsed)
WEIR_INSPECT(shard_report, x.shard, x.state, x.text, x.replica, x.copies,
             x.clock, x.entities, x.window_bytes, x.ledger, x.plan_version,
             x.plan_greatest, x.rollup)
WEIR_INSPECT(heartbeat, x.node, x.incarnation, x.shards, x.memory_bytes,
             x.journal_bytes, x.pending_bytes, x.settings_version,
             x.plan_version, x.trouble, x.copied_through)
WEIR_INSPECT_EMPTY(get_heartbeat)
WEIR_INSPECT(catalog_mark, x.generation, x.start, x.count)
WEIR_INSPECT(heartbeat_ack, x.cluster_clock, x.final_through, x.catalog)
WEIR_INSPECT(open_producer, x.name, x.resume)
WEIR_INSPECT(producer_opened, x.producer, x.session, x.base, x.prefix, x.digest,
             x.digest_at)
WEIR_INSPECT(report_session, x.producer, x.session, x.base, x.prefix, x.digest,
             x.digest_at, x.malformed, x.duplicate, x.ended, x.greatest, x.idle,
             x.flush)
WEIR_INSPECT(session_reported, x.session)
WEIR_INSPECT(block_message, x.shard, x.epoch, x.attempt, x.bytes)
WEIR_INSPECT(append_frame, x.blocks)
WEIR_INSPECT(open_session, x.shard, x.epoch, x.producer, x.session)
WEIR_INSPECT(append_ack, x.shard, x.epoch, x.attempt, x.producer, x.session,
             x.code, x.text, x.position, x.last, x.counts, x.copies, x.primary)
WEIR_INSPECT_EMPTY(get_routes)
WEIR_INSPECT(node_route, x.node, x.name, x.listens, x.up)
WEIR_INSPECT(shard_route, x.node, x.backups, x.epoch, x.trouble)
WEIR_INSPECT(routes, x.cluster, x.settings, x.nodes, x.shards)
WEIR_INSPECT(average_request, x.entity, x.metric, x.width, x.has_at, x.at)
WEIR_INSPECT(average_batch, x.shard, x.requests)
WEIR_INSPECT(average_answer, x.code, x.text, x.known_entity, x.known_metric,
             x.count, as_bits{x.average}.lvalue(), x.exact, x.complete, x.start,
             x.end, x.resolution, x.shard, x.epoch, x.node, x.role, x.stale,
             x.metrics)
WEIR_INSPECT(average_answers, x.answers)
WEIR_INSPECT_EMPTY(get_status)
WEIR_INSPECT(node_status, x.name, x.node, x.listens, x.state, x.version,
             x.last_seen, x.primaries, x.backups, x.memory_bytes,
             x.journal_bytes, x.pending_bytes, x.entities,
             as_bits{x.rate}.lvalue(), x.trouble)
WEIR_INSPECT(copy_status, x.node, x.role, x.end, x.applied, x.text)
WEIR_INSPECT(move_status, x.shard, x.from, x.to, x.bytes, x.bytes_in_all,
             x.elapsed)
WEIR_INSPECT(shard_status, x.shard, x.epoch, x.primary, x.backups, x.copies,
             x.target, x.state, x.text, x.empty, x.index, x.entities,
             x.window_bytes)
WEIR_INSPECT(ledger_counts, x.received, x.accepted, x.duplicate, x.late,
             x.future, x.malformed, x.refused)
WEIR_INSPECT(producer_status, x.producer, x.name, x.session, x.prefix, x.live,
             x.malformed, x.duplicate)
WEIR_INSPECT(cluster_status, x.cluster, x.clock, x.settings, x.nodes, x.shards,
             x.moves, x.ledger, x.producers, as_bits{x.rate}.lvalue(),
             x.watermark, x.rollup)
WEIR_INSPECT_EMPTY(get_settings)
WEIR_INSPECT(change_settings, x.values)

} // namespace weir
