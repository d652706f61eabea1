#include "storage/catalog.hpp"

#include "test/storage/faulty_disk.hpp"
#include "test/storage/support.hpp"

#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

struct fixture {
  temporary_directory dir;
  std::string path = dir.file("coordinator.db");

  catalog open() const {
    return must(catalog::open(path));
  }
};

uint64_t any_number() {
  return *rc::gen::weightedOneOf<uint64_t>(
    {{3, rc::gen::arbitrary<uint64_t>()},
     {1, rc::gen::element<uint64_t>(0, 1, INT64_MAX, 1ull << 63, UINT64_MAX)}});
}

std::string any_text() {
  return *rc::gen::arbitrary<std::string>();
}

shard_config any_config(uint32_t shard, uint64_t epoch) {
  auto res = shard_config{};
  res.shard = shard;
  res.epoch = epoch;
  res.primary = any_text();
  for (auto i = *rc::gen::inRange(0, 4); i > 0; --i)
    res.members.push_back({any_text(), any_text(), any_number()});
  for (auto i = *rc::gen::inRange(0, 4); i > 0; --i)
    res.eligible.push_back({any_text(), any_text()});
  res.min_copies = *rc::gen::arbitrary<uint32_t>();
  return res;
}

node_record any_node(std::string id) {
  return {std::move(id),
          any_text(),
          any_text(),
          any_text(),
          any_number(),
          static_cast<int64_t>(any_number()),
          static_cast<node_state>(*rc::gen::inRange(1, 5))};
}

producer_record any_producer(uint64_t id) {
  auto res = producer_record{};
  res.id = {id, any_number()};
  res.name = any_text();
  for (auto field : {&res.session, &res.base, &res.prefix, &res.digest,
                     &res.digest_at, &res.malformed, &res.duplicate,
                     &res.earlier_malformed, &res.earlier_duplicate})
    *field = any_number();
  res.ended = *rc::gen::arbitrary<bool>();
  res.updated = static_cast<int64_t>(any_number());
  return res;
}

producer_record producer_of(producer_id id) {
  auto res = producer_record{};
  res.id = id;
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

TEST_SUITE("storage/catalog") {
  TEST_CASE_FIXTURE(fixture, "a new catalog is empty") {
    auto self = open();
    CHECK(self.created());
    auto all = must(self.load());
    CHECK(!all.cluster);
    CHECK(all.settings.empty());
    CHECK(all.nodes.empty());
    CHECK(all.shards.empty());
    CHECK(all.known.empty());
    CHECK(all.producers.empty());
  }

  TEST_CASE("what was put is loaded as it was") {
    CHECK(rc::check([] {
      auto self = fixture{};
      auto cluster
        = cluster_record{any_text(), static_cast<int64_t>(any_number()),
                         *rc::gen::arbitrary<uint32_t>()};
      auto settings = std::map<uint64_t, setting_map>{};
      for (auto i = *rc::gen::inRange(0, 3); i > 0; --i)
        settings[any_number()] = {{any_text(), any_text()}, {"x", any_text()}};
      auto nodes = std::map<std::string, node_record>{};
      for (auto i = *rc::gen::inRange(0, 4); i > 0; --i) {
        auto id = std::to_string(*rc::gen::inRange(0, 3));
        nodes[id] = any_node(id);
      }
      auto shards = std::map<uint32_t, shard_config>{};
      for (auto shard : {0u, 7u, UINT32_MAX})
        shards[shard] = any_config(shard, 1 + any_number() / 2);
      auto known = std::vector<known_commit>{
        {0, any_number(), any_number(), any_number()},
        {9, any_number(), any_number(), any_number()}};
      auto producers = std::vector<producer_record>{};
      for (auto id : {uint64_t{0}, any_number() / 2 + 2, UINT64_MAX})
        producers.push_back(any_producer(id));
      {
        auto store = self.open();
        must(store.put_cluster(cluster));
        for (auto& [version, values] : settings)
          must(store.put_settings(version, values));
        for (auto& [id, x] : nodes) {
          must(store.put_node(any_node(id)));
          must(store.put_node(x));
        }
        for (auto& [shard, x] : shards)
          RC_ASSERT(must(store.compare_and_set(0, x)));
        must(store.put_known({{0, 1, 1, 1}}));
        must(store.put_known(known));
        auto other = any_producer(1);
        must(store.put_producers({other, any_producer(UINT64_MAX)}));
        must(store.put_producers(producers, {other.id}));
      }
      auto store = self.open();
      auto all = must(store.load());
      RC_ASSERT(all.cluster == cluster);
      RC_ASSERT(all.settings == settings);
      RC_ASSERT(all.nodes.size() == nodes.size());
      for (auto& x : all.nodes)
        RC_ASSERT(x == nodes[x.id]);
      RC_ASSERT(all.shards.size() == shards.size());
      for (auto& x : all.shards) {
        RC_ASSERT(x == shards[x.shard]);
        RC_ASSERT(must(store.get(x.shard)) == x);
      }
      RC_ASSERT(all.known == known);
      for (auto& x : producers)
        RC_ASSERT(std::count(all.producers.begin(), all.producers.end(), x)
                  == 1);
    }));
  }

  TEST_CASE_FIXTURE(fixture, "a cluster is written down once") {
    auto self = open();
    must(self.put_cluster({"first", 1, 1}));
    CHECK(code_of(self.put_cluster({"second", 2, 1})) == ec::conflict);
    CHECK(must(self.load()).cluster->id == "first");
    CHECK(self.failed() == nullptr);
  }

  TEST_CASE_FIXTURE(fixture, "a version of the settings never changes") {
    auto self = open();
    must(self.put_settings(1, {{"window", "60s"}, {"lateness", "5s"}}));
    must(self.put_settings(2, {{"window", "30s"}}));
    auto again = self.put_settings(1, {{"clock", "wall"}});
    CHECK(code_of(again) == ec::conflict);
    CHECK(contains(text_of(again), "version 1 of the settings exists"));
    auto all = must(self.load());
    CHECK(all.settings.size() == 2);
    CHECK(all.settings[1]
          == setting_map{{"window", "60s"}, {"lateness", "5s"}});
  }

  TEST_CASE_FIXTURE(fixture, "of two proposals from one epoch the first one "
                             "wins") {
    auto self = open();
    config_store& store = self;
    CHECK(!must(store.get(3)));
    CHECK(!must(store.compare_and_set(1, config_of(3, 2, "a"))));
    CHECK(must(store.compare_and_set(0, config_of(3, 1, "a"))));
    CHECK(!must(store.compare_and_set(0, config_of(3, 1, "b"))));
    CHECK(must(store.compare_and_set(1, config_of(3, 2, "b"))));
    CHECK(!must(store.compare_and_set(1, config_of(3, 2, "c"))));
    CHECK(must(store.get(3)) == config_of(3, 2, "b"));
    CHECK(must(store.compare_and_set(0, config_of(1, 5, "z"))));
    CHECK(
      must(store.get_all())
      == std::vector<shard_config>{config_of(1, 5, "z"), config_of(3, 2, "b")});
  }

  TEST_CASE_FIXTURE(fixture,
                    "configurations of many shards are one commit, and "
                    "those that come too late change nothing") {
    auto disk = faulty_disk{};
    auto self = open();
    CHECK(must(self.compare_and_set(0, config_of(1, 3, "a"))));
    disk.syncs = 0;
    auto done = must(self.change({{0, config_of(0, 1, "b")},
                                  {2, config_of(1, 4, "b")},
                                  {0, config_of(2, 1, "b")},
                                  {1, config_of(2, 2, "c")}}));
    CHECK(disk.syncs == 1);
    CHECK(done == std::vector<bool>{true, false, true, true});
    auto before = std::vector<shard_config>{
      config_of(0, 1, "b"), config_of(1, 3, "a"), config_of(2, 2, "c")};
    CHECK(must(self.get_all()) == before);
    disk.fail_write = SQLITE_FULL;
    CHECK(code_of(
            self.change({{1, config_of(0, 2, "d")}, {3, config_of(1, 4, "d")}}))
          == ec::disk_full);
    disk.fail_write = SQLITE_OK;
    CHECK(must(self.get_all()) == before);
  }

  TEST_CASE_FIXTURE(fixture, "a configuration is on the disk when it is "
                             "answered") {
    auto disk = faulty_disk{};
    auto self = open();
    CHECK(must(self.compare_and_set(0, config_of(0, 1, "a"))));
    disk.syncs = 0;
    CHECK(must(self.compare_and_set(1, config_of(0, 2, "b"))));
    CHECK(disk.syncs == 1);
    disk.fail_sync = SQLITE_IOERR_FSYNC;
    CHECK(code_of(self.compare_and_set(2, config_of(0, 3, "c")))
          == ec::io_error);
    disk.fail_sync = SQLITE_OK;
    CHECK(code_of(self.compare_and_set(2, config_of(0, 3, "c")))
          == ec::io_error);
    CHECK(code_of(self.put_node({})) == ec::io_error);
    CHECK(self.failed() != nullptr);
  }

  TEST_CASE_FIXTURE(fixture, "several nodes are one commit, all or none") {
    auto disk = faulty_disk{};
    auto self = open();
    auto a = node_record{"1", "d", "a", "", 1, 2, node_state::alive};
    must(self.put_node(a));
    auto yields = a;
    yields.name = "a@1";
    yields.state = node_state::dead;
    auto heir = node_record{"2", "e", "a", "", 1, 3, node_state::alive};
    disk.fail_write = SQLITE_FULL;
    CHECK(code_of(self.put_nodes({heir, yields})) == ec::disk_full);
    disk.fail_write = SQLITE_OK;
    CHECK(must(self.load()).nodes == std::vector<node_record>{a});
    disk.syncs = 0;
    must(self.put_nodes({heir, yields}));
    CHECK(disk.syncs == 1);
    CHECK(must(self.load()).nodes == std::vector<node_record>{yields, heir});
  }

  TEST_CASE_FIXTURE(fixture, "what is removed is gone") {
    auto self = open();
    must(self.put_node({"a", "d", "", "", 1, 2, node_state::alive}));
    must(self.put_node({"b", "d", "", "", 1, 2, node_state::dead}));
    must(self.put_producers({producer_of({1, 2}), producer_of({3, 4})}));
    must(self.remove_node("a"));
    must(self.put_producers({}, {{3, 4}, {5, 6}}));
    auto all = must(self.load());
    REQUIRE(all.nodes.size() == 1);
    CHECK(all.nodes[0].id == "b");
    REQUIRE(all.producers.size() == 1);
    CHECK(all.producers[0].id == producer_id{1, 2});
  }

  TEST_CASE_FIXTURE(fixture, "every changed column is found, with table and "
                             "key") {
    {
      auto self = open();
      must(self.put_cluster({"c", 1, 1}));
      must(self.put_settings(1, {{"window", "60s"}}));
      must(self.put_node({"n", "d", "name", "h:1", 1, 2, node_state::alive}));
      CHECK(must(self.compare_and_set(0, config_of(4, 1, "n"))));
      must(self.put_known({{4, 1, 2, 3}}));
      must(self.put_producers({producer_of({1, 2})}));
    }
    auto pristine = bytes_of(path);
    auto columns = std::vector<std::pair<std::string, std::string>>{
      {"cluster", "id created format crc"},
      {"setting", "version name value crc"},
      {"node", "id disk name address incarnation last_seen state crc"},
      {"shard", "shard epoch primary_node members eligible min_copies crc"},
      {"known_commit", "shard epoch idx chain crc"},
      {"producer", "id name session base prefix digest digest_at"
                   " earlier_malformed malformed duplicate earlier_duplicate"
                   " ended updated crc"}};
    auto tried = 0;
    for (auto& [table, names] : columns) {
      auto in = std::istringstream{names};
      for (auto column = std::string{}; in >> column; ++tried) {
        CAPTURE(table);
        CAPTURE(column);
        put_bytes(path, pristine);
        run_sql(path, "UPDATE " + table + " SET " + column + " = CASE typeof("
                        + column + ") WHEN 'integer' THEN " + column
                        + " + 1 WHEN 'text' THEN " + column
                        + " || 'x' ELSE x'0011' END");
        auto self = open();
        auto all = self.load();
        CHECK(code_of(all) == ec::damaged);
        if (table == "shard" && column != "shard") {
          CHECK(code_of(self.get(4)) == ec::damaged);
          CHECK(code_of(self.compare_and_set(2, config_of(4, 3, "m")))
                == ec::damaged);
        }
      }
    }
    CHECK(tried == 42);
  }

} // TEST_SUITE
