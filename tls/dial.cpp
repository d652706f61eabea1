#include "tls/dial.hpp"

#include <fmt/format.h>

#include <cerrno>

#include <poll.h>

namespace weir {

result<tls_channel> dial_tls(const tls_context& context,
                             const std::string& host, uint16_t port,
                             std::chrono::milliseconds timeout) {
  using progress = tls_channel::progress;
  auto deadline = std::chrono::steady_clock::now() + timeout;
  auto whom = fmt::format("{}:{}", host, port);
  auto socket = connect_tcp(host, port, deadline);
  if (!socket)
    return tl::unexpected(std::move(socket.error()));
  auto res
    = tls_channel{context, std::move(*socket), tls_channel::side::connecting};
  for (auto state = res.shake_hands(); state != progress::done;
       state = res.shake_hands()) {
    if (state == progress::failed)
      return tl::unexpected(res.why(whom));
    auto events = state == progress::wants_read ? POLLIN : POLLOUT;
    auto waiting = pollfd{res.socket(), static_cast<short>(events), 0};
    if (poll(&waiting, 1, milliseconds_until(deadline)) == 0)
      return fail(ec::timeout,
                  fmt::format("{} did not finish the handshake of TLS in {} "
                              "ms; it is stopped or overloaded, or does not "
                              "speak TLS",
                              whom, timeout.count()));
  }
  return res;
}

} // namespace weir
