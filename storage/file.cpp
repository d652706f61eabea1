#include "storage/file.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace weir {

namespace {

result<void> refused(const std::string& path, std::string_view what) {
  return tl::unexpected(os_failure(path, what, errno));
}

const char* advice(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "; free some space";
    case EACCES:
    case EPERM:
      return "; check owner and mode of it and of the directories above";
    case EROFS:
      return "; mount it writable, or choose another directory";
    case ENOTDIR:
      return "; a part of that path is a file: choose another directory";
    case EIO:
      return "; see the kernel's log, and replace the disk if it fails";
    default:
      return "";
  }
}

result<void> sync_fd(int fd, const std::string& path) {
  if (::fsync(fd) != 0)
    return refused(path, "sync");
  return {};
}

} // namespace

failure os_failure(const std::string& path, std::string_view what, int error) {
  auto full = error == ENOSPC || error == EDQUOT;
  return {full ? ec::disk_full : ec::io_error,
          fmt::format("{}: cannot {}: {}{}", path, what, std::strerror(error),
                      advice(error))};
}

file_handle::~file_handle() {
  if (fd_ >= 0)
    ::close(fd_);
}

std::string parent_of(const std::string& path) {
  auto slash = path.find_last_of('/');
  if (slash == std::string::npos)
    return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) {
  auto slash = path.find_last_of('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

result<std::optional<file_place>> place_of(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0)
    return file_place{info.st_dev, info.st_ino};
  if (errno == ENOENT)
    return std::nullopt;
  return tl::unexpected(os_failure(path, "look at it", errno));
}

result<std::optional<uint64_t>> file_size(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0)
    return static_cast<uint64_t>(info.st_size);
  if (errno == ENOENT)
    return std::nullopt;
  return tl::unexpected(os_failure(path, "look at it", errno));
}

result<std::optional<std::string>> read_file(const std::string& path,
                                             size_t bytes_max) {
  auto res = read_file_part(path, 0, bytes_max);
  if (!res && res.error().code == ec::not_found)
    return std::nullopt;
  if (!res)
    return tl::unexpected(std::move(res.error()));
  return std::move(*res);
}

result<void> write_all(const file_handle& file, const std::string& path,
                       std::string_view content) {
  while (!content.empty()) {
    auto n = ::write(file.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return refused(path, "write");
    content.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

result<void> sync_file(const std::string& path) {
  auto file = file_handle{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!file)
    return refused(path, "open");
  return sync_fd(file.get(), path);
}

result<void> sync_directory(const std::string& path) {
  return sync_file(path);
}

result<void> rename_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return refused(from, fmt::format("rename to {}", to));
  return sync_directory(parent_of(to));
}

result<void> move_file(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) {
    if (errno == ENOENT)
      return {};
    return refused(from, fmt::format("move to {}", to));
  }
  if (auto done = sync_directory(parent_of(to)); !done)
    return done;
  return sync_directory(parent_of(from));
}

result<void> remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return refused(path, "remove");
  return {};
}

result<void> replace_file(const std::string& path, std::string_view content) {
  auto temporary = path + ".new";
  auto flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
  auto file = file_handle{::open(temporary.c_str(), flags, 0644)};
  if (!file)
    return refused(temporary, "create");
  if (auto done = write_all(file, temporary, content); !done)
    return done;
  if (auto done = sync_fd(file.get(), temporary); !done)
    return done;
  return rename_file(temporary, path);
}

result<void> make_directories(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) == 0) {
    if (S_ISDIR(info.st_mode))
      return {};
    return fail(ec::io_error,
                fmt::format("{}: is not a directory; choose another", path));
  }
  if (errno != ENOENT)
    return refused(path, "look at it");
  auto parent = parent_of(path);
  if (parent != path)
    if (auto made = make_directories(parent); !made)
      return made;
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    return refused(path, "create the directory");
  return sync_directory(parent);
}

} // namespace weir
