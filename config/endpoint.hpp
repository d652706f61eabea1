#pragma once

#include "windows/failure.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

/// Where a process listens or connects.
struct endpoint {
  std::string host;
  /// 0 when listening: any free port.
  uint16_t port = 0;

  friend bool operator==(const endpoint& x, const endpoint& y) {
    return x.host == y.host && x.port == y.port;
  }

  friend bool operator!=(const endpoint& x, const endpoint& y) {
    return !(x == y);
  }
};

/// Parses `host:port`; an IPv6 address stands in brackets, as in `[::1]:7411`.
/// The name is not looked up.
result<endpoint> parse_endpoint(std::string_view text);

/// The text that `parse_endpoint` reads.
std::string to_string(const endpoint& x);

} // namespace weir
