#include "storage/catalog.hpp"
#include "storage/file.hpp"

#include "test/storage/support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

producer_record producer_of(uint64_t id) {
  auto res = producer_record{};
  res.id = {id, 2};
  res.name = std::string(200, 'p');
  return res;
}

std::vector<producer_record> producers_of(uint64_t from, uint64_t to) {
  auto res = std::vector<producer_record>{};
  for (auto i = from; i < to; ++i)
    res.push_back(producer_of(i));
  return res;
}

shard_config config_of(uint32_t shard, uint64_t epoch, std::string primary) {
  auto res = shard_config{};
  res.shard = shard;
  res.epoch = epoch;
  res.members = {{primary, "disk", 1}};
  res.primary = std::move(primary);
  return res;
}

} // namespace

TEST_SUITE("storage/page_copy") {
  TEST_CASE("a copy is what the catalog is when it is whole") {
    auto dir = temporary_directory{};
    auto self = must(catalog::open(dir.file("coordinator.db")));
    must(self.put_producers(producers_of(0, 500)));
    auto copy = must(self.copy_to(dir.file("copy.db")));
    auto written = uint64_t{500};
    // Written before and behind what is copied already.
    for (auto whole = false; !whole; whole = must(copy.step(3))) {
      auto changed = producers_of(written, written + 2);
      changed.push_back(producer_of(0));
      changed.back().session = written;
      must(self.put_producers(changed));
      written += 2;
    }
    auto last = written - 2;
    must(self.put_producers(producers_of(9000, 9001)));
    auto other = must(catalog::open(dir.file("copy.db")));
    auto found = must(other.load()).producers;
    REQUIRE(found.size() == written);
    CHECK(found.front().session == last);
    CHECK(found.back().id.high == written - 1);
  }

  TEST_CASE("what was left of a copy goes with the next one") {
    auto dir = temporary_directory{};
    auto self = must(catalog::open(dir.file("coordinator.db")));
    must(self.put_producers(producers_of(0, 500)));
    {
      auto copy = must(self.copy_to(dir.file("copy.db")));
      CHECK_FALSE(must(copy.step(1)));
    }
    put_bytes(dir.file("copy.db"), "half of it");
    auto copy = must(self.copy_to(dir.file("copy.db")));
    CHECK(must(copy.step(-1)));
    auto other = must(catalog::open(dir.file("copy.db")));
    CHECK(must(other.load()).producers.size() == 500);
  }

  TEST_CASE("a copy onto a full disk fails, and the catalog goes on") {
    auto dir = temporary_directory{};
    auto disk = small_disk{dir.file("disk"), "64k"};
    if (!disk)
      return;
    auto self = must(catalog::open(dir.file("coordinator.db")));
    must(self.put_producers(producers_of(0, 2000)));
    auto copy = must(self.copy_to(dir.file("disk/copy.db")));
    auto res = result<bool>{false};
    while (res && !*res)
      res = copy.step(8);
    REQUIRE_FALSE(res);
    CHECK(res.error().code == ec::disk_full);
    must(self.put_producers(producers_of(2000, 2001)));
  }

  TEST_CASE("another cluster keeps what is not of nodes and shards") {
    auto dir = temporary_directory{};
    auto self = must(catalog::open(dir.file("coordinator.db")));
    must(self.put_cluster({"old", 1, 1}));
    must(self.put_settings(1, {{"window", "1m"}}));
    must(self.put_settings(2, {{"window", "2m"}}));
    must(self.put_node({"a", "disk", "n1", "h:1", 4, 5, node_state::alive}));
    must(self.put_node({"b", "disk", "n2", "h:2", 4, 5, node_state::alive}));
    must(self.compare_and_set(0, config_of(0, 7, "a")));
    must(self.compare_and_set(0, config_of(1, 9, "b")));
    must(self.put_known({{0, 7, 100, 1}, {1, 9, 100, 1}}));
    must(self.put_producers(producers_of(0, 3)));
    must(self.put_gone({"c", "disk"}, 1));
    must(self.put_event({1, "something"}));
    must(self.put_rollup("windows", {{0, 0, 10, 3, "totals", 5}}));
    auto next = refounding{};
    next.cluster = {"new", 2, 1};
    next.nodes = {{"d", "d", "n1", "", 1, 0, node_state::dead}};
    next.shards = {config_of(0, 8, "d"), config_of(1, 10, "d")};
    next.known = {{0, 7, 50, 2}, {1, 9, 60, 3}};
    next.event = {2, "restored"};
    must(self.refound(next));
    auto found = must(self.load());
    CHECK(*found.cluster == next.cluster);
    CHECK(found.settings.size() == 2);
    CHECK(found.nodes == next.nodes);
    REQUIRE(found.shards.size() == 2);
    CHECK(found.shards[1].epoch == 10);
    CHECK(found.shards[1].primary == "d");
    CHECK(found.known == next.known);
    CHECK(found.producers.size() == 3);
    CHECK(found.gone.empty());
    CHECK(must(self.events(9)).size() == 2);
    CHECK(must(self.events(9)).front().what == "restored");
    CHECK(must(self.get_rollup()) == std::string{"windows"});
    CHECK(must(self.finals_after(0, 9, 999)).size() == 1);
  }

  TEST_CASE("a copied file has the same digest, in whole and in parts") {
    auto dir = temporary_directory{};
    auto bytes = std::string(3 << 20, 'x') + "end";
    put_bytes(dir.file("from"), bytes);
    auto copied = must(copy_file(dir.file("from"), dir.file("to")));
    CHECK(copied.bytes == bytes.size());
    CHECK(bytes_of(dir.file("to")) == bytes);
    CHECK(must(digest_file(dir.file("to"))) == copied);
    CHECK(must(read_file_part(dir.file("to"), bytes.size() - 4, 100))
          == "xend");
    CHECK(must(read_file_part(dir.file("to"), bytes.size(), 100)) == "");
    CHECK_FALSE(copy_file(dir.file("from"), dir.file("to")));
    CHECK(copy_file(dir.file("none"), dir.file("x")).error().code
          == ec::not_found);
    bytes.back() = 'D';
    put_bytes(dir.file("to"), bytes);
    CHECK_FALSE(must(digest_file(dir.file("to"))) == copied);
  }
}
