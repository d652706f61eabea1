#pragma once

#include "windows/failure.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace weir {

/// How long a caller is willing to wait. The clock starts at the first wait,
/// so that input that is ready never asks for the time.
class patience {
public:
  /// A negative `limit` is endless.
  explicit patience(std::chrono::milliseconds limit) : limit_(limit) {
    // nop
  }

  /// Milliseconds that are left, for poll(2): -1 is endless.
  int left();

private:
  std::chrono::milliseconds limit_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
};

enum class read_status : uint8_t { data, idle, end };

struct read_outcome {
  read_status status = read_status::end;
  /// More than 0 when the status is `data`.
  size_t bytes = 0;
};

/// The bytes of a file, a pipe or a terminal; of gzip files, what they hold.
class byte_source {
public:
  /// Opens `path`, "-" for standard input. A pipe that nobody writes to yet
  /// opens at once and is idle. Fails with `not_found`, `invalid_argument` for
  /// a directory, `limit_reached` when out of descriptors, else `io_error`.
  static result<std::unique_ptr<byte_source>> open(const std::string& path);

  ~byte_source();

  byte_source(const byte_source&) = delete;
  byte_source& operator=(const byte_source&) = delete;

  /// Reads up to `capacity` (> 0) bytes into `out`, `idle` when there are none
  /// within `wait`. Fails with `io_error`, or `malformed` for gzip data that is
  /// damaged or ends early; nothing can be read after a failure.
  result<read_outcome> read(char* out, size_t capacity, patience& wait);

  /// Bytes taken from the file so far, compressed ones as such.
  uint64_t bytes_read() const {
    return bytes_read_;
  }

  /// Size when it was opened; nothing for a pipe or a terminal.
  std::optional<uint64_t> bytes_total() const {
    return bytes_total_;
  }

private:
  struct gunzip;

  byte_source(std::string name, int fd);

  result<read_outcome> read_raw(char* out, size_t capacity, patience& wait);
  result<read_outcome> read_start(char* out, size_t capacity, patience& wait);
  result<read_outcome> read_gzip(char* out, size_t capacity, patience& wait);

  /// The path, or what standard input is called in a sentence.
  std::string name_;
  int fd_;
  uint64_t bytes_read_ = 0;
  std::optional<uint64_t> bytes_total_;
  /// Whether it is gzip is known.
  bool started_ = false;
  std::unique_ptr<gunzip> gunzip_;
};

} // namespace weir
