#include "actors/clock.hpp"
#include "apps/client.hpp"
#include "apps/commands.hpp"
#include "apps/option_flags.hpp"
#include "apps/output.hpp"
#include "windows/time_text.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <thread>

namespace weir {

namespace {

/// How often `--wait` looks.
constexpr auto wait_step = std::chrono::milliseconds{50};

using json = nlohmann::ordered_json;

struct arguments {
  bool json = false;
  bool ledger = false;
  bool shards = false;
  uint32_t wait = 0;
};

json to_json(const ledger_counts& x) {
  return {{"received", x.received},   {"accepted", x.accepted},
          {"duplicate", x.duplicate}, {"late", x.late},
          {"future", x.future},       {"malformed", x.malformed},
          {"refused", x.refused}};
}

json to_json(const rollup_counts& x) {
  return {{"in_windows", x.in},
          {"late", x.late},
          {"outside", x.outside},
          {"refused", x.refused}};
}

json to_json(const address& x) {
  return to_string(endpoint{x.host, x.port});
}

json time_or_null(time_ms x) {
  return x >= 0 ? json(x) : json(nullptr);
}

json to_json(const cluster_status& x) {
  auto res = json{{"cluster", x.cluster},
                  {"clock_ms", time_or_null(x.clock)},
                  {"watermark_ms", time_or_null(x.watermark)},
                  {"readings_per_second", x.rate}};
  auto& settings = res["settings"] = json::object();
  for (auto& [name, value] : x.settings.values)
    settings[name] = value;
  res["settings_version"] = x.settings.version;
  auto& nodes = res["nodes"] = json::array();
  for (auto& node : x.nodes)
    nodes.push_back({{"name", node.name},
                     {"id", node.node},
                     {"address", to_json(node.listens)},
                     {"state", node.state},
                     {"last_seen_ms", node.last_seen},
                     {"primaries", node.primaries},
                     {"backups", node.backups},
                     {"entities", node.entities},
                     {"memory_bytes", node.memory_bytes},
                     {"journal_bytes", node.journal_bytes},
                     {"pending_bytes", node.pending_bytes},
                     {"readings_per_second", node.rate},
                     {"trouble", node.trouble}});
  auto& shards = res["shards"] = json::array();
  for (auto& shard : x.shards)
    shards.push_back(
      {{"shard", shard.shard},
       {"epoch", shard.epoch},
       {"primary", shard.primary.empty() ? json(nullptr) : json(shard.primary)},
       {"backups", shard.backups},
       {"state", shard.state},
       {"trouble", shard.text},
       {"empty", shard.empty},
       {"index", shard.index},
       {"entities", shard.entities},
       {"window_bytes", shard.window_bytes}});
  res["ledger"] = to_json(x.ledger);
  res["rollup"] = to_json(x.rollup);
  auto& producers = res["producers"] = json::array();
  for (auto& producer : x.producers)
    producers.push_back(
      {{"name", producer.name.empty() ? json(nullptr) : json(producer.name)},
       {"session", producer.session},
       {"acknowledged", producer.prefix},
       {"live", producer.live},
       {"malformed", producer.malformed},
       {"duplicate", producer.duplicate}});
  return res;
}

std::string seen(time_ms x, time_ms now) {
  return x == 0 ? "never"
                : format_duration(std::max<time_ms>(0, now - x)) + " ago";
}

void print_ledger(const ledger_counts& x) {
  auto table = text_table{{{"LEDGER"}, {"READINGS", align::right}}};
  auto row = [&](const char* name, uint64_t n) {
    table.row({name, std::to_string(n)});
  };
  row("received", x.received);
  row("accepted", x.accepted);
  row("duplicate", x.duplicate);
  row("late", x.late);
  row("future", x.future);
  row("malformed", x.malformed);
  row("refused", x.refused);
  print(table.str());
}

void print_rollup(const rollup_counts& x) {
  auto table = text_table{{{"ROLLUP"}, {"READINGS", align::right}}};
  auto row = [&](const char* name, uint64_t n) {
    table.row({name, std::to_string(n)});
  };
  row("in windows", x.in);
  row("late", x.late);
  row("outside", x.outside);
  row("refused", x.refused);
  print(table.str());
}

void print_shards(const cluster_status& x) {
  auto table = text_table{{{"SHARD", align::right},
                           {"EPOCH", align::right},
                           {"PRIMARY"},
                           {"STATE"},
                           {"ENTITIES", align::right},
                           {"MEMORY", align::right},
                           {"ENTRIES", align::right},
                           {"TROUBLE"}}};
  for (auto& shard : x.shards)
    table.row({std::to_string(shard.shard), std::to_string(shard.epoch),
               shard.primary.empty() ? "-" : shard.primary, shard.state,
               std::to_string(shard.entities), human_bytes(shard.window_bytes),
               std::to_string(shard.index), shard.text});
  print(table.str());
}

void print_people(const cluster_status& x, const arguments& opts) {
  auto now = wall_clock();
  auto time = [](time_ms y) {
    return y >= 0 ? format_time(y) : "not yet";
  };
  print_line(fmt::format("cluster {}   clock {}   watermark {}   {}", x.cluster,
                         time(x.clock), time(x.watermark), human_rate(x.rate)));
  auto table = text_table{{{"NODE"},
                           {"ADDRESS"},
                           {"STATE"},
                           {"SEEN"},
                           {"SHARDS", align::right},
                           {"ENTITIES", align::right},
                           {"READINGS", align::right},
                           {"MEMORY", align::right},
                           {"JOURNAL", align::right},
                           {"TROUBLE"}}};
  for (auto& node : x.nodes)
    table.row({node.name,
               to_string(endpoint{node.listens.host, node.listens.port}),
               node.state, seen(node.last_seen, now),
               std::to_string(node.primaries), std::to_string(node.entities),
               human_rate(node.rate), human_bytes(node.memory_bytes),
               human_bytes(node.journal_bytes), node.trouble});
  print(table.str());
  auto states = std::map<std::string, size_t>{};
  auto settled = size_t{0};
  for (auto& shard : x.shards) {
    ++states[shard.state];
    settled += shard.empty ? 0 : 1;
  }
  auto line = fmt::format("{} shards:", x.shards.size());
  for (auto& [state, n] : states)
    line += fmt::format(" {} {}", n, state);
  print_line(line);
  if (settled > 0)
    print_line(fmt::format("{} of them hold data and stay where they are; only "
                           "empty ones move to a new node",
                           settled));
  for (auto& shard : x.shards)
    if (shard.state == "unavailable")
      print_line(
        fmt::format("shard {} is unavailable: {}", shard.shard, shard.text));
  if (opts.shards)
    print_shards(x);
  print_ledger(x.ledger);
  print_rollup(x.rollup);
}

/// Enough nodes are up, every shard is served, and none is about to move.
bool is_settled(const cluster_status& x, uint32_t nodes) {
  auto up = std::count_if(x.nodes.begin(), x.nodes.end(), [](auto& node) {
    return node.state == "up";
  });
  return up >= static_cast<long>(nodes)
         && std::all_of(x.shards.begin(), x.shards.end(), [](auto& shard) {
              return shard.state == "serving";
            });
}

result<cluster_status> wait_for(const process_settings& process,
                                uint32_t nodes) {
  auto deadline = std::chrono::steady_clock::now()
                  + std::chrono::milliseconds{process.timeout};
  auto connection = std::unique_ptr<client>{};
  auto last = failure{};
  auto seen_nodes = size_t{0};
  for (;;) {
    if (connection == nullptr) {
      auto made = client::connect(process);
      if (made)
        connection = std::move(*made);
      else
        last = made.error();
    }
    if (connection != nullptr) {
      auto status = connection->ask<cluster_status>(get_status{});
      if (status && (nodes == 0 || is_settled(*status, nodes)))
        return status;
      if (status) {
        seen_nodes = status->nodes.size();
        last = {ec::timeout,
                fmt::format("{} nodes are known, but not {} of them are up "
                            "and all shards served",
                            seen_nodes, nodes)};
      } else {
        last = status.error();
        connection.reset();
      }
    }
    if (nodes == 0 || std::chrono::steady_clock::now() >= deadline)
      return tl::unexpected(last);
    std::this_thread::sleep_for(wait_step);
  }
}

runner declare(CLI::App& app) {
  auto opts = std::make_shared<arguments>();
  app.add_flag("--json", opts->json, "Everything, as one JSON object.");
  app.add_flag("--ledger", opts->ledger,
               "Only the ledger: what became of every reading.");
  app.add_flag("--shards", opts->shards, "A line for every shard, too.");
  app
    .add_option("--wait", opts->wait,
                "Wait until so many nodes are up and every shard is served, "
                "at most --timeout.")
    ->type_name("NODES")
    ->check(refuse_negative);
  auto flags = option_flags{app};
  flags.only({"join", "timeout", "tls-dir"});
  return [opts, flags]() -> result<exit_code> {
    auto options = flags.resolve();
    if (!options)
      return tl::unexpected(options.error());
    auto status = wait_for(options->values.process, opts->wait);
    if (!status)
      return tl::unexpected(status.error());
    if (opts->json) {
      print_json(opts->ledger ? to_json(status->ledger) : to_json(*status));
    } else if (opts->ledger) {
      print_ledger(status->ledger);
      print_rollup(status->rollup);
    } else {
      print_people(*status, *opts);
    }
    return exit_code::ok;
  };
}

} // namespace

command status_command() {
  return {"status",
          "Show the nodes, the shards and the ledger",
          {"weir status", "weir status --wait 3 --timeout 30s",
           "weir status --json | jq .ledger"},
          declare,
          {}};
}

} // namespace weir
