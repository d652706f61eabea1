#include "storage/file.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <unistd.h>
#include <vector>

namespace weir {

namespace {

/// Large enough that the calls cost nothing beside the bytes.
constexpr size_t part_bytes = 1 << 20;

struct free_state {
  void operator()(XXH3_state_t* x) const {
    XXH3_freeState(x);
  }
};

result<file_handle> open_source(const std::string& path) {
  auto res = file_handle{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!res && errno == ENOENT)
    return fail(ec::not_found, fmt::format("{} is missing", path));
  if (!res)
    return tl::unexpected(os_failure(path, "open", errno));
  return res;
}

/// Hands all of a file to `f(string_view) -> result<void>`.
template <class OnPart>
result<file_digest> read_all(const file_handle& file, const std::string& path,
                             OnPart f) {
  auto state = std::unique_ptr<XXH3_state_t, free_state>{XXH3_createState()};
  XXH3_64bits_reset(state.get());
  auto res = file_digest{};
  auto buffer = std::vector<char>(part_bytes);
  for (;;) {
    auto n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return tl::unexpected(os_failure(path, "read", errno));
    if (n == 0)
      break;
    auto part = std::string_view{buffer.data(), static_cast<size_t>(n)};
    XXH3_64bits_update(state.get(), part.data(), part.size());
    res.bytes += part.size();
    if (auto done = f(part); !done)
      return tl::unexpected(std::move(done.error()));
  }
  res.checksum = XXH3_64bits_digest(state.get());
  return res;
}

} // namespace

result<std::string> read_file_part(const std::string& path, uint64_t offset,
                                   size_t bytes_max) {
  auto file = open_source(path);
  if (!file)
    return tl::unexpected(std::move(file.error()));
  auto res = std::string(bytes_max, '\0');
  auto got = size_t{0};
  while (got < bytes_max) {
    auto n = ::pread(file->get(), res.data() + got, bytes_max - got,
                     static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return tl::unexpected(os_failure(path, "read", errno));
    if (n == 0)
      break;
    got += static_cast<size_t>(n);
  }
  res.resize(got);
  return res;
}

result<file_digest> digest_file(const std::string& path) {
  auto file = open_source(path);
  if (!file)
    return tl::unexpected(std::move(file.error()));
  return read_all(*file, path, [](std::string_view) -> result<void> {
    return {};
  });
}

result<file_digest> copy_file(const std::string& from, const std::string& to) {
  auto source = open_source(from);
  if (!source)
    return tl::unexpected(std::move(source.error()));
  auto flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  auto target = file_handle{::open(to.c_str(), flags, 0644)};
  if (!target)
    return tl::unexpected(os_failure(to, "create", errno));
  auto res = read_all(*source, from, [&](std::string_view part) {
    return write_all(target, to, part);
  });
  if (res && ::fsync(target.get()) != 0)
    return tl::unexpected(os_failure(to, "sync", errno));
  return res;
}

} // namespace weir
