#pragma once

#include "windows/failure.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

namespace weir {

/// An open socket, or none.
class tcp_socket {
public:
  tcp_socket() = default;

  explicit tcp_socket(int fd) : fd_(fd) {
    // nop
  }

  tcp_socket(tcp_socket&& x) noexcept : fd_(std::exchange(x.fd_, -1)) {
    // nop
  }

  tcp_socket& operator=(tcp_socket&& x) noexcept {
    std::swap(fd_, x.fd_);
    return *this;
  }

  ~tcp_socket();

  int get() const {
    return fd_;
  }

  /// From now on the caller closes it.
  int release() {
    return std::exchange(fd_, -1);
  }

  explicit operator bool() const {
    return fd_ >= 0;
  }

private:
  int fd_ = -1;
};

using tcp_deadline = std::chrono::steady_clock::time_point;

/// Milliseconds until `x`, for `poll`; 0 if it has passed.
int milliseconds_until(tcp_deadline x);

/// Listens without blocking.
/// @param port 0: any free one
result<tcp_socket> listen_tcp(const std::string& host, uint16_t port);

/// Our end's port; 0 if the socket has none.
uint16_t local_port(int fd);

/// Whether all addresses of a host lead to this machine only. Fails with
/// `unreachable` if nobody knows the host.
result<bool> is_loopback(const std::string& host);

/// Connects, by whichever of the host's addresses answers first in their order.
/// The socket doesn't block. Fails with `unreachable` or `timeout`.
result<tcp_socket> connect_tcp(const std::string& host, uint16_t port,
                               tcp_deadline deadline);

} // namespace weir
