#pragma once

#include "storage/file.hpp"

#include <cstdint>
#include <string>
#include <string_view>

// The directory of one process: who it is, and nobody else in it.

namespace weir {

/// 128 random bits as 32 hexadecimal digits.
result<std::string> random_id();

/// What DIR/identity says.
struct identity {
  /// Id of the cluster; empty until the process has joined one.
  std::string cluster;
  /// 32 hexadecimal digits, made with the directory and never changed.
  std::string node;
  /// Likewise; tells this directory from an older one of the same node.
  std::string disk;
  /// What the operator calls it; may be empty.
  std::string name;
  /// 1, 2, 3, ...: counts the starts of the process.
  uint64_t incarnation = 0;

  friend bool operator==(const identity& x, const identity& y) {
    return x.cluster == y.cluster && x.node == y.node && x.disk == y.disk
           && x.name == y.name && x.incarnation == y.incarnation;
  }
};

/// The text of an identity file: "key = value" lines, the last one a checksum
/// of all before.
std::string to_text(const identity& x);

/// Reads what `to_text` wrote. `damaged` if it is anything else,
/// `version_mismatch` if a later version wrote it.
result<identity> parse_identity(std::string_view text);

/// A data directory, held as long as the object lives: a lock on DIR/lock,
/// which the kernel lets go of however the process ends.
class data_dir {
public:
  /// Creates the directory if need be, locks it, and makes or reads its
  /// identity; the incarnation is greater than ever before, and on the disk: it
  /// is the time, in microseconds, or one more than the last one. So it is
  /// another one, too, than any that a directory had of which this is an older
  /// copy. A `name` that is not empty replaces the stored one.
  ///
  /// Errors: `in_use` with the id of the process that holds it; `damaged` for
  /// an identity file that is not what was written, or is missing beside
  /// databases (a lost identity is never replaced by a new one);
  /// `invalid_argument` for a name with control characters or of more than
  /// `name_bytes_max`; `version_mismatch`, `io_error`, `disk_full`.
  static result<data_dir> open(const std::string& path, std::string_view name);

  const identity& who() const {
    return who_;
  }

  /// The identity was made by this start. A database that has to be created in
  /// a directory that is not fresh was lost, or never came to be: `renew_disk`.
  bool fresh() const {
    return fresh_;
  }

  /// Writes down the cluster that this process belongs to, once. Errors:
  /// `wrong_cluster` if it belongs to another; those of writing.
  result<void> join(const std::string& cluster);

  /// Gives the directory a new disk id, because its databases are gone: nobody
  /// may count on what the old one held.
  result<void> renew_disk();

  const std::string& path() const {
    return path_;
  }

  /// Path of a file in the directory.
  std::string file(std::string_view name) const;

private:
  data_dir(std::string path, file_handle lock, identity who, bool fresh)
    : path_(std::move(path)),
      lock_(std::move(lock)),
      who_(std::move(who)),
      fresh_(fresh) {
    // nop
  }

  result<void> become(identity next);

  std::string path_;
  file_handle lock_;
  identity who_;
  bool fresh_;
};

} // namespace weir
