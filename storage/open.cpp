#include "storage/database.hpp"
#include "storage/file.hpp"
#include "storage/sqlite.hpp"

#include <fmt/format.h>

// How a file is opened: what it must be, and what is set before it is used.

namespace weir {

namespace {

/// Where the header of a SQLite file keeps what PRAGMA user_version and
/// application_id say, big-endian (sqlite.org/fileformat2.html, 1.3).
constexpr size_t header_bytes = 100;
constexpr size_t version_offset = 60;
constexpr size_t application_offset = 68;
constexpr auto magic = std::string_view{"SQLite format 3", 16};

/// A WAL that a burst made larger is cut to this when it starts over.
/// secure_delete: zeroing what is deleted makes truncation ten times slower.
/// cell_size_check: finds damaged pages earlier, at no cost worth mentioning.
/// An exclusive lock keeps a second connection, and the WAL's shared memory,
/// out of the directory.
constexpr auto pragmas = "PRAGMA locking_mode=EXCLUSIVE;"
                         "PRAGMA synchronous=FULL;"
                         "PRAGMA journal_mode=WAL;"
                         "PRAGMA journal_size_limit=67108864;"
                         "PRAGMA secure_delete=OFF;"
                         "PRAGMA cache_size=-16384;"
                         "PRAGMA temp_store=MEMORY;"
                         "PRAGMA cell_size_check=ON;"
                         "PRAGMA trusted_schema=OFF;";

int count_frames(void* self, sqlite3*, const char*, int frames) {
  static_cast<detail::database*>(self)->wal_frames = frames;
  return SQLITE_OK;
}

uint32_t big_endian(std::string_view bytes, size_t offset) {
  auto x = uint32_t{0};
  for (auto i = offset; i < offset + 4; ++i)
    x = x << 8 | static_cast<uint8_t>(bytes[i]);
  return x;
}

tl::unexpected<failure> unlike(const std::string& path, std::string_view how,
                               std::string_view advice) {
  return fail(ec::damaged, fmt::format("{}: {}; {}", path, how, advice));
}

result<void> check_version(const file_format& format, const std::string& path,
                           uint32_t version) {
  if (version >= 1 && version <= format.version)
    return {};
  return fail(ec::version_mismatch,
              fmt::format("{} has schema {}; this weir writes {}: {} ({})",
                          name_of(path), version, format.version,
                          version > format.version ? "upgrade weir"
                                                   : "no weir ever wrote that",
                          path));
}

/// Looks at a file before SQLite does, which would recover, and so change, even
/// a file of somebody else. True if there is one.
result<bool> check_file(const file_format& format, const std::string& path) {
  auto head = read_file(path, header_bytes);
  if (!head)
    return tl::unexpected(std::move(head.error()));
  if (!*head || (*head)->empty()) {
    // To a file without pages SQLite applies any journal it finds, or deletes
    // it.
    for (auto suffix : {"-wal", "-journal"}) {
      auto size = file_size(path + suffix);
      if (!size)
        return tl::unexpected(std::move(size.error()));
      if (*size && **size > 0)
        return unlike(path,
                      fmt::format("is {}, but {} bytes of {}{} are left",
                                  *head ? "empty" : "missing", **size,
                                  name_of(path), suffix),
                      restore_it);
    }
  }
  if (!*head)
    return false;
  auto bytes = std::string_view{**head};
  if (bytes.empty())
    return unlike(path, "is empty, as weir never leaves it", restore_it);
  if (bytes.substr(0, magic.size()) != magic)
    return unlike(path, "is no SQLite database", restore_it);
  if (bytes.size() < header_bytes)
    return unlike(path, fmt::format("ends after {} bytes", bytes.size()),
                  restore_it);
  if (auto id = big_endian(bytes, application_offset);
      id != format.application_id)
    return unlike(path,
                  fmt::format("is the database of another program, or of "
                              "another purpose (application id {:#010x}, not "
                              "{:#010x})",
                              id, format.application_id),
                  "name another data directory");
  if (auto ok = check_version(format, path, big_endian(bytes, version_offset));
      !ok)
    return tl::unexpected(std::move(ok.error()));
  return true;
}

result<std::shared_ptr<detail::database>> open_database(const std::string& path,
                                                        int flags) {
  auto res = std::make_shared<detail::database>();
  res->path = path;
  auto code = sqlite3_open_v2(path.c_str(), &res->db,
                              flags | SQLITE_OPEN_READWRITE
                                | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                              nullptr);
  if (code != SQLITE_OK)
    return tl::unexpected(res->describe(code, "open"));
  return res;
}

/// The SQL that makes this program's version of version `from`.
std::string upgrade_sql(const file_format& format, uint32_t from) {
  auto res = std::string{};
  for (auto version = from; version < format.version; ++version)
    res += format.upgrades[version - 1];
  return res + fmt::format("PRAGMA user_version={};", format.version);
}

result<void> fill_file(const file_format& format, const std::string& path) {
  auto db = open_database(path, SQLITE_OPEN_CREATE);
  if (!db)
    return tl::unexpected(std::move(db.error()));
  auto sql = fmt::format("PRAGMA page_size={};"
                         "PRAGMA journal_mode=OFF;"
                         "BEGIN;{}{}"
                         "PRAGMA application_id={};"
                         "COMMIT;",
                         page_bytes, format.schema, upgrade_sql(format, 1),
                         format.application_id);
  return (*db)->execute(sql.c_str(), "create", true);
}

/// Makes the file under another name, so that a crash leaves none or a whole
/// one.
result<void> create_file(const file_format& format, const std::string& path) {
  auto temporary = path + ".new";
  if (auto removed = remove_file(temporary); !removed)
    return removed;
  if (auto filled = fill_file(format, temporary); !filled)
    return filled;
  if (auto synced = sync_file(temporary); !synced)
    return synced;
  return rename_file(temporary, path);
}

} // namespace

result<connection> connection::open(const file_format& format,
                                    const std::string& path, sync_mode sync) {
  auto exists = check_file(format, path);
  if (!exists)
    return tl::unexpected(std::move(exists.error()));
  if (!*exists)
    if (auto made = create_file(format, path); !made)
      return tl::unexpected(std::move(made.error()));
  auto db = open_database(path, 0);
  if (!db)
    return tl::unexpected(std::move(db.error()));
  auto self = connection{*db, !*exists};
  if (auto ready = self.configure(format, sync); !ready)
    return tl::unexpected(std::move(ready.error()));
  return self;
}

result<void> connection::configure(const file_format& format, sync_mode sync) {
  if (sqlite3_db_readonly(db_->db, "main") == 1)
    return tl::unexpected(db_->describe(SQLITE_READONLY, "write"));
  if (auto done = db_->execute(pragmas, "open", true); !done)
    return done;
  auto mode = db_->value_of("PRAGMA journal_mode");
  if (!mode)
    return tl::unexpected(std::move(mode.error()));
  if (*mode != "wal")
    return fail(ec::io_error,
                fmt::format("{}: cannot keep a WAL (the journal mode stays "
                            "{}); choose another file system",
                            path(), *mode));
  // The header that was looked at may have had a later one in the WAL.
  auto version = db_->number_of("PRAGMA user_version");
  if (!version)
    return tl::unexpected(std::move(version.error()));
  if (auto ok = check_version(format, path(), static_cast<uint32_t>(*version));
      !ok)
    return ok;
  // A full disk is no reason not to read; the first writer will try again.
  if (auto done = checkpoint(); !done && done.error().code != ec::disk_full)
    return done;
  sqlite3_wal_hook(db_->db, count_frames, db_.get());
  if (auto done = upgrade(format, static_cast<uint32_t>(*version)); !done)
    return done;
  if (auto done = note_place(); !done)
    return done;
  return set_sync(sync);
}

result<void> connection::upgrade(const file_format& format, uint32_t from) {
  if (from == format.version)
    return {};
  return transact([&] {
    return db_->execute(upgrade_sql(format, from).c_str(), "upgrade", true);
  });
}

result<void> connection::set_sync(sync_mode sync) {
  return db_->execute(sync == sync_mode::normal ? "PRAGMA synchronous=NORMAL"
                                                : "PRAGMA synchronous=FULL",
                      "set the durability", true);
}

} // namespace weir
