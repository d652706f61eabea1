#pragma once

#include "windows/failure.hpp"
#include "windows/reading.hpp"

#include <string>
#include <string_view>

// Durations and times as people write them.

namespace weir {

/// Reads "250ms", "60s", "5m", "2h", "7d", "3w", "1y" (365 days), "1h30m",
/// "1.5s", or a plain number of milliseconds. In a compound the units descend.
/// Fails with `invalid_argument` for anything else: a negative duration, a
/// fraction of a millisecond, one beyond 2^63 - 1 ms.
result<time_ms> parse_duration(std::string_view text);

/// Writes `x` such that `parse_duration` reads the same: "1h30m", "0s". A
/// negative one, which no option accepts, gets a sign.
std::string format_duration(time_ms x);

/// Reads an ISO 8601 time: "2023-03-15T13:20:00Z", with a space for the T, a
/// fraction of a second (cut to ms), an offset ("+02:00", "-0530", "+02"),
/// without an offset (UTC), without seconds, or a date alone. Fails with
/// `invalid_argument` also outside of [time_min, time_max].
result<time_ms> parse_iso_time(std::string_view text);

/// Reads milliseconds since the epoch, an ISO 8601 time, "now", or a duration
/// before or after it: "now-5m", "now+1h". Errors as for `parse_iso_time`.
result<time_ms> parse_time(std::string_view text, time_ms now);

/// Writes ISO 8601 in UTC with milliseconds: "2023-03-15T13:20:00.000Z".
/// Outside of [time_min, time_max] it writes the number.
std::string format_time(time_ms x);

} // namespace weir
