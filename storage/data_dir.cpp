#include "storage/data_dir.hpp"

#include "cluster/checksum.hpp"
#include "windows/reading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

namespace weir {

namespace {

/// Version of the identity file, and of the directory's layout.
constexpr uint64_t format_version = 1;

/// The file has some 200 bytes, or, with the longest names, 1300.
constexpr size_t identity_bytes_max = 64 << 10;

/// Of any type that is no more than its bits.
template <class T>
result<T> random_bits() {
  auto res = T{};
  if (::getrandom(&res, sizeof(res), 0) != sizeof(res))
    return tl::unexpected(os_failure("getrandom", "read", errno));
  return res;
}

/// The value of the line "KEY = VALUE" in `text`.
std::optional<std::string_view> value_of(std::string_view text,
                                         std::string_view key) {
  while (!text.empty()) {
    auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.substr(0, key.size()) == key
        && line.substr(key.size(), 3) == " = ")
      return line.substr(key.size() + 3);
  }
  return std::nullopt;
}

std::optional<uint64_t> number_of(std::string_view text, std::string_view key) {
  auto value = value_of(text, key);
  auto res = uint64_t{0};
  if (!value)
    return std::nullopt;
  auto end = value->data() + value->size();
  auto [rest, error] = std::from_chars(value->data(), end, res);
  if (error != std::errc{} || rest != end)
    return std::nullopt;
  return res;
}

/// What can stand in a line of the identity file.
result<void> check_word(std::string_view what, std::string_view x) {
  auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  };
  if (x.size() > name_bytes_max)
    return fail(ec::invalid_argument,
                fmt::format("the {} has {} bytes; at most {} are possible",
                            what, x.size(), name_bytes_max));
  if (std::any_of(x.begin(), x.end(), is_control))
    return fail(
      ec::invalid_argument,
      fmt::format("the {} holds a control character; choose another", what));
  return {};
}

result<file_handle> lock(const std::string& dir, const std::string& path) {
  auto flags = O_RDWR | O_CREAT | O_CLOEXEC;
  auto file = file_handle{::open(path.c_str(), flags, 0644)};
  if (!file)
    return tl::unexpected(os_failure(path, "create the lock", errno));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK)
      return tl::unexpected(os_failure(path, "lock", errno));
    auto pid = read_file(path, 20);
    auto known = pid && *pid && !(*pid)->empty();
    return fail(ec::in_use,
                fmt::format("data directory {} is in use by {}; stop that "
                            "first, or choose another directory",
                            dir,
                            known ? "process " + **pid : "another process"));
  }
  auto pid = std::to_string(::getpid());
  if (::ftruncate(file.get(), 0) != 0
      || ::pwrite(file.get(), pid.data(), pid.size(), 0)
           != static_cast<ssize_t>(pid.size()))
    return tl::unexpected(os_failure(path, "write", errno));
  return file;
}

/// The name of a database in `dir`, if there is one.
result<std::optional<std::string>> find_database(const std::string& dir) {
  auto close = [](DIR* x) {
    ::closedir(x);
  };
  auto listing
    = std::unique_ptr<DIR, decltype(close)>{::opendir(dir.c_str()), close};
  if (!listing)
    return tl::unexpected(os_failure(dir, "list", errno));
  while (auto* entry = ::readdir(listing.get())) {
    auto name = std::string_view{entry->d_name};
    if (name.size() > 3 && name.substr(name.size() - 3) == ".db")
      return std::string{name};
  }
  return std::nullopt;
}

result<identity> make_identity(const std::string& dir,
                               const std::string& path) {
  auto database = find_database(dir);
  if (!database)
    return tl::unexpected(std::move(database.error()));
  if (*database)
    return fail(ec::damaged,
                fmt::format("{} is missing beside {}: whose data that is "
                            "cannot be told; restore it, or move the directory "
                            "aside",
                            path, **database));
  auto res = identity{};
  for (auto target : {&res.node, &res.disk}) {
    auto id = random_id();
    if (!id)
      return tl::unexpected(std::move(id.error()));
    *target = std::move(*id);
  }
  return res;
}

result<identity> load_identity(const std::string& dir,
                               const std::string& path) {
  auto text = read_file(path, identity_bytes_max);
  if (!text)
    return tl::unexpected(std::move(text.error()));
  if (!*text)
    return make_identity(dir, path);
  auto res = parse_identity(**text);
  if (!res)
    return fail(res.error().code,
                fmt::format("{}: {}", path, res.error().text));
  return res;
}

/// Below so many microseconds, a second: lives are still told apart by age.
constexpr auto incarnation_spread = uint64_t{1} << 20;

/// Greater than the last one, and other than what a directory came to that was
/// later put back from a copy: whoever believes that life to be this one would
/// count on what only the other one has written. The time alone does not say
/// so where a clock was ahead once, and starts have been counted since.
result<uint64_t> next_incarnation(uint64_t last) {
  using std::chrono::microseconds;
  auto now = std::chrono::system_clock::now().time_since_epoch();
  auto time = std::chrono::duration_cast<microseconds>(now).count();
  auto bits = random_bits<uint64_t>();
  if (!bits)
    return tl::unexpected(std::move(bits.error()));
  return std::max(last + 1, static_cast<uint64_t>(std::max<int64_t>(time, 0)))
         + *bits % incarnation_spread;
}

} // namespace

result<std::string> random_id() {
  auto bits = random_bits<std::array<uint64_t, 2>>();
  if (!bits)
    return tl::unexpected(std::move(bits.error()));
  return fmt::format("{:016x}{:016x}", bits->front(), bits->back());
}

std::string to_text(const identity& x) {
  auto res = fmt::format("format = {}\n"
                         "cluster = {}\n"
                         "node = {}\n"
                         "disk = {}\n"
                         "name = {}\n"
                         "incarnation = {}\n",
                         format_version, x.cluster, x.node, x.disk, x.name,
                         x.incarnation);
  res += fmt::format("checksum = {:016x}\n", checksum(res));
  return res;
}

result<identity> parse_identity(std::string_view text) {
  auto format = number_of(text, "format");
  if (format && *format > format_version)
    return fail(ec::version_mismatch,
                fmt::format("has format {}; this weir writes {}: upgrade weir",
                            *format, format_version));
  auto res = identity{};
  auto incarnation = number_of(text, "incarnation");
  auto complete = incarnation.has_value();
  res.incarnation = incarnation.value_or(0);
  for (auto [key, target] : {std::pair{"cluster", &res.cluster},
                             {"node", &res.node},
                             {"disk", &res.disk},
                             {"name", &res.name}}) {
    auto value = value_of(text, key);
    complete = complete && value.has_value();
    *target = value.value_or("");
  }
  // There is one text of an identity, checksum included.
  if (!complete || to_text(res) != text)
    return fail(ec::damaged, "is not what was written; restore it, or move the "
                             "directory aside and start as a new node");
  return res;
}

result<data_dir> data_dir::open(const std::string& path,
                                std::string_view name) {
  if (auto fine = check_word("name of the node", name); !fine)
    return tl::unexpected(std::move(fine.error()));
  if (auto made = make_directories(path); !made)
    return tl::unexpected(std::move(made.error()));
  auto held = lock(path, path + "/lock");
  if (!held)
    return tl::unexpected(std::move(held.error()));
  auto who = load_identity(path, path + "/identity");
  if (!who)
    return tl::unexpected(std::move(who.error()));
  auto fresh = who->incarnation == 0;
  auto incarnation = next_incarnation(who->incarnation);
  if (!incarnation)
    return tl::unexpected(std::move(incarnation.error()));
  who->incarnation = *incarnation;
  if (!name.empty())
    who->name = name;
  if (auto done = replace_file(path + "/identity", to_text(*who)); !done)
    return tl::unexpected(std::move(done.error()));
  return data_dir{path, std::move(*held), std::move(*who), fresh};
}

result<void> data_dir::join(const std::string& cluster) {
  if (who_.cluster == cluster)
    return {};
  if (!who_.cluster.empty())
    return fail(ec::wrong_cluster,
                fmt::format("data directory {} belongs to cluster {}, not to "
                            "{}; choose an empty directory to join that",
                            path_, who_.cluster, cluster));
  if (auto fine = check_word("id of the cluster", cluster); !fine)
    return fine;
  auto next = who_;
  next.cluster = cluster;
  return become(std::move(next));
}

result<void> data_dir::renew_disk() {
  auto disk = random_id();
  if (!disk)
    return tl::unexpected(std::move(disk.error()));
  auto next = who_;
  next.disk = std::move(*disk);
  return become(std::move(next));
}

result<void> data_dir::become(identity next) {
  auto done = replace_file(file("identity"), to_text(next));
  if (done)
    who_ = std::move(next);
  return done;
}

std::string data_dir::file(std::string_view name) const {
  return fmt::format("{}/{}", path_, name);
}

} // namespace weir
