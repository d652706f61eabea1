#include "storage/quarantine.hpp"

#include "storage/file.hpp"
#include "windows/time_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

namespace weir {

namespace fs = std::filesystem;

namespace {

struct kept_item {
  fs::path path;
  uint64_t bytes = 0;
};

tl::unexpected<failure> refused(const fs::path& path, std::string_view what,
                                const std::error_code& error) {
  return tl::unexpected(os_failure(path.string(), what, error.value()));
}

result<uint64_t> bytes_in(const fs::path& folder) {
  auto error = std::error_code{};
  auto res = uint64_t{0};
  for (auto i = fs::directory_iterator{folder, error};
       !error && i != fs::directory_iterator{}; i.increment(error))
    if (auto size = fs::file_size(i->path(), error); !error)
      res += size;
  if (error)
    return refused(folder, "list", error);
  return res;
}

/// The oldest first, since names begin with the time.
result<std::vector<kept_item>> items_in(const fs::path& folder) {
  auto error = std::error_code{};
  auto res = std::vector<kept_item>{};
  for (auto i = fs::directory_iterator{folder, error};
       !error && i != fs::directory_iterator{}; i.increment(error)) {
    auto bytes = bytes_in(i->path());
    if (!bytes)
      return tl::unexpected(std::move(bytes.error()));
    res.push_back({i->path(), *bytes});
  }
  if (error)
    return refused(folder, "list", error);
  std::sort(res.begin(), res.end(), [](auto& x, auto& y) {
    return x.path < y.path;
  });
  return res;
}

} // namespace

result<std::string> begin_quarantine(const std::string& dir,
                                     std::string_view what, time_ms now) {
  auto folder = dir + "/quarantine";
  if (auto made = make_directories(folder); !made)
    return tl::unexpected(std::move(made.error()));
  auto items = items_in(folder);
  if (!items)
    return tl::unexpected(std::move(items.error()));
  auto bytes = uint64_t{0};
  for (auto& x : *items)
    bytes += x.bytes;
  auto left = items->size();
  for (auto& x : *items) {
    if (left < quarantine_items_max && bytes <= quarantine_bytes_max)
      break;
    auto error = std::error_code{};
    fs::remove_all(x.path, error);
    if (error)
      return refused(x.path, "remove", error);
    --left;
    bytes -= x.bytes;
  }
  // "2023-11-14T22:13:20.000Z" without what a shell would stumble over.
  auto time = format_time(now);
  time.erase(std::remove_if(time.begin(), time.end(),
                            [](char c) {
                              return c == ':' || c == '.' || c == '-';
                            }),
             time.end());
  auto res = fmt::format("{}/{}-{}", folder, time, what);
  for (auto i = 2;; ++i) {
    auto error = std::error_code{};
    if (fs::create_directory(res, error))
      break;
    if (error)
      return refused(res, "create the directory", error);
    res = fmt::format("{}/{}-{}-{}", folder, time, what, i);
  }
  if (auto done = sync_directory(folder); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<void> abandon_quarantine(const std::string& folder) {
  auto error = std::error_code{};
  fs::remove_all(folder, error);
  if (error)
    return refused(folder, "remove", error);
  return {};
}

} // namespace weir
