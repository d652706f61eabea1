#include "actors/dialer.hpp"

#include "messages/types.hpp"

#include <caf/actor_system.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/middleman_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace weir {

namespace {

/// A name of this machine's own, or a near one, answers much sooner.
constexpr auto probe_timeout = std::chrono::seconds{1};

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

/// 0, or the error number of the attempt.
int try_connect(const addrinfo& to, std::chrono::milliseconds timeout) {
  auto fd = socket(to.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return errno;
  auto error = connect(fd, to.ai_addr, to.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    auto waiting = pollfd{fd, POLLOUT, 0};
    auto n = poll(&waiting, 1, static_cast<int>(timeout.count()));
    auto size = socklen_t{sizeof(error)};
    if (n == 0)
      error = ETIMEDOUT;
    else if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
      error = errno;
  }
  close(fd);
  return error;
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

result<void> probe(const address& to, std::chrono::milliseconds timeout) {
  auto found = look_up(to.host, to.port);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  auto error = 0;
  for (auto i = found->get(); i != nullptr; i = i->ai_next)
    if (error = try_connect(*i, timeout); error == 0)
      return {};
  return fail(error == ETIMEDOUT ? ec::timeout : ec::unreachable,
              fmt::format("nobody answers at {}:{}: {}", to.host, to.port,
                          std::strerror(error)));
}

dialer_actor::behavior_type dialer(dialer_actor::pointer self) {
  return {
    [self](const dial& x) -> caf::result<dialed> {
      if (auto there
          = probe(x.to, std::min(x.timeout,
                                 std::chrono::milliseconds{probe_timeout}));
          !there)
        return to_error(there.error());
      auto whom = fmt::format("{}:{}", x.to.host, x.to.port);
      auto promise = self->make_response_promise<dialed>();
      auto failed = [promise, whom](caf::error& err) mutable {
        promise.deliver(to_error(to_failure(err, whom)));
      };
      self
        ->request(self->system().middleman().actor_handle(), x.timeout,
                  caf::connect_atom::value, x.to.host, x.to.port)
        .then(
          [=](const caf::node_id&, const caf::strong_actor_ptr& actor,
              const std::set<std::string>&) mutable {
            if (actor == nullptr) {
              promise.deliver(
                to_error({ec::unreachable,
                          fmt::format("{} is not a Weir process", whom)}));
              return;
            }
            self->request(caf::actor_cast<caf::actor>(actor), x.timeout, x.who)
              .then(
                [=](const welcome& who) mutable {
                  promise.deliver(dialed{actor, who});
                },
                failed);
          },
          failed);
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
