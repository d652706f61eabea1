#include "storage/page_copy.hpp"

#include "storage/database.hpp"
#include "storage/file.hpp"

#include <cassert>
#include <utility>

namespace weir {

page_copy::page_copy(std::shared_ptr<detail::database> from,
                     std::shared_ptr<detail::database> to,
                     sqlite3_backup* state)
  : from_(std::move(from)), to_(std::move(to)), state_(state) {
  // nop
}

page_copy::page_copy(page_copy&& x) noexcept
  : from_(std::move(x.from_)),
    to_(std::move(x.to_)),
    state_(std::exchange(x.state_, nullptr)) {
  // nop
}

page_copy& page_copy::operator=(page_copy&& x) noexcept {
  std::swap(from_, x.from_);
  std::swap(to_, x.to_);
  std::swap(state_, x.state_);
  return *this;
}

page_copy::~page_copy() {
  close();
}

void page_copy::close() {
  if (state_ != nullptr)
    sqlite3_backup_finish(std::exchange(state_, nullptr));
  to_.reset();
}

result<bool> page_copy::step(int pages) {
  assert(state_ != nullptr);
  auto code = sqlite3_backup_step(state_, pages);
  if (code == SQLITE_OK)
    return false;
  if (code != SQLITE_DONE)
    return tl::unexpected(to_->describe(code, "copy pages"));
  close();
  return true;
}

result<page_copy> connection::copy_to(const std::string& path) {
  for (auto suffix : {"", "-wal", "-journal"})
    if (auto removed = remove_file(path + suffix); !removed)
      return tl::unexpected(std::move(removed.error()));
  auto to = std::make_shared<detail::database>();
  to->path = path;
  auto flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX
               | SQLITE_OPEN_EXRESCODE;
  auto code = sqlite3_open_v2(path.c_str(), &to->db, flags, nullptr);
  if (code != SQLITE_OK)
    return tl::unexpected(to->describe(code, "open"));
  // Half of it is of no use, whatever happens.
  if (auto set = to->execute("PRAGMA journal_mode=OFF;"
                             "PRAGMA synchronous=OFF;",
                             "open", true);
      !set)
    return tl::unexpected(std::move(set.error()));
  auto state = sqlite3_backup_init(to->db, "main", db_->db, "main");
  if (state == nullptr)
    return tl::unexpected(
      to->describe(sqlite3_extended_errcode(to->db), "copy pages"));
  return page_copy{db_, std::move(to), state};
}

} // namespace weir
