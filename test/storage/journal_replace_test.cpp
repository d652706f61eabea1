#include "test/storage/journal_fixture.hpp"

using namespace weir;
using namespace weir::test;

namespace {

using fixture = journal_fixture;
using disk_fixture = faulty_journal_fixture;

std::vector<entry_ptr> shared(const std::vector<log_entry>& xs) {
  auto res = std::vector<entry_ptr>{};
  for (auto& x : xs)
    res.push_back(std::make_shared<const log_entry>(x));
  return res;
}

} // namespace

TEST_SUITE("storage/journal replace") {
  TEST_CASE_FIXTURE(fixture, "a replaced log begins and goes on where it is "
                             "told to") {
    auto xs = make_log(4, 20);
    append(slice(make_log(4, 20, 77), 0, 9));
    must(store->commit());
    append(make_log(6, 3));
    must(store->replace(4, position_of(xs[11]), shared(slice(xs, 12, 15))));
    CHECK(!store->dirty());
    CHECK(must(store->tail(4)) == position_of(xs[14]));
    CHECK(code_of(store->append(xs[16])) == ec::sequence_gap);
    must(store->append(xs[15]));
    must(store->commit());
    reopen();
    CHECK(same(log(4, 13, xs[11].chain), slice(xs, 12, 16)));
    CHECK(log(6).size() == 3);
    // Without entries, the next one tells.
    must(store->replace(4, position_of(xs[17]), {}));
    CHECK(!must(store->tail(4)));
    CHECK(must(store->shards()) == std::vector<uint32_t>{6});
    CHECK(code_of(store->append(xs[17])) == ec::sequence_gap);
    CHECK(code_of(store->append(xs[19])) == ec::sequence_gap);
    auto stranger = make_log(4, 1, 5, 19, 1234);
    CHECK(code_of(store->append(stranger[0])) == ec::conflict);
    must(store->append(xs[18]));
    must(store->commit());
    CHECK(same(log(4, 19, xs[17].chain), slice(xs, 18, 19)));
  }

  TEST_CASE_FIXTURE(fixture, "a log that can't be is refused, and the old one "
                             "stays") {
    auto old = make_log(4, 5, 77);
    append(old);
    auto xs = make_log(4, 20);
    auto after = position_of(xs[11]);
    auto flipped = copy_of(xs[12]);
    flipped.session ^= 1;
    CHECK(code_of(store->replace(4, after, shared(slice(xs, 13, 15))))
          == ec::sequence_gap);
    CHECK(code_of(store->replace(4, after, shared({xs[12], xs[14]})))
          == ec::sequence_gap);
    CHECK(code_of(store->replace(4, {12, 2, 3}, shared({xs[12]})))
          == ec::conflict);
    CHECK(code_of(store->replace(4, after, shared({flipped}))) == ec::damaged);
    CHECK(same(log(4), old));
    must(store->append(make_log(4, 1, 5, 6, old[4].chain)[0]));
    // What was open is committed all the same.
    reopen();
    CHECK(same(log(4), old));
  }

  TEST_CASE_FIXTURE(disk_fixture,
                    "a log is replaced whole or not at all, and is "
                    "synced") {
    auto old = make_log(4, 500, 77);
    append(old);
    must(store->commit());
    auto xs = make_log(4, 500);
    disk.fail_write = SQLITE_FULL;
    CHECK(code_of(store->replace(4, {}, shared(xs))) == ec::disk_full);
    disk.fail_write = SQLITE_OK;
    CHECK(same(log(4), old));
    disk.syncs = 0;
    must(store->replace(4, {}, shared(slice(xs, 0, 50))));
    CHECK(disk.syncs == 1);
    CHECK(same(log(4), slice(xs, 0, 50)));
    disk.fail_write = SQLITE_IOERR_WRITE;
    CHECK(code_of(store->replace(4, {}, shared(xs))) == ec::io_error);
    disk.fail_write = SQLITE_OK;
    reopen();
    CHECK(same(log(4), slice(xs, 0, 50)));
  }

  TEST_CASE_FIXTURE(fixture, "a log follows a checkpoint that ends in it, or "
                             "right before it") {
    auto xs = make_log(4, 20);
    auto diverged = make_log(4, 20, 77, 6, xs[4].chain);
    must(store->replace(4, position_of(xs[3]), shared(slice(xs, 4, 10))));
    for (auto i = 0u; i < 20; ++i) {
      CAPTURE(i);
      CHECK(follows(4, position_of(xs[i])) == (i >= 3 && i < 10));
      CHECK(!follows(4, position_of(diverged[i])));
    }
    auto other_epoch = position_of(xs[6]);
    ++other_epoch.epoch;
    CHECK(!follows(4, other_epoch));
    auto before_first = position_of(xs[3]);
    ++before_first.chain;
    CHECK(!follows(4, before_first));
    CHECK(!follows(4, {}));
    // One without entries contradicts nothing; one from the first on follows
    // no checkpoint at all.
    CHECK(follows(5, position_of(xs[3])));
    CHECK(follows(5, {}));
    must(store->replace(4, {}, shared(xs)));
    CHECK(follows(4, {}));
    store.reset();
    run_sql(path, "UPDATE entry SET epoch = 99 WHERE idx = 7 OR idx = 20");
    store.emplace(must(journal::open(path, durability::power)));
    CHECK(follows(4, position_of(xs[5])));
    CHECK(code_of(store->follows(4, position_of(xs[6]))) == ec::damaged);
    CHECK(code_of(store->follows(4, {21, 9, 9})) == ec::damaged);
  }

} // TEST_SUITE
