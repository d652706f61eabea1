#pragma once

#include "test/simulate/trace.hpp"

#include <cstdint>
#include <deque>
#include <string>

namespace weir::test {

/// How one seed went.
struct outcome {
  uint64_t seed = 0;
  /// The rule that was broken, and how; empty if none was.
  std::string broken;
  uint64_t failovers = 0;
  /// Entries that were committed.
  uint64_t committed = 0;
  /// Windows with a final result.
  uint64_t finals = 0;
  /// What happened, as far as it was asked for.
  std::deque<std::string> story;
};

/// Never throws: what goes wrong is in the outcome.
outcome run(uint64_t seed, trace::mode how = trace::mode::off);

} // namespace weir::test
