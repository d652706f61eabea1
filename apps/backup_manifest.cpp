#include "apps/backup_manifest.hpp"

#include "cluster/checksum.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>

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

backup_manifest from_json(const json& x) {
  auto res = backup_manifest{};
  x.at("cluster").get_to(res.cluster);
  x.at("program").get_to(res.program);
  x.at("wire").get_to(res.wire);
  x.at("started_ms").get_to(res.started);
  x.at("moment_ms").get_to(res.moment);
  x.at("finished_ms").get_to(res.finished);
  x.at("behind").get_to(res.behind);
  for (auto& y : x.at("files"))
    res.files.push_back(
      {y.at("name").get<std::string>(),
       {y.at("bytes").get<uint64_t>(), from_hex(y.at("checksum"))}});
  for (auto& y : x.at("shards")) {
    auto& to = res.shards.emplace_back();
    y.at("shard").get_to(to.shard);
    to.end = {y.at("index").get<uint64_t>(), y.at("epoch").get<uint64_t>(),
              from_hex(y.at("chain"))};
    y.at("from_index").get_to(to.from_index);
    y.at("chunks").get_to(to.chunks);
    y.at("entries").get_to(to.entries);
    y.at("bytes").get_to(to.bytes);
    to.digest = from_hex(y.at("digest"));
  }
  return res;
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
    auto all = json::parse(text);
    if (auto format = all.at("format").get<uint64_t>(); format > format_version)
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
