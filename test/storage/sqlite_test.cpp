#include "storage/sqlite.hpp"

#include "test/storage/faulty_disk.hpp"
#include "test/storage/support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto format = file_format{
  0x74657374, 1, "CREATE TABLE t (k INTEGER PRIMARY KEY, v BLOB NOT NULL);"};

struct fixture {
  temporary_directory dir;
  connection db
    = must(connection::open(format, dir.file("t.db"), sync_mode::full));
  statement put;
  statement get;

  fixture() {
    must(db.prepare({{put, "INSERT INTO t VALUES (?1, ?2)", "put"},
                     {get, "SELECT k, v FROM t ORDER BY k", "get"}}));
  }

  std::vector<int> keys() {
    auto res = std::vector<int>{};
    must(get.each([&](const row& x) -> result<bool> {
      res.push_back(x.integer<int>(0));
      return true;
    }));
    return res;
  }

  result<void> add(int key) {
    return put.run(key, blob{"value"});
  }
};

} // namespace

TEST_SUITE("storage/sqlite") {
  TEST_CASE_FIXTURE(fixture, "a body that fails leaves nothing of its "
                             "transaction") {
    must(db.transact([&] {
      return add(1);
    }));
    auto done = db.transact([&]() -> result<void> {
      must(add(2));
      return fail(ec::busy, "changed its mind");
    });
    CHECK(code_of(done) == ec::busy);
    CHECK(!db.in_transaction());
    CHECK(keys() == std::vector<int>{1});
    must(db.transact([&] {
      return add(3);
    }));
    CHECK(keys() == std::vector<int>{1, 3});
  }

  TEST_CASE_FIXTURE(fixture, "a conflict is no reason to stop") {
    must(db.transact([&] {
      return add(1);
    }));
    auto done = db.transact([&] {
      return add(1);
    });
    CHECK(code_of(done) == ec::conflict);
    CHECK(contains(text_of(done), db.path() + ": cannot put: UNIQUE"));
    CHECK(db.failed() == nullptr);
    must(db.transact([&] {
      return add(2);
    }));
  }

  TEST_CASE_FIXTURE(fixture,
                    "a value that SQLite cannot take is refused before "
                    "it is touched") {
    // Reserved, but never written, so it costs no memory.
    auto size = size_t{1} << 30;
    auto memory = std::unique_ptr<char[]>{new char[size]};
    auto large = blob{{memory.get(), size}};
    auto done = db.transact([&] {
      return put.run(1, large);
    });
    CHECK(code_of(done) == ec::limit_reached);
    CHECK(db.failed() == nullptr);
    must(db.transact([&] {
      return add(1);
    }));
  }

  TEST_CASE("after a failed write every write says the same") {
    auto dir = temporary_directory{};
    auto disk = faulty_disk{};
    auto db = must(connection::open(format, dir.file("t.db"), sync_mode::full));
    auto put = statement{};
    auto get = statement{};
    must(db.prepare({{put, "INSERT INTO t VALUES (?1, x'')", "put"},
                     {get, "SELECT count(*) FROM t", "count"}}));
    must(db.transact([&] {
      return put.run(1);
    }));
    must(db.begin());
    disk.fail_write = SQLITE_IOERR_WRITE;
    auto done = put.run(2).and_then([&] {
      return db.commit();
    });
    CHECK(code_of(done) == ec::io_error);
    disk.fail_write = SQLITE_OK;
    CHECK(text_of(put.run(3)) == text_of(done));
    CHECK(text_of(db.begin()) == text_of(done));
    CHECK(text_of(db.commit()) == text_of(done));
    CHECK(text_of(db.checkpoint()) == text_of(done));
    must(get.run());
  }

} // TEST_SUITE
