#include "storage/catalog.hpp"
#include "storage/state_store.hpp"
#include "test/storage/support.hpp"

// The files of each schema, as SQL. What a released weir wrote, every later one
// reads: when a dump changes, the schema's version goes up and a migration
// comes with it, and the text here stays.

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto journal_1_sql = R"(
PRAGMA page_size = '4096';
PRAGMA encoding = 'UTF-8';
PRAGMA application_id = '1466263882';
PRAGMA user_version = '1';
CREATE TABLE entry (
  shard INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  producer BLOB NOT NULL,
  session INTEGER NOT NULL,
  after INTEGER NOT NULL,
  position INTEGER NOT NULL,
  envelope BLOB NOT NULL,
  block BLOB NOT NULL,
  crc INTEGER NOT NULL,
  chain INTEGER NOT NULL
);
CREATE UNIQUE INDEX entry_by_index ON entry (shard, idx);
INSERT INTO entry VALUES (0, 1, 1, 1, X'00000000000000000000000000000000', 0, 0, 0, X'', X'', 2293066577887978286, 5183063516044340218);
INSERT INTO entry VALUES (0, 2, -9223372036854775808, 2, X'0807060504030201F8F9FAFBFCFDFEFF', 3, 100, -1, X'760001', X'626C6F636B', 4639240367400095095, -8872629768088636654);
INSERT INTO entry VALUES (255, 1, 1, 4, X'00000000000000000000000000000000', 0, 0, 0, X'73657474696E6773', X'', 941090927312673720, 2360430384540718398);
)";

constexpr auto journal_2_sql = R"(
PRAGMA page_size = '4096';
PRAGMA encoding = 'UTF-8';
PRAGMA application_id = '1466263882';
PRAGMA user_version = '2';
CREATE TABLE entry (
  shard INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  producer BLOB NOT NULL,
  session INTEGER NOT NULL,
  after INTEGER NOT NULL,
  position INTEGER NOT NULL,
  envelope BLOB NOT NULL,
  block BLOB NOT NULL,
  crc INTEGER NOT NULL,
  chain INTEGER NOT NULL
, committed INTEGER NOT NULL DEFAULT 0, committed_crc INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX entry_by_index ON entry (shard, idx);
CREATE TABLE replica (
  shard INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  primary_node TEXT NOT NULL,
  members BLOB NOT NULL,
  eligible BLOB NOT NULL,
  min_copies INTEGER NOT NULL,
  promised INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
INSERT INTO entry VALUES (0, 1, 1, 1, X'00000000000000000000000000000000', 0, 0, 0, X'', X'', 2293066577887978286, 5183063516044340218, 0, 0);
INSERT INTO entry VALUES (0, 2, -9223372036854775808, 2, X'0807060504030201F8F9FAFBFCFDFEFF', 3, 100, -1, X'760001', X'626C6F636B', 4639240367400095095, -8872629768088636654, -1, 1018158257013498425);
INSERT INTO entry VALUES (255, 1, 1, 4, X'00000000000000000000000000000000', 0, 0, 0, X'73657474696E6773', X'', 941090927312673720, 2360430384540718398, 0, 0);
INSERT INTO replica VALUES (3, 5, 'n1', X'026E3102643102026E32026432AC02', X'026E33026433', 2, 6, -3399928976852441541);
)";

constexpr auto state_sql = R"(
PRAGMA page_size = '4096';
PRAGMA encoding = 'UTF-8';
PRAGMA application_id = '1466263891';
PRAGMA user_version = '1';
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY,
  shard INTEGER NOT NULL,
  covers INTEGER NOT NULL,
  data BLOB NOT NULL,
  crc INTEGER NOT NULL
);
CREATE INDEX chunk_by_shard ON chunk (shard);
CREATE TABLE checkpoint (
  shard INTEGER PRIMARY KEY,
  from_index INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  chain INTEGER NOT NULL,
  meta BLOB NOT NULL,
  base_bytes INTEGER NOT NULL,
  delta_bytes INTEGER NOT NULL,
  last_chunk INTEGER NOT NULL,
  chunks INTEGER NOT NULL,
  digest INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
INSERT INTO chunk VALUES (1, 7, 5, X'62617365206F6E65', -7588022340940450480);
INSERT INTO chunk VALUES (2, 7, 6, X'626173652074776F', 2565953207084559055);
INSERT INTO chunk VALUES (3, 7, -1, X'64656C7461', -4927742849608275685);
INSERT INTO checkpoint VALUES (7, 6, 9, 2, -1, X'6D6574612032', 16, 5, 3, 3, 5236790409047892529, -3599318700570674040);
)";

constexpr auto catalog_1_sql = R"(
PRAGMA page_size = '4096';
PRAGMA encoding = 'UTF-8';
PRAGMA application_id = '1466263875';
PRAGMA user_version = '1';
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
INSERT INTO cluster VALUES (1, 'c1', 1600000000000, 1, 3547699202467534697);
INSERT INTO setting VALUES (1, 'lateness', '5s', 5987948060966721923);
INSERT INTO setting VALUES (1, 'window', '60s', 3390893424997981817);
INSERT INTO node VALUES ('n1', 'd1', 'one', 'h:1', 2, 1700000000000, 3, 7830157209946800028);
INSERT INTO shard VALUES (3, 5, 'n1', X'026E3102643102026E32026432AC02', X'026E33026433', 2, 1590651261720647042);
INSERT INTO known_commit VALUES (3, 5, 77, -1, 3852941063386529829);
INSERT INTO producer VALUES ('0000000000000001ffffffffffffffff', 'river''s gauge', 2, 3, 4, 5, 6, 9, 7, 8, 10, 1, 11, 5698466321514892358);
)";

constexpr auto catalog_2_sql = R"(
PRAGMA page_size = '4096';
PRAGMA encoding = 'UTF-8';
PRAGMA application_id = '1466263875';
PRAGMA user_version = '2';
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
INSERT INTO cluster VALUES (1, 'c1', 1600000000000, 1, 3547699202467534697);
INSERT INTO setting VALUES (1, 'lateness', '5s', 5987948060966721923);
INSERT INTO setting VALUES (1, 'window', '60s', 3390893424997981817);
INSERT INTO node VALUES ('n1', 'd1', 'one', 'h:1', 2, 1700000000000, 3, 7830157209946800028);
INSERT INTO shard VALUES (3, 5, 'n1', X'026E3102643102026E32026432AC02', X'026E33026433', 2, 1590651261720647042);
INSERT INTO known_commit VALUES (3, 5, 77, -1, 3852941063386529829);
INSERT INTO producer VALUES ('0000000000000001ffffffffffffffff', 'river''s gauge', 2, 3, 4, 5, 6, 9, 7, 8, 10, 1, 11, 5698466321514892358);
INSERT INTO rollup VALUES (1, X'7265636F7264', 1, 3072125166231695276);
INSERT INTO final_window VALUES (1, 1699999980000, 1700000040000, -1, 1700000060000, -2179306128859412004, 4753388437235562912, X'746F74616C73');
)";

std::vector<std::string> column_of(sqlite3* db, const std::string& sql) {
  auto res = std::vector<std::string>{};
  auto keep = [](void* out, int, char** values, char**) {
    static_cast<std::vector<std::string>*>(out)->emplace_back(
      values[0] != nullptr ? values[0] : "");
    return 0;
  };
  REQUIRE(sqlite3_exec(db, sql.c_str(), keep, &res, nullptr) == SQLITE_OK);
  return res;
}

/// A script that makes the file.
std::string dump(const std::string& path) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  auto res = std::string{"\n"};
  for (std::string name :
       {"page_size", "encoding", "application_id", "user_version"})
    res += "PRAGMA " + name + " = '" + column_of(db, "PRAGMA " + name)[0]
           + "';\n";
  for (auto& sql : column_of(db, "SELECT sql FROM sqlite_schema"
                                 " WHERE sql IS NOT NULL ORDER BY rowid"))
    res += sql + ";\n";
  for (auto& table : column_of(db, "SELECT name FROM sqlite_schema"
                                   " WHERE type = 'table' ORDER BY rowid")) {
    auto columns = std::string{};
    for (auto& name :
         column_of(db, "SELECT name FROM pragma_table_info('" + table + "')"))
      columns
        += (columns.empty() ? "" : " || ', ' || ") + ("quote(" + name) + ")";
    for (auto& values : column_of(db, "SELECT " + columns + " FROM " + table))
      res += "INSERT INTO " + table + " VALUES (" + values + ");\n";
  }
  sqlite3_close(db);
  return res;
}

/// Two shards' logs with every field in use.
std::vector<log_entry> sample_entries() {
  auto x = log_entry{};
  x.epoch = 1;
  x.kind = entry_kind::noop;
  seal(x, 0, 1, 0);
  auto y = log_entry{};
  y.epoch = 1ull << 63;
  y.kind = entry_kind::block;
  y.producer = {0x0102030405060708, 0xfffefdfcfbfaf9f8};
  y.session = 3;
  y.after = 100;
  y.position = UINT64_MAX;
  y.envelope = std::string("v\0\1", 3);
  y.block = "block";
  seal(y, 0, 2, x.chain);
  auto z = x;
  z.kind = entry_kind::settings;
  z.envelope = "settings";
  seal(z, 255, 1, 0);
  return {x, y, z};
}

shard_config sample_config() {
  return {3, 5, "n1", {{"n1", "d1", 2}, {"n2", "d2", 300}}, {{"n3", "d3"}}, 2};
}

void write_journal(const std::string& path) {
  auto store = must(journal::open(path, durability::power));
  auto entries = sample_entries();
  must(store.append(entries[0]));
  must(store.append(entries[1], UINT64_MAX));
  must(store.append(entries[2]));
  must(store.put_record({6, sample_config()}));
  must(store.commit());
}

void write_state(const std::string& path) {
  auto store = must(state_store::open(path));
  must(store.begin(7, true));
  must(store.add_chunk(7, 5, "base one"));
  must(store.add_chunk(7, 6, "base two"));
  must(store.finish(7, {4, 6, 1, 99, "meta"}));
  must(store.begin(7, false));
  must(store.add_chunk(7, UINT64_MAX, "delta"));
  must(store.finish(7, {6, 9, 2, UINT64_MAX, "meta 2"}));
}

producer_record sample_producer() {
  auto res = producer_record{};
  res.id = {1, UINT64_MAX};
  res.name = "river's gauge";
  res.session = 2;
  res.base = 3;
  res.prefix = 4;
  res.digest = 5;
  res.digest_at = 6;
  res.malformed = 7;
  res.duplicate = 8;
  res.earlier_malformed = 9;
  res.earlier_duplicate = 10;
  res.ended = true;
  res.updated = 11;
  return res;
}

node_record sample_node() {
  return {"n1", "d1", "one", "h:1", 2, 1'700'000'000'000, node_state::draining};
}

final_row sample_final() {
  return {1,          1'699'999'980'000, 1'700'000'040'000,
          UINT64_MAX, "totals",          1'700'000'060'000};
}

void write_catalog(const std::string& path) {
  auto store = must(catalog::open(path));
  must(store.put_cluster({"c1", 1'600'000'000'000, 1}));
  must(store.put_settings(1, {{"lateness", "5s"}, {"window", "60s"}}));
  must(store.put_node(sample_node()));
  CHECK(must(store.compare_and_set(3, 0, sample_config())));
  must(store.put_known({{3, 5, 77, UINT64_MAX}}));
  must(store.put_producers({sample_producer()}));
  must(store.put_rollup("record", {sample_final()}));
}

/// What both of the journal's schemas hold.
void check_entries(journal& store, const std::vector<uint64_t>& committed) {
  auto expected = sample_entries();
  auto first = read_log(store, 0);
  auto second = read_log(store, 255);
  must(first.end);
  must(second.end);
  CHECK(same(first.entries, {expected[0], expected[1]}));
  CHECK(first.committed == committed);
  CHECK(same(second.entries, {expected[2]}));
  CHECK(second.committed == std::vector<uint64_t>{0});
}

/// What both of the catalog's schemas hold.
void check_members(catalog& store) {
  auto all = must(store.load());
  CHECK(all.cluster == cluster_record{"c1", 1'600'000'000'000, 1});
  CHECK(all.settings[1] == setting_map{{"lateness", "5s"}, {"window", "60s"}});
  CHECK(all.nodes == std::vector<node_record>{sample_node()});
  CHECK(all.shards == std::vector<shard_config>{sample_config()});
  CHECK(all.known == std::vector<known_commit>{{3, 5, 77, UINT64_MAX}});
  CHECK(all.producers == std::vector<producer_record>{sample_producer()});
}

} // namespace

TEST_SUITE("storage/golden") {
  TEST_CASE("journal.db is what schema 2 says, in both directions") {
    auto dir = temporary_directory{};
    write_journal(dir.file("journal.db"));
    CHECK(dump(dir.file("journal.db")) == journal_2_sql);
    run_sql(dir.file("old.db"), journal_2_sql);
    auto store = must(journal::open(dir.file("old.db"), durability::power));
    check_entries(store, {0, UINT64_MAX});
    CHECK(must(store.records())
          == std::vector<replica_record>{{6, sample_config()}});
  }

  TEST_CASE("journal.db of schema 1 becomes one of schema 2") {
    auto dir = temporary_directory{};
    auto path = dir.file("journal.db");
    run_sql(path, journal_1_sql);
    {
      auto store = must(journal::open(path, durability::power));
      check_entries(store, {0, 0});
      CHECK(must(store.records()).empty());
      // Its end is written once more, with all that is known now.
      must(store.cut(0, 1));
      must(store.append(sample_entries()[1], UINT64_MAX));
      must(store.put_record({6, sample_config()}));
      must(store.commit());
    }
    // A dump is in the order of rowids.
    run_sql(path, "UPDATE entry SET rowid = 2 WHERE idx = 2");
    CHECK(dump(path) == journal_2_sql);
  }

  TEST_CASE("state.db is what schema 1 says, in both directions") {
    auto dir = temporary_directory{};
    write_state(dir.file("state.db"));
    CHECK(dump(dir.file("state.db")) == state_sql);
    run_sql(dir.file("old.db"), state_sql);
    auto store = must(state_store::open(dir.file("old.db")));
    auto chunks = std::vector<std::string>{};
    auto keep = [&](std::string_view bytes, uint64_t covers) -> result<void> {
      chunks.push_back(std::string{bytes} + "/" + std::to_string(covers));
      return {};
    };
    CHECK(must(store.load(7, keep))
          == checkpoint_meta{6, 9, 2, UINT64_MAX, "meta 2"});
    CHECK(chunks
          == std::vector<std::string>{"base one/5", "base two/6",
                                      "delta/18446744073709551615"});
  }

  TEST_CASE("coordinator.db is what schema 2 says, in both directions") {
    auto dir = temporary_directory{};
    write_catalog(dir.file("coordinator.db"));
    CHECK(dump(dir.file("coordinator.db")) == catalog_2_sql);
    run_sql(dir.file("old.db"), catalog_2_sql);
    auto store = must(catalog::open(dir.file("old.db")));
    check_members(store);
    CHECK(must(store.get_rollup()) == "record");
    CHECK(must(store.finals_after(0, 9, 999))
          == std::vector<final_row>{sample_final()});
  }

  TEST_CASE("coordinator.db of schema 1 becomes one of schema 2") {
    auto dir = temporary_directory{};
    auto path = dir.file("coordinator.db");
    run_sql(path, catalog_1_sql);
    {
      auto store = must(catalog::open(path));
      check_members(store);
      CHECK(!must(store.get_rollup()));
      must(store.put_rollup("record", {sample_final()}));
    }
    CHECK(dump(path) == catalog_2_sql);
  }

} // TEST_SUITE
