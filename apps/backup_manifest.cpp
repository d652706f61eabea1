#include "apps/backup_manifest.hpp"

#include "cluster/checksum.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <limits>
#include <stdexcept>
#include <type_traits>

namespace weir {

namespace {

using json = nlohmann::ordered_json;

/// Of the manifest and of the directory's layout.
constexpr uint64_t format_version = 1;

/// Not as numbers: JSON's readers often keep 53 bits.
std::string hex(uint64_t x) {
  return fmt::format("{:016x}", x);
}

uint64_t from_hex(const json& x) {
  auto& text = x.get_ref<const std::string&>();
  auto res = uint64_t{0};
  auto end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, res, 16);
  if (error != std::errc{} || rest != end)
    throw std::invalid_argument{text};
  return res;
}

json to_json(const backup_manifest& x) {
  auto files = json::array();
  for (auto& y : x.files)
    files.push_back({{"name", y.name},
                     {"bytes", y.content.bytes},
                     {"checksum", hex(y.content.checksum)}});
  auto shards = json::array();
  for (auto& y : x.shards)
    shards.push_back({{"shard", y.shard},
                      {"epoch", y.end.epoch},
                      {"index", y.end.index},
                      {"chain", hex(y.end.chain)},
                      {"from_index", y.from_index},
                      {"chunks", y.chunks},
                      {"entries", y.entries},
                      {"bytes", y.bytes},
                      {"digest", hex(y.digest)}});
  return {{"format", format_version},
          {"cluster", x.cluster},
          {"program", x.program},
          {"wire", x.wire},
          {"started_ms", x.started},
          {"moment_ms", x.moment},
          {"finished_ms", x.finished},
          {"behind", x.behind},
          {"files", files},
          {"shards", shards},
          {"complete", true}};
}

/// The parser would make an integer of anything.
template <class T>
T number_in(const json& x, const char* name) {
  auto& y = x.at(name);
  constexpr auto most = static_cast<uint64_t>(std::numeric_limits<T>::max());
  if (y.is_number_unsigned() && y.get<uint64_t>() <= most)
    return static_cast<T>(y.get<uint64_t>());
  if (std::is_same_v<T, int64_t> && y.is_number_integer()
      && !y.is_number_unsigned())
    return static_cast<T>(y.get<int64_t>());
  throw std::invalid_argument{name};
}

template <class T>
void read_number(const json& x, const char* name, T& to) {
  to = number_in<T>(x, name);
}

backup_manifest from_json(const json& x) {
  auto res = backup_manifest{};
  x.at("cluster").get_to(res.cluster);
  x.at("program").get_to(res.program);
  x.at("wire").get_to(res.wire);
  read_number(x, "started_ms", res.started);
  read_number(x, "moment_ms", res.moment);
  read_number(x, "finished_ms", res.finished);
  read_number(x, "behind", res.behind);
  for (auto& y : x.at("files"))
    res.files.push_back(
      {y.at("name").get<std::string>(),
       {number_in<uint64_t>(y, "bytes"), from_hex(y.at("checksum"))}});
  for (auto& y : x.at("shards")) {
    auto& to = res.shards.emplace_back();
    read_number(y, "shard", to.shard);
    read_number(y, "index", to.end.index);
    read_number(y, "epoch", to.end.epoch);
    to.end.chain = from_hex(y.at("chain"));
    read_number(y, "from_index", to.from_index);
    read_number(y, "chunks", to.chunks);
    read_number(y, "entries", to.entries);
    read_number(y, "bytes", to.bytes);
    to.digest = from_hex(y.at("digest"));
  }
  return res;
}

/// Parses `text`, unless it is built as no manifest is: what is done with a
/// value recurses as deep as that nests, and looks for each name among all that
/// are beside it. A later version's may have more of both than this one's.
json parse_json(std::string_view text) {
  constexpr auto depth_max = 16;
  constexpr auto names_max = 256;
  // By the depth of what they name.
  auto names = std::array<int, depth_max + 2>{};
  return json::parse(text, [&](int depth, json::parse_event_t event, json&) {
    auto at = static_cast<size_t>(depth);
    auto object = event == json::parse_event_t::object_start;
    if ((object || event == json::parse_event_t::array_start)
        && depth > depth_max)
      throw std::invalid_argument{"too deep"};
    if (object)
      names[at + 1] = 0;
    if (event == json::parse_event_t::key && ++names[at] > names_max)
      throw std::invalid_argument{"too many names"};
    return true;
  });
}

/// All of it but the checksum, in a line.
std::string content_of(const json& x) {
  auto rest = x;
  rest.erase("checksum");
  return rest.dump();
}

} // namespace

std::string backup_manifest::to_text() const {
  auto all = to_json(*this);
  all["checksum"] = hex(checksum(content_of(all)));
  return all.dump(2) + "\n";
}

result<backup_manifest> backup_manifest::parse(std::string_view text) {
  auto damaged = [] {
    return fail(ec::damaged, "it is not what was written (its checksum "
                             "differs); take another backup");
  };
  try {
    auto all = parse_json(text);
    if (auto format = number_in<uint64_t>(all, "format");
        format > format_version)
      return fail(ec::version_mismatch,
                  fmt::format("it has format {}; this weir reads {}: upgrade "
                              "weir",
                              format, format_version));
    if (from_hex(all.at("checksum")) != checksum(content_of(all))
        || !all.at("complete").get<bool>())
      return damaged();
    auto res = from_json(all);
    for (auto i = size_t{0}; i < res.shards.size(); ++i)
      if (res.shards[i].shard != i)
        return damaged();
    return res;
  } catch (const std::exception&) {
    return damaged();
  }
}

uint64_t backup_manifest::entries() const {
  auto res = uint64_t{0};
  for (auto& x : shards)
    res += x.entries;
  return res;
}

uint64_t backup_manifest::bytes() const {
  auto res = uint64_t{0};
  for (auto& x : files)
    res += x.content.bytes;
  return res;
}

} // namespace weir
