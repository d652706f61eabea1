#include "storage/state_store.hpp"
#include "test/storage/journal_fixture.hpp"

using namespace weir;
using namespace weir::test;

TEST_SUITE("storage/maintenance") {
  TEST_CASE_FIXTURE(journal_fixture, "a commit into a deleted file is none") {
    append(make_log(1, 10));
    must(store->commit());
    SUBCASE("the database") {
      fs::remove(path);
    }
    SUBCASE("its WAL") {
      fs::remove(path + "-wal");
    }
    SUBCASE("another file has its name") {
      fs::rename(path, path + ".old");
      put_bytes(path, bytes_of(path + ".old"));
    }
    append(make_log(2, 10));
    auto done = store->commit();
    CHECK(code_of(done) == ec::io_error);
    CHECK(contains(text_of(done), "while it was in use"));
    REQUIRE(store->failed() != nullptr);
    CHECK(!store->append(make_log(3, 1)[0]));
  }

  TEST_CASE_FIXTURE(journal_fixture, "a deleted file is noticed without a "
                                     "commit, too") {
    append(make_log(1, 10));
    must(store->commit());
    must(store->check_place());
    fs::remove(path);
    CHECK(code_of(store->check_place()) == ec::io_error);
    CHECK(store->failed() != nullptr);
  }

  TEST_CASE_FIXTURE(journal_fixture, "what is put aside is all there was of a "
                                     "shard, but for its record") {
    auto record = replica_record{};
    record.config.shard = 1;
    record.promised = 7;
    must(store->put_record(record));
    auto first = make_log(1, 30);
    append(first);
    append(make_log(2, 10));
    must(store->commit());
    stage(1, position_of(first.back()),
          make_log(1, 5, 1, 31, first.back().chain));
    auto into = dir.file("it's aside.db");
    must(store->put_aside(1, into));
    CHECK(must(store->shards()) == std::vector<uint32_t>{2});
    CHECK(log(2).size() == 10);
    CHECK(must(store->record(1))->promised == 7);
    // Another log may begin.
    append(make_log(1, 3));
    must(store->commit());
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(into.c_str(), &db) == SQLITE_OK);
    auto counts = std::string{};
    auto keep = [](void* out, int, char** values, char**) {
      *static_cast<std::string*>(out) += values[0] + std::string{" "};
      return 0;
    };
    for (auto sql :
         {"SELECT count(*) FROM entry WHERE shard = 1",
          "SELECT count(*) FROM staged", "SELECT count(*) FROM replica"})
      REQUIRE(sqlite3_exec(db, sql, keep, &counts, nullptr) == SQLITE_OK);
    sqlite3_close(db);
    CHECK(counts == "30 5 1 ");
  }

  TEST_CASE_FIXTURE(journal_fixture, "what can't be kept is not deleted") {
    append(make_log(1, 30));
    must(store->commit());
    CHECK(!store->put_aside(1, dir.file("nowhere/aside.db")));
    CHECK(store->failed() == nullptr);
    CHECK(log(1).size() == 30);
    append(make_log(2, 1));
    must(store->commit());
  }

  TEST_CASE("of a corrupt file nothing is put aside, and nothing is written "
            "into it") {
    auto dir = temporary_directory{};
    auto path = dir.file("journal.db");
    {
      auto store = must(journal::open(path, durability::power));
      append_all(store, make_log(1, 60));
    }
    auto bytes = bytes_of(path);
    for (auto page = size_t{1}; page * 4096 < bytes.size(); ++page)
      if (bytes[page * 4096] == 0x0a)
        bytes[page * 4096 + 3] = 0x7f;
    put_bytes(path, bytes);
    auto store = must(journal::open(path, durability::power));
    CHECK(code_of(store.put_aside(1, dir.file("aside.db"))) == ec::damaged);
    CHECK(store.failed() != nullptr);
    CHECK(!fs::exists(dir.file("aside.db")));
  }

  TEST_CASE("a checkpoint is put aside with its chunks") {
    auto dir = temporary_directory{};
    auto store = must(state_store::open(dir.file("state.db")));
    for (auto shard : {1U, 2U}) {
      must(store.begin(shard, true));
      must(store.add_chunk(shard, 5, "chunk"));
      must(store.finish(shard, {3, 5, 1, 77, "meta"}));
    }
    must(store.put_aside(1, dir.file("aside.db")));
    CHECK(must(store.shards()) == std::vector<uint32_t>{2});
    CHECK(fs::file_size(dir.file("aside.db")) > 0);
    must(store.begin(1, true));
    must(store.add_chunk(1, 6, "chunk"));
    must(store.finish(1, {3, 6, 1, 78, "meta"}));
  }
}
