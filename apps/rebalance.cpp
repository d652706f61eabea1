#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "apps/status_text.hpp"
#include "apps/with_client.hpp"
#include "messages/cluster_wire.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <map>
#include <memory>
#include <tuple>

namespace weir {

namespace {

using json = nlohmann::ordered_json;

/// Copies of a shard at most, as the setting `replicas` has it.
constexpr uint32_t replicas_max = 7;

struct arguments {
  bool dry_run = false;
  bool json = false;
  bool shards = false;
  plan_moves what;
};

/// What moves between two nodes, or in all.
struct move_sum {
  uint64_t copies = 0;
  uint64_t bytes = 0;
  uint64_t primaries = 0;
  uint64_t drops = 0;

  void add(const planned_move& x) {
    if (x.what == "copy") {
      ++copies;
      bytes += x.bytes;
    } else if (x.what == "primary") {
      ++primaries;
    } else {
      ++drops;
    }
  }
};

std::string or_dash(const std::string& x) {
  return x.empty() ? "-" : x;
}

void print_shards(const planned_moves& x) {
  auto table = text_table{{{"SHARD", align::right},
                           {"WHAT"},
                           {"FROM"},
                           {"TO"},
                           {"BYTES", align::right}}};
  for (auto& move : x.moves)
    table.row({std::to_string(move.shard), move.what, or_dash(move.from),
               or_dash(move.to),
               move.what == "copy" ? human_bytes(move.bytes) : "-"});
  print(table.str());
}

void print_nodes(const planned_moves& x) {
  auto sums = std::map<std::pair<std::string, std::string>, move_sum>{};
  for (auto& move : x.moves)
    sums[{move.from, move.to}].add(move);
  auto table = text_table{{{"FROM"},
                           {"TO"},
                           {"COPIES", align::right},
                           {"BYTES", align::right},
                           {"PRIMARIES", align::right},
                           {"DROPPED", align::right}}};
  for (auto& [between, sum] : sums)
    table.row({or_dash(between.first), or_dash(between.second),
               std::to_string(sum.copies), human_bytes(sum.bytes),
               std::to_string(sum.primaries), std::to_string(sum.drops)});
  print(table.str());
}

void show(const planned_moves& x, const arguments& opts) {
  auto sum = move_sum{};
  for (auto& move : x.moves)
    sum.add(move);
  if (opts.json) {
    auto res = json{{"copies", sum.copies},
                    {"bytes", sum.bytes},
                    {"primaries", sum.primaries},
                    {"dropped", sum.drops}};
    auto& moves = res["moves"] = json::array();
    for (auto& move : x.moves)
      moves.push_back(
        {{"shard", move.shard},
         {"what", move.what},
         {"from", move.from.empty() ? json(nullptr) : json(move.from)},
         {"to", move.to.empty() ? json(nullptr) : json(move.to)},
         {"bytes", move.bytes}});
    print_json(res);
    return;
  }
  if (x.moves.empty()) {
    print_line("nothing would move");
    return;
  }
  if (opts.shards)
    print_shards(x);
  else
    print_nodes(x);
  print_line(fmt::format("{} copies ({}) and {} primaries would move; {} "
                         "copies would be dropped after that",
                         sum.copies, human_bytes(sum.bytes), sum.primaries,
                         sum.drops));
}

/// Without it, a node that is there already would be planned for twice.
result<void> check_added(client& cluster, const arguments& opts) {
  if (opts.what.added.empty())
    return {};
  auto status = cluster.ask<cluster_status>(get_status{});
  if (!status)
    return tl::unexpected(status.error());
  for (auto& name : opts.what.added)
    if (find_node(*status, name) != nullptr)
      return fail(ec::invalid_argument,
                  fmt::format("--add {}: there is a node of this name already; "
                              "name one that would come",
                              name));
  return {};
}

result<exit_code> run(client& cluster, const process_settings&,
                      const arguments& opts) {
  if (auto done = check_added(cluster, opts); !done)
    return tl::unexpected(done.error());
  auto moves = cluster.ask<planned_moves>(opts.what);
  if (!moves)
    return tl::unexpected(moves.error());
  show(*moves, opts);
  return exit_code::ok;
}

result<exit_code> explain(const arguments& opts) {
  auto& x = opts.what;
  if (!x.added.empty() || !x.removed.empty() || x.replicas > 0 || opts.json
      || opts.shards)
    return fail(ec::invalid_argument,
                "this takes --dry-run, which shows what would move. To have it "
                "done: start the node that comes, `weir drain` the one that "
                "leaves, `weir config set replicas=N`");
  print_line("Shards move by themselves when a node comes, leaves or is "
             "drained: there is nothing to start. `weir status` shows moves "
             "under way, --dry-run what would move.");
  return exit_code::ok;
}

runner declare(CLI::App& app) {
  app.description("Show what would move.\n\n"
                  "Shards are spread evenly by themselves, with the fewest "
                  "moves, whenever a\n"
                  "node comes, leaves or is drained. This tells in advance "
                  "what that costs.\n");
  auto opts = std::make_shared<arguments>();
  app.add_flag("--dry-run", opts->dry_run, "Show what would move.");
  app
    .add_option("--add", opts->what.added,
                "As if a node of this name came; may be given again.")
    ->type_name("NAME")
    ->expected(1)
    ->take_all();
  app
    .add_option("--remove", opts->what.removed,
                "As if this node left; may be given again.")
    ->type_name("NODE")
    ->expected(1)
    ->take_all();
  app
    .add_option("--replicas", opts->what.replicas,
                "As if every shard had so many copies.")
    ->type_name("COPIES")
    ->check(refuse_negative)
    ->check(CLI::Range(uint32_t{1}, replicas_max));
  app.add_flag("--shards", opts->shards, "A line for every move.");
  app.add_flag("--json", opts->json, "Every move, in one JSON object.");
  auto ask = with_client(app, opts, run);
  return [opts, ask]() -> result<exit_code> {
    return opts->dry_run ? ask() : explain(*opts);
  };
}

} // namespace

command rebalance_command() {
  return {"rebalance",
          "Show what would move if a node came or left",
          {"weir rebalance --dry-run", "weir rebalance --dry-run --add n4",
           "weir rebalance --dry-run --remove n2 --replicas 3"},
          declare,
          {}};
}

} // namespace weir
