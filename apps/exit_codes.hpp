#pragma once

#include "windows/failure.hpp"

namespace weir {

/// What a command leaves to its caller. Scripts depend on the numbers.
enum class exit_code : int {
  ok = 0,
  failure = 1,
  /// The command line or the configuration cannot be meant.
  usage = 2,
  /// No such entity or window.
  not_found = 3,
  /// Nobody answered, or cannot serve at the moment: the same command later
  /// may do.
  unreachable = 4,
  /// Ingested, but for records that were refused.
  some_rejected = 5,
};

constexpr exit_code to_exit_code(ec x) {
  switch (x) {
    case ec::none:
      return exit_code::ok;
    case ec::invalid_argument:
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
