#pragma once

#include "input/options.hpp"
#include "windows/reading.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace weir {

/// How a text reads as a number.
enum class number_status : uint8_t {
  ok,
  /// It is no number.
  syntax,
  /// It is one, too great for a double.
  range,
};

/// Reads the JSON number at `text`. Integers stay integers while 64 bits hold
/// them; everything else becomes the nearest double.
/// @returns its end, or null when there is none or it is too great.
/// @pre Bytes are readable up to one that can't belong to a number.
const char* scan_number(const char* text, number& out);

/// The same for a whole text, of which nothing may be left over.
number_status parse_number(std::string_view text, number& out);

/// Reads a decimal as spreadsheets and programs write them into CSV: JSON's,
/// and also "+1", ".5", "5." and "007". NaN and infinity are `syntax`.
number_status parse_decimal(std::string_view text, number& out);

/// Scales `x` to milliseconds, towards negative infinity; nothing outside of
/// [time_min, time_max].
std::optional<time_ms> scale_time(int64_t x, time_unit unit);

/// The same for a decimal text, without rounding through a double, so that
/// 1678886400.123 s ends on 123 ms.
/// @pre `parse_number` or `parse_decimal` read `text`.
std::optional<time_ms> scale_time(std::string_view text, time_unit unit);

/// "s", "ms", "us" or "ns".
std::string_view to_string(time_unit unit);

} // namespace weir
