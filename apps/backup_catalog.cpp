#include "apps/backup_run.hpp"

#include "storage/catalog.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

// The coordinator's part of a backup.

namespace weir {

namespace {

result<void> append_to(const file_handle& file, const std::string& path,
                       std::string_view bytes) {
  while (!bytes.empty()) {
    auto n = ::write(file.get(), bytes.data(), bytes.size());
    if (n < 0 && errno != EINTR)
      return tl::unexpected(os_failure(path, "write", errno));
    bytes.remove_prefix(n < 0 ? 0 : static_cast<size_t>(n));
  }
  return {};
}

} // namespace

result<void> backup_run::copy_catalog_file() {
  auto path = fmt::format("{}/{}", directory_, backup_catalog_name);
  if (auto removed = remove_file(path); !removed)
    return removed;
  auto flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  auto file = file_handle{::open(path.c_str(), flags, 0644)};
  if (!file)
    return tl::unexpected(os_failure(path, "create", errno));
  auto deadline = clock::now() + patience();
  for (auto offset = uint64_t{0};;) {
    auto piece
      = source_.ask_coordinator<catalog_piece>(copy_catalog{id_, offset});
    if (!piece && clock::now() >= deadline)
      return fail(piece.error().code, fmt::format("the catalog can't be read: "
                                                  "{}",
                                                  piece.error().text));
    if (!piece) {
      line_.show("waiting: " + piece.error().text);
      std::this_thread::sleep_for(retry_pause);
      // The copy is lost with the process that made it.
      offset = 0;
      if (::ftruncate(file.get(), 0) != 0
          || ::lseek(file.get(), 0, SEEK_SET) != 0)
        return tl::unexpected(os_failure(path, "cut", errno));
      continue;
    }
    deadline = clock::now() + patience();
    if (auto done = append_to(file, path, piece->bytes); !done)
      return done;
    offset += piece->bytes.size();
    manifest_.moment = piece->moment;
    if (piece->size > 0 && offset >= piece->size)
      return {};
    if (piece->size > 0 && piece->bytes.empty())
      return fail(ec::malformed, "the copy of the catalog ends early");
  }
}

result<catalog_horizon> backup_run::read_catalog() {
  auto path = fmt::format("{}/{}", directory_, backup_catalog_name);
  auto db = catalog::open(path);
  if (!db)
    return tl::unexpected(std::move(db.error()));
  auto contents = db->load();
  if (!contents)
    return tl::unexpected(std::move(contents.error()));
  auto windows = db->get_rollup();
  if (!windows)
    return tl::unexpected(std::move(windows.error()));
  if (!contents->cluster || contents->settings.empty() || !*windows)
    return fail(ec::damaged, fmt::format("{} holds no whole cluster", path));
  auto record = rollup_record::decode(**windows);
  if (!record)
    return tl::unexpected(std::move(record.error()));
  manifest_.cluster = contents->cluster->id;
  return catalog_horizon{*record, contents->settings.rbegin()->first,
                         contents->producers};
}

} // namespace weir
