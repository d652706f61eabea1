#include "actors/dialer.hpp"

#include "messages/types.hpp"

#include <caf/actor_system.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor.hpp>
#include <caf/sec.hpp>
#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

namespace weir {

namespace {

/// Whoever is there answers within milliseconds. A connection that was lost
/// without a word is not waited for until the caller's time is over.
constexpr auto attempt_timeout = std::chrono::seconds{2};

using address_list = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

result<address_list> look_up(const std::string& host, uint16_t port) {
  auto hints = addrinfo{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  auto code
    = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (code != 0)
    return fail(ec::unreachable, fmt::format("the host {} is not known: {}",
                                             host, gai_strerror(code)));
  return address_list{found, &freeaddrinfo};
}

bool is_loopback(const sockaddr* x) {
  if (x->sa_family == AF_INET) {
    auto& in = *reinterpret_cast<const sockaddr_in*>(x);
    return ntohl(in.sin_addr.s_addr) >> 24 == 127;
  }
  auto& in = *reinterpret_cast<const sockaddr_in6*>(x);
  return x->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in.sin6_addr);
}

} // namespace

result<void> check_listen_host(const std::string& host) {
  auto found = look_up(host, 0);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  for (auto i = found->get(); i != nullptr; i = i->ai_next)
    if (!is_loopback(i->ai_addr))
      return fail(ec::invalid_argument,
                  fmt::format("refusing to listen on {}: whoever reaches the "
                              "port of a node without encryption controls it, "
                              "so only loopback addresses are allowed; use "
                              "127.0.0.1, or a tunnel (ssh, WireGuard) that "
                              "ends there",
                              host));
  return {};
}

namespace {

/// One attempt to connect, and then the next until the time is over.
void attempt(dialer_actor::pointer self, const dial& x,
             caf::typed_response_promise<dialed> promise) {
  auto whom = fmt::format("{}:{}", x.to.host, x.to.port);
  auto timeout
    = std::min<std::chrono::milliseconds>(x.timeout, attempt_timeout);
  auto begun = self->clock().now();
  auto failed = [=](caf::error& err) mutable {
    using std::chrono::milliseconds;
    auto spent = std::chrono::ceil<milliseconds>(self->clock().now() - begun);
    auto again = x;
    again.timeout -= std::max(spent, milliseconds{1});
    // The second is what CAF calls a connection that has had no answer when
    // heartbeats are due, however young it is.
    auto too_slow
      = err == caf::sec::request_timeout || err == caf::sec::connection_timeout;
    if (too_slow && again.timeout.count() > 0)
      attempt(self, again, promise);
    else
      promise.deliver(to_error(to_failure(err, whom)));
  };
  self
    ->request(self->system().middleman().actor_handle(), timeout,
              caf::connect_atom::value, x.to.host, x.to.port)
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
  if (x.wire != wire_version)
    return to_error(
      {ec::version_mismatch,
       fmt::format("{} {} speaks {}, but this {} speaks {}; run the same "
                   "version of weir everywhere",
                   role, name, wire_version, x.role, x.wire)});
  if (!x.cluster.empty() && !cluster.empty() && x.cluster != cluster)
    return to_error(
      {ec::wrong_cluster,
       fmt::format("{} {} belongs to cluster {}, but this {} to {}; use a "
                   "data directory of that cluster, or an empty one",
                   role, name, cluster, x.role, x.cluster)});
  return welcome{wire_version, cluster, role, name};
}

} // namespace weir
