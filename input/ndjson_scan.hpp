#pragma once

#include "input/draft.hpp"

#include <cstddef>
#include <string_view>

namespace weir {

/// Which kind of line it was.
enum class ndjson_kind : uint8_t { none, event, sample };

/// Reads a line of the plain kind in one pass: no escapes in strings, nothing
/// nested but `data`, every member once. Returns `none`, with `out` in any
/// state, for every other line, be it malformed or just unusual; those are for
/// a full JSON parser. What this accepts, that one accepts with equal result.
/// @pre `line_padding` bytes follow `line`.
ndjson_kind scan_ndjson(std::string_view line, size_t metrics_max, draft& out);

} // namespace weir
