#pragma once

#include "windows/failure.hpp"
#include "windows/reading.hpp"

#include <cstdint>
#include <string>
#include <string_view>

// DIR/quarantine: what was damaged, and was made anew from other copies, is
// kept there for whoever wants to know what happened.

namespace weir {

/// A defective disk damages something again and again: what it damaged last is
/// enough to see that.
constexpr size_t quarantine_items_max = 16;

/// Some copies of a large shard, or the databases of a small node.
constexpr uint64_t quarantine_bytes_max = 1ull << 30;

/// Makes an empty folder DIR/quarantine/TIME-WHAT, and its name last. The
/// oldest ones before it go, until there are fewer than `quarantine_items_max`
/// and they have no more than `quarantine_bytes_max`: so what was put aside
/// last is kept, however large it is.
/// @param what a word, such as "shard-7"
/// @param now wall clock
result<std::string> begin_quarantine(const std::string& dir,
                                     std::string_view what, time_ms now);

/// Removes a folder that `begin_quarantine` has made, with what is in it.
result<void> abandon_quarantine(const std::string& folder);

} // namespace weir
