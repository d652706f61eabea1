#pragma once

#include "windows/failure.hpp"
#include "windows/reading.hpp"

#include <cstdint>
#include <cstdio>
#include <string>

namespace weir {

/// A synthetic stream. The same options give the same bytes anywhere.
struct generate_options {
  /// Lines, repeats included.
  uint64_t events = 1'000'000;
  /// Ids "sensor-0000000", "sensor-0000001", ...; 1 to
  /// `generate_entities_max`.
  uint32_t entities = 1000;
  /// Events per second of event time, 0.001 to 1e9; repeats come on top.
  double rate = 1000;
  /// Exponent of Zipf's law for how often an entity comes: 0 is uniform, 1 the
  /// classic. At most 10.
  double zipf = 0;
  /// No event is more than this behind the greatest time before it, in ms.
  time_ms disorder = 0;
  /// Fraction of lines that repeat one of the last few, 0 to 1.
  double duplicates = 0;
  uint64_t seed = 1;
  time_ms start = 1'700'000'000'000;
  /// "events" (one value, ms) or "samples" (several metrics, s).
  std::string kind = "events";
  /// Of samples: metric1, metric2, ...; 1 to 256.
  uint32_t metrics = 3;
  /// "ndjson" or "csv".
  std::string format = "ndjson";
};

/// Ids have seven digits, and Zipf's law takes 16 bytes an entity.
constexpr uint32_t generate_entities_max = 10'000'000;

/// Writes the stream to `out`. Fails with `invalid_argument` for options
/// without meaning, `disk_full`, or `io_error` (a pipe whose reader is gone,
/// given that SIGPIPE is ignored).
result<void> generate(const generate_options& options, std::FILE* out);

} // namespace weir
