#include "apps/work_directory.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/file.h>

namespace weir {

namespace {

namespace fs = std::filesystem;

constexpr auto suffix = ".partial";

/// The first file there, and the last one to go: nothing is removed from a
/// directory that somebody else has named so.
constexpr auto mark = "weir-is-at-work";

tl::unexpected<failure> taken(const std::string& path) {
  return fail(ec::conflict,
              fmt::format("{} exists already, and is not overwritten; remove "
                          "it, or name another directory",
                          path));
}

result<file_handle> lock_directory(const std::string& path) {
  auto res
    = file_handle{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!res)
    return tl::unexpected(os_failure(path, "open", errno));
  if (::flock(res.get(), LOCK_EX | LOCK_NB) == 0)
    return res;
  if (errno != EWOULDBLOCK)
    return tl::unexpected(os_failure(path, "lock", errno));
  return fail(ec::in_use,
              fmt::format("another process is writing {}; wait for it, or name "
                          "another directory",
                          path));
}

} // namespace

result<work_directory> work_directory::create(const std::string& path) {
  auto error = std::error_code{};
  auto target = fs::absolute(path, error).lexically_normal();
  if (target.filename().empty()) // "backup/"
    target = target.parent_path();
  if (fs::exists(fs::symlink_status(target, error)))
    return taken(target.string());
  auto partial = target.string() + suffix;
  if (auto made = make_directories(partial); !made)
    return tl::unexpected(std::move(made.error()));
  auto lock = lock_directory(partial);
  if (!lock)
    return tl::unexpected(std::move(lock.error()));
  auto marked = fs::path{partial} / mark;
  if (!fs::is_empty(partial, error) && !fs::exists(marked, error))
    return taken(partial);
  if (!std::ofstream{marked})
    return tl::unexpected(os_failure(marked.string(), "create", errno));
  // What a killed process has left.
  for (auto& entry : fs::directory_iterator{partial, error})
    if (entry.path() != marked)
      fs::remove_all(entry, error);
  if (error)
    return tl::unexpected(os_failure(partial, "empty it", error.value()));
  return work_directory{target.string(), std::move(partial), std::move(*lock)};
}

work_directory::~work_directory() {
  auto error = std::error_code{};
  if (lock_)
    fs::remove_all(partial_, error);
}

result<void> work_directory::keep() {
  if (auto done = remove_file(partial_ + "/" + mark); !done)
    return done;
  if (auto done = sync_directory(partial_); !done)
    return done;
  // Replaces an empty directory, and nothing else.
  if (std::rename(partial_.c_str(), target_.c_str()) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
      return taken(target_);
    return tl::unexpected(os_failure(target_, "create", errno));
  }
  lock_ = {};
  return sync_directory(parent_of(target_));
}

} // namespace weir
