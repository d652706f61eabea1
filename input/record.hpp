#pragma once

#include "windows/reading.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

/// One line of input: the readings of one entity at one time. Views and
/// pointers last until the next call of `reader::next`.
struct record {
  /// 1 to `name_bytes_max` bytes of UTF-8, as are the names of metrics.
  std::string_view entity;
  /// In [time_min, time_max].
  time_ms time = 0;
  /// At least one; no metric comes twice.
  const field* fields = nullptr;
  size_t size = 0;
  /// The line as it stands in the input, without its newline.
  std::string_view raw;
  /// Index into the paths that were given to `reader::open`.
  size_t file = 0;
  /// Counted from 1, blank lines and the header of a CSV file included.
  uint64_t line = 0;

  const field* begin() const {
    return fields;
  }

  const field* end() const {
    return fields + size;
  }
};

/// A line that is no record.
struct bad_record {
  /// The path as it was given to `reader::open`.
  std::string file;
  uint64_t line = 0;
  /// A sentence, or a part of one, without the place.
  std::string reason;
  /// The line's first bytes: at most `reader_options::bad_bytes_max`.
  std::string_view raw;
};

} // namespace weir
