#include "storage/catalog.hpp"
#include "storage/state_store.hpp"
#include "test/storage/support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

constexpr const char* upgrades[]
  = {"CREATE TABLE log (x);", "ALTER TABLE log ADD COLUMN y;"};
constexpr const char* broken[] = {upgrades[0], "ALTER TABLE lob ADD COLUMN y;"};
constexpr auto first_format = file_format{7, 1, "CREATE TABLE a (x);"};
constexpr auto third_format
  = file_format{7, 3, "CREATE TABLE a (x);", upgrades};
constexpr auto broken_format = file_format{7, 3, "CREATE TABLE a (x);", broken};

/// The version, and the SQL of all tables.
std::string schema_of(const std::string& path) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  auto res = std::string{};
  auto keep = [](void* out, int, char** values, char**) {
    *static_cast<std::string*>(out) += values[0] + std::string{" "};
    return 0;
  };
  for (auto sql :
       {"PRAGMA user_version", "SELECT sql FROM sqlite_schema ORDER BY name"})
    REQUIRE(sqlite3_exec(db, sql, keep, &res, nullptr) == SQLITE_OK);
  sqlite3_close(db);
  return res;
}

struct fixture {
  temporary_directory dir;
  std::string path = dir.file("journal.db");
  std::vector<log_entry> log = make_log(0, 10);

  void fill() const {
    auto store = must(journal::open(path, durability::power));
    append_all(store, log);
  }

  /// Opening is refused, and every byte stays where it is.
  failure refusal() const {
    auto before = bytes_of(path);
    auto store = journal::open(path, durability::power);
    CHECK(!store);
    CHECK(bytes_of(path) == before);
    return store ? failure{} : store.error();
  }
};

} // namespace

TEST_SUITE("storage/open") {
  TEST_CASE_FIXTURE(fixture, "a file of a later schema is refused by name") {
    fill();
    run_sql(path, "PRAGMA user_version = 3");
    auto why = refusal();
    CHECK(why.code == ec::version_mismatch);
    CHECK(contains(why.text, "journal.db has schema 3; this weir writes 2: "
                             "upgrade weir"));
  }

  TEST_CASE_FIXTURE(fixture, "a later schema that only the WAL knows of is "
                             "refused too") {
    fill();
    auto copy = dir.file("copy.db");
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    REQUIRE(
      sqlite3_exec(db, "PRAGMA user_version = 3", nullptr, nullptr, nullptr)
      == SQLITE_OK);
    put_bytes(copy, bytes_of(path));
    put_bytes(copy + "-wal", bytes_of(path + "-wal"));
    sqlite3_close(db);
    auto store = journal::open(copy, durability::power);
    CHECK(code_of(store) == ec::version_mismatch);
    CHECK(contains(text_of(store), "has schema 3"));
  }

  TEST_CASE_FIXTURE(fixture, "a schema that no weir ever wrote is refused") {
    fill();
    run_sql(path, "PRAGMA user_version = 0");
    CHECK(refusal().code == ec::version_mismatch);
  }

  TEST_CASE_FIXTURE(fixture, "an earlier schema is upgraded, with all that the "
                             "file holds, once") {
    { auto db = must(connection::open(first_format, path, sync_mode::full)); }
    run_sql(path, "INSERT INTO a VALUES (7)");
    for (auto i = 0; i < 2; ++i)
      must(connection::open(third_format, path, sync_mode::full));
    run_sql(path, "INSERT INTO log SELECT x, 1 FROM a WHERE x = 7");
    auto fresh = dir.file("fresh.db");
    must(connection::open(third_format, fresh, sync_mode::full));
    CHECK(schema_of(path) == schema_of(fresh));
    CHECK(contains(schema_of(path), "3 CREATE TABLE a (x)"));
    CHECK(code_of(connection::open(first_format, path, sync_mode::full))
          == ec::version_mismatch);
  }

  TEST_CASE_FIXTURE(fixture, "an upgrade that fails on its way leaves the file "
                             "as it was") {
    must(connection::open(first_format, path, sync_mode::full));
    auto before = schema_of(path);
    auto opened = connection::open(broken_format, path, sync_mode::full);
    CHECK(code_of(opened) == ec::damaged);
    CHECK(contains(text_of(opened), "cannot upgrade"));
    CHECK(schema_of(path) == before);
    must(connection::open(first_format, path, sync_mode::full));
  }

  TEST_CASE_FIXTURE(fixture,
                    "a file that is no database is refused untouched") {
    put_bytes(path, std::string(20'000, 'x'));
    auto why = refusal();
    CHECK(why.code == ec::damaged);
    CHECK(contains(why.text, "is no SQLite database"));
  }

  TEST_CASE_FIXTURE(fixture, "somebody else's database is refused untouched, "
                             "its WAL too") {
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    sqlite3_exec(db,
                 "PRAGMA journal_mode=WAL; CREATE TABLE t (x);"
                 "INSERT INTO t VALUES (1)",
                 nullptr, nullptr, nullptr);
    auto wal = bytes_of(path + "-wal");
    REQUIRE(!wal.empty());
    auto why = refusal();
    CHECK(why.code == ec::damaged);
    CHECK(contains(why.text, "database of another program"));
    CHECK(bytes_of(path + "-wal") == wal);
    sqlite3_close(db);
  }

  TEST_CASE_FIXTURE(fixture, "checkpoints are no journal") {
    must(state_store::open(path));
    auto why = refusal();
    CHECK(why.code == ec::damaged);
    CHECK(contains(why.text, "another purpose"));
  }

  TEST_CASE_FIXTURE(fixture, "an empty file is refused") {
    put_bytes(path, "");
    auto why = refusal();
    CHECK(why.code == ec::damaged);
    CHECK(contains(why.text, "is empty"));
  }

  TEST_CASE_FIXTURE(fixture,
                    "a file that was cut anywhere never answers with a "
                    "wrong entry") {
    fill();
    auto pristine = bytes_of(path);
    auto refused = 0;
    for (auto size = size_t{1}; size < pristine.size(); size += 331) {
      put_bytes(path, pristine.substr(0, size));
      fs::remove(path + "-wal");
      auto store = journal::open(path, durability::power);
      refused += !store;
      if (store)
        CHECK(is_prefix(read_log(*store, 0).entries, log));
    }
    CHECK(refused > 10);
  }

  TEST_CASE_FIXTURE(fixture, "a WAL without its file is kept, and nothing is "
                             "made in its place") {
    auto copy = dir.file("copy.db");
    auto store = must(journal::open(path, durability::power));
    append_all(store, log);
    auto wal = bytes_of(path + "-wal");
    REQUIRE(!wal.empty());
    put_bytes(copy + "-wal", wal);
    auto opened = journal::open(copy, durability::power);
    CHECK(code_of(opened) == ec::damaged);
    CHECK(contains(text_of(opened), "is missing, but"));
    CHECK(bytes_of(copy + "-wal") == wal);
    CHECK(!fs::exists(copy));
    put_bytes(copy, "");
    CHECK(code_of(journal::open(copy, durability::power)) == ec::damaged);
    CHECK(bytes_of(copy + "-wal") == wal);
  }

  TEST_CASE_FIXTURE(fixture, "a file that a crash left in the making is made "
                             "anew") {
    put_bytes(path + ".new", std::string(5'000, 'x'));
    fill();
    CHECK(!fs::exists(path + ".new"));
    auto store = must(journal::open(path, durability::power));
    CHECK(same(read_log(store, 0).entries, log));
  }

  TEST_CASE_FIXTURE(fixture, "a file is open once") {
    auto store = must(journal::open(path, durability::power));
    auto again = journal::open(path, durability::power);
    CHECK(code_of(again) == ec::in_use);
    CHECK(contains(text_of(again), "stop that first"));
    append_all(store, log);
  }

  TEST_CASE_FIXTURE(fixture, "a damaged schema is damage") {
    fill();
    run_sql(path, "ALTER TABLE entry RENAME COLUMN crc TO crd");
    auto store = journal::open(path, durability::power);
    CHECK(code_of(store) == ec::damaged);
    CHECK(contains(text_of(store), "has no column named crc"));
  }

  TEST_CASE_FIXTURE(fixture, "a directory in the file's place is refused") {
    fs::create_directory(path);
    CHECK(code_of(journal::open(path, durability::power)) == ec::io_error);
    auto nowhere
      = journal::open(dir.file("no/such/journal.db"), durability::power);
    CHECK(code_of(nowhere) == ec::io_error);
    CHECK(contains(text_of(nowhere), "No such file or directory"));
  }

  TEST_CASE_FIXTURE(fixture, "a read-only file system is told with advice") {
    auto mount = dir.file("mount");
    auto disk = small_disk{mount, "3m"};
    if (!disk)
      return;
    auto existing = mount + "/journal.db";
    must(journal::open(existing, durability::power));
    disk.make_read_only();
    auto opened = journal::open(existing, durability::power);
    auto created = journal::open(mount + "/new.db", durability::power);
    CHECK(code_of(opened) == ec::io_error);
    CHECK(contains(text_of(opened), "check owner, mode and mount"));
    CHECK(code_of(created) == ec::io_error);
  }

  TEST_CASE_FIXTURE(fixture, "all three kinds of file are refused by the "
                             "others") {
    auto state = dir.file("state.db");
    auto coordinator = dir.file("coordinator.db");
    must(state_store::open(state));
    must(catalog::open(coordinator));
    fill();
    CHECK(code_of(state_store::open(coordinator)) == ec::damaged);
    CHECK(code_of(state_store::open(path)) == ec::damaged);
    CHECK(code_of(catalog::open(state)) == ec::damaged);
    CHECK(code_of(catalog::open(path)) == ec::damaged);
    CHECK(code_of(journal::open(coordinator, durability::power))
          == ec::damaged);
    CHECK(!must(state_store::open(state)).created());
    CHECK(!must(catalog::open(coordinator)).created());
  }

} // TEST_SUITE
