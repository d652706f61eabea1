#include "actors/journal_writer.hpp"
#include "test/actors/scripted.hpp"
#include "test/storage/faulty_disk.hpp"
#include "test/storage/support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// A journal on a real file, and one who sends it entries of shard 5.
struct fixture : actor_fixture {
  faulty_disk disk;
  temporary_directory dir;
  std::shared_ptr<journal> db = std::make_shared<journal>(
    must(journal::open(dir.file("journal.db"), durability::power)));
  std::vector<stored> done;
  std::vector<store_refused> refused;
  caf::actor shard = spawn([this] {
    return keep(done, refused);
  });
  journal_actor writer = spawn(journal_writer, db, on_disk_failure{});
  std::vector<log_entry> log = make_log(5, 20);

  ~fixture() {
    end();
    writer = nullptr;
  }

  /// Entries `first` to `last`, on the way together.
  void send(uint64_t first, uint64_t last) {
    for (auto i = first; i <= last; ++i)
      caf::send_as(shard, writer,
                   store_entry{std::make_shared<const log_entry>(log[i - 1])});
    run();
  }

  void on_disk(uint64_t n) {
    auto there = weir::test::read_log(*db, 5);
    must(there.end);
    CHECK(there.entries.size() == n);
    CHECK(is_prefix(there.entries, log));
  }
};

} // namespace

TEST_SUITE("actors/journal_writer") {
  TEST_CASE_FIXTURE(fixture, "what is queued together is one commit, and one "
                             "answer") {
    send(1, 1);
    disk.syncs = 0;
    send(2, 10);
    REQUIRE(done.size() == 2);
    CHECK(done[0].upto.index == 1);
    CHECK(done[1].upto.index == 10);
    CHECK(disk.syncs == 1);
    on_disk(10);
  }

  TEST_CASE_FIXTURE(fixture,
                    "after a full disk nothing gets in before what was "
                    "refused") {
    // Without any row the journal itself would take whatever comes first.
    disk.fail_write = SQLITE_FULL;
    send(1, 2);
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].entry->index == 1);
    CHECK(refused[0].why.code == ec::disk_full);
    disk.fail_write = SQLITE_OK;
    send(3, 4);
    REQUIRE(refused.size() == 3);
    CHECK(refused[1].entry->index == 3);
    CHECK(refused[2].why.code == ec::disk_full);
    CHECK(done.empty());
    on_disk(0);
    send(1, 4);
    REQUIRE(done.size() == 1);
    CHECK(done[0].upto.index == 4);
    on_disk(4);
  }

  TEST_CASE_FIXTURE(fixture, "what is there already need not come again after "
                             "a full disk") {
    send(1, 3);
    disk.fail_write = SQLITE_FULL;
    send(2, 4);
    REQUIRE(refused.size() == 1);
    disk.fail_write = SQLITE_OK;
    send(4, 5);
    REQUIRE(done.size() == 2);
    CHECK(done[1].upto.index == 5);
    on_disk(5);
  }

  TEST_CASE_FIXTURE(fixture, "one shard's refusal is not another's") {
    auto other = make_log(6, 3);
    disk.fail_write = SQLITE_FULL;
    send(1, 1);
    disk.fail_write = SQLITE_OK;
    for (auto& x : other)
      caf::send_as(shard, writer,
                   store_entry{std::make_shared<const log_entry>(x)});
    run();
    REQUIRE(done.size() == 1);
    CHECK(done[0].upto.index == 3);
  }

  TEST_CASE_FIXTURE(fixture, "an entry that does not follow is refused alone, "
                             "and what came before it is kept") {
    caf::send_as(shard, writer,
                 store_entry{std::make_shared<const log_entry>(log[0])});
    caf::send_as(shard, writer,
                 store_entry{std::make_shared<const log_entry>(log[2])});
    run();
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].entry->index == 3);
    CHECK(refused[0].why.code == ec::sequence_gap);
    REQUIRE(done.size() == 1);
    CHECK(done[0].upto.index == 1);
    send(2, 3);
    CHECK(done.back().upto.index == 3);
  }

  TEST_CASE_FIXTURE(fixture, "a failed sync is the end of the journal, and "
                             "every entry is told so") {
    send(1, 2);
    disk.fail_sync = SQLITE_IOERR_FSYNC;
    send(3, 4);
    disk.fail_sync = SQLITE_OK;
    REQUIRE(refused.size() == 1);
    CHECK(refused[0].entry->index == 3);
    CHECK(refused[0].why.code == ec::io_error);
    send(3, 4);
    CHECK(refused.size() == 3);
    CHECK(done.size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a log is read in parts, whatever is still on its "
                             "way included") {
    for (auto i = size_t{0}; i < 20; ++i)
      caf::send_as(shard, writer,
                   store_entry{std::make_shared<const log_entry>(log[i])});
    auto all = std::vector<log_entry>{};
    auto from = log_position{};
    for (auto more = true; more;) {
      auto part = must(
        ask<log_part>(writer, weir::read_log{5, from.index + 1, from.chain}));
      more = !part.entries.empty();
      for (auto& x : part.entries)
        all.push_back(*x);
      if (more)
        from = {all.back().index, all.back().epoch, all.back().chain};
    }
    CHECK(same(all, log));
    CHECK(done.size() == 1);
  }

  TEST_CASE_FIXTURE(fixture,
                    "truncation leaves what comes after, removal leaves "
                    "nothing") {
    send(1, 20);
    tell(writer, truncate_log{5, 19});
    auto part
      = must(ask<log_part>(writer, weir::read_log{5, 20, log[18].chain}));
    CHECK(part.entries.size() == 1);
    CHECK(code_of(ask<log_part>(writer, weir::read_log{5, 1, 0}))
          == ec::damaged);
    CHECK(must(ask<bool>(writer, remove_shard{5})));
    CHECK(must(ask<log_part>(writer, weir::read_log{5, 1, 0})).entries.empty());
    send(1, 1);
    CHECK(done.back().upto.index == 1);
    CHECK(must(ask<bool>(writer, set_durability{false})));
    send(2, 2);
    CHECK(done.back().upto.index == 2);
  }

  TEST_CASE_FIXTURE(fixture, "a log whose beginning is in a checkpoint is "
                             "whole") {
    CHECK(must(ask<log_checked>(writer, check_log{5})).entries == 0);
    send(1, 20);
    tell(writer, truncate_log{5, 12});
    auto found = must(ask<log_checked>(writer, check_log{5}));
    CHECK(found.from == 13);
    CHECK(found.entries == 8);
  }

  TEST_CASE_FIXTURE(fixture, "a part of a log that is gone is none, and no "
                             "damage") {
    send(1, 20);
    tell(writer, truncate_log{5, 12});
    auto part = [&](uint64_t from) {
      return must(ask<log_part>(writer,
                                weir::read_log{5, from, std::nullopt, 1 << 20}))
        .entries.size();
    };
    CHECK(part(5) == 0);
    CHECK(part(13) == 8);
    CHECK(part(20) == 1);
  }

} // TEST_SUITE
