#include "tls/new_directory.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <unistd.h>

namespace weir {

namespace {

namespace fs = std::filesystem;

constexpr mode_t owner_only = 0600;

tl::unexpected<failure> refused(const fs::path& path, std::string_view what,
                                int error) {
  return fail(ec::io_error,
              fmt::format("{}: cannot {}: {}; check owner, mode and free space "
                          "of the directory that holds it",
                          path.string(), what, std::strerror(error)));
}

/// Closes at the end; a file that must last is synced before.
class descriptor {
public:
  descriptor(const fs::path& path, int flags, mode_t mode = 0)
    : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {
    // nop
  }

  descriptor(const descriptor&) = delete;

  ~descriptor() {
    if (fd_ >= 0)
      close(fd_);
  }

  int get() const {
    return fd_;
  }

private:
  int fd_;
};

result<void> write_file(const fs::path& path, std::string_view content) {
  auto file = descriptor{path, O_WRONLY | O_CREAT | O_EXCL, owner_only};
  if (file.get() < 0)
    return refused(path, "create it", errno);
  while (!content.empty()) {
    auto n = write(file.get(), content.data(), content.size());
    if (n < 0 && errno != EINTR)
      return refused(path, "write it", errno);
    content.remove_prefix(n < 0 ? 0 : static_cast<size_t>(n));
  }
  if (fsync(file.get()) != 0)
    return refused(path, "sync it", errno);
  return {};
}

result<void> sync_directory(const fs::path& path) {
  auto file = descriptor{path, O_RDONLY | O_DIRECTORY};
  if (file.get() < 0 || fsync(file.get()) != 0)
    return refused(path, "sync it", errno);
  return {};
}

result<void> fill_and_rename(const fs::path& from, const fs::path& to,
                             std::initializer_list<new_file> files) {
  for (auto& x : files)
    if (auto done = write_file(from / x.name, x.content); !done)
      return done;
  if (auto done = sync_directory(from); !done)
    return done;
  // Replaces an empty directory, and nothing else.
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    auto error = errno;
    if (error == ENOTEMPTY || error == EEXIST || error == ENOTDIR)
      return fail(ec::conflict,
                  fmt::format("{} exists already, and is not overwritten; "
                              "remove it, or choose another directory",
                              to.string()));
    return refused(to, "create it", error);
  }
  return sync_directory(to.parent_path());
}

} // namespace

result<void> write_new_directory(const std::string& directory,
                                 std::initializer_list<new_file> files) {
  auto error = std::error_code{};
  auto to = fs::absolute(directory, error).lexically_normal();
  if (to.filename().empty()) // "certs/"
    to = to.parent_path();
  if (!error)
    fs::create_directories(to.parent_path(), error);
  if (error)
    return refused(to, "create it", error.value());
  auto pattern = to.string() + ".new-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr)
    return refused(to, "create it", errno);
  auto done = fill_and_rename(pattern, to, files);
  // A half-made one has a key in it.
  if (!done)
    fs::remove_all(pattern, error);
  return done;
}

} // namespace weir
