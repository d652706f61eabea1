#include "test/storage/support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// A closed journal of three shards with ten entries each.
struct fixture {
  temporary_directory dir;
  std::string path = dir.file("journal.db");
  std::vector<std::vector<log_entry>> logs;

  fixture() {
    auto store = must(journal::open(path, durability::power));
    for (auto shard : {0u, 1u, 2u}) {
      logs.push_back(make_log(shard, 10));
      append_all(store, logs.back());
    }
  }

  /// What shard 1 reads as.
  read_back read() const {
    auto store = must(journal::open(path, durability::power));
    return read_log(store, 1);
  }
};

} // namespace

TEST_SUITE("storage/journal damage") {
  TEST_CASE_FIXTURE(fixture, "a changed column of an entry is found, and only "
                             "the entries before it are returned") {
    auto pristine = bytes_of(path);
    for (std::string change :
         {"idx = 100", "epoch = epoch + 1", "kind = 6", "kind = kind + 256",
          "producer = zeroblob(16)", "producer = producer || x'00'",
          "producer = x''", "session = session + 1", "session = NULL",
          "after = after - 1", "position = 'word'", "envelope = x'00'",
          "envelope = NULL", "block = substr(block, 2)",
          "block = block || x'00'", "crc = crc + 1", "chain = chain + 1"}) {
      CAPTURE(change);
      put_bytes(path, pristine);
      // NOT NULL is no obstacle to a damaged disk.
      run_sql(path, "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql ="
                    " replace(sql, ' NOT NULL', '');");
      run_sql(path,
              "UPDATE entry SET " + change + " WHERE shard = 1 AND idx = 6");
      auto got = read();
      CHECK(code_of(got.end) == ec::damaged);
      CHECK(contains(text_of(got.end), "shard 1: entry 6"));
      CHECK(same(got.entries, {logs[1].begin(), logs[1].begin() + 5}));
    }
  }

  TEST_CASE_FIXTURE(fixture, "every flipped bit of a block and an envelope is "
                             "found") {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    auto rowid = int64_t{0};
    auto keep = [](void* out, int, char** values, char**) {
      *static_cast<int64_t*>(out) = std::atoll(values[0]);
      return 0;
    };
    sqlite3_exec(db, "SELECT rowid FROM entry WHERE shard = 1 AND idx = 6",
                 keep, &rowid, nullptr);
    sqlite3_close(db);
    REQUIRE(rowid > 0);
    auto flip = [&](const char* column, int byte, int bit) {
      REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
      sqlite3_blob* blob = nullptr;
      REQUIRE(sqlite3_blob_open(db, "main", "entry", column, rowid, 1, &blob)
              == SQLITE_OK);
      auto old = char{};
      sqlite3_blob_read(blob, &old, 1, byte);
      old = static_cast<char>(old ^ (1 << bit));
      sqlite3_blob_write(blob, &old, 1, byte);
      sqlite3_blob_close(blob);
      sqlite3_close(db);
    };
    auto found = 0;
    auto flips = 0;
    for (auto column : {"block", "envelope", "producer"}) {
      auto size = *column == 'b'   ? logs[1][5].block.size()
                  : *column == 'e' ? logs[1][5].envelope.size()
                                   : 16;
      REQUIRE(size > 0);
      for (auto at = 0u; at < size * 8; at += 5) {
        flip(column, static_cast<int>(at / 8), static_cast<int>(at % 8));
        auto got = read();
        found += code_of(got.end) == ec::damaged && got.entries.size() == 5;
        flip(column, static_cast<int>(at / 8), static_cast<int>(at % 8));
        ++flips;
      }
    }
    CHECK(found == flips);
    CHECK(flips > 100);
    must(read().end);
  }

  TEST_CASE_FIXTURE(fixture, "a missing entry is a gap, named by its index") {
    run_sql(path, "DELETE FROM entry WHERE shard = 1 AND idx = 4");
    auto got = read();
    CHECK(code_of(got.end) == ec::damaged);
    CHECK(contains(text_of(got.end), "shard 1: entry 4 is missing, 5 follows"));
    CHECK(same(got.entries, {logs[1].begin(), logs[1].begin() + 3}));
  }

  TEST_CASE_FIXTURE(fixture, "a damaged last entry is no tail") {
    run_sql(path, "UPDATE entry SET epoch = 9 WHERE shard = 1 AND idx = 10");
    auto store = must(journal::open(path, durability::power));
    CHECK(code_of(store.tail(1)) == ec::damaged);
    auto next = make_log(1, 1, 1, 11, logs[1].back().chain);
    CHECK(code_of(store.append(next[0])) == ec::damaged);
    CHECK(must(store.tail(2))->index == 10);
    append_all(store, make_log(2, 1, 1, 11, logs[2].back().chain));
  }

  TEST_CASE_FIXTURE(fixture, "an entry whose chain was recomputed without the "
                             "one before it is found") {
    // An intact entry of another log at the right index.
    auto other = make_log(1, 6, 99);
    run_sql(path, "DELETE FROM entry WHERE shard = 1 AND idx >= 6");
    {
      auto aside = dir.file("other.db");
      auto store = must(journal::open(aside, durability::power));
      append_all(store, other);
    }
    run_sql(path, "ATTACH '" + dir.file("other.db")
                    + "' AS other; INSERT INTO main.entry SELECT * FROM"
                      " other.entry WHERE idx = 6");
    auto got = read();
    CHECK(code_of(got.end) == ec::damaged);
    CHECK(contains(text_of(got.end), "entry 6 does not continue"));
    CHECK(got.entries.size() == 5);
  }

  TEST_CASE_FIXTURE(fixture, "no flipped bit of the file is ever answered with "
                             "a wrong entry") {
    auto pristine = bytes_of(path);
    auto random = std::mt19937_64{7};
    auto told = 0;
    auto harmless = 0;
    auto shorter = 0;
    for (auto round = 0; round < 1'500; ++round) {
      auto bytes = pristine;
      // The first round flips the header, bit by bit; the rest anything.
      auto at = round < 800 ? static_cast<size_t>(round)
                            : random() % (bytes.size() * 8);
      bytes[at / 8] = static_cast<char>(bytes[at / 8] ^ (1 << at % 8));
      put_bytes(path, bytes);
      for (auto suffix : {"-wal", "-journal", "-shm"})
        fs::remove(path + suffix);
      CAPTURE(at);
      auto store = journal::open(path, durability::process);
      if (!store) {
        ++told;
        continue;
      }
      auto failures = 0;
      auto entries = size_t{0};
      for (auto shard : {0u, 1u, 2u}) {
        auto got = read_log(*store, shard);
        CHECK(is_prefix(got.entries, logs[shard]));
        failures += !got.end;
        entries += got.entries.size();
      }
      if (failures > 0)
        ++told;
      else if (entries == 30)
        ++harmless;
      else
        ++shorter;
    }
    MESSAGE("of 1500 flipped bits ", told, " were found, ", harmless,
            " changed nothing, ", shorter, " ended a log early");
    // Empty pages are a part of the file, and nobody reads those.
    CHECK(told > 400);
    // Only an index page that loses a log's end can do that.
    CHECK(shorter < 30);
  }

  TEST_CASE("a WAL that was cut ends the log early, and the tail tells") {
    auto dir = temporary_directory{};
    auto log = make_log(5, 40);
    auto live = dir.file("journal.db");
    auto store = must(journal::open(live, durability::power));
    for (auto& x : log)
      append_all(store, {x});
    auto main = bytes_of(live);
    auto wal = bytes_of(live + "-wal");
    REQUIRE(wal.size() > 40 * 4096);
    auto aside = dir.file("copy.db");
    auto shortest = size_t{40};
    auto random = std::mt19937_64{3};
    for (auto round = 0; round < 120; ++round) {
      auto damaged = wal;
      if (round % 2 == 0) {
        damaged.resize(random() % wal.size());
      } else {
        auto at = random() % wal.size();
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
      }
      put_bytes(aside, main);
      put_bytes(aside + "-wal", damaged);
      auto again = must(journal::open(aside, durability::power));
      auto got = read_log(again, 5);
      must(got.end);
      CHECK(is_prefix(got.entries, log));
      auto tail = must(again.tail(5)).value_or(log_position{});
      CHECK(tail.index == got.entries.size());
      shortest = std::min(shortest, got.entries.size());
    }
    CHECK(shortest < 10);
  }

} // TEST_SUITE
