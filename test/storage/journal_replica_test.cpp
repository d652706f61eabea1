#include "test/storage/journal_fixture.hpp"

using namespace weir;
using namespace weir::test;

namespace {

using fixture = journal_fixture;
using disk_fixture = faulty_journal_fixture;

replica_record record_of(uint32_t shard, uint64_t epoch) {
  return {epoch + 1,
          {shard,
           epoch,
           "n1",
           {{"n1", "d1", 2}, {"n2", "d2", 300}},
           {{"n3", "d3"}, {"n4", "d4"}},
           2}};
}

using records = std::vector<replica_record>;

} // namespace

TEST_SUITE("storage/journal replica") {
  TEST_CASE_FIXTURE(fixture, "what was known to be committed is read back with "
                             "each entry") {
    auto xs = make_log(3, 4);
    auto known = std::vector<uint64_t>{0, 1, UINT64_MAX, 2};
    for (auto i = 0u; i < 4; ++i)
      must(store->append(xs[i], known[i]));
    CHECK(read_log(*store, 3).committed == known);
    must(store->commit());
    reopen();
    CHECK(read_log(*store, 3).committed == known);
  }

  TEST_CASE_FIXTURE(fixture, "a changed mark of what is committed is damage") {
    auto xs = make_log(3, 3);
    must(store->append(xs[0], 0));
    must(store->append(xs[1], 1));
    must(store->append(xs[2], 1));
    must(store->commit());
    store.reset();
    auto pristine = bytes_of(path);
    for (std::string change :
         {"committed = 2 WHERE idx = 2", "committed = 0 WHERE idx = 2",
          "committed_crc = 0 WHERE idx = 2", "committed = 1 WHERE idx = 1",
          "committed_crc = 1 WHERE idx = 1",
          "committed_crc = (SELECT committed_crc FROM entry WHERE idx = 3)"
          " WHERE idx = 2"}) {
      CAPTURE(change);
      put_bytes(path, pristine);
      run_sql(path, "UPDATE entry SET " + change);
      store.emplace(must(journal::open(path, durability::power)));
      auto got = read_log(*store, 3);
      CHECK(code_of(got.end) == ec::damaged);
      CHECK(contains(text_of(got.end), "shard 3: entry "));
      store.reset();
    }
  }

  TEST_CASE_FIXTURE(fixture,
                    "an entry that comes again is no error, and counts "
                    "once") {
    auto xs = make_log(1, 6);
    append(slice(xs, 0, 3));
    must(store->append(xs[1], 1)); // Still in the open transaction.
    CHECK(store->pending_entries() == 3);
    must(store->commit());
    must(store->append(xs[0]));
    must(store->append(xs[2]));
    CHECK(!store->dirty());
    reopen();
    must(store->append(xs[2]));
    append(slice(xs, 2, 6));
    must(store->commit());
    CHECK(same(log(1), xs));
    CHECK(read_log(*store, 1).committed == std::vector<uint64_t>(6));
  }

  TEST_CASE_FIXTURE(fixture, "what differs from an entry in any way does not "
                             "count as that one") {
    auto xs = make_log(1, 6);
    append(xs);
    must(store->commit());
    auto other_chain = xs[3];
    other_chain.chain ^= 1;
    auto other_epoch = xs[3];
    ++other_epoch.epoch;
    seal(other_epoch, 1, 4, xs[2].chain);
    auto other_bytes = xs[3];
    other_bytes.envelope += "!";
    seal(other_bytes, 1, 4, xs[2].chain);
    auto only_chain = other_bytes;
    only_chain.chain = xs[3].chain;
    for (auto& x : {other_chain, other_epoch, other_bytes, only_chain}) {
      CHECK(code_of(store->append(x)) == ec::sequence_gap);
      CHECK(!store->dirty());
    }
    auto unsealed = xs[3];
    unsealed.envelope += "!";
    CHECK(code_of(store->append(unsealed)) == ec::damaged);
  }

  TEST_CASE_FIXTURE(fixture, "an entry that was truncated since is no error, "
                             "and changes nothing") {
    auto xs = make_log(1, 8);
    append(slice(xs, 0, 6));
    must(store->commit());
    must(store->truncate(1, 4, 10));
    for (auto i : {0u, 3u})
      must(store->append(xs[i]));
    CHECK(!store->dirty());
    CHECK(same(log(1, 5, xs[3].chain), slice(xs, 4, 6)));
    // It has to be an entry all the same.
    auto flipped = copy_of(xs[3]);
    flipped.session ^= 1;
    CHECK(code_of(store->append(flipped)) == ec::damaged);
    // One that is missing in between was lost, not truncated.
    append(slice(xs, 6, 8));
    must(store->commit());
    store.reset();
    run_sql(path, "DELETE FROM entry WHERE idx = 6");
    store.emplace(must(journal::open(path, durability::power)));
    CHECK(code_of(store->append(xs[5])) == ec::sequence_gap);
    must(store->append(xs[3]));
    must(store->truncate(1, 8, 10));
    CHECK(code_of(store->append(xs[3])) == ec::sequence_gap);
    must(store->append(make_log(1, 1, 5, 9, xs[7].chain)[0]));
  }

  TEST_CASE_FIXTURE(fixture, "an entry that comes again does not stand for a "
                             "damaged one") {
    auto xs = make_log(1, 6);
    append(xs);
    must(store->commit());
    store.reset();
    run_sql(path, "UPDATE entry SET session = session + 1 WHERE idx = 4");
    store.emplace(must(journal::open(path, durability::power)));
    auto done = store->append(xs[3]);
    CHECK(code_of(done) == ec::damaged);
    CHECK(contains(text_of(done), "shard 1: entry 4 is not what was written"));
    must(store->append(xs[4]));
  }

  TEST_CASE_FIXTURE(fixture, "a cut keeps its place among the appends, and is "
                             "committed with them") {
    auto ours = make_log(4, 6);
    auto theirs = make_log(4, 4, 77, 3, ours[1].chain);
    append(ours);
    must(store->commit());
    must(store->cut(4, 2));
    append(slice(theirs, 0, 3));
    must(store->cut(4, 4));
    must(store->append(theirs[2]));
    CHECK(store->dirty());
    auto expected = slice(ours, 0, 2);
    for (auto i = 0u; i < 3; ++i)
      expected.push_back(theirs[i]);
    CHECK(same(log(4), expected));
    SUBCASE("without a commit none of it has happened") {
      reopen();
      CHECK(same(log(4), ours));
      CHECK(code_of(store->append(theirs[0])) == ec::sequence_gap);
    }
    SUBCASE("with a commit all of it has") {
      must(store->commit());
      reopen();
      CHECK(same(log(4), expected));
      must(store->append(theirs[3]));
    }
  }

  TEST_CASE_FIXTURE(fixture, "a cut of one shard, or of nothing, leaves the "
                             "rest alone") {
    auto ours = make_log(4, 6);
    auto other = make_log(5, 6);
    append(ours);
    append(other);
    must(store->commit());
    must(store->cut(4, 6));
    must(store->cut(4, entry_index_max));
    must(store->cut(9, 0));
    CHECK(!store->dirty());
    must(store->cut(4, 0));
    CHECK(log(4).empty());
    CHECK(same(log(5), other));
    must(store->commit());
    CHECK(must(store->shards()) == std::vector<uint32_t>{5});
  }

  TEST_CASE_FIXTURE(fixture, "a cut gets over a damaged end") {
    auto xs = make_log(4, 6);
    append(xs);
    must(store->commit());
    store.reset();
    run_sql(path, "UPDATE entry SET epoch = 99 WHERE idx = 6");
    store.emplace(must(journal::open(path, durability::power)));
    must(store->cut(4, 5));
    append(slice(xs, 5, 6));
    must(store->commit());
    CHECK(same(log(4), xs));
  }

  TEST_CASE_FIXTURE(fixture, "a record is the newest one, when it was "
                             "committed") {
    CHECK(must(store->records()).empty());
    auto promise = replica_record{};
    promise.promised = UINT64_MAX;
    promise.config.shard = UINT32_MAX;
    must(store->put_record(record_of(7, 1)));
    must(store->put_record(promise));
    must(store->put_record(record_of(2, 5)));
    CHECK(store->dirty());
    auto expected = records{record_of(2, 5), record_of(7, 1), promise};
    CHECK(must(store->records()) == expected);
    CHECK(must(store->record(7)) == record_of(7, 1));
    CHECK(!must(store->record(8)));
    must(store->commit());
    must(store->put_record(record_of(7, 3)));
    reopen();
    CHECK(must(store->records()) == expected);
    must(store->put_record(record_of(7, 3)));
    must(store->commit());
    reopen();
    CHECK(must(store->records())
          == records{record_of(2, 5), record_of(7, 3), promise});
  }

  TEST_CASE_FIXTURE(fixture, "a record outlives the shard") {
    append(make_log(7, 3));
    must(store->put_record(record_of(7, 3)));
    must(store->commit());
    must(store->remove_shard(7));
    stage(7, {}, {});
    must(store->install_staged(7));
    must(store->cut(7, 0));
    must(store->commit());
    reopen();
    CHECK(must(store->shards()).empty());
    CHECK(must(store->records()) == records{record_of(7, 3)});
  }

  TEST_CASE_FIXTURE(fixture, "every change of a record is found, with its "
                             "shard") {
    must(store->put_record(record_of(2, 5)));
    must(store->put_record(record_of(7, 3)));
    must(store->commit());
    store.reset();
    auto pristine = bytes_of(path);
    for (std::string change :
         {"epoch = 4", "primary_node = 'n2'", "primary_node = ''",
          "members = x''", "members = substr(members, 2)",
          "members = members || x'00'", "eligible = x''",
          "eligible = eligible || eligible", "eligible = substr(eligible, 3)",
          "min_copies = 1", "promised = promised - 1", "crc = 0",
          "shard = 8"}) {
      CAPTURE(change);
      put_bytes(path, pristine);
      run_sql(path, "UPDATE replica SET " + change + " WHERE shard = 7");
      auto changed = must(journal::open(path, durability::power));
      auto got = changed.records();
      CHECK(code_of(got) == ec::damaged);
      auto shard = contains(change, "shard") ? 8u : 7u;
      auto named = "shard " + std::to_string(shard) + ": its ";
      CHECK(contains(text_of(got), named));
      // Who asks for one of them is not told of another's.
      CHECK(contains(text_of(changed.record(shard)), named));
      CHECK(must(changed.record(2)) == record_of(2, 5));
    }
  }

  TEST_CASE_FIXTURE(disk_fixture,
                    "a full disk undoes cuts and records with the "
                    "entries around them") {
    auto all = make_log(4, 7);
    auto ours = slice(all, 0, 6);
    auto theirs = make_log(4, 4, 77, 3, ours[1].chain);
    append(ours);
    must(store->put_record(record_of(4, 1)));
    must(store->commit());
    must(store->cut(4, 2));
    append(theirs);
    must(store->put_record(record_of(4, 2)));
    disk.fail_write = SQLITE_FULL;
    CHECK(code_of(store->commit()) == ec::disk_full);
    disk.fail_write = SQLITE_OK;
    CHECK(store->failed() == nullptr);
    CHECK(!store->dirty());
    CHECK(same(log(4), ours));
    CHECK(must(store->records()) == records{record_of(4, 1)});
    CHECK(code_of(store->append(theirs[0])) == ec::sequence_gap);
    must(store->append(all[6]));
    must(store->cut(4, 2));
    append(theirs);
    must(store->commit());
    CHECK(same(slice(log(4), 2, 6), theirs));
  }

  TEST_CASE_FIXTURE(disk_fixture, "cuts and records are synced by the commit") {
    append(make_log(4, 6));
    must(store->commit());
    disk.syncs = 0;
    must(store->cut(4, 2));
    CHECK(disk.syncs == 0);
    must(store->commit());
    CHECK(disk.syncs == 1);
    must(store->put_record(record_of(4, 2)));
    must(store->commit());
    CHECK(disk.syncs == 2);
    disk.fail_sync = SQLITE_IOERR_FSYNC;
    must(store->put_record(record_of(4, 3)));
    auto why = text_of(store->commit());
    CHECK(contains(why, "cannot commit"));
    CHECK(text_of(store->put_record(record_of(4, 3))) == why);
    CHECK(text_of(store->cut(4, 9)) == why);
    CHECK(text_of(store->begin_stage(4, {}, {})) == why);
  }

} // TEST_SUITE
