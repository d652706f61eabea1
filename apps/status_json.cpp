#include "apps/status_text.hpp"
#include "config/settings.hpp"

#include <nlohmann/json.hpp>

namespace weir {

namespace {

using json = nlohmann::ordered_json;

json time_or_null(time_ms x) {
  return x >= 0 ? json(x) : json(nullptr);
}

json text_or_null(const std::string& x) {
  return x.empty() ? json(nullptr) : json(x);
}

json to_json(const node_status& x) {
  return {{"name", x.name},
          {"id", x.node},
          {"address", to_string(endpoint{x.listens.host, x.listens.port})},
          {"state", x.state},
          {"safe_to_stop", x.state == "drained"},
          {"last_seen_ms", x.last_seen},
          {"version", x.version},
          {"primaries", x.primaries},
          {"backups", x.backups},
          {"entities", x.entities},
          {"memory_bytes", x.memory_bytes},
          {"journal_bytes", x.journal_bytes},
          {"pending_bytes", x.pending_bytes},
          {"readings_per_second", x.rate},
          {"trouble", x.trouble}};
}

json to_json(const shard_status& x) {
  auto res = json{{"shard", x.shard},
                  {"epoch", x.epoch},
                  {"primary", text_or_null(x.primary)},
                  {"backups", x.backups},
                  {"target", x.target},
                  {"in_sync", copies_of(x)},
                  {"state", x.state},
                  {"trouble", x.text},
                  {"empty", x.empty},
                  {"index", x.index},
                  {"entities", x.entities},
                  {"window_bytes", x.window_bytes}};
  auto& copies = res["copies"] = json::array();
  for (auto& copy : x.copies)
    copies.push_back({{"node", copy.node},
                      {"role", text_or_null(copy.role)},
                      {"member", is_member(x, copy.node)},
                      {"end", copy.end},
                      {"applied", copy.applied},
                      {"trouble", copy.text}});
  return res;
}

json to_json(const move_status& x) {
  return {{"shard", x.shard},
          {"from", x.from},
          {"to", x.to},
          {"bytes", x.bytes},
          {"bytes_in_all", x.bytes_in_all},
          {"elapsed_ms", x.elapsed},
          {"bytes_per_second", pace_of(x)},
          {"left_ms", time_or_null(left_of(x))}};
}

json to_json(const producer_status& x) {
  return {{"name", text_or_null(x.name)}, {"session", x.session},
          {"acknowledged", x.prefix},     {"live", x.live},
          {"malformed", x.malformed},     {"duplicate", x.duplicate}};
}

template <class T>
json all_to_json(const std::vector<T>& xs) {
  auto res = json::array();
  for (auto& x : xs)
    res.push_back(to_json(x));
  return res;
}

} // namespace

json to_json(const ledger_counts& x) {
  return {{"received", x.received},   {"accepted", x.accepted},
          {"duplicate", x.duplicate}, {"late", x.late},
          {"future", x.future},       {"malformed", x.malformed},
          {"refused", x.refused}};
}

json to_json(const rollup_counts& x) {
  return {{"in_windows", x.in},
          {"late", x.late},
          {"outside", x.outside},
          {"refused", x.refused}};
}

json to_json(const cluster_status& x) {
  auto res = json{{"cluster", x.cluster},
                  {"clock_ms", time_or_null(x.clock)},
                  {"watermark_ms", time_or_null(x.watermark)},
                  {"readings_per_second", x.rate}};
  auto& settings = res["settings"] = json::object();
  for (auto& [name, value] : x.settings.values)
    settings[name] = value;
  res["settings_version"] = x.settings.version;
  res["nodes"] = all_to_json(x.nodes);
  res["shards"] = all_to_json(x.shards);
  res["moves"] = all_to_json(x.moves);
  res["ledger"] = to_json(x.ledger);
  res["rollup"] = to_json(x.rollup);
  res["producers"] = all_to_json(x.producers);
  return res;
}

} // namespace weir
