#include "storage/sqlite.hpp"

#include "storage/database.hpp"
#include "storage/file.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace weir {

namespace {

/// Undone by a rollback, and fit to be tried again.
bool harmless(int code) {
  auto primary = code & 0xff;
  return primary == SQLITE_FULL || primary == SQLITE_CONSTRAINT
         || primary == SQLITE_TOOBIG;
}

ec ec_of(int code, int os_error) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ec::disk_full;
    case SQLITE_IOERR:
      if (os_error == ENOSPC || os_error == EDQUOT)
        return ec::disk_full;
      return ec::io_error;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    // Our SQL is constant and tested, so a missing table or column means that
    // the stored schema is not what was written.
    case SQLITE_ERROR:
      return ec::damaged;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ec::in_use;
    case SQLITE_TOOBIG:
      return ec::limit_reached;
    case SQLITE_CONSTRAINT:
      return ec::conflict;
    default:
      return ec::io_error;
  }
}

const char* advice(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "free some space";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:
      return restore_it;
    case SQLITE_IOERR:
      return "see the kernel's log, and restart to find out what was kept";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another process has it open: stop that first";
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return "check owner, mode and mount of the file and its directory";
    default:
      return "";
  }
}

} // namespace

// -- detail::database ---------------------------------------------------------

detail::database::~database() {
  // Closing checkpoints the WAL. After a failed sync that would be the
  // second try that must not be.
  if (failed)
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  [[maybe_unused]] auto code = sqlite3_close(db);
  assert(code == SQLITE_OK);
}

failure detail::database::describe(int code, const char* what,
                                   int os_error) const {
  auto ours = db != nullptr && sqlite3_extended_errcode(db) == code;
  auto text
    = fmt::format("{}: cannot {}: {} (SQLite {}", path, what,
                  ours ? sqlite3_errmsg(db) : sqlite3_errstr(code), code);
  auto primary = code & 0xff;
  if (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN)
    os_error = 0;
  else if (ours && os_error == 0)
    os_error = sqlite3_system_errno(db);
  if (os_error != 0)
    text += fmt::format(", {}", std::strerror(os_error));
  text += ")";
  if (auto hint = advice(code); *hint != '\0')
    text += fmt::format("; {}", hint);
  return {ec_of(code, os_error), std::move(text)};
}

failure detail::database::report(int code, const char* what, bool writes,
                                 int os_error) {
  auto res = describe(code, what, os_error);
  // Some errors, even of a SELECT, end a transaction silently: what was in it
  // is lost, and what follows would be a transaction each.
  auto lost = begun && sqlite3_get_autocommit(db) != 0;
  if (!failed && !harmless(code) && (writes || lost))
    failed = res;
  return res;
}

result<void> detail::database::execute(const char* sql, const char* what,
                                       bool writes) {
  // SQLite does not keep the reason of a commit that fails.
  errno = 0;
  if (auto code = sqlite3_exec(db, sql, nullptr, nullptr, nullptr);
      code != SQLITE_OK)
    return tl::unexpected(report(code, what, writes, errno));
  return {};
}

result<std::string> detail::database::value_of(const char* sql) {
  auto res = std::string{};
  auto keep = [](void* out, int, char** values, char**) {
    if (values[0] != nullptr)
      *static_cast<std::string*>(out) = values[0];
    return 0;
  };
  if (auto code = sqlite3_exec(db, sql, keep, &res, nullptr); code != SQLITE_OK)
    return tl::unexpected(report(code, "read its header", false));
  return res;
}

result<uint64_t> detail::database::number_of(const char* sql) {
  return value_of(sql).map([](const std::string& x) {
    return std::strtoull(x.c_str(), nullptr, 10);
  });
}

// -- row ----------------------------------------------------------------------

int64_t row::integer_at(int column) const {
  return sqlite3_column_int64(stmt_, column);
}

std::string_view row::bytes(int column) const {
  // The blob first: its conversion decides the size.
  auto data = static_cast<const char*>(sqlite3_column_blob(stmt_, column));
  if (data == nullptr)
    return {};
  return {data, static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

// -- statement ----------------------------------------------------------------

statement::statement(std::shared_ptr<detail::database> db, sqlite3_stmt* stmt,
                     const char* what)
  : db_(std::move(db)), stmt_(stmt), what_(what) {
  // nop
}

statement::statement(statement&& x) noexcept
  : db_(std::move(x.db_)),
    stmt_(std::exchange(x.stmt_, nullptr)),
    what_(x.what_),
    bind_error_(x.bind_error_) {
  // nop
}

statement& statement::operator=(statement&& x) noexcept {
  std::swap(db_, x.db_);
  std::swap(stmt_, x.stmt_);
  std::swap(what_, x.what_);
  std::swap(bind_error_, x.bind_error_);
  return *this;
}

statement::~statement() {
  sqlite3_finalize(stmt_);
}

void statement::bind(int position, std::string_view text) {
  auto data = text.data() != nullptr ? text.data() : "";
  auto code = sqlite3_bind_text64(stmt_, position, data, text.size(),
                                  SQLITE_STATIC, SQLITE_UTF8);
  if (bind_error_ == SQLITE_OK)
    bind_error_ = code;
}

void statement::bind(int position, blob x) {
  auto data = x.bytes.data() != nullptr ? x.bytes.data() : "";
  auto code
    = sqlite3_bind_blob64(stmt_, position, data, x.bytes.size(), SQLITE_STATIC);
  if (bind_error_ == SQLITE_OK)
    bind_error_ = code;
}

void statement::bind_integer(int position, int64_t x) {
  auto code = sqlite3_bind_int64(stmt_, position, x);
  if (bind_error_ == SQLITE_OK)
    bind_error_ = code;
}

result<bool> statement::step() {
  auto writes = sqlite3_stmt_readonly(stmt_) == 0;
  if (writes && db_->failed)
    return tl::unexpected(*db_->failed);
  assert(!writes || db_->begun);
  auto code = bind_error_ != SQLITE_OK ? bind_error_ : sqlite3_step(stmt_);
  if (code == SQLITE_ROW)
    return true;
  if (code == SQLITE_DONE)
    return false;
  return tl::unexpected(db_->report(code, what_, writes));
}

void statement::reset() {
  sqlite3_reset(stmt_);
  // What was bound without a copy may be gone by the next run.
  sqlite3_clear_bindings(stmt_);
  bind_error_ = SQLITE_OK;
}

// -- connection ---------------------------------------------------------------

connection::connection(std::shared_ptr<detail::database> db, bool created)
  : db_(std::move(db)), created_(created) {
  // nop
}

result<void> connection::prepare(std::initializer_list<request> all) {
  for (auto& x : all) {
    sqlite3_stmt* stmt = nullptr;
    auto code = sqlite3_prepare_v3(db_->db, x.sql, -1,
                                   SQLITE_PREPARE_PERSISTENT, &stmt, nullptr);
    if (code != SQLITE_OK)
      return tl::unexpected(db_->describe(code, x.what));
    x.target = statement{db_, stmt, x.what};
  }
  return {};
}

result<void> connection::begin() {
  if (db_->failed)
    return tl::unexpected(*db_->failed);
  assert(!db_->begun);
  if (db_->copy_first)
    if (auto copied = checkpoint(); !copied)
      return copied;
  if (auto done = db_->execute("BEGIN IMMEDIATE", "begin", true); !done)
    return done;
  db_->begun = true;
  return {};
}

result<void> connection::commit() {
  if (db_->failed)
    return tl::unexpected(*db_->failed);
  assert(db_->begun);
  if (auto done = db_->execute("COMMIT", "commit", true); !done) {
    rollback();
    return done;
  }
  db_->begun = false;
  if (auto done = check_place(); !done)
    return done;
  if (db_->wal_frames < wal_frames_max)
    return {};
  auto copied = checkpoint();
  // On a full disk the WAL still holds everything: the next commit that finds
  // room copies it, and one that finds none says so itself.
  if (!copied && failed() != nullptr)
    return copied;
  return {};
}

void connection::rollback() {
  if (!db_->begun)
    return;
  // A full disk may have ended the transaction already. A rollback that fails
  // is remembered as the connection's failure.
  if (sqlite3_get_autocommit(db_->db) == 0)
    (void)db_->execute("ROLLBACK", "roll back", true);
  db_->begun = false;
}

bool connection::in_transaction() const {
  return db_->begun;
}

result<void> connection::checkpoint() {
  if (db_->failed)
    return tl::unexpected(*db_->failed);
  assert(!db_->begun);
  auto in_wal = 0;
  auto copied = 0;
  constexpr auto what = "copy the WAL into the file";
  auto code = sqlite3_wal_checkpoint_v2(
    db_->db, "main", SQLITE_CHECKPOINT_PASSIVE, &in_wal, &copied);
  if (code != SQLITE_OK)
    return tl::unexpected(db_->report(code, what, true));
  if (copied != in_wal)
    return fail(ec::busy, fmt::format("{}: cannot {}: {} of {} pages are held "
                                      "by a reader; try again",
                                      path(), what, in_wal - copied, in_wal));
  db_->wal_frames = 0;
  db_->copy_first = false;
  return {};
}

const failure* connection::failed() const {
  return db_->failed ? &*db_->failed : nullptr;
}

int64_t connection::last_insert_id() const {
  return sqlite3_last_insert_rowid(db_->db);
}

const std::string& connection::path() const {
  return db_->path;
}

result<uint64_t> connection::file_bytes() const {
  auto sum = uint64_t{0};
  for (auto suffix : {"", "-wal"}) {
    auto size = file_size(path() + suffix);
    if (!size)
      return tl::unexpected(std::move(size.error()));
    sum += size->value_or(0);
  }
  return sum;
}

result<uint64_t> connection::used_bytes() {
  auto pages = db_->number_of("PRAGMA page_count");
  if (!pages)
    return pages;
  auto unused = db_->number_of("PRAGMA freelist_count");
  if (!unused)
    return unused;
  return (*pages - *unused) * page_bytes;
}

} // namespace weir
