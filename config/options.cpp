#include "config/option.hpp"

#include "windows/sliding_series.hpp"

#include <optional>
#include <type_traits>
#include <utility>

namespace weir {

namespace {

template <class T>
struct member_of;

template <class Class, class Type>
struct member_of<Type Class::*> {
  using class_type = Class;
  using type = Type;
};

template <class T>
struct is_optional : std::false_type {};

template <class T>
struct is_optional<std::optional<T>> : std::true_type {};

template <class T>
option_value to_value(const T& x) {
  if constexpr (is_optional<T>::value)
    return x ? to_value(*x) : option_value{};
  else if constexpr (std::is_same_v<T, std::string>)
    return x.empty() ? option_value{} : option_value{x};
  else if constexpr (std::is_same_v<T, endpoint>)
    return x;
  else
    return static_cast<int64_t>(x);
}

template <class T>
void from_value(T& x, const option_value& value) {
  if constexpr (is_optional<T>::value) {
    if (std::holds_alternative<std::monostate>(value))
      x.reset();
    else
      from_value(x.emplace(), value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    auto text = std::get_if<std::string>(&value);
    x = text ? *text : std::string{};
  } else if constexpr (std::is_same_v<T, endpoint>) {
    x = std::get<endpoint>(value);
  } else {
    x = static_cast<T>(std::get<int64_t>(value));
  }
}

/// A row, while it is being written.
struct row : option {
  row if_unset(std::string_view meaning) && {
    unset = meaning;
    return std::move(*this);
  }

  row or_off() && {
    off = "off";
    return std::move(*this);
  }

  row fixed_at_creation() && {
    fixed = true;
    return std::move(*this);
  }
};

template <auto Field>
row declare(std::string_view name, option_kind kind, std::string_view help) {
  using class_type = typename member_of<decltype(Field)>::class_type;
  constexpr auto is_cluster = std::is_same_v<class_type, cluster_settings>;
  auto res = row{};
  res.name = name;
  res.scope = is_cluster ? option_scope::cluster : option_scope::process;
  res.kind = kind;
  res.help = help;
  res.get = [](const settings& x) {
    if constexpr (is_cluster)
      return to_value(x.cluster.*Field);
    else
      return to_value(x.process.*Field);
  };
  res.set = [](settings& x, const option_value& value) {
    if constexpr (is_cluster)
      from_value(x.cluster.*Field, value);
    else
      from_value(x.process.*Field, value);
  };
  return res;
}

template <auto Field>
row ranged(std::string_view name, option_kind kind, int64_t min, int64_t max,
           std::string_view unit, std::string_view help) {
  auto res = declare<Field>(name, kind, help);
  res.min = min;
  res.max = max;
  res.unit = unit;
  return res;
}

template <auto Field>
row duration(std::string_view name, time_ms min, time_ms max,
             std::string_view help) {
  return ranged<Field>(name, option_kind::duration, min, max, "", help);
}

template <auto Field>
row count(std::string_view name, int64_t min, int64_t max,
          std::string_view unit, std::string_view help) {
  return ranged<Field>(name, option_kind::count, min, max, unit, help);
}

template <auto Field>
row bytes(std::string_view name, int64_t min, int64_t max,
          std::string_view help) {
  return ranged<Field>(name, option_kind::bytes, min, max, "", help);
}

template <auto Field>
row word(std::string_view name, std::vector<std::string_view> words,
         std::string_view help) {
  auto res = declare<Field>(name, option_kind::word, help);
  res.words = std::move(words);
  return res;
}

template <auto Field>
row address(std::string_view name, int64_t port_min, std::string_view help) {
  return ranged<Field>(name, option_kind::address, port_min, 65'535, "", help);
}

template <auto Field>
row text(std::string_view name, std::string_view unit, std::string_view help) {
  auto res = declare<Field>(name, option_kind::text, help);
  res.unit = unit;
  return res;
}

constexpr time_ms minute = 60'000;
constexpr time_ms hour = 60 * minute;
constexpr time_ms day = 24 * hour;

constexpr int64_t kib = 1024;
constexpr int64_t mib = 1024 * kib;
constexpr int64_t gib = 1024 * mib;

/// No two readings are further apart than all of time: a duration has no use
/// beyond it, and sums of a few cannot overflow.
constexpr time_ms all_of_time = time_max;

/// Of one window: 8192 totals of some 100 bytes and names of usual length fit a
/// message.
constexpr int64_t rollup_metrics_limit = 8192;

std::vector<option> cluster_options() {
  using c = cluster_settings;
  return {
    duration<&c::window>(
      "window", 1, all_of_time,
      "Width of the sliding average: an answer at T is the mean of the "
      "readings in (T - window, T]. A wider one keeps more readings in memory. "
      "A query may name another width, up to the retention."),
    duration<&c::lateness>(
      "lateness", 0, all_of_time,
      "How long after its time a reading still counts in full, for sources "
      "that deliver out of order. More keeps readings in memory for longer; "
      "10s covers network hiccups and restarts of a sender."),
    duration<&c::retention>(
      "retention", 1, all_of_time,
      "How far behind the clock readings are kept and still taken; what is "
      "older is counted as late. At least window + lateness. More lets queries "
      "look further back, for more memory.")
      .if_unset("window + lateness"),
    count<&c::cells_max>(
      "cells-max", sliding_series::cells_least, sliding_series::cells_limit,
      "cells",
      "Memory of one entity's metric: up to this many readings with times of "
      "their own it is exact; beyond, neighbours merge and answers tell their "
      "resolution. 1024 cells are 32 KiB, and exact at 17 readings a second of "
      "a 60s window."),
    word<&c::clock>(
      "clock", {"event", "wall"},
      "What time it is: `event`, the greatest reading's time, which is right "
      "for replays and simulations too, or `wall`, the clock of the node, by "
      "which a silent stream forgets in step with real time."),
    duration<&c::future_limit>(
      "future-limit", 0, all_of_time,
      "A reading dated further ahead of the wall clock is refused: one source "
      "with a wrong clock would otherwise make everybody else's readings late. "
      "5m is more than clocks that are set by a network differ."),
    word<&c::durability>(
      "durability", {"power", "process"},
      "What an acknowledged reading survives: `power`, a loss of power, with a "
      "flush to disk per group of blocks; or `process`, a killed process only, "
      "and faster on slow disks."),
    count<&c::shards>(
      "shards", 1, 4096, "shards",
      "Ranges of entities, the unit that nodes share out. Give two or more per "
      "core that the cluster may ever have; each costs a little memory and a "
      "log of its own. Fixed once a cluster has been created.")
      .fixed_at_creation(),
    count<&c::replicas>(
      "replicas", 1, 7, "copies",
      "Copies of every shard, on as many nodes; fewer where there are fewer "
      "nodes. With two, any one node may be lost with its disk. Each further "
      "one costs every reading another write."),
    count<&c::min_copies>(
      "min-copies", 1, 7, "copies",
      "Nothing is acknowledged with fewer copies than this. With 1, the last "
      "copy of a shard goes on alone until another one has joined it; with 2, "
      "it refuses readings meanwhile."),
    count<&c::metrics_per_entity_max>(
      "metrics-per-entity-max", 1, 65'536, "metrics",
      "Further metrics of an entity are refused: a source that makes up names "
      "would otherwise fill the memory. 64 is several times what real sensors "
      "send."),
    count<&c::entities_per_shard_max>(
      "entities-per-shard-max", 1, 1'000'000'000, "entities",
      "Further entities of a shard are refused, for the same reason. An entity "
      "with one metric takes some hundred bytes, so 4000000 are in the order "
      "of a gigabyte."),
    count<&c::producers_max>(
      "producers-max", 1, 10'000'000, "producers per shard",
      "A shard remembers each producer's position, to count nothing twice. "
      "Further producers are refused until others expire: forgetting one that "
      "may still resend would count its readings again."),
    duration<&c::producer_expiry>(
      "producer-expiry", minute, all_of_time,
      "A producer that was silent for so long is forgotten, and what it "
      "resends afterwards counts as new. 7d outlasts an outage over a long "
      "weekend."),
    duration<&c::rollup_every>(
      "rollup-every", 1, all_of_time,
      "Width of the windows whose totals over all entities are kept, aligned "
      "to the epoch. A change takes effect at the next boundary that both "
      "widths share. `off` keeps none but those that `weir window open` "
      "announces; 1m is what dashboards and bills are made of.")
      .or_off(),
    duration<&c::rollup_lateness>(
      "rollup-lateness", 0, all_of_time,
      "How long a window waits for late readings before it is final: none is "
      "added once the watermark is so far past its end. More counts more "
      "stragglers, and every result comes so much later.")
      .if_unset("the lateness"),
    duration<&c::idle_after>(
      "idle-after", 100, all_of_time,
      "A producer without new input, or not heard of, for so long no longer "
      "holds the watermark, and windows become final without it; what it "
      "sends later may be late. 10s outlast a restart or a failover."),
    duration<&c::rollup_keep>(
      "rollup-keep", minute, all_of_time,
      "How long results are kept after they became final. 400d let a month be "
      "compared with the same one a year before."),
    count<&c::rollup_keep_windows>(
      "rollup-keep-windows", 1, 1'000'000'000, "windows",
      "Final results beyond so many are removed, the first ones first: the "
      "coordinator's file stays bounded however short windows are. 1000000 "
      "are almost two years of minutes."),
    count<&c::rollup_metrics_max>(
      "rollup-metrics-max", 1, rollup_metrics_limit, "metrics per shard",
      "Readings of further metrics are in no window's totals, and counted as "
      "refused there: a source that makes up names would otherwise fill the "
      "memory. The totals of one window travel in one message, hence the "
      "limit."),
    count<&c::rollup_cells_max>(
      "rollup-cells-max", 1, 16'777'216, "cells per shard",
      "Totals, of one metric in one window each, that are not final yet; "
      "readings that would need more are refused. 262144 take some 30 MB: an "
      "hour of minutes of 4096 metrics."),
    word<&c::sliding>(
      "sliding", {"on", "off"},
      "Whether sliding averages are kept. `off` keeps the windows' totals "
      "alone, with no memory per entity, and questions for averages are "
      "refused. Fixed once a cluster has been created.")
      .fixed_at_creation(),
  };
}

std::vector<option> process_options() {
  using p = process_settings;
  return {
    address<&p::listen>("listen", 0,
                        "Where the process takes connections; port 0 takes any "
                        "free one. Whoever can connect is trusted, so the "
                        "default is reachable from this machine only; other "
                        "addresses need tls-dir."),
    address<&p::advertise>(
      "advertise", 0,
      "The address that others are told to connect to, where it is not the one "
      "listened on: behind a NAT, or when listening on 0.0.0.0. Port 0 stands "
      "for the port listened on.")
      .if_unset("the address that it listens on"),
    address<&p::join>(
      "join", 1,
      "The cluster's coordinator: where a node joins, and where the other "
      "commands connect. The default finds a `weir serve` on this machine."),
    text<&p::data>("data", "directory",
                   "Where logs, states and the process's identity are kept; "
                   "made if it is not there. One process at a time holds it. "
                   "Whoever loses it comes back as a stranger."),
    text<&p::name>(
      "name", "name",
      "What the node is called in `weir status` and in logs. No two "
      "nodes of a cluster have the same.")
      .if_unset("n1, n2, ..., as the coordinator chooses"),
    word<&p::log_level>(
      "log-level", {"trace", "debug", "info", "warning", "error"},
      "The least severe messages to log. `info` is a line per event of the "
      "cluster; `debug` and `trace` cost speed."),
    text<&p::log_file>(
      "log-file", "path",
      "File that the log is appended to, instead of standard error.")
      .if_unset("standard error"),
    text<&p::tls_dir>(
      "tls-dir", "directory",
      "Where ca.pem, cert.pem and key.pem are, from `weir certs add`. With it "
      "every connection is encrypted, and only whoever has a certificate of "
      "that CA gets in; all processes of a cluster have one, or none.")
      .if_unset("no encryption, and loopback addresses only"),
    bytes<&p::inflight_bytes_max>(
      "inflight-bytes-max", 64 * kib, gib,
      "Bytes that a producer has under way to one node before it stops reading "
      "its input. 8MiB keep a node busy across a round trip of 50 ms; more "
      "only waits in queues."),
    bytes<&p::frame_bytes_max>(
      "frame-bytes-max", 4 * kib, 64 * mib,
      "Bytes of blocks in one message. A message costs a few microseconds "
      "whatever its size, which 512KiB make negligible; larger ones delay "
      "whatever is behind them."),
    count<&p::block_readings_max>(
      "block-readings-max", 1, 65'536, "readings",
      "Readings in one block, the unit of a shard's log. From 256 on overheads "
      "stop mattering; a shard's turn should not be much longer than 2048, or "
      "queries wait."),
    bytes<&p::block_bytes_max>(
      "block-bytes-max", kib, 16 * mib,
      "Bytes of one block, for readings with long names. 2048 usual readings "
      "take less than 64KiB."),
    duration<&p::linger>(
      "linger", 0, minute,
      "How long a block that is not full waits for more readings. Less answers "
      "sooner, more makes fewer and larger blocks; 5ms cost nothing next to a "
      "flush to disk."),
    duration<&p::timeout>("timeout", 1, day,
                          "How long a request waits for its answer before the "
                          "command gives up with exit code 4. 10s outlast a "
                          "failover at the default failure-timeout."),
    bytes<&p::node_pending_bytes_max>(
      "node-pending-bytes-max", mib, 64 * gib,
      "Bytes that a node holds which are not on disk yet. Beyond, it answers "
      "busy and producers wait: nothing is dropped, and memory is bounded. "
      "128MiB are some ten million readings, a few seconds of work."),
    count<&p::sessions_max>(
      "sessions-max", 1, 65'536, "sessions",
      "Producers connected to one node at a time; further ones are told to "
      "wait. Each may have inflight-bytes-max under way."),
    bytes<&p::checkpoint_every>(
      "checkpoint-every", mib, 64 * gib,
      "Bytes of log after which a node writes its state and drops the log "
      "before it. Less restarts sooner and writes more; 96MiB replay in about "
      "a second."),
    count<&p::checkpoint_chunk_entities>(
      "checkpoint-chunk-entities", 1, 1'000'000, "entities",
      "Entities copied at a time during a checkpoint, between which readings "
      "and queries get their turn. 1000 take about 2 ms."),
    duration<&p::heartbeat>(
      "heartbeat", 10, hour,
      "How often a node tells the coordinator that it lives. 200ms let ten go "
      "astray before the default failure-timeout."),
    duration<&p::failure_timeout>(
      "failure-timeout", 50, day,
      "A node that was silent for so long is taken for dead, and its shards "
      "move. Less fails over sooner, but mistakes a pause of the machine for a "
      "death."),
    duration<&p::replace_after>(
      "replace-after", 0, day,
      "Coordinator: a node that is away keeps its place for so long before its "
      "copies are made anew elsewhere. 30s are enough for a restart, which "
      "brings back what is there."),
    count<&p::moves_per_node>(
      "moves-per-node", 1, 64, "copies",
      "Coordinator: copies that a node gives or takes at a time, so that "
      "readings and heartbeats get through. More rebalance sooner."),
  };
}

std::vector<option> all_options() {
  auto res = cluster_options();
  for (auto& x : process_options())
    res.push_back(std::move(x));
  return res;
}

} // namespace

const std::vector<option>& options() {
  static const auto instance = all_options();
  return instance;
}

const option* find_option(std::string_view name) {
  for (auto& x : options())
    if (x.name == name)
      return &x;
  return nullptr;
}

} // namespace weir
