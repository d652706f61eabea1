#include "actors/dialer.hpp"

#include "actors/descriptors.hpp"
#include "actors/process.hpp"
#include "actors/tls_scribe.hpp"
#include "messages/types.hpp"
#include "tls/dial.hpp"

#include <caf/actor_system.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/multiplexer.hpp>
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

/// Where the process has TLS, with it.
result<caf::io::scribe_ptr> connect(caf::actor_system& system,
                                    const std::string& host, uint16_t port,
                                    std::chrono::milliseconds timeout) {
  if (auto tls = tls_of(system)) {
    auto channel = dial_tls(*tls, host, port, timeout);
    if (!channel)
      return tl::unexpected(std::move(channel.error()));
    return make_tls_scribe(system, std::move(*channel));
  }
  auto deadline = std::chrono::steady_clock::now() + timeout;
  auto socket = connect_tcp(host, port, deadline);
  if (!socket)
    return tl::unexpected(std::move(socket.error()));
  // With none free, the one that it has is better than none.
  if (auto fd = next_descriptor(socket->get()); fd >= 0)
    socket = tcp_socket{fd};
  return system.middleman().backend().new_scribe(socket->release());
}

/// Connects, once. It blocks meanwhile, hence a thread of its own. CAF's own
/// way gives the connection the descriptor of one that has just been closed.
caf::behavior connector(caf::event_based_actor* self,
                        std::chrono::milliseconds timeout) {
  return {
    [=](caf::connect_atom atom, const std::string& host,
        uint16_t port) -> caf::result<caf::message> {
      self->quit();
      auto& system = self->system();
      auto scribe = connect(system, host, port, timeout);
      if (!scribe)
        return to_error(scribe.error());
      self->delegate(system.middleman().named_broker<caf::io::basp_broker>(
                       caf::atom("BASP")),
                     atom, std::move(*scribe), port);
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
  self
    ->request(self->spawn<caf::detached>(connector, timeout),
              timeout + connector_grace, caf::connect_atom::value, x.to.host,
              x.to.port)
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
