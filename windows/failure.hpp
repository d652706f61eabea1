#pragma once

#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace weir {

/// What kind of failure. Values are stable: they travel between processes and
/// versions, so a number is never reused.
enum class ec : uint8_t {
  none = 0,
  /// An argument, option or request that cannot be meant.
  invalid_argument = 1,
  /// Bytes that do not decode: input, message, row or file.
  malformed = 2,
  /// A stored row or file that is not what was written.
  damaged = 3,
  /// The operating system or SQLite refused: the text says what and where.
  io_error = 4,
  disk_full = 5,
  /// Another process holds the data directory.
  in_use = 6,
  /// A file, schema or peer of a version that this program does not speak.
  version_mismatch = 7,
  /// Another cluster id than the one this process belongs to.
  wrong_cluster = 8,
  /// Nobody answered within the time allowed.
  timeout = 9,
  unreachable = 10,
  /// The shard is not served at the moment: the text says why.
  unavailable = 11,
  /// A newer session of the same producer exists.
  stale_session = 12,
  /// A block arrived whose predecessor did not.
  sequence_gap = 13,
  /// A named limit was reached.
  limit_reached = 14,
  /// The epoch or the node is not that of the shard's present configuration.
  stale_epoch = 15,
  not_found = 16,
  /// The receiver has no room at the moment; the same message later is fine.
  busy = 17,
  /// A sum left the range of a double.
  overflow = 18,
  /// A name that is taken already.
  conflict = 19,
  /// One end of a connection does not accept the other's certificate.
  untrusted = 20,
};

/// An operating error, as a sentence that says what was wrong, where, and what
/// to do about it. Returned or logged, never both.
struct failure {
  ec code = ec::none;
  std::string text;
};

template <class T>
using result = tl::expected<T, failure>;

inline tl::unexpected<failure> fail(ec code, std::string text) {
  return tl::unexpected<failure>(failure{code, std::move(text)});
}

} // namespace weir
