#include "test/storage/faulty_disk.hpp"
#include "test/storage/support.hpp"

#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

using namespace weir;
using namespace weir::test;

namespace {

using log_set = std::vector<std::vector<log_entry>>;

/// Logs of shards 0 to 3.
log_set make_logs() {
  auto res = log_set{};
  for (auto shard = 0u; shard < 4; ++shard)
    res.push_back(make_log(shard, 2'000));
  return res;
}

/// Appends `logs` in groups of `group` entries, and writes every committed
/// entry's (shard, index) to `out`, until it is killed.
[[noreturn]] void append_until_killed(const log_set& logs,
                                      const std::string& path, durability level,
                                      size_t group, int out) {
  auto store = journal::open(path, level);
  if (!store)
    ::_exit(1);
  auto committed = std::vector<std::pair<uint64_t, uint64_t>>{};
  for (auto i = 0u; i < logs[0].size(); ++i)
    for (auto& log : logs) {
      if (!store->append(log[i]))
        ::_exit(2);
      committed.emplace_back(log[i].shard, log[i].index);
      if (committed.size() < group)
        continue;
      if (!store->commit())
        ::_exit(3);
      // Less than a pipe takes at once, so it is there whole or not at all.
      auto bytes = committed.size() * sizeof(committed[0]);
      if (::write(out, committed.data(), bytes) < 0)
        ::_exit(4);
      committed.clear();
    }
  ::_exit(0);
}

} // namespace

TEST_SUITE("storage/journal disk") {
  TEST_CASE("a killed process loses nothing that it committed, and leaves "
            "nothing half") {
    auto random = std::mt19937_64{std::random_device{}()};
    auto logs = make_logs();
    auto most = uint64_t{0};
    for (auto round = 0; round < 16; ++round) {
      auto dir = temporary_directory{};
      auto path = dir.file("journal.db");
      auto level = round % 2 ? durability::process : durability::power;
      auto group = size_t{1} + random() % 30;
      int ends[2];
      REQUIRE(::pipe(ends) == 0);
      auto child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0)
        append_until_killed(logs, path, level, group, ends[1]);
      ::close(ends[1]);
      // Killed in the middle of its work, after some number of reports.
      auto reports = random() % 1'500;
      auto last = std::vector<uint64_t>(4);
      std::pair<uint64_t, uint64_t> x;
      auto seen = uint64_t{0};
      while (::read(ends[0], &x, sizeof(x)) == sizeof(x)) {
        last[x.first] = x.second;
        if (++seen == reports + 1)
          ::kill(child, SIGKILL);
      }
      ::close(ends[0]);
      auto status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      REQUIRE((WIFSIGNALED(status) || WEXITSTATUS(status) == 0));
      auto reported = last[0] + last[1] + last[2] + last[3];
      auto store = must(journal::open(path, level));
      auto found = uint64_t{0};
      for (auto shard = 0u; shard < 4; ++shard) {
        auto got = read_log(store, shard);
        must(got.end);
        CHECK(got.entries.size() >= last[shard]);
        CHECK(is_prefix(got.entries, logs[shard]));
        found += got.entries.size();
      }
      // The group in the making is there whole, or not at all.
      CHECK((found == reported || found == reported + group));
      most = std::max(most, reported);
    }
    CHECK(most > 100);
  }

  TEST_CASE("a full disk refuses the open transaction, keeps the rest, and is "
            "got over") {
    auto dir = temporary_directory{};
    auto disk = small_disk{dir.file("disk"), "12m"};
    if (!disk)
      return;
    auto path = dir.file("disk/journal.db");
    auto ballast = dir.file("disk/ballast");
    put_bytes(ballast, std::string(5 << 20, 'b'));
    auto store = std::optional{must(journal::open(path, durability::power))};
    auto log = make_log(6, 4'000, 1, 1, 0, 8'000);
    auto committed = size_t{0};
    auto refusal = failure{};
    for (auto i = 0u; refusal.code == ec::none && i < log.size(); ++i) {
      auto done = store->append(log[i]);
      if (done && i % 5 == 4) {
        done = store->commit();
        if (done)
          committed = i + 1;
      }
      if (!done)
        refusal = done.error();
    }
    CHECK(refusal.code == ec::disk_full);
    CHECK(contains(refusal.text, "free some space"));
    CHECK(committed > 500);
    CHECK(store->failed() == nullptr);
    CHECK(!store->dirty());
    CHECK(must(store->tail(6))->index == committed);
    // Still full: refused again, with nothing changed.
    for (auto round = 0; round < 3; ++round) {
      auto done = result<void>{};
      for (auto i = committed; done && i < committed + 200; ++i)
        done = store->append(log[i]);
      if (done)
        done = store->commit();
      CHECK(code_of(done) == ec::disk_full);
    }
    auto check_what_is_there = [&] {
      auto got = read_log(*store, 6);
      must(got.end);
      CHECK(got.entries.size() == committed);
      CHECK(is_prefix(got.entries, log));
    };
    check_what_is_there();
    // A process that starts on the full disk reads, but takes nothing.
    store.reset();
    store.emplace(must(journal::open(path, durability::power)));
    check_what_is_there();
    CHECK(code_of(store->append(log[committed])) == ec::disk_full);
    CHECK(store->failed() == nullptr);
    fs::remove(ballast);
    for (auto until = committed + 20; committed < until; ++committed) {
      must(store->append(log[committed]));
      must(store->commit());
    }
    check_what_is_there();
    store.reset();
    store.emplace(must(journal::open(path, durability::power)));
    check_what_is_there();
  }

  TEST_CASE("a failed sync ends the journal for good, and closing does not try "
            "it again") {
    auto dir = temporary_directory{};
    auto path = dir.file("journal.db");
    auto log = make_log(0, 10);
    {
      auto disk = faulty_disk{};
      auto store = std::optional{must(journal::open(path, durability::power))};
      append_all(*store, {log.begin(), log.begin() + 4});
      must(store->append(log[4]));
      disk.fail_sync = SQLITE_IOERR_FSYNC;
      auto first = store->commit();
      CHECK(code_of(first) == ec::io_error);
      CHECK(contains(text_of(first), path + ": cannot commit"));
      disk.fail_sync = SQLITE_OK;
      disk.syncs = 0;
      REQUIRE(store->failed() != nullptr);
      auto why = text_of(first);
      CHECK(text_of(store->append(log[4])) == why);
      CHECK(text_of(store->append(log[5])) == why);
      CHECK(text_of(store->commit()) == why);
      CHECK(text_of(store->truncate(0, 2, 10)) == why);
      CHECK(text_of(store->cut(0, 2)) == why);
      CHECK(text_of(store->remove_shard(0)) == why);
      // What was committed before can still be read.
      CHECK(read_log(*store, 0).entries.size() == 4);
      store.reset();
      CHECK(disk.syncs == 0);
      CHECK(fs::file_size(path + "-wal") > 0);
    }
    auto store = must(journal::open(path, durability::power));
    auto got = read_log(store, 0);
    must(got.end);
    CHECK(is_prefix(got.entries, log));
    // Whether the fifth is there, only the disk knows.
    CHECK(got.entries.size() >= 4);
  }

  TEST_CASE("a failed sync while the WAL is copied ends the journal too") {
    auto dir = temporary_directory{};
    auto disk = faulty_disk{};
    auto store
      = must(journal::open(dir.file("journal.db"), durability::process));
    auto log = make_log(0, 3'000, 1, 1, 0, 8'000);
    append_all(store, {log[0]}); // The first one creates the WAL.
    disk.fail_sync = SQLITE_IOERR_FSYNC;
    auto done = result<void>{};
    auto i = 1u;
    for (; done && i < log.size(); ++i) {
      must(store.append(log[i]));
      done = store.commit();
    }
    CHECK(code_of(done) == ec::io_error);
    CHECK(i > 100);
    CHECK(store.failed() != nullptr);
  }

  TEST_CASE("a sync that fails for want of room is not tried again either") {
    auto dir = temporary_directory{};
    auto disk = faulty_disk{};
    auto store = must(journal::open(dir.file("journal.db"), durability::power));
    auto log = make_log(0, 3);
    append_all(store, {log[0]});
    must(store.append(log[1]));
    disk.fail_sync = SQLITE_IOERR_FSYNC;
    disk.system_error = ENOSPC;
    CHECK(code_of(store.commit()) == ec::disk_full);
    CHECK(store.failed() != nullptr);
  }

  TEST_CASE(
    "a write error ends the journal, and the transaction is not there") {
    auto dir = temporary_directory{};
    auto path = dir.file("journal.db");
    auto log = make_log(0, 10);
    {
      auto disk = faulty_disk{};
      auto store = must(journal::open(path, durability::power));
      append_all(store, {log.begin(), log.begin() + 4});
      must(store.append(log[4]));
      disk.fail_write = SQLITE_IOERR_WRITE;
      CHECK(code_of(store.commit()) == ec::io_error);
      CHECK(store.failed() != nullptr);
      CHECK(!store.dirty());
    }
    auto store = must(journal::open(path, durability::power));
    CHECK(must(store.tail(0))->index == 4);
  }

  TEST_CASE("a read error ends the journal only if it took a transaction "
            "with it") {
    auto dir = temporary_directory{};
    auto path = dir.file("journal.db");
    auto logs = log_set{make_log(0, 200), make_log(1, 200)};
    for (auto open_transaction : {false, true}) {
      CAPTURE(open_transaction);
      fs::remove(path);
      {
        auto store = must(journal::open(path, durability::power));
        append_all(store, {logs[0].begin(), logs[0].end() - 1});
        append_all(store, logs[1]);
      }
      auto disk = faulty_disk{};
      auto store = must(journal::open(path, durability::power));
      if (open_transaction)
        must(store.append(logs[0].back()));
      disk.fail_read = SQLITE_IOERR_READ;
      auto got = read_log(store, 1);
      CHECK(code_of(got.end) == ec::io_error);
      disk.fail_read = SQLITE_OK;
      if (open_transaction) {
        CHECK(store.failed() != nullptr);
        CHECK(text_of(store.commit()) == text_of(got.end));
      } else {
        CHECK(store.failed() == nullptr);
        append_all(store, {logs[0].back()});
      }
      CHECK(same(read_log(store, 1).entries, logs[1]));
      CHECK(read_log(store, 0).entries.size()
            == (open_transaction ? 199 : 200));
    }
  }

  TEST_CASE("power durability syncs with every commit, process durability "
            "does not") {
    auto dir = temporary_directory{};
    auto disk = faulty_disk{};
    for (auto level : {durability::power, durability::process}) {
      auto name = level == durability::power ? "power.db" : "process.db";
      auto store = must(journal::open(dir.file(name), level));
      auto log = make_log(0, 30);
      append_all(store, {log[0]}); // The first one creates the WAL.
      disk.syncs = 0;
      for (auto i = 1u; i < 30; ++i)
        append_all(store, {log[i]});
      CHECK(disk.syncs == (level == durability::power ? 29 : 0));
    }
  }

  TEST_CASE("durability can change while a journal is open") {
    auto dir = temporary_directory{};
    auto disk = faulty_disk{};
    auto store
      = must(journal::open(dir.file("journal.db"), durability::process));
    auto log = make_log(0, 4);
    append_all(store, {log[0]});
    disk.syncs = 0;
    append_all(store, {log[1]});
    CHECK(disk.syncs == 0);
    must(store.set_durability(durability::power));
    append_all(store, {log[2]});
    CHECK(disk.syncs == 1);
    must(store.set_durability(durability::process));
    append_all(store, {log[3]});
    CHECK(disk.syncs == 1);
  }

  TEST_CASE("opening copies what a WAL holds to the disk before it is "
            "answered for") {
    auto dir = temporary_directory{};
    auto path = dir.file("journal.db");
    auto copy = dir.file("copy.db");
    auto log = make_log(0, 20);
    {
      auto store = must(journal::open(path, durability::process));
      append_all(store, log);
      put_bytes(copy, bytes_of(path));
      put_bytes(copy + "-wal", bytes_of(path + "-wal"));
    }
    auto disk = faulty_disk{};
    disk.fail_sync = SQLITE_IOERR_FSYNC;
    CHECK(code_of(journal::open(copy, durability::power)) == ec::io_error);
    disk.fail_sync = SQLITE_OK;
    auto store = must(journal::open(copy, durability::power));
    CHECK(disk.syncs > 0);
    CHECK(same(read_log(store, 0).entries, log));
  }

} // TEST_SUITE
