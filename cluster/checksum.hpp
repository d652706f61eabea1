#pragma once

#include <cstdint>
#include <string_view>

namespace weir {

/// XXH3-64 of `bytes`: finds damage, not malice. Stored beside rows and files,
/// so it never changes.
uint64_t checksum(std::string_view bytes);

} // namespace weir
