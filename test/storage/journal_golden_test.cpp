#include "test/storage/golden.hpp"

// See golden.hpp.

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

void write_journal(const std::string& path) {
  auto store = must(journal::open(path, durability::power));
  auto entries = sample_entries();
  must(store.append(entries[0]));
  must(store.append(entries[1], UINT64_MAX));
  must(store.append(entries[2]));
  must(store.put_record({6, sample_config()}));
  must(store.commit());
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

} // namespace

TEST_SUITE("storage/journal golden") {
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

} // TEST_SUITE
