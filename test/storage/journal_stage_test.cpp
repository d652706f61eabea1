#include "test/storage/golden.hpp"
#include "test/storage/journal_fixture.hpp"

using namespace weir;
using namespace weir::test;

namespace {

using fixture = journal_fixture;
using disk_fixture = faulty_journal_fixture;

/// A log of shard 4, of which all but the last ones are in a checkpoint that
/// took a while: a part of it ends at entry 6, another one at entry 9.
struct staged_fixture : fixture {
  std::vector<log_entry> xs = make_log(4, 20);
  log_position after = position_of(xs[5]);
  checkpoint_range range{6, position_of(xs[8])};

  void stage_all() {
    must(store->begin_stage(4, after, range));
    must(store->stage(4, shared(slice(xs, 6, 10))));
    must(store->stage(4, shared(slice(xs, 10, 12))));
    must(store->end_stage(4));
  }
};

} // namespace

TEST_SUITE("storage/journal stage") {
  TEST_CASE_FIXTURE(staged_fixture, "a staged log takes the shard's place when "
                                    "it is installed, and goes on from there") {
    auto old = make_log(4, 9, 77);
    append(old);
    append(make_log(6, 3));
    stage_all();
    CHECK(!store->dirty());
    CHECK(same(log(4), old));
    CHECK(must(store->tail(4)) == position_of(old.back()));
    must(store->install_staged(4));
    CHECK(must(store->tail(4)) == position_of(xs[11]));
    CHECK(code_of(store->append(xs[13])) == ec::sequence_gap);
    must(store->append(xs[12]));
    must(store->commit());
    reopen();
    CHECK(same(log(4, 7, after.chain), slice(xs, 6, 13)));
    CHECK(log(6).size() == 3);
    CHECK(!must(store->settle(4, range)));
    CHECK(same(log(4, 7, after.chain), slice(xs, 6, 13)));
  }

  TEST_CASE_FIXTURE(fixture, "a staged log without entries lets the next one "
                             "follow what it follows") {
    auto xs = make_log(4, 20);
    append(slice(xs, 0, 3));
    stage(4, position_of(xs[17]), {});
    auto settled = false;
    SUBCASE("installed at once") {
      must(store->install_staged(4));
    }
    SUBCASE("installed after a crash") {
      reopen();
      settled = must(store->settle(4, {18, position_of(xs[17])}));
      CHECK(settled);
    }
    CHECK(!must(store->tail(4)));
    CHECK(must(store->shards()).empty());
    CHECK(code_of(store->append(xs[17])) == ec::sequence_gap);
    CHECK(code_of(store->append(xs[19])) == ec::sequence_gap);
    auto stranger = make_log(4, 1, 5, 19, 1234);
    CHECK(code_of(store->append(stranger[0])) == ec::conflict);
    must(store->append(xs[18]));
    must(store->commit());
    CHECK(same(log(4, 19, xs[17].chain), slice(xs, 18, 19)));
  }

  TEST_CASE_FIXTURE(staged_fixture, "a log that can't be is refused, and the "
                                    "present one stays") {
    auto old = make_log(4, 5, 77);
    append(old);
    // Its beginning has to be one for the checkpoint.
    CHECK(code_of(store->begin_stage(4, position_of(xs[6]), range))
          == ec::conflict);
    CHECK(code_of(store->begin_stage(4, {9, 1, 1}, {9, range.end}))
          == ec::conflict);
    CHECK(code_of(store->begin_stage(4, after, {10, range.end}))
          == ec::conflict);
    must(store->begin_stage(4, after, range));
    auto flipped = copy_of(xs[6]);
    flipped.session ^= 1;
    auto diverged = make_log(4, 3, 5, 7, after.chain);
    CHECK(code_of(store->stage(4, shared(slice(xs, 7, 9))))
          == ec::sequence_gap);
    CHECK(code_of(store->stage(4, shared({xs[6], xs[8]}))) == ec::sequence_gap);
    CHECK(code_of(store->stage(4, shared(make_log(4, 1, 5, 7, 1234))))
          == ec::conflict);
    CHECK(code_of(store->stage(4, shared(diverged))) == ec::conflict);
    CHECK(code_of(store->stage(4, shared({flipped}))) == ec::damaged);
    must(store->stage(4, shared(slice(xs, 6, 8))));
    auto early = store->end_stage(4);
    CHECK(code_of(early) == ec::sequence_gap);
    CHECK(contains(text_of(early), "shard 4: the log of another node is "
                                   "refused: it ends at entry 8"));
    must(store->stage(4, shared(slice(xs, 8, 9))));
    must(store->end_stage(4));
    CHECK(same(log(4), old));
    must(store->append(make_log(4, 1, 5, 6, old[4].chain)[0]));
    must(store->install_staged(4));
    CHECK(same(log(4, 7, after.chain), slice(xs, 6, 9)));
  }

  TEST_CASE_FIXTURE(staged_fixture, "a log that is begun anew, given up, or of "
                                    "a removed shard leaves nothing") {
    append(make_log(4, 3));
    SUBCASE("given up") {
      stage_all();
      must(store->discard_staged(4));
    }
    SUBCASE("begun anew") {
      stage_all();
      must(store->begin_stage(4, after, range));
    }
    SUBCASE("removed") {
      stage_all();
      must(store->remove_shard(4));
    }
    SUBCASE("never completed") {
      must(store->begin_stage(4, after, range));
      must(store->stage(4, shared(slice(xs, 6, 12))));
      CHECK(must(store->shards()) == std::vector<uint32_t>{4});
      reopen();
      CHECK(!must(store->settle(4, range)));
    }
    store.reset();
    CHECK(!contains(dump(path), "INSERT INTO staged"));
  }

  TEST_CASE_FIXTURE(staged_fixture,
                    "a staged log of a shard without entries is "
                    "in the list of shards") {
    append(make_log(6, 1));
    must(store->begin_stage(2, {}, {}));
    must(store->end_stage(2));
    stage_all();
    CHECK(must(store->shards()) == std::vector<uint32_t>{2, 4, 6});
  }

  TEST_CASE_FIXTURE(staged_fixture, "after a crash, the checkpoint tells which "
                                    "log is the shard's") {
    auto old = slice(make_log(4, 9, 77), 0, 9);
    append(old);
    stage_all();
    reopen();
    SUBCASE("the new one, with the checkpoint that it was staged for") {
      CHECK(must(store->settle(4, range)));
      CHECK(same(log(4, 7, after.chain), slice(xs, 6, 12)));
    }
    SUBCASE("the old one, with its own") {
      CHECK(!must(store->settle(4, {2, position_of(old[4])})));
      CHECK(same(log(4), old));
    }
    SUBCASE("the old one, without any") {
      CHECK(!must(store->settle(4, {})));
      CHECK(same(log(4), old));
    }
    SUBCASE("the old one, with one that the new one could be for as well") {
      CHECK(!must(store->settle(4, {7, range.end})));
      CHECK(same(log(4), old));
    }
    CHECK(!must(store->settle(4, range)));
  }

  TEST_CASE_FIXTURE(staged_fixture, "the present log stays if it is one for "
                                    "the checkpoint, all of it") {
    auto settles = [&](size_t from, size_t to) {
      must(store->remove_shard(4));
      append(slice(xs, from, to));
      must(store->commit());
      stage_all();
      reopen();
      return must(store->settle(4, range));
    };
    CHECK(!settles(0, 20));
    CHECK(!settles(6, 9));
    CHECK(settles(7, 9));
    CHECK(settles(6, 8));
    CHECK(settles(0, 0));
    must(store->remove_shard(4));
    append(slice(xs, 0, 7));
    append(make_log(4, 9, 77, 8, xs[6].chain));
    stage_all();
    CHECK(must(store->settle(4, range)));
    // One without any replay may begin right after it.
    range.from_index = 9;
    CHECK(!settles(9, 12));
    CHECK(!settles(8, 12));
    CHECK(settles(10, 12));
    must(store->remove_shard(4));
    append(make_log(4, 3, 5, 10, 1234));
    stage_all();
    CHECK(must(store->settle(4, range)));
  }

  TEST_CASE_FIXTURE(staged_fixture, "a damaged log gives way to a staged one") {
    append(xs);
    stage_all();
    store.reset();
    run_sql(path, "UPDATE entry SET session = 0 WHERE idx = 8");
    store.emplace(must(journal::open(path, durability::power)));
    CHECK(must(store->settle(4, range)));
    CHECK(same(log(4, 7, after.chain), slice(xs, 6, 12)));
  }

  TEST_CASE_FIXTURE(staged_fixture, "a changed mark of a staged log is damage "
                                    "of that shard") {
    append(make_log(6, 1));
    stage_all();
    store.reset();
    auto pristine = bytes_of(path);
    for (std::string column : {"after_idx", "after_epoch", "after_chain",
                               "from_index", "idx", "epoch", "chain", "crc"}) {
      CAPTURE(column);
      put_bytes(path, pristine);
      run_sql(path,
              "UPDATE staged_log SET " + column + " = " + column + " + 1");
      store.emplace(must(journal::open(path, durability::power)));
      auto got = store->settle(4, range);
      CHECK(code_of(got) == ec::damaged);
      CHECK(contains(text_of(got), "shard 4: the mark of a copy"));
      CHECK(!must(store->settle(6, {})));
      store.reset();
    }
  }

  TEST_CASE_FIXTURE(disk_fixture, "a full disk undoes one step of staging, "
                                  "which may be tried again") {
    auto old = make_log(4, 500, 77);
    append(old);
    must(store->commit());
    auto xs = make_log(4, 500);
    must(store->begin_stage(4, {}, {}));
    auto first = shared(slice(xs, 0, 400));
    auto rest = shared(slice(xs, 400, 500));
    auto twice = [&](auto step) {
      disk.fail_write = SQLITE_FULL;
      CHECK(code_of(step()) == ec::disk_full);
      disk.fail_write = SQLITE_OK;
      CHECK(store->failed() == nullptr);
      CHECK(same(log(4), old));
      disk.syncs = 0;
      must(step());
      CHECK(disk.syncs > 0);
    };
    twice([&] {
      return store->stage(4, first);
    });
    twice([&] {
      return store->stage(4, rest);
    });
    twice([&] {
      return store->end_stage(4);
    });
    twice([&] {
      return store->install_staged(4);
    });
    CHECK(same(log(4), xs));
    must(store->begin_stage(4, {}, {}));
    disk.fail_write = SQLITE_IOERR_WRITE;
    CHECK(code_of(store->stage(4, first)) == ec::io_error);
    disk.fail_write = SQLITE_OK;
    reopen();
    CHECK(same(log(4), xs));
  }

} // TEST_SUITE
