#pragma once

#include "windows/reading.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace weir {

enum class input_format : uint8_t {
  /// A first line that starts with '{' means NDJSON, anything else a CSV
  /// header.
  automatic,
  ndjson,
  csv,
};

enum class time_unit : uint8_t { s, ms, us, ns };

/// How input is read. Every limit is per line unless it says otherwise.
struct reader_options {
  input_format format = input_format::automatic;

  /// Unit of numeric timestamps of events: lines with one `value`. Without it
  /// a CSV column's suffix (`time_s`, `timestamp_us`) decides, else ms.
  std::optional<time_unit> event_unit;

  /// Unit of numeric timestamps of samples: lines with named metrics. Without
  /// it a CSV column's suffix decides, else s.
  std::optional<time_unit> sample_unit;

  /// Names of CSV columns; empty: by the usual names (see csv.hpp).
  std::string time_column;
  std::string entity_column;
  std::string value_column;

  /// A longer line is malformed and passes by without being kept. 1 MiB holds
  /// a sample with as many metrics as allowed, all names at full length, eight
  /// times over, and keeps a file without newlines from filling the memory.
  size_t line_bytes_max = size_t{1} << 20;

  /// A sample with more is malformed. The readings of a record travel in one
  /// block, so this bounds a block's overshoot; machines have tens of metrics.
  size_t metrics_per_sample_max = 256;

  /// How much of a malformed line is shown: what fits a few terminal lines.
  size_t bad_bytes_max = 256;

  /// Files read at once. Each holds a descriptor and a buffer; the usual
  /// `ulimit -n` is 1024.
  size_t files_max = 1024;

  /// Memory for the buffers of all files, in bytes: each gets an equal share
  /// of 16 to 256 KiB. Smaller reads cost system calls, larger ones leave the
  /// second-level cache.
  size_t buffers_bytes_max = size_t{64} << 20;
};

} // namespace weir
