#include "actors/dialer.hpp"

#include "actors/process.hpp"
#include "actors/tls_scribe.hpp"
#include "messages/types.hpp"
#include "tls/dial.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor.hpp>
#include <caf/sec.hpp>
#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace weir {

namespace {

/// Whoever is there answers within milliseconds. A connection that was lost
/// without a word is not waited for until the caller's time is over.
constexpr auto attempt_timeout = std::chrono::seconds{2};

/// The connector's own time-out comes first, and says more.
constexpr auto connector_grace = std::chrono::milliseconds{100};

/// Connects by TLS, once. It blocks meanwhile, hence a thread of its own.
caf::behavior tls_connector(caf::event_based_actor* self, tls_context_ptr tls,
                            std::chrono::milliseconds timeout) {
  return {
    [=](caf::connect_atom connect, const std::string& host,
        uint16_t port) -> caf::result<caf::message> {
      self->quit();
      auto channel = dial_tls(*tls, host, port, timeout);
      if (!channel)
        return to_error(channel.error());
      auto& system = self->system();
      self->delegate(system.middleman().named_broker<caf::io::basp_broker>(
                       caf::atom("BASP")),
                     connect, make_tls_scribe(system, std::move(*channel)),
                     port);
      return caf::delegated<caf::message>{};
    },
  };
}

/// One attempt to connect, and then the next until the time is over.
void attempt(dialer_actor::pointer self, const dial& x,
             caf::typed_response_promise<dialed> promise) {
  auto whom = fmt::format("{}:{}", x.to.host, x.to.port);
  auto timeout
    = std::min<std::chrono::milliseconds>(x.timeout, attempt_timeout);
  auto tls = tls_of(self->system());
  auto begun = self->clock().now();
  auto failed = [=](caf::error& err) mutable {
    using std::chrono::milliseconds;
    auto spent = std::chrono::ceil<milliseconds>(self->clock().now() - begun);
    auto again = x;
    again.timeout -= std::max(spent, milliseconds{1});
    auto why = to_failure(err, whom);
    // The second is what CAF calls a connection that has had no answer when
    // heartbeats are due, however young it is.
    auto too_slow
      = why.code == ec::timeout || err == caf::sec::connection_timeout;
    if (too_slow && again.timeout.count() > 0)
      return attempt(self, again, promise);
    if (tls == nullptr && err == caf::sec::disconnect_during_handshake)
      why.text = whom
                 + " closed the connection before it said anything; it "
                   "may want TLS (--tls-dir), or is no weir";
    promise.deliver(to_error(why));
  };
  auto connector = tls ? self->spawn<caf::detached>(tls_connector, tls, timeout)
                       : caf::actor_cast<caf::actor>(
                         self->system().middleman().actor_handle());
  self
    ->request(connector, timeout + connector_grace, caf::connect_atom::value,
              x.to.host, x.to.port)
    .then(
      [=](const caf::node_id&, const caf::strong_actor_ptr& actor,
          const std::set<std::string>&) mutable {
        if (actor == nullptr) {
          promise.deliver(to_error(
            {ec::unreachable, fmt::format("{} is not a Weir process", whom)}));
          return;
        }
        self->request(caf::actor_cast<caf::actor>(actor), timeout, x.who)
          .then(
            [=](const welcome& who) mutable {
              promise.deliver(dialed{actor, who});
            },
            failed);
      },
      failed);
}

} // namespace

dialer_actor::behavior_type dialer(dialer_actor::pointer self) {
  return {
    [self](const dial& x) -> caf::result<dialed> {
      auto promise = self->make_response_promise<dialed>();
      attempt(self, x, promise);
      return promise;
    },
  };
}

caf::result<welcome> open_door(const hello& x, const std::string& cluster,
                               const std::string& role,
                               const std::string& name) {
  auto self = name.empty() ? role : fmt::format("{} {}", role, name);
  if (x.wire != wire_version)
    return to_error(
      {ec::version_mismatch,
       fmt::format("{} speaks {}, but this {} speaks {}; run the same "
                   "version of weir everywhere",
                   self, wire_version, x.role, x.wire)});
  if (!x.cluster.empty() && !cluster.empty() && x.cluster != cluster)
    return to_error(
      {ec::wrong_cluster,
       fmt::format("{} belongs to cluster {}, but this {} to {}; use a "
                   "data directory of that cluster, or an empty one",
                   self, cluster, x.role, x.cluster)});
  return welcome{wire_version, cluster, role, name};
}

} // namespace weir
