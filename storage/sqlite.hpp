#pragma once

#include "windows/failure.hpp"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

struct sqlite3_stmt;

// A thin cover over SQLite: one connection a file, in exclusive locking mode
// (3.40.1 can corrupt a WAL that two connections share), and failures instead
// of codes. An object serves one thread at a time.

namespace weir {

/// Frames in the WAL after which a commit copies them into the file: 4 MiB,
/// so that neither recovery nor the pause for copying takes long.
constexpr int wal_frames_max = 1000;

/// What tells one of our files from another.
struct file_format {
  /// Four letters in the file's header.
  uint32_t application_id = 0;
  /// What this program writes. A file of a later version is refused, one of an
  /// earlier version is upgraded when it is opened.
  uint32_t version = 0;
  /// Creates all tables of version 1.
  const char* schema = nullptr;
  /// SQL of which the first makes version 2 of version 1, and so on: one less
  /// than `version`. New files run all of it, hence are like upgraded ones.
  const char* const* upgrades = nullptr;
};

/// PRAGMA synchronous: `full` survives a power cut with every commit, `normal`
/// only with every `checkpoint()`; both survive a killed process.
enum class sync_mode : uint8_t { full, normal };

/// Binds as BLOB; strings alone bind as TEXT.
struct blob {
  std::string_view bytes;
};

class page_copy;
class statement;

/// One row of a result. Its views die with the next step.
class row {
public:
  /// The number in `column` (0, 1, ...), cast bit by bit if it is unsigned.
  template <class T>
  T integer(int column) const {
    static_assert(std::is_integral_v<T>);
    return static_cast<T>(integer_at(column));
  }

  std::string_view bytes(int column) const;

private:
  friend class statement;

  explicit row(sqlite3_stmt* stmt) : stmt_(stmt) {
    // nop
  }

  int64_t integer_at(int column) const;

  sqlite3_stmt* stmt_;
};

namespace detail {

struct database;

} // namespace detail

/// A prepared statement.
class statement {
public:
  statement() = default;
  statement(statement&& x) noexcept;
  statement& operator=(statement&& x) noexcept;
  ~statement();

  /// Runs to the end with `xs` as parameters 1, 2, ...; strings and blobs are
  /// not copied. Rows, if any, are dropped.
  template <class... Ts>
  result<void> run(const Ts&... xs) {
    return each(
      [](const row&) -> result<bool> {
        return true;
      },
      xs...);
  }

  /// Calls `on_row(const row&) -> result<bool>` for each row until it returns
  /// false or a failure, which `each` returns then.
  template <class OnRow, class... Ts>
  result<void> each(OnRow on_row, const Ts&... xs) {
    auto position = 0;
    (bind(++position, xs), ...);
    auto end = at_end{*this};
    for (;;) {
      auto more = step();
      if (!more)
        return tl::unexpected(std::move(more.error()));
      if (!*more)
        return {};
      auto go_on = on_row(row{stmt_});
      if (!go_on)
        return tl::unexpected(std::move(go_on.error()));
      if (!*go_on)
        return {};
    }
  }

private:
  friend class connection;

  struct at_end {
    statement& self;

    ~at_end() {
      self.reset();
    }
  };

  statement(std::shared_ptr<detail::database> db, sqlite3_stmt* stmt,
            const char* what);

  template <class T>
  std::enable_if_t<std::is_integral_v<T>> bind(int position, T x) {
    bind_integer(position, static_cast<int64_t>(x));
  }

  void bind(int position, std::string_view text);
  void bind(int position, blob x);
  void bind_integer(int position, int64_t x);
  result<bool> step();
  void reset();

  std::shared_ptr<detail::database> db_;
  sqlite3_stmt* stmt_ = nullptr;
  const char* what_ = "";
  /// The first error of `bind`, told by `step`.
  int bind_error_ = 0;
};

/// One file of ours, open for writing.
///
/// A write, commit or checkpoint that fails for any other reason than a full
/// disk ends the connection, as does a commit into files that were deleted:
/// `failed()` says why, and everything that writes returns the same failure
/// from then on. An fsync is never tried again,
/// because the kernel forgets what a failed one did not write. Reading goes on.
class connection {
public:
  /// Opens or creates `path`. A new file appears whole, under its name, or not
  /// at all. What a WAL holds is copied into the file first, so that it is on
  /// the disk even if an earlier process failed to sync it; where the disk is
  /// too full for that, everything can be read, but writing waits for room. A
  /// file of an earlier version becomes one of this version, or stays as it is.
  ///
  /// Errors: `damaged` if the file is another's, empty, cut, or only its WAL is
  /// left, and then it is not touched; `version_mismatch` if it is of a later
  /// version; `in_use` if another process has it open; `io_error`, `disk_full`.
  static result<connection> open(const file_format& format,
                                 const std::string& path, sync_mode sync);

  /// The file was not there before.
  bool created() const {
    return created_;
  }

  /// A statement to be prepared. `what` completes "cannot ..." in failures, and
  /// outlives the statement.
  struct request {
    statement& target;
    const char* sql;
    const char* what;
  };

  result<void> prepare(std::initializer_list<request> all);

  /// @pre `!in_transaction()`.
  result<void> begin();

  /// After a failure nothing of the transaction is there, unless `failed()`:
  /// then only opening the file again tells.
  result<void> commit();

  /// Forgets everything since `begin()`, if anything.
  void rollback();

  bool in_transaction() const;

  /// Begins, calls `body() -> result<void>`, and commits, or rolls back if that
  /// failed.
  template <class Body>
  result<void> transact(Body body) {
    if (auto begun = begin(); !begun)
      return begun;
    if (auto done = body(); !done) {
      rollback();
      return done;
    }
    return commit();
  }

  /// Copies the WAL into the file and syncs it: everything committed is on the
  /// disk then, even in `sync_mode::normal`.
  /// @pre No transaction, and no statement within `each`.
  result<void> checkpoint();

  /// Fails, and ends the connection, if the files that are open are not those
  /// that have their names any more: they were deleted or replaced, and what is
  /// written into them is lost when they are closed. Takes microseconds.
  result<void> check_place();

  /// Reads all of the file. Fails with `damaged` if SQLite finds it corrupt;
  /// whether rows are what was written it can't know.
  /// @pre `!in_transaction()`.
  result<void> check_integrity();

  /// Copies the rows of `shard` of all these tables into a new database,
  /// `into`, which has tables of the same names then. There is none after a
  /// failure.
  /// @pre `!in_transaction()`.
  result<void> copy_rows(const std::string& into,
                         const std::vector<const char*>& tables,
                         uint32_t shard);

  /// Nothing more shall be written: what is there is of no use.
  void end(failure why);

  /// @pre `!in_transaction()`.
  result<void> set_sync(sync_mode sync);

  /// Begins to copy the file as it will be at one moment into the new file
  /// `path`; what is written here meanwhile gets in. A file that is there goes.
  result<page_copy> copy_to(const std::string& path);

  /// Why the connection takes no more writes, or null.
  const failure* failed() const;

  int64_t last_insert_id() const;

  const std::string& path() const;

  /// Bytes of the file and its WAL on the disk.
  result<uint64_t> file_bytes() const;

  /// Bytes of the file's pages that hold something.
  result<uint64_t> used_bytes();

private:
  connection(std::shared_ptr<detail::database> db, bool created);

  result<void> configure(const file_format& format, sync_mode sync);
  result<void> note_place();
  result<void> upgrade(const file_format& format, uint32_t from);

  std::shared_ptr<detail::database> db_;
  bool created_ = false;
};

} // namespace weir
