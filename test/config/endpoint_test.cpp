#include "config/endpoint.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <stdexcept>

using namespace weir;

namespace {

endpoint address_of(std::string_view text) {
  auto res = parse_endpoint(text);
  if (!res)
    throw std::runtime_error{res.error().text};
  return *res;
}

std::string error_of(std::string_view text) {
  auto res = parse_endpoint(text);
  REQUIRE(!res);
  CHECK(res.error().code == ec::invalid_argument);
  return res.error().text;
}

} // namespace

TEST_SUITE("config/endpoint") {
  TEST_CASE("an address is a host and a port") {
    CHECK(address_of("localhost:7411") == endpoint{"localhost", 7411});
    CHECK(address_of("10.0.0.1:0") == endpoint{"10.0.0.1", 0});
    CHECK(address_of("a-b.c_d.example:65535")
          == endpoint{"a-b.c_d.example", 65535});
  }

  TEST_CASE("an IPv6 address stands in brackets") {
    CHECK(address_of("[::1]:7411") == endpoint{"::1", 7411});
    CHECK(address_of("[fe80::1%eth0]:1") == endpoint{"fe80::1%eth0", 1});
    CHECK(to_string(endpoint{"::1", 7411}) == "[::1]:7411");
    CHECK(error_of("::1:7411").find("without brackets") != std::string::npos);
  }

  TEST_CASE("what is missing or wrong is named, with an example") {
    CHECK(error_of("localhost")
          == "\"localhost\" has no port; write host:port, such as "
             "127.0.0.1:7411 or [::1]:7411");
    CHECK(error_of(":7411").find("has no host") != std::string::npos);
    CHECK(error_of("[]:7411").find("has a host that is not")
          != std::string::npos);
    for (auto text : {"[a]:7411", "[%]:7411"})
      CHECK(error_of(text).find("has brackets around") != std::string::npos);
    CHECK(error_of("a b:7411").find("has a host that is not")
          != std::string::npos);
    CHECK(error_of(std::string(254, 'a') + ":1").find("has a host that is not")
          != std::string::npos);
    for (auto text : {"a:", "a:65536", "a:-1", "a:1x", "a: 1", "a:+1"})
      CHECK(error_of(text).find("has a port that is not") != std::string::npos);
  }

  TEST_CASE("any text is an address or a sentence, and addresses come back") {
    CHECK(rc::check([](const std::string& text) {
      if (auto res = parse_endpoint(text))
        RC_ASSERT(address_of(to_string(*res)) == *res);
      else
        RC_ASSERT(!res.error().text.empty());
    }));
    CHECK(rc::check([](uint16_t port, bool ipv6) {
      auto x = endpoint{ipv6 ? "2001:db8::1" : "node-1", port};
      RC_ASSERT(address_of(to_string(x)) == x);
    }));
  }

} // TEST_SUITE
