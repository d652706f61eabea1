#pragma once

#include "windows/failure.hpp"

#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

namespace weir::test {

/// Thrown when the simulated cluster does what it must not.
struct broken_rule : std::runtime_error {
  /// @param rule its name, a sentence
  /// @param how what was seen instead
  broken_rule(std::string rule, const std::string& how)
    : std::runtime_error(rule + ": " + how), name(std::move(rule)) {
    // nop
  }

  std::string name;
};

/// The value of what must not fail here, as no fault was planted for it.
template <class T>
T done(result<T> x) {
  if (!x)
    throw broken_rule{"what has no reason to fail succeeds", x.error().text};
  if constexpr (!std::is_void_v<T>)
    return std::move(*x);
}

} // namespace weir::test
