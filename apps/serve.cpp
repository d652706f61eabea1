#include "apps/commands.hpp"
#include "apps/option_flags.hpp"
#include "apps/server.hpp"

namespace weir {

namespace {

template <server_role Role>
runner declare(CLI::App& app) {
  auto flags = option_flags{app};
  flags.only({"data", "listen", "log-level", "log-file", "heartbeat",
              "failure-timeout", "timeout", "tls-dir"});
  if (Role != server_role::coordinator)
    flags.only({"name", "advertise", "node-pending-bytes-max",
                "checkpoint-every", "checkpoint-chunk-entities"});
  if (Role == server_role::node)
    flags.only({"join"});
  else
    flags.all(option_scope::cluster).only({"sessions-max"});
  return [flags]() -> result<exit_code> {
    auto options = flags.resolve();
    if (!options)
      return tl::unexpected(options.error());
    return run_server(Role, *options);
  };
}

} // namespace

command serve_command() {
  return {"serve",
          "Run a whole cluster in one process: coordinator and one node",
          {"weir serve", "weir serve --data /var/lib/weir --window 5m",
           "weir serve --listen 127.0.0.1:0 --retention 1h"},
          declare<server_role::both>,
          {}};
}

command coordinator_command() {
  return {"coordinator",
          "Run a cluster's coordinator, which nodes join",
          {"weir coordinator --data /var/lib/weir-coordinator",
           "weir coordinator --data c --listen 127.0.0.1:7411 --shards 64"},
          declare<server_role::coordinator>,
          {}};
}

command node_command() {
  return {"node",
          "Run a node, which joins a coordinator and takes shards",
          {"weir node --join 127.0.0.1:7411 --data n1",
           "weir node --join 127.0.0.1:7411 --data n2 --name n2 "
           "--listen 127.0.0.1:7502"},
          declare<server_role::node>,
          {}};
}

} // namespace weir
