#pragma once

#include "input/line_parser.hpp"
#include "input/line_splitter.hpp"
#include "input/options.hpp"
#include "input/reader.hpp"

#include <memory>
#include <string>

namespace weir {

/// The records of one file, in its own order.
class file_stream {
public:
  /// Fails as `byte_source::open` does.
  static result<std::unique_ptr<file_stream>> open(
    std::string path, size_t index, const reader_options& options,
    size_t buffer_bytes);

  /// Finds what is next; `end` is the end of this file, and what follows
  /// `file_failed`.
  step next(patience& wait, bad_record& bad, failure& error);

  /// @pre The last step was `record`; valid until `next`.
  const record& current() const {
    return current_;
  }

  const byte_source& source() const {
    return lines_.source();
  }

private:
  file_stream(std::string path, size_t index, const reader_options& options,
              std::unique_ptr<byte_source> source, size_t buffer_bytes);

  /// Makes the parser from the first line. False if that was the header.
  result<bool> start(std::string_view line);
  step stop(failure why, failure& error);
  step report(std::string why, bad_record& bad);

  std::string path_;
  const reader_options& options_;
  line_splitter lines_;
  std::unique_ptr<line_parser> parser_;
  bool stopped_ = false;
  record current_;
  std::string why_;
};

} // namespace weir
