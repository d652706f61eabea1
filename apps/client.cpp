#include "apps/client.hpp"

#include "actors/dialer.hpp"

#include <caf/send.hpp>

#include <fmt/format.h>

namespace weir {

client::client(const process_settings& x)
  : process_(x),
    system_(start_system()),
    self_(system_),
    dialer_(system_.spawn(weir::dialer)) {
  // nop
}

client::~client() {
  caf::anon_send_exit(dialer_, caf::exit_reason::user_shutdown);
}

result<std::unique_ptr<client>> client::connect(const process_settings& x) {
  auto res = std::make_unique<client>(x);
  auto where = to_string(x.join);
  auto timeout = std::chrono::milliseconds{x.timeout};
  // The dialer's own steps are bounded by the same time each.
  auto found = res->ask<dialed>(
    res->dialer_, where,
    dial{{x.join.host, x.join.port}, {wire_version, {}, "client", {}}, timeout},
    timeout);
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
