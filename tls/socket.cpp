#include "tls/socket.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir {

namespace {

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

tcp_socket new_socket(const addrinfo& x) {
  return tcp_socket{socket(
    x.ai_family, x.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, x.ai_protocol)};
}

/// What the connection came to: 0, or an `errno`.
int connected(const tcp_socket& x, const addrinfo& to, tcp_deadline deadline) {
  if (connect(x.get(), to.ai_addr, to.ai_addrlen) == 0)
    return 0;
  if (errno != EINPROGRESS)
    return errno;
  auto waiting = pollfd{x.get(), POLLOUT, 0};
  auto ready = 0;
  do
    ready = poll(&waiting, 1, milliseconds_until(deadline));
  while (ready < 0 && errno == EINTR);
  if (ready <= 0)
    return ready == 0 ? ETIMEDOUT : errno;
  auto error = 0;
  auto size = socklen_t{sizeof(error)};
  getsockopt(x.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

bool leads_here(const sockaddr* x) {
  if (x->sa_family == AF_INET) {
    auto& in = *reinterpret_cast<const sockaddr_in*>(x);
    return ntohl(in.sin_addr.s_addr) >> 24 == 127;
  }
  auto& in = *reinterpret_cast<const sockaddr_in6*>(x);
  return x->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in.sin6_addr);
}

} // namespace

tcp_socket::~tcp_socket() {
  if (fd_ >= 0)
    close(fd_);
}

int milliseconds_until(tcp_deadline x) {
  using std::chrono::milliseconds;
  auto left
    = std::chrono::ceil<milliseconds>(x - std::chrono::steady_clock::now());
  return static_cast<int>(
    std::clamp<int64_t>(left.count(), 0, std::numeric_limits<int>::max()));
}

result<tcp_socket> listen_tcp(const std::string& host, uint16_t port) {
  auto found = look_up(host, port);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  auto error = 0;
  for (auto i = found->get(); i != nullptr; i = i->ai_next) {
    auto res = new_socket(*i);
    auto on = 1;
    if (res
        && setsockopt(res.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0
        && bind(res.get(), i->ai_addr, i->ai_addrlen) == 0
        && listen(res.get(), SOMAXCONN) == 0)
      return res;
    error = errno;
  }
  return fail(ec::io_error, std::strerror(error));
}

uint16_t local_port(int fd) {
  auto address = sockaddr_storage{};
  auto size = socklen_t{sizeof(address)};
  auto any = reinterpret_cast<sockaddr*>(&address);
  if (getsockname(fd, any, &size) != 0)
    return 0;
  auto port = address.ss_family == AF_INET6
                ? reinterpret_cast<sockaddr_in6*>(any)->sin6_port
                : reinterpret_cast<sockaddr_in*>(any)->sin_port;
  return ntohs(port);
}

result<bool> is_loopback(const std::string& host) {
  auto found = look_up(host, 0);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  for (auto i = found->get(); i != nullptr; i = i->ai_next)
    if (!leads_here(i->ai_addr))
      return false;
  return true;
}

result<tcp_socket> connect_tcp(const std::string& host, uint16_t port,
                               tcp_deadline deadline) {
  auto found = look_up(host, port);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  auto error = 0;
  for (auto i = found->get(); i != nullptr; i = i->ai_next) {
    auto res = new_socket(*i);
    error = res ? connected(res, *i, deadline) : errno;
    if (error == 0)
      return res;
  }
  if (error == ETIMEDOUT)
    return fail(ec::timeout,
                fmt::format("{}:{} did not answer in time", host, port));
  return fail(ec::unreachable, fmt::format("nobody listens at {}:{} ({})", host,
                                           port, std::strerror(error)));
}

} // namespace weir
