#pragma once

#include <sqlite3.h>

#include <cassert>
#include <cerrno>
#include <map>

namespace weir::test {

/// While it lives, files that SQLite opens go through it: syncs are counted,
/// and reads, writes and syncs fail when told to.
class faulty_disk {
public:
  faulty_disk() {
    assert(current() == nullptr);
    current() = this;
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = "faulty";
    vfs_.xOpen = open;
    sqlite3_vfs_register(&vfs_, 1);
  }

  faulty_disk(const faulty_disk&) = delete;

  ~faulty_disk() {
    sqlite3_vfs_unregister(&vfs_);
    sqlite3_vfs_register(real_, 1);
    current() = nullptr;
  }

  int syncs = 0;
  /// Result codes; 0 lets them pass.
  int fail_sync = SQLITE_OK;
  /// What the system says of a failed one.
  int system_error = EIO;
  int fail_write = SQLITE_OK;
  int fail_read = SQLITE_OK;

private:
  /// The functions of a kind of file; it begins with the one that SQLite sees.
  struct patched {
    sqlite3_io_methods methods;
    const sqlite3_io_methods* base;
  };

  static faulty_disk*& current() {
    static faulty_disk* self = nullptr;
    return self;
  }

  static int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags,
                  int* out) {
    auto self = current();
    auto code = self->real_->xOpen(self->real_, name, file, flags, out);
    if (file->pMethods == nullptr)
      return code;
    auto& kind = self->kinds_[file->pMethods];
    kind = {*file->pMethods, file->pMethods};
    kind.methods.xSync = sync;
    kind.methods.xWrite = write;
    kind.methods.xRead = read;
    file->pMethods = &kind.methods;
    return code;
  }

  static const sqlite3_io_methods& base_of(sqlite3_file* file) {
    return *reinterpret_cast<const patched*>(file->pMethods)->base;
  }

  static int sync(sqlite3_file* file, int flags) {
    auto self = current();
    ++self->syncs;
    if (self->fail_sync == SQLITE_OK)
      return base_of(file).xSync(file, flags);
    errno = self->system_error;
    return self->fail_sync;
  }

  static int write(sqlite3_file* file, const void* data, int bytes,
                   sqlite3_int64 offset) {
    auto self = current();
    return self->fail_write ? self->fail_write
                            : base_of(file).xWrite(file, data, bytes, offset);
  }

  static int read(sqlite3_file* file, void* data, int bytes,
                  sqlite3_int64 offset) {
    auto self = current();
    return self->fail_read ? self->fail_read
                           : base_of(file).xRead(file, data, bytes, offset);
  }

  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_;
  std::map<const sqlite3_io_methods*, patched> kinds_;
};

} // namespace weir::test
