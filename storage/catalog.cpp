#include "storage/catalog.hpp"

#include "storage/catalog_rows.hpp"

#include <fmt/format.h>

#include <cassert>

namespace weir {

using namespace catalog_rows;

namespace {

/// "WeiC". Unsigned numbers of 64 bits are stored as the signed ones of the
/// same bits; a producer is its high, then its low half, in hexadecimal. What
/// is known of commits changes with heartbeats, hence has a table of its own.
constexpr auto first_schema = R"(
CREATE TABLE cluster (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id TEXT NOT NULL,
  created INTEGER NOT NULL,
  format INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
CREATE TABLE setting (
  version INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (version, name)
) WITHOUT ROWID;
CREATE TABLE node (
  id TEXT NOT NULL PRIMARY KEY,
  disk TEXT NOT NULL,
  name TEXT NOT NULL,
  address TEXT NOT NULL,
  incarnation INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  state INTEGER NOT NULL,
  crc INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE shard (
  shard INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  primary_node TEXT NOT NULL,
  members BLOB NOT NULL,
  eligible BLOB NOT NULL,
  min_copies INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
CREATE TABLE known_commit (
  shard INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  chain INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
CREATE TABLE producer (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  session INTEGER NOT NULL,
  base INTEGER NOT NULL,
  prefix INTEGER NOT NULL,
  digest INTEGER NOT NULL,
  digest_at INTEGER NOT NULL,
  earlier_malformed INTEGER NOT NULL,
  malformed INTEGER NOT NULL,
  duplicate INTEGER NOT NULL,
  earlier_duplicate INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  updated INTEGER NOT NULL,
  crc INTEGER NOT NULL
) WITHOUT ROWID;
)";

/// The windows over all entities. The number of the last result stands beside
/// the record, so that it is not used again once that result is removed. Totals
/// come last, with a checksum of their own, so that a row can be checked
/// without them.
constexpr auto second_schema = R"(
CREATE TABLE rollup (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  record BLOB NOT NULL,
  last_sequence INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
CREATE TABLE final_window (
  sequence INTEGER PRIMARY KEY,
  starts INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  readings INTEGER NOT NULL,
  stored INTEGER NOT NULL,
  totals_crc INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  totals BLOB NOT NULL
);
CREATE UNIQUE INDEX final_window_by_end ON final_window (ends, starts);
)";

// What operators did.
constexpr auto third_schema = R"(
CREATE TABLE gone_disk (
  node TEXT NOT NULL,
  disk TEXT NOT NULL,
  declared INTEGER NOT NULL,
  crc INTEGER NOT NULL,
  PRIMARY KEY (node, disk)
) WITHOUT ROWID;
CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  happened INTEGER NOT NULL,
  what TEXT NOT NULL,
  crc INTEGER NOT NULL
);
)";

// Where a catalog comes from: a copy is one, too.
constexpr auto fourth_schema = R"(
CREATE TABLE lineage (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  generation INTEGER NOT NULL,
  start INTEGER NOT NULL,
  changes INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  final_through INTEGER NOT NULL,
  promised INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
)";

constexpr const char* upgrades[] = {second_schema, third_schema, fourth_schema};

constexpr auto format = file_format{0x57656943, 4, first_schema, upgrades};

} // namespace

result<catalog> catalog::open(const std::string& path) {
  auto db = connection::open(format, path, sync_mode::full);
  if (!db)
    return tl::unexpected(std::move(db.error()));
  auto self = catalog{std::move(*db)};
  auto done = self.prepare()
                .and_then([&] {
                  return self.prepare_rollup();
                })
                .and_then([&] {
                  return self.prepare_operator();
                })
                .and_then([&] {
                  return self.prepare_copy();
                });
  if (!done)
    return tl::unexpected(std::move(done.error()));
  return self;
}

result<void> catalog::prepare() {
  return db_.prepare({
    {put_cluster_,
     "INSERT INTO cluster (one, id, created, format, crc)"
     " VALUES (1, ?1, ?2, ?3, ?4)",
     "write down the cluster"},
    {get_cluster_, "SELECT id, created, format, crc FROM cluster",
     "read the cluster"},
    {put_setting_,
     "INSERT INTO setting (version, name, value, crc)"
     " VALUES (?1, ?2, ?3, ?4)",
     "add a setting"},
    {has_settings_, "SELECT 1 FROM setting WHERE version = ?1 LIMIT 1",
     "look for settings"},
    {get_settings_,
     "SELECT version, name, value, crc FROM setting ORDER BY version, name",
     "read the settings"},
    {put_node_,
     "REPLACE INTO node (id, disk, name, address, incarnation, last_seen,"
     " state, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
     "write down a node"},
    {remove_node_, "DELETE FROM node WHERE id = ?1", "remove a node"},
    {get_nodes_,
     "SELECT id, disk, name, address, incarnation, last_seen, state, crc"
     " FROM node ORDER BY id",
     "read the nodes"},
    {put_known_,
     "REPLACE INTO known_commit (shard, epoch, idx, chain, crc)"
     " VALUES (?1, ?2, ?3, ?4, ?5)",
     "write down a commit"},
    {get_known_,
     "SELECT shard, epoch, idx, chain, crc FROM known_commit ORDER BY shard",
     "read the commits"},
    {put_producer_,
     "REPLACE INTO producer (id, name, session, base, prefix, digest, "
     "digest_at,"
     " earlier_malformed, malformed, duplicate, earlier_duplicate, ended, "
     "updated, crc)"
     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
     "write down a producer"},
    {remove_producer_, "DELETE FROM producer WHERE id = ?1",
     "remove a producer"},
    {get_producers_,
     "SELECT id, name, session, base, prefix, digest, digest_at, "
     "earlier_malformed,"
     " malformed, duplicate, earlier_duplicate, ended, updated, crc"
     " FROM producer WHERE id >= ?1 ORDER BY id",
     "read the producers"},
    {get_shard_,
     "SELECT shard, epoch, primary_node, members, eligible, min_copies, crc"
     " FROM shard WHERE shard = ?1",
     "read a shard's configuration"},
    {get_shards_,
     "SELECT shard, epoch, primary_node, members, eligible, min_copies, crc"
     " FROM shard ORDER BY shard",
     "read the shards' configurations"},
    {put_shard_,
     "REPLACE INTO shard (shard, epoch, primary_node, members, eligible,"
     " min_copies, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
     "change a shard's configuration"},
  });
}

result<void> catalog::put_cluster(const cluster_record& x) {
  auto done = db_.transact([&] {
    return put_cluster_.run(x.id, x.created, x.format, crc_of(x));
  });
  if (!done && done.error().code == ec::conflict)
    return fail(ec::conflict,
                fmt::format("{}: this is a cluster already; {} needs another "
                            "directory",
                            db_.path(), x.id));
  if (done)
    note(catalog_table::cluster);
  return done;
}

result<void> catalog::put_settings(uint64_t version,
                                   const setting_map& values) {
  assert(!values.empty());
  auto done = db_.transact([&]() -> result<void> {
    auto taken = false;
    auto look = [&](const row&) -> result<bool> {
      taken = true;
      return true;
    };
    if (auto found = has_settings_.each(look, version); !found)
      return found;
    if (taken)
      return fail(ec::conflict,
                  fmt::format("{}: version {} of the settings exists; a change "
                              "needs a new version",
                              db_.path(), version));
    for (auto& [name, value] : values)
      if (auto put = put_setting_.run(version, name, value,
                                      row_crc(version, name, value));
          !put)
        return put;
    return {};
  });
  if (done)
    note(catalog_table::settings, version);
  return done;
}

result<void> catalog::write_node(const node_record& x) {
  return put_node_.run(x.id, x.disk, x.name, x.address, x.incarnation,
                       x.last_seen, static_cast<uint8_t>(x.state), crc_of(x));
}

result<void> catalog::put_node(const node_record& x) {
  return put_nodes({x});
}

result<void> catalog::put_nodes(const std::vector<node_record>& xs) {
  auto done = db_.transact([&]() -> result<void> {
    for (auto& x : xs)
      if (auto put = write_node(x); !put)
        return put;
    return {};
  });
  if (done)
    for (auto& x : xs)
      note(catalog_table::node, 0, x.id);
  return done;
}

result<void> catalog::remove_node(const std::string& id) {
  auto done = db_.transact([&] {
    return remove_node_.run(id);
  });
  if (done)
    note(catalog_table::node, 0, id);
  return done;
}

result<void> catalog::write_known(const known_commit& x) {
  return put_known_.run(x.shard, x.epoch, x.index, x.chain, crc_of(x));
}

result<void> catalog::put_known(const std::vector<known_commit>& xs) {
  auto done = db_.transact([&]() -> result<void> {
    for (auto& x : xs)
      if (auto put = write_known(x); !put)
        return put;
    return {};
  });
  if (done)
    for (auto& x : xs)
      note(catalog_table::known, x.shard);
  return done;
}

result<void> catalog::write_producer(const producer_record& x) {
  return put_producer_.run(key_of(x.id), x.name, x.session, x.base, x.prefix,
                           x.digest, x.digest_at, x.earlier_malformed,
                           x.malformed, x.duplicate, x.earlier_duplicate,
                           x.ended, x.updated, crc_of(x));
}

result<void> catalog::put_producers(const std::vector<producer_record>& xs,
                                    const std::vector<producer_id>& removed) {
  auto done = db_.transact([&]() -> result<void> {
    for (auto& x : xs)
      if (auto put = write_producer(x); !put)
        return put;
    for (auto& id : removed)
      if (auto gone = remove_producer_.run(key_of(id)); !gone)
        return gone;
    return {};
  });
  if (!done)
    return done;
  for (auto& x : xs)
    note(catalog_table::producer, 0, key_of(x.id));
  for (auto& id : removed)
    note(catalog_table::producer, 0, key_of(id));
  return {};
}

result<void> catalog::write_shard(const shard_config& x) {
  return put_shard_.run(
    x.shard, x.epoch, x.primary, blob{config_columns::encode(x.members)},
    blob{config_columns::encode(x.eligible)}, x.min_copies, crc_of(x));
}

result<std::vector<bool>> catalog::change(
  const std::vector<config_change>& xs) {
  auto res = std::vector<bool>{};
  auto done = db_.transact([&]() -> result<void> {
    for (auto& x : xs) {
      assert(x.next.epoch > x.expected);
      auto present = get(x.next.shard);
      if (!present)
        return tl::unexpected(std::move(present.error()));
      res.push_back((*present ? (*present)->epoch : 0) == x.expected);
      if (!res.back())
        continue;
      if (auto put = write_shard(x.next); !put)
        return put;
    }
    return {};
  });
  if (!done)
    return tl::unexpected(std::move(done.error()));
  for (auto i = size_t{0}; i < xs.size(); ++i)
    if (res[i])
      note(catalog_table::shard, xs[i].next.shard);
  return res;
}

} // namespace weir
