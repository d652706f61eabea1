#include "apps/client.hpp"

#include "actors/dialer.hpp"
#include "apps/output.hpp"

#include <caf/send.hpp>

#include <fmt/format.h>

namespace weir {

namespace {

/// Reads `--tls-dir` at the first call, and says then what should be mended.
result<caf::actor_system*> system_of(const process_settings& x) {
  static auto tls = load_tls(x);
  if (!tls)
    return tl::unexpected(tls.error());
  for (auto& text : tls->warnings)
    complain(text);
  tls->warnings.clear();
  return &start_system(tls->context);
}

} // namespace

client::client(const process_settings& x, caf::actor_system& system)
  : process_(x),
    system_(system),
    self_(system_),
    dialer_(system_.spawn(weir::dialer)) {
  // nop
}

client::~client() {
  caf::anon_send_exit(dialer_, caf::exit_reason::user_shutdown);
}

result<std::unique_ptr<client>> client::start(const process_settings& x) {
  auto system = system_of(x);
  if (!system)
    return tl::unexpected(system.error());
  return std::unique_ptr<client>{new client{x, **system}};
}

result<std::unique_ptr<client>> client::connect(const process_settings& x) {
  auto made = start(x);
  if (!made)
    return made;
  auto res = std::move(*made);
  auto where = to_string(x.join);
  auto timeout = std::chrono::milliseconds{x.timeout};
  // The dialer's own steps are bounded by the same time each.
  auto found = res->ask<dialed>(
    res->dialer_, where,
    dial{{x.join.host, x.join.port}, {wire_version, {}, "client", {}}, timeout},
    timeout);
  if (!found && found.error().code == ec::untrusted)
    return tl::unexpected(found.error());
  if (!found)
    return fail(found.error().code,
                fmt::format("no coordinator at {}: {}; is `weir serve` "
                            "running, and --join its address?",
                            where, found.error().text));
  if (found->who.role != "coordinator")
    return fail(ec::invalid_argument,
                fmt::format("{} is a {}; --join wants the coordinator's "
                            "address",
                            where, found->who.role));
  res->coordinator_ = caf::actor_cast<coordinator_actor>(found->actor);
  res->cluster_ = found->who.cluster;
  return res;
}

} // namespace weir
