#pragma once

#include "cluster/log.hpp"
#include "windows/reading.hpp"

#include <string>

namespace weir {

/// A time as clocks tell it: sums and differences of such times and of settings
/// stay far from the limits of int64. -1 stands for none.
inline bool is_clock_time(time_ms x) {
  return x >= -1 && x <= time_max;
}

/// Why the envelope of `x` is none that a primary writes for an entry of that
/// kind; empty if it is one. That of a block needs the block: see
/// `decode_verdict`.
std::string envelope_complaint(const log_entry& x);

} // namespace weir
