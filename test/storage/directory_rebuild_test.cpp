#include "storage/directory_rebuild.hpp"

#include "test/storage/support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

constexpr uint32_t shard_count = 2;

final_row final_at(uint64_t sequence, time_ms end) {
  return {sequence, end - 10, end, 3, "totals", end};
}

rollup_record record_at(time_ms watermark, time_ms final_through) {
  auto res = rollup_record{};
  res.plan = window_plan::periodic(10);
  res.watermark.watermark = watermark;
  res.sealed_through = final_through;
  res.final_through = final_through;
  return res;
}

producer_record producer_of(uint64_t id, uint64_t session) {
  auto res = producer_record{};
  res.id = {id, 2};
  res.name = "p";
  res.session = session;
  return res;
}

/// A coordinator's directory, nodes that copy it at different times, and its
/// end.
struct fixture {
  temporary_directory dir;
  std::optional<catalog> lost;
  time_ms final_through = before_time;
  std::map<std::string, std::shared_ptr<catalog_copy>> copies;
  std::map<std::string, std::vector<config_witness>> records;
  directory_rebuild parts{2};
  std::optional<catalog> made;

  fixture() {
    lost = must(catalog::open(dir.file("coordinator.db")));
    lost->begin_feed({1, 1, 0});
    must(lost->put_cluster({"c1", 5, 1}));
    must(lost->put_settings(1, settings("1")));
    for (auto name : {"a", "b"})
      must(lost->put_node(node(name)));
    for (auto i = uint32_t{0}; i < shard_count; ++i)
      configure(i, 1, {"a", "b"}, {"a", "b"});
    save(0, before_time);
  }

  static setting_map settings(const std::string& min_copies) {
    return {{"shards", std::to_string(shard_count)},
            {"min-copies", min_copies},
            {"replicas", "2"}};
  }

  static node_record node(const std::string& name) {
    return {name, "disk-" + name,   "node " + name, "h:1", 1,
            7,    node_state::alive};
  }

  static member life(const std::string& name) {
    return {name, "disk-" + name, 1};
  }

  /// Stored, and told to some.
  void configure(uint32_t shard, uint64_t epoch,
                 const std::vector<std::string>& members,
                 const std::vector<std::string>& told) {
    auto x = shard_config{shard, epoch, members[0], {}, {}, 1};
    for (auto& name : members)
      x.members.push_back(life(name));
    auto was = must(lost->get(shard));
    must(lost->compare_and_set(was ? was->epoch : 0, x));
    for (auto& name : told) {
      records[name].resize(shard_count);
      records[name][shard] = {life(name), epoch, x};
    }
  }

  void save(time_ms watermark, time_ms through,
            const std::vector<final_row>& finals = {}) {
    final_through = through;
    must(lost->put_rollup(record_at(watermark, through).encode(), finals));
  }

  void copy(const std::string& name) {
    auto& x = copies[name];
    if (!x)
      x = std::make_shared<catalog_copy>(
        must(catalog_copy::open(dir.file(name + ".db"))));
    do
      must(x->take(must(lost->page(x->wish(), final_through))));
    while (!x->complete());
  }

  void answer(const std::string& name) {
    auto x = surviving_node{};
    x.self = life(name);
    x.name = "node " + name;
    x.address = "h:1";
    x.records = records[name];
    must(parts.add(std::move(x), copies[name]));
  }

  result<rebuilt_directory> write(std::vector<std::string> without = {},
                                  bool accept_loss = false) {
    made.reset();
    fs::remove(dir.file("made.db"));
    made = must(catalog::open(dir.file("made.db")));
    return parts.write(*made, without, accept_loss, 99);
  }

  catalog_contents rows() {
    return must(made->load());
  }
};

} // namespace

TEST_SUITE("storage/directory_rebuild") {
  TEST_CASE_FIXTURE(fixture,
                    "of each part the newest is taken, whoever has it") {
    copy("a");
    must(lost->put_settings(2, settings("2")));
    save(20, 20, {final_at(0, 10), final_at(0, 20)});
    must(lost->put_known({{1, 1, 50, 5}}));
    must(lost->put_producers({producer_of(1, 3)}));
    copy("b");
    // Told to its primary, and copied by nobody.
    configure(1, 4, {"b", "a"}, {"b"});
    lost.reset();
    answer("a");
    answer("b");
    CHECK(parts.missing().empty());
    auto res = must(write());
    CHECK(res.cluster == "c1");
    CHECK(res.settings_version == 2);
    CHECK(res.finals == 2);
    CHECK(res.producers == 1);
    CHECK(res.shards_kept == shard_count);
    auto all = rows();
    CHECK(all.cluster == cluster_record{"c1", 5, 1});
    CHECK(all.settings.size() == 2);
    CHECK(all.settings[2] == settings("2"));
    CHECK(all.nodes.size() == 2);
    CHECK(all.nodes[0].last_seen == 99);
    CHECK(all.known == std::vector<known_commit>{{1, 1, 50, 5}});
    CHECK(all.producers == std::vector<producer_record>{producer_of(1, 3)});
    REQUIRE(all.shards.size() == 2);
    CHECK(all.shards[0].primary == "a");
    CHECK(all.shards[1].primary == "b");
    CHECK(all.shards[1].epoch > 100);
    CHECK(must(made->finals_after(0, 9, 999))
          == std::vector<final_row>{final_at(1, 10), final_at(2, 20)});
    auto record = must(rollup_record::decode(*must(made->get_rollup())));
    CHECK(record.final_through == 20);
    CHECK(record.watermark.watermark == 20);
    CHECK(must(made->lineage()).held.generation == 2);
    CHECK(must(made->events(1)).at(0).what
          == "operator: the directory was rebuilt, as generation 2, from 2 "
             "nodes");
  }

  TEST_CASE_FIXTURE(fixture, "results are put together, and go on behind all "
                             "numbers there were") {
    save(20, 20, {final_at(0, 10), final_at(0, 20)});
    copy("a");
    must(lost->expire_finals(15, 9, 9));
    save(30, 30, {final_at(0, 30)});
    copy("b");
    answer("a");
    answer("b");
    CHECK(must(write()).finals == 3);
    must(made->put_rollup("", {final_at(0, 40)}));
    auto rows = must(made->finals_after(0, 9, 999));
    REQUIRE(rows.size() == 4);
    CHECK(rows[2] == final_at(3, 30));
    CHECK(rows[3].sequence > 100);
  }

  TEST_CASE_FIXTURE(fixture, "windows of which no copy has all results are "
                             "collected again") {
    save(20, 20, {final_at(0, 20)});
    copy("a");
    copy("b");
    auto row = final_at(0, 30);
    row.totals = std::string(400'000, 'x');
    auto other = final_at(0, 40);
    other.totals = row.totals;
    save(40, 40, {row, other});
    // It gets the record and a part of the results.
    auto& x = *copies["b"];
    must(x.take(must(lost->page(x.wish(), final_through))));
    CHECK_FALSE(x.complete());
    answer("a");
    answer("b");
    CHECK(must(write()).finals == 2);
    auto record = must(rollup_record::decode(*must(made->get_rollup())));
    CHECK(record.final_through == 20);
    CHECK(record.sealed_through == 40);
  }

  TEST_CASE_FIXTURE(fixture,
                    "who is listed has to answer, or is given up in so "
                    "many words") {
    copy("a");
    answer("a");
    auto missed = parts.missing();
    REQUIRE(missed.size() == 1);
    CHECK(missed[0].name == "node b");
    CHECK(missed[0].address == "h:1");
    auto refused = write();
    CHECK(code_of(refused) == ec::unavailable);
    CHECK(contains(text_of(refused), "node b (last at h:1)"));
    refused = write({"node b"});
    CHECK(code_of(refused) == ec::conflict);
    CHECK(contains(text_of(refused), "shards 0, 1;"));
    refused = write({"b", "a"}, true);
    CHECK(code_of(refused) == ec::invalid_argument);
    // Nothing of a refusal is a cluster.
    CHECK(!rows().cluster);
    auto res = must(write({"b"}, true));
    CHECK(res.without == std::vector<std::string>{"node b"});
    CHECK(res.shards_electing == std::vector<uint32_t>{0, 1});
    CHECK(res.shards_at_risk == std::vector<uint32_t>{0, 1});
    CHECK(rows().gone == std::vector<node_disk>{{"b", "disk-b"}});
    CHECK(contains(must(made->events(1)).at(0).what,
                   "without node b, whose disks are gone, loss accepted"));
    // Versions that only `b` may have known mean nothing else later on.
    CHECK(res.settings_version > 100);
    CHECK(rows().settings.rbegin()->second == settings("1"));
    CHECK(res.plan_version > 100);
  }

  TEST_CASE_FIXTURE(fixture,
                    "with as many copies as that takes, a node is given "
                    "up without any loss") {
    must(lost->put_settings(2, settings("2")));
    for (auto i = uint32_t{0}; i < shard_count; ++i) {
      auto x = shard_config{i, 2, "a", {life("a"), life("b")}, {}, 2};
      must(lost->compare_and_set(1, x));
    }
    copy("a");
    answer("a");
    auto res = must(write({"node b"}));
    CHECK(res.shards_at_risk.empty());
    CHECK(res.shards_electing.size() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "a node that comes with another disk has not "
                             "answered, and one that was removed need not") {
    must(lost->put_gone({"b", "disk-b"}, 1));
    copy("a");
    answer("a");
    auto other = surviving_node{};
    other.self = {"b", "another", 2};
    must(parts.add(std::move(other), nullptr));
    CHECK(parts.missing().empty());
    must(lost->put_node(
      {"c", "disk-c", "node c", "h:2", 1, 7, node_state::alive}));
    copy("a");
    other = surviving_node{};
    other.self = {"c", "another", 2};
    auto again = directory_rebuild{2};
    must(again.add({life("a"), "node a", "h:1", 1, records["a"]}, copies["a"]));
    must(again.add(std::move(other), nullptr));
    REQUIRE(again.missing().size() == 1);
    CHECK(again.missing()[0].name == "node c");
  }

  TEST_CASE_FIXTURE(fixture, "without a copy there is nothing to begin with") {
    answer("a");
    CHECK(code_of(write()) == ec::not_found);
  }

  TEST_CASE_FIXTURE(fixture, "nodes of two clusters make none") {
    copy("a");
    answer("a");
    lost = must(catalog::open(dir.file("other.db")));
    lost->begin_feed({1, 1, 0});
    must(lost->put_cluster({"c2", 5, 1}));
    copy("b");
    auto x = surviving_node{};
    x.self = life("b");
    CHECK(code_of(parts.add(std::move(x), copies["b"])) == ec::wrong_cluster);
  }
}
