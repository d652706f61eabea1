#include "storage/backup_store.hpp"

#include "test/cluster/shard_fixture.hpp"
#include "test/storage/support.hpp"

#include <algorithm>

using namespace weir;
using namespace weir::test;

namespace {

/// A shard with a checkpoint in the middle of its log.
struct source : shard_fixture {
  source() {
    serve();
    write(0, 20);
    checkpoint();
    write(20, 20);
  }

  void write(uint64_t after, size_t n) {
    for (auto i = uint64_t{0}; i < n; ++i) {
      auto name = "e" + std::to_string((after + i) % 7);
      auto at = static_cast<time_ms>(after + i);
      send(ann, 1, after + i, {event(name, at, 5)});
    }
    commit();
  }

  std::vector<entry_ptr> log_after(uint64_t index) const {
    auto res = std::vector<entry_ptr>{};
    for (auto& x : disk.log)
      if (x.index > index)
        res.push_back(std::make_shared<log_entry>(x));
    return res;
  }
};

struct target {
  temporary_directory dir;

  backup_store create() {
    return must(backup_store::create(dir.path(), 1));
  }

  result<examined_shard> examine() {
    auto log = must(journal::open(dir.file("journal.db"), durability::power));
    auto state = must(state_store::open(dir.file("state.db")));
    return examine_shard(log, state, 0, 1);
  }
};

void fill(backup_store& to, const source& from) {
  must(to.begin(0, from.disk.meta));
  for (auto& [bytes, covers] : from.disk.chunks)
    must(to.add_chunk(0, bytes, covers));
  must(to.end_checkpoint(0));
  must(to.append(0, from.log_after(from.disk.meta.from_index)));
  must(to.finish());
}

} // namespace

TEST_SUITE("storage/backup_store") {
  TEST_CASE("what is found is what was put in") {
    auto from = source{};
    auto to = target{};
    auto written = shard_extent{};
    {
      auto aut = to.create();
      fill(aut, from);
      written = aut.at(0);
    }
    CHECK(written.end == from.self->applied());
    CHECK(written.chunks == from.disk.chunks.size());
    CHECK(written.entries == 20);
    auto found = must(to.examine());
    CHECK(found.extent == written);
    CHECK(found.ledger.accepted == 40);
  }

  TEST_CASE("a shard without a checkpoint is its log") {
    auto from = source{};
    auto to = target{};
    {
      auto aut = to.create();
      must(aut.begin(0, {}));
      must(aut.end_checkpoint(0));
      must(aut.append(0, from.log_after(0)));
      must(aut.finish());
    }
    auto found = must(to.examine());
    CHECK(found.extent.end == from.self->applied());
    CHECK(found.ledger.accepted == 40);
  }

  TEST_CASE("a shard that is begun anew is nothing of the old") {
    auto from = source{};
    auto to = target{};
    auto once = shard_extent{};
    {
      auto aut = to.create();
      fill(aut, from);
      once = aut.at(0);
      must(aut.begin(0, {}));
      must(aut.append(0, {from.log_after(0).front()}));
      fill(aut, from);
      CHECK(aut.at(0) == once);
    }
    CHECK(must(to.examine()).extent == once);
  }

  TEST_CASE("entries that do not follow are refused, and change nothing") {
    auto from = source{};
    auto to = target{};
    auto aut = to.create();
    fill(aut, from);
    auto before = aut.at(0);
    auto log = from.log_after(from.disk.meta.from_index);
    CHECK(aut.append(0, {log.back()}).error().code == ec::sequence_gap);
    auto foreign = *log.back();
    foreign.index = before.end.index + 1;
    foreign.crc = entry_crc(foreign);
    auto next = std::make_shared<log_entry>(foreign);
    CHECK(aut.append(0, {next}).error().code == ec::conflict);
    CHECK(aut.at(0) == before);
  }

  TEST_CASE("the first entry has to continue the checkpoint") {
    auto from = source{};
    auto to = target{};
    auto aut = to.create();
    must(aut.begin(0, from.disk.meta));
    must(aut.end_checkpoint(0));
    auto first = *from.log_after(from.disk.meta.from_index).front();
    ++first.chain;
    auto wrong = std::make_shared<log_entry>(first);
    CHECK(aut.append(0, {wrong}).error().code == ec::conflict);
  }

  TEST_CASE("a checkpoint that does not decode is refused") {
    auto from = source{};
    auto to = target{};
    auto aut = to.create();
    auto meta = from.disk.meta;
    meta.bytes.pop_back();
    CHECK(aut.begin(0, meta).error().code == ec::damaged);
  }

  TEST_CASE("a flipped byte of a row is found, with file and shard") {
    auto from = source{};
    auto to = target{};
    {
      auto aut = to.create();
      fill(aut, from);
    }
    auto flip = [&](const std::string& name, std::string_view row) {
      auto bytes = bytes_of(to.dir.file(name));
      auto whole = bytes;
      auto at = bytes.find(row);
      REQUIRE(at != std::string::npos);
      bytes[at + row.size() / 2] ^= 1;
      put_bytes(to.dir.file(name), bytes);
      auto why = to.examine();
      put_bytes(to.dir.file(name), whole);
      REQUIRE_FALSE(why);
      CHECK(why.error().code == ec::damaged);
      CHECK(why.error().text.find(name) != std::string::npos);
      CHECK(why.error().text.find("shard 0") != std::string::npos);
    };
    flip("journal.db", from.log_after(30).front()->block);
    flip("state.db", from.disk.chunks.front().first);
    CHECK(to.examine());
  }

  TEST_CASE("a log that ends before its checkpoint does is found") {
    auto from = source{};
    auto to = target{};
    // Entries between the two ends of the checkpoint.
    from.disk.meta.end = from.self->applied();
    {
      auto aut = to.create();
      must(aut.begin(0, from.disk.meta));
      for (auto& [bytes, covers] : from.disk.chunks)
        must(aut.add_chunk(0, bytes, covers));
      must(aut.end_checkpoint(0));
      must(aut.finish());
    }
    CHECK(to.examine().error().code == ec::damaged);
  }
}
