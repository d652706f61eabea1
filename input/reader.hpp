#pragma once

#include "input/options.hpp"
#include "input/record.hpp"
#include "windows/failure.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir {

/// What `reader::next` found.
enum class step : uint8_t {
  /// `reader::current()` is the next record.
  record,
  /// `reader::bad()` is a line that is no record.
  bad,
  /// Nothing complete within the timeout, or a signal came: call again.
  idle,
  /// Every file has ended or failed. Stays.
  end,
  /// `reader::error()` says why one file can't be read on; what it gave up to
  /// there counts, and the other files go on.
  file_failed,
};

/// Reads NDJSON and CSV files, plain or gzip, as one stream of records.
///
/// Several files are merged by time: each keeps its own order, and the next
/// record is the earliest of the files' next ones, the first file's on a tie;
/// malformed lines come up as soon as they are met. The order depends on the
/// content alone, never on timing, so the n-th record or bad line of the same
/// files is the same in every run.
class reader {
public:
  virtual ~reader() = default;

  /// Opens `paths`; "-" is standard input. A file that can't be opened is
  /// reported by `next`. Fails with `invalid_argument` for no paths at all and
  /// for options without meaning, `limit_reached` past `files_max`.
  static result<std::unique_ptr<reader>> open(std::vector<std::string> paths,
                                              reader_options options = {});

  /// Waits at most `timeout` for input that is slow to come (a pipe, a
  /// terminal); a negative one means as long as it takes. Reading a plain file
  /// never waits.
  virtual step next(std::chrono::milliseconds timeout) = 0;

  /// @pre The last step was `record`.
  const record& current() const {
    return current_;
  }

  /// @pre The last step was `bad`.
  const bad_record& bad() const {
    return bad_;
  }

  /// @pre The last step was `file_failed`.
  const failure& error() const {
    return error_;
  }

  /// Bytes taken from the files so far, compressed ones as such.
  virtual uint64_t bytes_read() const = 0;

  /// Size of all files, or 0 when one of them (a pipe) has none.
  virtual uint64_t bytes_total() const = 0;

protected:
  record current_;
  bad_record bad_;
  failure error_;
};

} // namespace weir
