#pragma once

#include "input/byte_source.hpp"
#include "input/line_parser.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace weir {

enum class line_status : uint8_t { line, too_long, idle, end, failed };

/// Cuts the bytes of a source into lines. "\n" and "\r\n" end a line, blank
/// lines are passed over, a byte order mark (UTF-8) at the start is dropped,
/// and the last line needs no newline.
class line_splitter {
public:
  /// @param buffer_bytes Size of the buffer at first; it grows for a longer
  ///                     line, up to about `line_bytes_max`.
  line_splitter(std::unique_ptr<byte_source> source, size_t buffer_bytes,
                size_t line_bytes_max);

  /// Goes to the next line. `too_long` is one of more than `line_bytes_max`
  /// bytes: `line()` is so many of them, and what follows up to the newline is
  /// read past without being kept. After `failed` the beginning of a line that
  /// had no end yet is gone.
  line_status next(patience& wait);

  /// Valid until `next`; `line_padding` bytes are readable behind it.
  std::string_view line() const {
    return line_;
  }

  /// Of `line()`, from 1, blank lines included.
  uint64_t number() const {
    return number_;
  }

  const failure& error() const {
    return error_;
  }

  const byte_source& source() const {
    return *source_;
  }

private:
  /// Counts a line, and makes [begin_, end) of it what `line()` is.
  void start_line(const char* end);
  /// Takes the line that ends before `newline`; false when it is none to show.
  bool take(char* newline);
  /// Reads more. `line` when something came.
  line_status fill(patience& wait);

  std::unique_ptr<byte_source> source_;
  size_t line_bytes_max_;
  size_t capacity_;
  std::unique_ptr<char[]> buffer_;
  /// [begin_, end_) is not handed out yet; up to scan_ it has no newline.
  char* begin_;
  char* scan_;
  char* end_;
  bool at_end_ = false;
  /// In a line that was too long.
  bool skipping_ = false;
  std::string_view line_;
  uint64_t number_ = 0;
  failure error_;
};

} // namespace weir
