#pragma once

#include "storage/file.hpp"
#include "windows/failure.hpp"

#include <sqlite3.h>

#include <optional>
#include <string>

// Inside of sqlite.hpp: what its sources share.

namespace weir {

/// SQLite's default. Larger pages write more per block: 28 bytes a byte at 64K.
constexpr uint64_t page_bytes = 4096;

/// What to do about a damaged file.
constexpr auto restore_it = "restore the data directory from a copy";

namespace detail {

/// What a connection and its statements share.
struct database {
  sqlite3* db = nullptr;
  std::string path;
  /// Set for good by the first failure to write.
  std::optional<failure> failed;
  /// Between `begin` and `commit`.
  bool begun = false;
  int wal_frames = 0;
  /// The WAL was found, not written, and is not copied yet.
  bool copy_first = true;
  /// The files that were opened: the database, and its WAL.
  std::optional<file_place> place;
  std::optional<file_place> wal_place;

  ~database();

  /// The failure of a call that returned `code`. With an `os_error` of 0 SQLite
  /// is asked for it.
  failure describe(int code, const char* what, int os_error = 0) const;

  /// Likewise, and remembers it if nothing may be written any more.
  failure report(int code, const char* what, bool writes, int os_error = 0);

  /// Runs constant SQL without parameters.
  result<void> execute(const char* sql, const char* what, bool writes);

  /// The one value that a query answers.
  result<std::string> value_of(const char* sql);
  result<uint64_t> number_of(const char* sql);
};

} // namespace detail

} // namespace weir
