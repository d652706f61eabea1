#include "storage/database.hpp"
#include "storage/sqlite.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

// What is asked of a file as a whole: whether it is where it was, whether
// SQLite finds it corrupt, and to keep some of it elsewhere.

namespace weir {

namespace {

std::string quoted(const std::string& x) {
  auto res = std::string{"'"};
  for (auto c : x)
    res += c == '\'' ? std::string{"''"} : std::string{c};
  return res + "'";
}

} // namespace

result<void> connection::note_place() {
  auto file = place_of(path());
  if (!file)
    return tl::unexpected(std::move(file.error()));
  auto wal = place_of(path() + "-wal");
  if (!wal)
    return tl::unexpected(std::move(wal.error()));
  db_->place = *file;
  db_->wal_place = *wal;
  return {};
}

result<void> connection::check_place() {
  if (db_->failed)
    return tl::unexpected(*db_->failed);
  for (auto& [name, opened] :
       {std::pair{path(), &db_->place}, {path() + "-wal", &db_->wal_place}}) {
    auto found = place_of(name);
    if (!found)
      end(std::move(found.error()));
    else if (!*opened && *found)
      *opened = *found; // The first write has made it.
    else if (*opened && !(*found == *opened))
      end(
        {ec::io_error,
         fmt::format("{}: was {} while it was in use: nothing that is written "
                     "now would be found again; leave the data directory of "
                     "a running process alone, and start it anew",
                     name, *found ? "replaced" : "deleted")});
    if (db_->failed)
      return tl::unexpected(*db_->failed);
  }
  return {};
}

result<void> connection::check_integrity() {
  assert(!db_->begun);
  auto found = db_->value_of("PRAGMA main.integrity_check(1)");
  if (!found)
    return tl::unexpected(std::move(found.error()));
  if (*found == "ok")
    return {};
  std::replace(found->begin(), found->end(), '\n', ' ');
  return fail(ec::damaged, fmt::format("{}: is damaged: {}; {}", path(), *found,
                                       restore_it));
}

result<void> connection::copy_rows(const std::string& into,
                                   const std::vector<const char*>& tables,
                                   uint32_t shard) {
  assert(!db_->begun);
  constexpr auto what = "put rows aside";
  // The connection may create no file; one without pages is an empty database.
  if (auto made = replace_file(into, ""); !made)
    return made;
  auto attach = fmt::format("ATTACH {} AS aside", quoted(into));
  if (auto done = db_->execute(attach.c_str(), what, false); !done)
    return done;
  auto res = result<void>{};
  for (auto table : tables) {
    auto sql = fmt::format("CREATE TABLE aside.{0} AS SELECT * FROM main.{0}"
                           " WHERE shard = {1}",
                           table, shard);
    if (res)
      res = db_->execute(sql.c_str(), what, false);
  }
  auto detached = db_->execute("DETACH aside", what, false);
  if (res)
    res = std::move(detached);
  if (!res)
    if (auto removed = remove_file(into); !removed)
      return removed;
  return res;
}

void connection::end(failure why) {
  if (!db_->failed)
    db_->failed = std::move(why);
}

} // namespace weir
