#include "apps/restore_run.hpp"

#include "actors/clock.hpp"
#include "apps/output.hpp"
#include "cluster/rollups.hpp"
#include "storage/data_dir.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir {

namespace {

/// Of a manifest: 4096 shards take a megabyte.
constexpr size_t manifest_bytes_max = 64 << 20;

/// Results of windows that are read at a time, and their bytes.
constexpr size_t finals_max = 10'000;
constexpr size_t finals_bytes_max = 16 << 20;

/// Under which name a file of the backup is part of a cluster.
std::string place_of(const restore_paths& to, const std::string& name) {
  return name == backup_catalog_name ? to.coordinator + "/coordinator.db"
                                     : fmt::format("{}/{}", to.node, name);
}

void replace_all(std::string& text, const std::string& what,
                 const std::string& with) {
  for (auto at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
}

} // namespace

/// Names the backup's files, and not their copies.
failure restore_run::of_backup(failure x) const {
  for (auto name : backup_file_names)
    replace_all(x.text, place_of(to_, name),
                fmt::format("{}/{}", directory_, name));
  replace_all(x.text, "; restore the data directory from a copy",
              "; take another backup, or an older one");
  return x;
}

result<void> restore_run::read_manifest() {
  auto path = fmt::format("{}/{}", directory_, manifest_name);
  auto text = read_file(path, manifest_bytes_max);
  if (!text)
    return tl::unexpected(std::move(text.error()));
  if (!*text)
    return fail(ec::damaged,
                fmt::format("{} is missing: {} is no backup, or one that was "
                            "cut off before it was complete",
                            path, directory_));
  auto manifest = backup_manifest::parse(**text);
  if (!manifest)
    return fail(manifest.error().code,
                fmt::format("{}: {}", path, manifest.error().text));
  res_.from = std::move(*manifest);
  return {};
}

result<void> restore_run::copy_files() {
  for (auto name : backup_file_names) {
    auto from = fmt::format("{}/{}", directory_, name);
    line_.show("copying " + from);
    auto copied = copy_file(from, place_of(to_, name));
    if (!copied && copied.error().code == ec::not_found)
      return fail(ec::damaged, fmt::format("{}; it is a part of every backup: "
                                           "take another one",
                                           copied.error().text));
    if (!copied)
      return tl::unexpected(std::move(copied.error()));
    auto& files = res_.from.files;
    auto known = std::find_if(files.begin(), files.end(), [&](auto& x) {
      return x.name == name;
    });
    if (known == files.end() || !(known->content == *copied))
      changed_.push_back(from);
  }
  return {};
}

result<void> restore_run::check_shards() {
  auto log = journal::open(place_of(to_, "journal.db"), durability::power);
  if (!log)
    return tl::unexpected(of_backup(log.error()));
  auto state = state_store::open(place_of(to_, "state.db"));
  if (!state)
    return tl::unexpected(of_backup(state.error()));
  auto& shards = res_.from.shards;
  for (auto& x : shards) {
    line_.show(fmt::format("reading shard {} of {}", x.shard, shards.size()));
    auto found = examine_shard(*log, *state, x.shard,
                               static_cast<uint32_t>(shards.size()));
    if (!found)
      return tl::unexpected(of_backup(found.error()));
    if (!(found->extent == x))
      return fail(ec::damaged,
                  fmt::format("{}: shard {} ends at entry {}, and not at entry "
                              "{} with the same content, as {} says; take "
                              "another backup, or an older one",
                              directory_, x.shard, found->extent.end.index,
                              x.end.index, manifest_name));
    res_.ledger += found->ledger;
  }
  auto done = log->sync();
  return done ? state->sync() : done;
}

result<void> restore_run::check_catalog(catalog& db) {
  auto contents = db.load();
  if (!contents)
    return tl::unexpected(of_backup(contents.error()));
  contents_ = std::move(*contents);
  auto windows = db.get_rollup();
  if (!windows)
    return tl::unexpected(of_backup(windows.error()));
  if (!contents_.cluster || contents_.settings.empty() || !*windows
      || contents_.cluster->id != res_.from.cluster
      || contents_.shards.size() != res_.from.shards.size())
    return fail(ec::damaged,
                fmt::format("{}/{} is not the catalog of cluster {}; take "
                            "another backup, or an older one",
                            directory_, backup_catalog_name,
                            res_.from.cluster));
  if (auto record = rollup_record::decode(**windows); !record)
    return tl::unexpected(of_backup(record.error()));
  auto events = db.events(events_max);
  if (!events)
    return tl::unexpected(of_backup(events.error()));
  for (auto last = uint64_t{0};;) {
    auto finals = db.finals_after(last, finals_max, finals_bytes_max);
    if (!finals)
      return tl::unexpected(of_backup(finals.error()));
    if (finals->empty())
      break;
    res_.finals += finals->size();
    last = finals->back().sequence;
  }
  res_.settings_version = contents_.settings.rbegin()->first;
  res_.producers = contents_.producers.size();
  return {};
}

/// Whoever goes on from here is nobody that was there before.
result<void> restore_run::refound(catalog& db, data_dir& node) {
  auto now = wall_clock();
  auto& who = node.who();
  auto self = member{who.node, who.disk, who.incarnation};
  auto next = refounding{};
  next.cluster = {res_.cluster, now, contents_.cluster->format};
  next.nodes = {
    {self.node, self.disk, name_, {}, self.incarnation, 0, node_state::dead}};
  next.event
    = {now, fmt::format("operator: restored from a backup of cluster {}, which "
                        "holds all that was acknowledged by {}",
                        res_.from.cluster, res_.from.moment)};
  for (auto& x : res_.from.shards) {
    auto config = contents_.shards[x.shard];
    config.epoch = std::max(config.epoch, x.end.epoch) + 1;
    config.primary = self.node;
    config.members = {self};
    config.eligible.clear();
    next.shards.push_back(std::move(config));
    next.known.push_back({x.shard, x.end.epoch, x.end.index, x.end.chain});
  }
  return db.refound(next);
}

result<restored> restore_run::run() {
  if (auto done = read_manifest(); !done)
    return tl::unexpected(std::move(done.error()));
  // Before there is a database: an identity is never made beside one.
  auto node = data_dir::open(to_.node, name_);
  if (!node)
    return tl::unexpected(std::move(node.error()));
  auto apart = to_.coordinator != to_.node;
  auto head = std::optional<data_dir>{};
  if (apart) {
    auto made = data_dir::open(to_.coordinator, {});
    if (!made)
      return tl::unexpected(std::move(made.error()));
    head = std::move(*made);
  }
  auto id = random_id();
  if (!id)
    return tl::unexpected(std::move(id.error()));
  res_.cluster = std::move(*id);
  if (auto done = copy_files(); !done)
    return tl::unexpected(std::move(done.error()));
  if (auto done = check_shards(); !done)
    return tl::unexpected(std::move(done.error()));
  auto db = catalog::open(place_of(to_, backup_catalog_name));
  if (!db)
    return tl::unexpected(of_backup(db.error()));
  if (auto done = check_catalog(*db); !done)
    return tl::unexpected(std::move(done.error()));
  // Every row is as it was; so it is in what SQLite has between them.
  if (!changed_.empty())
    return fail(ec::damaged,
                fmt::format("{} is not what was written (its checksum "
                            "differs), though every row in it is whole; take "
                            "another backup, or an older one",
                            fmt::join(changed_, ", ")));
  if (auto done = refound(*db, *node); !done)
    return tl::unexpected(std::move(done.error()));
  if (auto done = node->join(res_.cluster); !done)
    return tl::unexpected(std::move(done.error()));
  if (head)
    if (auto done = head->join(res_.cluster); !done)
      return tl::unexpected(std::move(done.error()));
  line_.clear();
  return std::move(res_);
}

} // namespace weir
