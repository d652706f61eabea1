#pragma once

#include "windows/reading.hpp"

#include <chrono>

namespace weir {

/// Milliseconds since the epoch by the machine's clock. Only actors and
/// programs ask it; everything below gets the time as an argument.
inline time_ms wall_clock() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch())
    .count();
}

} // namespace weir
