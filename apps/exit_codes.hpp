#pragma once

#include "windows/failure.hpp"

namespace weir {

/// What a command leaves to its caller. Scripts depend on the numbers.
enum class exit_code : int {
  ok = 0,
  failure = 1,
  usage = 2,
  not_found = 3,
  /// The same command later may do.
  unreachable = 4,
  some_rejected = 5,
};

struct exit_code_meaning {
  exit_code code;
  const char* text;
};

/// As the help tells them.
constexpr exit_code_meaning exit_code_meanings[] = {
  {exit_code::ok, "it worked"},
  {exit_code::failure, "it failed, for the reason on standard error"},
  {exit_code::usage, "the command line or the configuration is wrong"},
  {exit_code::not_found, "there is no such entity or window"},
  {exit_code::unreachable, "nobody answered in time, or can serve right now"},
  {exit_code::some_rejected, "it worked, but some of the input was rejected"},
};

constexpr exit_code to_exit_code(ec x) {
  switch (x) {
    case ec::none:
      return exit_code::ok;
    case ec::invalid_argument:
    case ec::untrusted:
      return exit_code::usage;
    case ec::not_found:
      return exit_code::not_found;
    case ec::timeout:
    case ec::unreachable:
    case ec::unavailable:
    case ec::busy:
      return exit_code::unreachable;
    default:
      return exit_code::failure;
  }
}

} // namespace weir
