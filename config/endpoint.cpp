#include "config/endpoint.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstddef>

namespace weir {

namespace {

/// Longest host name (RFC 1035), which is longer than any address.
constexpr size_t host_bytes_max = 253;

constexpr std::string_view host_characters
  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

/// An IPv6 address may name a network interface, as in fe80::1%eth0.
constexpr std::string_view ipv6_characters
  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:.%-_";

bool consists_of(std::string_view text, std::string_view characters) {
  return text.find_first_not_of(characters) == std::string_view::npos;
}

} // namespace

result<endpoint> parse_endpoint(std::string_view text) {
  auto bad = [text](std::string_view why) {
    return fail(ec::invalid_argument,
                fmt::format("\"{}\" {}; write host:port, such as "
                            "127.0.0.1:7411 or [::1]:7411",
                            text, why));
  };
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos)
    return bad("has no port");
  auto host = text.substr(0, colon);
  auto is_ipv6 = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (is_ipv6)
    host = host.substr(1, host.size() - 2);
  if (host.empty())
    return bad("has no host");
  if (is_ipv6 != (host.find(':') != std::string_view::npos))
    return bad(is_ipv6 ? "has brackets around what is no IPv6 address"
                       : "has an IPv6 address without brackets, or two ports");
  if (host.size() > host_bytes_max
      || !consists_of(host, is_ipv6 ? ipv6_characters : host_characters))
    return bad("has a host that is not a name or an address");
  auto digits = text.substr(colon + 1);
  auto port = uint16_t{0};
  auto end = digits.data() + digits.size();
  auto [ptr, err] = std::from_chars(digits.data(), end, port);
  if (err != std::errc{} || ptr != end)
    return bad("has a port that is not a number from 0 to 65535");
  return endpoint{std::string{host}, port};
}

std::string to_string(const endpoint& x) {
  if (x.host.find(':') != std::string::npos)
    return fmt::format("[{}]:{}", x.host, x.port);
  return fmt::format("{}:{}", x.host, x.port);
}

} // namespace weir
