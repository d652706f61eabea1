#include "storage/node_store.hpp"

#include "storage/catalog_copy.hpp"
#include "storage/file.hpp"
#include "storage/quarantine.hpp"

#include <fmt/format.h>

#include <map>
#include <optional>

namespace weir {

namespace {

constexpr auto log_name = "journal.db";
constexpr auto state_name = "state.db";

/// What belongs to a database.
constexpr const char* suffixes[] = {"", "-wal", "-shm", "-journal"};

result<bool> exists(const data_dir& dir, const char* name) {
  for (auto suffix : suffixes) {
    auto found = place_of(dir.file(name) + suffix);
    if (!found)
      return tl::unexpected(std::move(found.error()));
    if (*found)
      return true;
  }
  return false;
}

result<node_store> open_both(const data_dir& dir) {
  auto log = journal::open(dir.file(log_name), durability::power);
  if (!log)
    return tl::unexpected(std::move(log.error()));
  auto state = state_store::open(dir.file(state_name));
  if (!state)
    return tl::unexpected(std::move(state.error()));
  return node_store{std::move(*log), std::move(*state), {}};
}

result<node_store> open_whole(const data_dir& dir, bool has_log) {
  auto missing = has_log ? state_name : log_name;
  auto found = exists(dir, missing);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  if (!*found)
    return fail(ec::damaged,
                fmt::format("{} is missing beside {}", dir.file(missing),
                            has_log ? log_name : state_name));
  auto res = open_both(dir);
  if (!res)
    return res;
  auto whole = res->log.check_integrity().and_then([&] {
    return res->state.check_integrity();
  });
  if (!whole)
    return tl::unexpected(std::move(whole.error()));
  return res;
}

/// The shards of which nobody else has a copy.
std::string only_copies(const data_dir& dir,
                        const std::map<uint32_t, shard_config>& configs) {
  auto res = std::string{};
  for (auto& [shard, x] : configs) {
    auto& who = dir.who();
    // Eligible disks may hold as much, or less.
    auto alone = x.members.size() == 1 && x.members[0].node == who.node
                 && x.members[0].disk == who.disk;
    if (alone)
      res += fmt::format("{}{}", res.empty() ? "" : ", ", shard);
  }
  return res;
}

/// Configurations of shards, by number; nothing if there is no telling.
using found_configs = std::optional<std::map<uint32_t, shard_config>>;

found_configs by_shard(std::vector<shard_config> configs) {
  auto res = std::map<uint32_t, shard_config>{};
  for (auto& x : configs)
    res[x.shard] = std::move(x);
  return res;
}

/// What the journal remembers of its shards, if that can be read.
result<found_configs> of_journal(const data_dir& dir) {
  auto path = dir.file(log_name);
  auto there = place_of(path);
  if (!there)
    return tl::unexpected(std::move(there.error()));
  if (!*there) // Opening it would make one.
    return std::nullopt;
  auto log = journal::open(path, durability::power);
  if (!log)
    return std::nullopt;
  auto records = log->records();
  if (!records)
    return std::nullopt;
  auto res = std::vector<shard_config>{};
  for (auto& x : *records)
    res.push_back(std::move(x.config));
  return by_shard(std::move(res));
}

/// What has been copied of the coordinator's directory, if that can be read and
/// was whole once.
result<found_configs> of_copy(const data_dir& dir) {
  auto path = dir.file(coordinator_copy_name);
  auto there = place_of(path);
  if (!there)
    return tl::unexpected(std::move(there.error()));
  if (!*there)
    return std::nullopt;
  auto copy = catalog_copy::open(path);
  if (!copy || copy->lineage().held == catalog_mark{})
    return std::nullopt;
  auto res = copy->contents().get_all();
  if (!res)
    return std::nullopt;
  return by_shard(std::move(*res));
}

/// The last configurations that this directory knows of.
result<found_configs> remembered(const data_dir& dir) {
  if (dir.who().cluster.empty()) // Nobody has given it a shard yet.
    return by_shard({});
  auto res = of_journal(dir);
  auto copied = of_copy(dir);
  if (!res || !copied)
    return res ? std::move(copied) : std::move(res);
  if (!*res)
    return copied;
  // A damaged file may lack some of its rows, and a copy is behind.
  if (*copied)
    for (auto& [shard, x] : **copied)
      if (auto& mine = (**res)[shard]; mine.epoch < x.epoch)
        mine = std::move(x);
  return res;
}

/// Fails if what is there may be the only copy of a shard.
result<void> check_others(const data_dir& dir,
                          const std::vector<shard_config>& known,
                          const std::string& why) {
  auto configs = known.empty() ? remembered(dir) : by_shard(known);
  if (!configs)
    return tl::unexpected(std::move(configs.error()));
  auto alone = *configs ? only_copies(dir, **configs) : std::string{};
  if (*configs && alone.empty())
    return {};
  auto what = *configs
                ? fmt::format("this is the only copy of shards {}", alone)
                : fmt::format("neither {} nor {} can tell whether there are "
                              "other copies of its shards",
                              log_name, coordinator_copy_name);
  return fail(
    ec::damaged,
    fmt::format("{}; {}, so nothing was changed: restore {} from a copy, or, "
                "to go on without what it holds, move {} and {} out of it, "
                "with all files that are named like them",
                why, what, dir.path(), log_name, state_name));
}

/// Moves both databases away, and makes the directory another disk.
result<std::string> begin_anew(data_dir& dir, time_ms now) {
  auto to = begin_quarantine(dir.path(), "databases", now);
  if (!to)
    return to;
  auto kept = replace_file(*to + "/identity", to_text(dir.who()));
  // First of all: if it ends after that, it finds the same damage again.
  if (kept)
    kept = dir.renew_disk();
  for (auto name : {log_name, state_name})
    for (auto suffix : suffixes)
      if (kept)
        kept = move_file(dir.file(name) + suffix,
                         fmt::format("{}/{}{}", *to, name, suffix));
  if (!kept)
    return tl::unexpected(std::move(kept.error()));
  return to;
}

} // namespace

result<node_store> open_node_store(data_dir& dir,
                                   const std::vector<shard_config>& known,
                                   time_ms now) {
  auto has_log = exists(dir, log_name);
  if (!has_log)
    return tl::unexpected(std::move(has_log.error()));
  auto has_state = exists(dir, state_name);
  if (!has_state)
    return tl::unexpected(std::move(has_state.error()));
  if (!*has_log && !*has_state) {
    if (dir.fresh())
      return open_both(dir);
    if (auto done = dir.renew_disk(); !done)
      return tl::unexpected(std::move(done.error()));
    auto res = open_both(dir);
    if (res)
      res->news = fmt::format("{}: the databases are missing", dir.path());
    return res;
  }
  auto present = open_whole(dir, *has_log);
  if (present || present.error().code != ec::damaged)
    return present;
  auto& why = present.error().text;
  if (auto others = check_others(dir, known, why); !others)
    return tl::unexpected(std::move(others.error()));
  auto aside = begin_anew(dir, now);
  if (!aside)
    return tl::unexpected(std::move(aside.error()));
  auto res = open_both(dir);
  if (res)
    res->news
      = fmt::format("{}; what is there was put aside in {}", why, *aside);
  return res;
}

} // namespace weir
