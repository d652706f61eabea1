#include "actors/clock.hpp"
#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "apps/status_text.hpp"
#include "apps/with_client.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <thread>

namespace weir {

namespace {

/// How often `--wait` looks.
constexpr auto wait_step = std::chrono::milliseconds{50};

struct arguments {
  bool json = false;
  bool ledger = false;
  bool shards = false;
  uint32_t wait = 0;
};

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
  flags.only(client_options);
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
      print(to_text(status->ledger));
      print(to_text(status->rollup));
    } else {
      print(to_text(*status, opts->shards, wall_clock()));
    }
    return exit_code::ok;
  };
}

} // namespace

command status_command() {
  return {"status",
          "Show the nodes, the shards, moves and the ledger",
          {"weir status", "weir status --wait 3 --timeout 30s",
           "weir status --json | jq .moves"},
          declare,
          {}};
}

} // namespace weir
