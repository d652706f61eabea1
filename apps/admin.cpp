#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "apps/status_text.hpp"
#include "apps/with_client.hpp"
#include "messages/cluster_wire.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

namespace weir {

namespace {

/// How often it looks whether the shard is served.
constexpr auto wait_step = std::chrono::milliseconds{50};

// -- promote

struct promote_arguments {
  promote_replica what;
};

/// The coordinator decides only once the node has said what it holds, and may
/// refuse then.
result<exit_code> wait_until_served(client& cluster,
                                    const process_settings& process,
                                    uint32_t shard) {
  auto deadline = std::chrono::steady_clock::now()
                  + std::chrono::milliseconds{process.timeout};
  for (;;) {
    auto status = cluster.ask<cluster_status>(get_status{});
    if (!status)
      return tl::unexpected(status.error());
    for (auto& x : status->shards) {
      if (x.shard != shard)
        continue;
      if (x.state == "serving" || x.state == "moving") {
        print_line(fmt::format("shard {} is served by node {}, under epoch {}",
                               shard, x.primary, x.epoch));
        return exit_code::ok;
      }
      if (std::chrono::steady_clock::now() >= deadline)
        return fail(ec::unavailable,
                    fmt::format("shard {} is not served yet: {}; the request "
                                "stands until the coordinator is restarted",
                                shard, x.text));
    }
    std::this_thread::sleep_for(wait_step);
  }
}

result<exit_code> run_promote(client& cluster, const process_settings& process,
                              const promote_arguments& opts) {
  auto answer = cluster.ask<operator_answer>(opts.what);
  if (!answer)
    return tl::unexpected(answer.error());
  print_line(answer->text);
  std::fflush(stdout);
  return wait_until_served(cluster, process, opts.what.shard);
}

runner declare_promote(CLI::App& app) {
  app.description("Let a node lead a shard that is unavailable.\n\n"
                  "A shard waits while every disk that may hold all of what "
                  "was acknowledged\n"
                  "is away. Bring one of them back if you can: then nothing is "
                  "lost, and this\n"
                  "command is not needed. It is refused while the shard can "
                  "lead itself, and\n"
                  "put on record.\n");
  auto opts = std::make_shared<promote_arguments>();
  app.add_option("SHARD", opts->what.shard, "Number of the shard.")
    ->required()
    ->type_name("")
    ->check(refuse_negative);
  app.add_option("NODE", opts->what.node, "The node that shall lead it.")
    ->required()
    ->type_name("");
  app.add_flag("--accept-loss", opts->what.accept_loss,
               "Lead with what the node holds, though acknowledged readings "
               "are missing there: those are lost for good. Final windows stay "
               "as they are.");
  app.add_flag("--old-primary-stopped", opts->what.old_primary_stopped,
               "You know that the process of the last primary is gone. If it "
               "still runs, cut off from the coordinator, there are two "
               "primaries, and what one of them acknowledges is lost.");
  return with_client(app, opts, run_promote);
}

// -- remove

struct remove_arguments {
  std::string node;
  bool yes = false;
};

result<exit_code> run_remove(client& cluster, const process_settings&,
                             const remove_arguments& opts) {
  if (!opts.yes)
    return fail(ec::invalid_argument,
                fmt::format("what is on the disk of node {} alone would be "
                            "lost, and the disk could never come back; if it "
                            "is gone in any case, add --yes",
                            opts.node));
  auto answer = cluster.ask<operator_answer>(remove_node{opts.node});
  if (!answer)
    return tl::unexpected(answer.error());
  print_line(answer->text);
  return exit_code::ok;
}

runner declare_remove(CLI::App& app) {
  app.description(
    "Declare that a node's disk is gone for good.\n\n"
    "Shards no longer wait for that disk: one that was held by it and by "
    "disks\n"
    "that are there is served by those; one that was held by it alone can "
    "then\n"
    "be led by force, with its data lost. A node that is merely down needs no\n"
    "such thing, and one that is up has to be drained and stopped. Put on\n"
    "record; there is no way back.\n");
  auto opts = std::make_shared<remove_arguments>();
  app.add_option("NODE", opts->node, "Name of the node; it has to be down.")
    ->required()
    ->type_name("");
  app.add_flag("--yes", opts->yes, "The disk will never be seen again.");
  return with_client(app, opts, run_remove);
}

// -- forget

struct forget_arguments {
  std::string node;
};

result<exit_code> run_forget(client& cluster, const process_settings&,
                             const forget_arguments& opts) {
  auto answer = cluster.ask<operator_answer>(forget_node{opts.node});
  if (!answer)
    return tl::unexpected(answer.error());
  print_line(answer->text);
  return exit_code::ok;
}

runner declare_forget(CLI::App& app) {
  app.description(
    "Take a node that is not coming back off the list.\n\n"
    "It has to be down, and to hold nothing that counts: drained before it "
    "was\n"
    "stopped, or replaced by others since. Nothing is lost by it: a node "
    "that\n"
    "comes back after all joins like a new one. Put on record.\n");
  auto opts = std::make_shared<forget_arguments>();
  app.add_option("NODE", opts->node, "Name of the node; it has to be down.")
    ->required()
    ->type_name("");
  return with_client(app, opts, run_forget);
}

} // namespace

command admin_command() {
  auto res = command{};
  res.name = "admin";
  res.help = "Decide what the cluster must not decide by itself";
  res.examples = {"weir admin promote 7 n3 --old-primary-stopped"};
  res.group = {
    {"promote",
     "Let a node lead a shard that is unavailable",
     {"weir admin promote 7 n3",
      "weir admin promote 7 n3 --accept-loss --old-primary-stopped"},
     declare_promote,
     {}},
    {"remove",
     "Declare that a node's disk is gone for good",
     {"weir admin remove n2 --yes"},
     declare_remove,
     {}},
    {"forget",
     "Take a node that is not coming back off the list",
     {"weir admin forget n2"},
     declare_forget,
     {}},
    {"rebuild-coordinator",
     "Make a lost coordinator's directory anew, from the nodes",
     {"weir admin rebuild-coordinator --data c2 127.0.0.1:7412",
      "weir admin rebuild-coordinator --data c2 127.0.0.1:7412 --without n3 "
      "--accept-loss"},
     declare_rebuild_coordinator,
     {}},
  };
  return res;
}

} // namespace weir
