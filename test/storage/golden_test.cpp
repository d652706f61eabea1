#include "storage/catalog.hpp"
#include "storage/state_store.hpp"
#include "test/storage/golden.hpp"

// See golden.hpp.

using namespace weir;
using namespace weir::test;

namespace {

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

constexpr auto catalog_4_sql = R"(
PRAGMA page_size = '4096';
PRAGMA encoding = 'UTF-8';
PRAGMA application_id = '1466263875';
PRAGMA user_version = '4';
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
INSERT INTO cluster VALUES (1, 'c1', 1600000000000, 1, 3547699202467534697);
INSERT INTO setting VALUES (1, 'lateness', '5s', 5987948060966721923);
INSERT INTO setting VALUES (1, 'window', '60s', 3390893424997981817);
INSERT INTO node VALUES ('n1', 'd1', 'one', 'h:1', 2, 1700000000000, 3, 7830157209946800028);
INSERT INTO shard VALUES (3, 5, 'n1', X'026E3102643102026E32026432AC02', X'026E33026433', 2, 1590651261720647042);
INSERT INTO known_commit VALUES (3, 5, 77, -1, 3852941063386529829);
INSERT INTO producer VALUES ('0000000000000001ffffffffffffffff', 'river''s gauge', 2, 3, 4, 5, 6, 9, 7, 8, 10, 1, 11, 5698466321514892358);
INSERT INTO rollup VALUES (1, X'7265636F7264', 1, 3072125166231695276);
INSERT INTO final_window VALUES (1, 1699999980000, 1700000040000, -1, 1700000060000, -2179306128859412004, 4753388437235562912, X'746F74616C73');
INSERT INTO gone_disk VALUES ('n9', 'd9', 1700000070000, 3240948325859660416);
INSERT INTO event VALUES (1, 1700000070000, 'n9 is gone', 134841620640377520);
INSERT INTO lineage VALUES (1, 2, 3, 4, 5, 1700000080000, 6, -6002858367408559731);
)";

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

std::vector<node_disk> all_gone(catalog& store) {
  return must(store.load()).gone;
}

catalog_lineage sample_lineage() {
  return {{2, 3, 4}, 5, 1'700'000'080'000, 6};
}

void write_operator(catalog& store) {
  must(store.put_gone({"n9", "d9"}, 1'700'000'070'000));
  must(store.put_event({1'700'000'070'000, "n9 is gone"}));
  must(store.put_lineage(sample_lineage()));
}

void write_catalog(const std::string& path) {
  auto store = must(catalog::open(path));
  must(store.put_cluster({"c1", 1'600'000'000'000, 1}));
  must(store.put_settings(1, {{"lateness", "5s"}, {"window", "60s"}}));
  must(store.put_node(sample_node()));
  CHECK(must(store.compare_and_set(0, sample_config())));
  must(store.put_known({{3, 5, 77, UINT64_MAX}}));
  must(store.put_producers({sample_producer()}));
  must(store.put_rollup("record", {sample_final()}));
  write_operator(store);
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

  TEST_CASE("coordinator.db is what schema 4 says, in both directions") {
    auto dir = temporary_directory{};
    write_catalog(dir.file("coordinator.db"));
    CHECK(dump(dir.file("coordinator.db")) == catalog_4_sql);
    run_sql(dir.file("old.db"), catalog_4_sql);
    auto store = must(catalog::open(dir.file("old.db")));
    check_members(store);
    CHECK(all_gone(store) == std::vector<node_disk>{{"n9", "d9"}});
    REQUIRE(must(store.events(5)).size() == 1);
    CHECK(must(store.events(5))[0].what == "n9 is gone");
    CHECK(must(store.lineage()) == sample_lineage());
    CHECK(must(store.get_rollup()) == "record");
    CHECK(must(store.finals_after(0, 9, 999))
          == std::vector<final_row>{sample_final()});
  }

  TEST_CASE("coordinator.db of schema 1 becomes one of schema 4") {
    auto dir = temporary_directory{};
    auto path = dir.file("coordinator.db");
    run_sql(path, catalog_1_sql);
    {
      auto store = must(catalog::open(path));
      check_members(store);
      CHECK(!must(store.get_rollup()));
      must(store.put_rollup("record", {sample_final()}));
      CHECK(all_gone(store).empty());
      write_operator(store);
    }
    CHECK(dump(path) == catalog_4_sql);
  }

} // TEST_SUITE
