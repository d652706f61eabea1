#include "storage/node_store.hpp"

#include "storage/file.hpp"
#include "storage/quarantine.hpp"

#include <fmt/format.h>

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
                        const std::vector<shard_config>& configs) {
  auto res = std::string{};
  for (auto& x : configs) {
    auto& who = dir.who();
    // Eligible disks may hold as much, or less.
    auto alone = x.members.size() == 1 && x.members[0].node == who.node
                 && x.members[0].disk == who.disk;
    if (alone)
      res += fmt::format("{}{}", res.empty() ? "" : ", ", x.shard);
  }
  return res;
}

/// What the journal remembers of its shards, as far as that can be read.
std::vector<shard_config> remembered(const data_dir& dir) {
  auto res = std::vector<shard_config>{};
  auto log = journal::open(dir.file(log_name), durability::power);
  if (!log)
    return res;
  if (auto records = log->records())
    for (auto& x : *records)
      res.push_back(std::move(x.config));
  return res;
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
  if (auto alone = only_copies(dir, known.empty() ? remembered(dir) : known);
      !alone.empty())
    return fail(
      ec::damaged,
      fmt::format("{}; this is the only copy of shards {}, so nothing "
                  "was changed: restore {} from a copy, or, to go on "
                  "without what it holds, move {} and {} out of it, "
                  "with all files that are named like them",
                  why, alone, dir.path(), log_name, state_name));
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
