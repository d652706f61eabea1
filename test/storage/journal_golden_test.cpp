#include "test/storage/golden.hpp"
#include "test/storage/journal_fixture.hpp"

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
CREATE TABLE staged (
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
  chain INTEGER NOT NULL,
  committed INTEGER NOT NULL,
  committed_crc INTEGER NOT NULL
);
CREATE UNIQUE INDEX staged_by_index ON staged (shard, idx);
CREATE TABLE staged_log (
  shard INTEGER PRIMARY KEY,
  after_idx INTEGER NOT NULL,
  after_epoch INTEGER NOT NULL,
  after_chain INTEGER NOT NULL,
  from_index INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  chain INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
INSERT INTO entry VALUES (0, 1, 1, 1, X'00000000000000000000000000000000', 0, 0, 0, X'', X'', 2293066577887978286, 5183063516044340218, 0, 0);
INSERT INTO entry VALUES (0, 2, -9223372036854775808, 2, X'0807060504030201F8F9FAFBFCFDFEFF', 3, 100, -1, X'760001', X'626C6F636B', 4639240367400095095, -8872629768088636654, -1, 1018158257013498425);
INSERT INTO entry VALUES (255, 1, 1, 4, X'00000000000000000000000000000000', 0, 0, 0, X'73657474696E6773', X'', 941090927312673720, 2360430384540718398, 0, 0);
INSERT INTO replica VALUES (3, 5, 'n1', X'026E3102643102026E32026432AC02', X'026E33026433', 2, 6, -3399928976852441541);
INSERT INTO staged VALUES (3, 8, 1, 1, X'00000000000000000000000000000000', 0, 0, 0, X'', X'', 2066822584722359478, 5100685275819401804, 0, 0);
INSERT INTO staged VALUES (3, 9, -9223372036854775808, 2, X'0807060504030201F8F9FAFBFCFDFEFF', 3, 100, -1, X'760001', X'626C6F636B', 6452490173400470962, -2137224467502934201, 0, 0);
INSERT INTO staged_log VALUES (3, 7, 2, -9223372036854775808, 8, 9, -9223372036854775808, -2137224467502934201, 451487193131276739);
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

/// A log that was staged for shard 3, and the checkpoint it belongs to.
struct staged_sample {
  std::vector<log_entry> entries{sample_entries()[0], sample_entries()[1]};
  log_position after{7, 2, 1ull << 63};
  checkpoint_range checkpoint;

  staged_sample() {
    seal(entries[0], 3, 8, after.chain);
    seal(entries[1], 3, 9, entries[0].chain);
    checkpoint = {8, position_of(entries[1])};
  }

  void stage(journal& store) const {
    must(store.begin_stage(3, after, checkpoint));
    must(store.stage(3, shared(entries)));
    must(store.end_stage(3));
  }
};

void write_journal(const std::string& path) {
  auto store = must(journal::open(path, durability::power));
  auto entries = sample_entries();
  must(store.append(entries[0]));
  must(store.append(entries[1], UINT64_MAX));
  must(store.append(entries[2]));
  must(store.put_record({6, sample_config()}));
  staged_sample{}.stage(store);
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
    auto staged = staged_sample{};
    CHECK(must(store.settle(3, staged.checkpoint)));
    auto installed = read_log(store, 3, 8, staged.after.chain);
    must(installed.end);
    CHECK(same(installed.entries, staged.entries));
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
      staged_sample{}.stage(store);
    }
    // A dump is in the order of rowids.
    run_sql(path, "UPDATE entry SET rowid = 2 WHERE idx = 2");
    CHECK(dump(path) == journal_2_sql);
  }

} // TEST_SUITE
