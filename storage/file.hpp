#pragma once

#include "windows/failure.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

// The few things that we ask of the file system ourselves. Everything that
// changes a name is synced together with its directory.

namespace weir {

/// "PATH: cannot WHAT: REASON", with advice where there is some, for the
/// `errno` of a failed call. ENOSPC and EDQUOT are `ec::disk_full`, everything
/// else is `ec::io_error`.
failure os_failure(const std::string& path, std::string_view what, int error);

/// An open file descriptor, or none.
class file_handle {
public:
  file_handle() = default;

  explicit file_handle(int fd) : fd_(fd) {
    // nop
  }

  file_handle(file_handle&& x) noexcept : fd_(std::exchange(x.fd_, -1)) {
    // nop
  }

  file_handle& operator=(file_handle&& x) noexcept {
    std::swap(fd_, x.fd_);
    return *this;
  }

  ~file_handle();

  int get() const {
    return fd_;
  }

  explicit operator bool() const {
    return fd_ >= 0;
  }

private:
  int fd_ = -1;
};

/// The folder that holds `path`: "." for a bare name.
std::string parent_of(const std::string& path);

/// The last part of `path`.
std::string_view name_of(std::string_view path);

/// What the file system calls a file, whatever its name is.
struct file_place {
  uint64_t device = 0;
  uint64_t inode = 0;

  friend bool operator==(const file_place& x, const file_place& y) {
    return x.device == y.device && x.inode == y.inode;
  }
};

/// Which file has this name; nothing if none has.
result<std::optional<file_place>> place_of(const std::string& path);

/// Bytes of a file; nothing if it does not exist.
result<std::optional<uint64_t>> file_size(const std::string& path);

/// At most the first `bytes_max` bytes of a file; nothing if it does not exist.
result<std::optional<std::string>> read_file(const std::string& path,
                                             size_t bytes_max);

/// At most `bytes_max` bytes of a file, from `offset` on. Fails with
/// `not_found` if there is none.
result<std::string> read_file_part(const std::string& path, uint64_t offset,
                                   size_t bytes_max);

/// Writes all of `content` to an open file, which is called `path`.
result<void> write_all(const file_handle& file, const std::string& path,
                       std::string_view content);

/// Makes what happened to the names in `path` last.
result<void> sync_directory(const std::string& path);

/// Makes the bytes of a file last.
result<void> sync_file(const std::string& path);

/// Renames `from` to `to`, which may exist, and makes that last.
/// @pre Both are in the same folder.
result<void> rename_file(const std::string& from, const std::string& to);

/// Moves `from`, if there is such a file, to `to`, which does not exist, and
/// makes that last.
/// @pre Both are on the same file system.
result<void> move_file(const std::string& from, const std::string& to);

/// Removes a file, if there is one.
result<void> remove_file(const std::string& path);

/// Writes `content` to `path`.new, syncs it, and renames it to `path`: after a
/// crash there is the old content or the new, whole.
result<void> replace_file(const std::string& path, std::string_view content);

/// What is in a whole file.
struct file_digest {
  uint64_t bytes = 0;
  /// XXH3-64.
  uint64_t checksum = 0;

  friend bool operator==(const file_digest& x, const file_digest& y) {
    return x.bytes == y.bytes && x.checksum == y.checksum;
  }
};

/// Reads a file to its end. Fails with `not_found` if there is none.
result<file_digest> digest_file(const std::string& path);

/// Copies `from` to the new file `to`, and makes its bytes last.
/// @returns what was copied
result<file_digest> copy_file(const std::string& from, const std::string& to);

/// Creates a directory and its missing parents, and makes that last.
result<void> make_directories(const std::string& path);

} // namespace weir
