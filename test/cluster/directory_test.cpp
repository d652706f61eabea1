#include "cluster/directory.hpp"
#include "test/cluster/memory_config_store.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <set>

using namespace weir;
using namespace weir::test;

namespace {

using what = directive::what;

known_node node(const std::string& id, uint64_t incarnation = 1,
                const std::string& disk = {}) {
  auto res = known_node{};
  res.self = {id, disk.empty() ? "disk-" + id : disk, incarnation};
  res.name = "name-" + id;
  res.host = "127.0.0.1";
  res.port = 7411;
  return res;
}

/// A cluster of four shards, whose nodes do what they are told.
struct fixture {
  memory_config_store store;
  directory dir{store, 4};

  std::vector<directive> plan() {
    return must(dir.plan());
  }

  void join(const known_node& x,
            const std::map<uint32_t, log_position>& held = {}) {
    must(dir.join(x, held));
  }

  /// What `id` would report if it served all that it is primary of.
  std::map<uint32_t, shard_news> news_of(const std::string& id,
                                         bool empty = true,
                                         uint64_t index = 2) const {
    auto res = std::map<uint32_t, shard_news>{};
    for (auto i = uint32_t{0}; i < dir.shards(); ++i)
      if (dir.config(i).primary == id)
        res[i] = {dir.config(i).epoch,
                  true,
                  empty,
                  {},
                  {index, dir.config(i).epoch, 77}};
    return res;
  }

  void report(const std::string& id, bool empty = true, uint64_t index = 2) {
    dir.report(id, news_of(id, empty, index));
  }

  /// `id` joins and serves whatever it gets.
  void settle(const std::string& id, bool empty = true, uint64_t index = 2) {
    join(node(id));
    plan();
    report(id, empty, index);
  }

  std::vector<uint32_t> shards_of(const std::string& id) const {
    auto res = std::vector<uint32_t>{};
    for (auto i = uint32_t{0}; i < dir.shards(); ++i)
      if (dir.config(i).primary == id)
        res.push_back(i);
    return res;
  }

  uint32_t moving() const {
    for (auto i = uint32_t{0}; i < dir.shards(); ++i)
      if (dir.moving(i))
        return i;
    FAIL("no shard is moving");
    return 0;
  }
};

size_t count(const std::vector<directive>& xs, what kind,
             const std::string& node) {
  return static_cast<size_t>(std::count_if(xs.begin(), xs.end(), [&](auto& x) {
    return x.kind == kind && x.node == node;
  }));
}

} // namespace

TEST_SUITE("cluster/directory") {
  TEST_CASE_FIXTURE(fixture, "without a node every shard waits, and says so") {
    CHECK(plan().empty());
    CHECK(dir.trouble(0) == "no node has joined yet");
    CHECK(store.configs.empty());
  }

  TEST_CASE_FIXTURE(fixture, "the first node is assigned everything, until its "
                             "news show it") {
    join(node("a"));
    CHECK(count(plan(), what::assign, "a") == 4);
    CHECK(store.configs.size() == 4);
    CHECK(store.configs[3].epoch == 1);
    CHECK(store.configs[3].primary == "a");
    CHECK(store.configs[3].members == std::vector<member>{{"a", "disk-a", 1}});
    CHECK(contains(dir.trouble(2), "name-a is taking it over"));
    CHECK(count(plan(), what::assign, "a") == 4);
    CHECK(store.configs[3].epoch == 1);
    report("a");
    CHECK(plan().empty());
    CHECK(dir.trouble(2).empty());
    auto late = news_of("a");
    late.erase(1);
    dir.report("a", late);
    CHECK(count(plan(), what::assign, "a") == 1);
  }

  TEST_CASE_FIXTURE(fixture, "news of another epoch are no news") {
    settle("a");
    auto old = news_of("a");
    old[2].epoch = 7;
    dir.report("a", old);
    CHECK(dir.news(2) == nullptr);
    CHECK(plan().size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a shard that is not served says why") {
    settle("a");
    auto news = news_of("a");
    news[1].serving = false;
    news[1].trouble = "the disk is full";
    dir.report("a", news);
    CHECK(dir.trouble(1) == "the disk is full");
    dir.leave("a");
    CHECK(dir.trouble(1) == "its node name-a is down");
  }

  TEST_CASE_FIXTURE(fixture, "a restarted process gets an epoch of its own") {
    settle("a", false, 9);
    dir.leave("a");
    CHECK(plan().empty());
    auto held = std::map<uint32_t, log_position>{};
    for (auto i = uint32_t{0}; i < 4; ++i)
      held[i] = {9, 1, 77};
    join(node("a", 2), held);
    auto assigned = plan();
    CHECK(count(assigned, what::assign, "a") == 4);
    CHECK(assigned[0].epoch == 2);
    CHECK(dir.config(0).members.front().incarnation == 2);
    CHECK(dir.trouble(0) == "node name-a is taking it over");
  }

  TEST_CASE_FIXTURE(fixture, "a node that only lost its connection keeps its "
                             "epoch") {
    settle("a");
    dir.leave("a");
    join(node("a"));
    CHECK(plan()[0].epoch == 1);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a node is silent when it was not heard of, and up "
                    "when it is again") {
    settle("a");
    dir.seen("a", 1000);
    CHECK(dir.silent(1000).empty());
    CHECK(dir.silent(1001) == std::vector<std::string>{"a"});
    dir.leave("a");
    CHECK(dir.silent(1001).empty());
    CHECK(!dir.nodes().at("a").up);
    dir.seen("a", 1200);
    CHECK(dir.nodes().at("a").up);
    CHECK(count(plan(), what::assign, "a") == 4);
    CHECK(dir.config(0).epoch == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a second node gets its share of what is empty") {
    settle("a");
    join(node("b"));
    CHECK(count(plan(), what::release, "a") == 2);
    // Nothing has changed before the owner answers, however often it is asked.
    CHECK(count(plan(), what::release, "a") == 2);
    CHECK(shards_of("a").size() == 4);
    auto first = moving();
    must(dir.released("a", first, 1, true));
    CHECK(dir.config(first).primary == "b");
    CHECK(dir.config(first).epoch == 2);
    auto next = plan();
    CHECK(count(next, what::release, "a") == 1);
    CHECK(count(next, what::assign, "b") == 1);
    must(dir.released("a", moving(), 1, true));
    plan();
    report("a");
    report("b");
    CHECK(plan().empty());
    CHECK(shards_of("a").size() == 2);
    CHECK(shards_of("b").size() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "a shard that holds something stays") {
    settle("a", false);
    join(node("b"));
    CHECK(count(plan(), what::release, "a") == 0);
    CHECK(shards_of("a").size() == 4);
  }

  TEST_CASE_FIXTURE(fixture, "a shard that fills up while it is asked to leave "
                             "stays") {
    settle("a");
    join(node("b"));
    plan();
    auto shard = moving();
    must(dir.released("a", shard, 1, false));
    CHECK(!dir.moving(shard));
    CHECK(dir.config(shard).primary == "a");
    CHECK(dir.config(shard).epoch == 1);
    CHECK(!dir.news(shard)->empty);
  }

  TEST_CASE_FIXTURE(fixture, "an answer that comes twice, or late, moves "
                             "nothing") {
    settle("a");
    join(node("b"));
    plan();
    auto shard = moving();
    must(dir.released("a", shard, 1, true));
    must(dir.released("a", shard, 1, true));
    must(dir.released("a", shard, 1, false));
    must(dir.released("b", shard, 1, true));
    CHECK(dir.config(shard).primary == "b");
    CHECK(dir.config(shard).epoch == 2);
    must(dir.released("a", 4711, 1, true));
  }

  TEST_CASE_FIXTURE(fixture, "a shard whose release was answered into a lost "
                             "connection is served again") {
    settle("a", true, 5);
    join(node("b"));
    plan();
    auto shard = moving();
    auto held = std::map<uint32_t, log_position>{};
    for (auto i : shards_of("a"))
      if (i != shard)
        held[i] = {5, 1, 77};
    dir.leave("a");
    join(node("a"), held);
    auto again = plan();
    CHECK(count(again, what::release, "a") == 0);
    CHECK(contains(dir.trouble(shard), "taking it over"));
    report("a");
    CHECK(dir.trouble(shard).empty());
    // Under another epoch, so that the answer counts for nothing when it comes.
    CHECK(dir.config(shard).epoch == 2);
    must(dir.released("a", shard, 1, true));
    CHECK(dir.config(shard).epoch == 2);
    CHECK(dir.config(shard).primary == "a");
  }

  TEST_CASE_FIXTURE(fixture, "a node that joins anew while it is asked to let "
                             "go gets another epoch") {
    settle("a");
    join(node("b"));
    plan();
    auto shard = moving();
    join(node("a"), {{shard, {2, 1, 77}}});
    CHECK(!dir.moving(shard));
    plan();
    CHECK(dir.config(shard).epoch == 2);
    CHECK(dir.config(shard).primary == "a");
  }

  TEST_CASE_FIXTURE(fixture, "when the target dies the owner takes the shard "
                             "back") {
    settle("a");
    join(node("b"));
    plan();
    auto shard = moving();
    dir.leave("b");
    CHECK(!dir.moving(shard));
    must(dir.released("a", shard, 1, true));
    CHECK(dir.config(shard).primary == "a");
    CHECK(dir.config(shard).epoch == 2);
    CHECK(count(plan(), what::assign, "a") == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a node that comes back on another disk serves "
                             "nothing of what it had") {
    settle("a", false);
    join(node("a", 2, "new"));
    CHECK(plan().empty());
    CHECK(contains(dir.trouble(0), "on another disk of node name-a"));
    CHECK(dir.config(0).epoch == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a node whose log lacks what was committed does "
                             "not serve it") {
    settle("a", false, 9);
    auto held = std::map<uint32_t, log_position>{
      {0, {9, 1, 77}}, {1, {8, 1, 76}}, {2, {30, 1, 78}}};
    join(node("a", 2), held);
    auto assigned = plan();
    CHECK(count(assigned, what::assign, "a") == 2);
    CHECK(contains(dir.trouble(0), "taking it over"));
    CHECK(contains(dir.trouble(1), "ends at entry 8, but 9 was committed"));
    CHECK(contains(dir.trouble(3), "ends at entry 0, but 9 was committed"));
    // Better news later: the disk was not all there yet.
    join(node("a", 3), {{1, {9, 1, 77}}, {3, {9, 1, 77}}});
    CHECK(contains(dir.trouble(1), "taking it over"));
  }

  TEST_CASE_FIXTURE(fixture,
                    "commits from the catalog count as reported ones") {
    settle("a");
    auto second = directory{store, 4};
    must(second.load());
    CHECK(second.config(2) == dir.config(2));
    second.remember_commit(2, {5, 1, 1});
    second.remember_commit(2, {4, 1, 1});
    second.remember_commit(99, {4, 1, 1});
    CHECK(second.committed(2).index == 5);
    second.remember(node("a"));
    CHECK(second.trouble(2) == "its node name-a is down");
    must(second.join(node("a"), {{2, {4, 1, 1}}}));
    CHECK(contains(second.trouble(2), "has lost the end of its log"));
  }

  TEST_CASE_FIXTURE(fixture, "a name belongs to one node") {
    settle("a");
    auto thief = node("b");
    thief.name = "name-a";
    auto refused = dir.join(thief, {});
    CHECK(code_of(refused) == ec::conflict);
    CHECK(contains(text_of(refused), "127.0.0.1:7411"));
    CHECK(dir.nodes().size() == 1);
    CHECK(dir.find_name("name-a")->self.node == "a");
    CHECK(dir.find_name("name-b") == nullptr);
  }

  TEST_CASE_FIXTURE(fixture, "of two coordinators one changes a shard, and the "
                             "other notices") {
    auto second = directory{store, 4};
    must(second.load());
    settle("a");
    must(second.join(node("b"), {}));
    auto refused = second.plan();
    CHECK(code_of(refused) == ec::conflict);
    CHECK(contains(text_of(refused), "another coordinator"));
    CHECK(second.config(0).epoch == 0);
    CHECK(store.configs[0].primary == "a");
  }

  TEST_CASE_FIXTURE(fixture, "nobody is told of what could not be stored") {
    store.disk_full = true;
    join(node("a"));
    CHECK(code_of(dir.plan()) == ec::disk_full);
    CHECK(dir.config(0).primary.empty());
    store.disk_full = false;
    CHECK(count(plan(), what::assign, "a") == 4);
  }

  TEST_CASE_FIXTURE(fixture, "a catalog of more shards than the cluster has is "
                             "refused") {
    settle("a");
    auto smaller = directory{store, 3};
    CHECK(code_of(smaller.load()) == ec::damaged);
  }

  TEST_CASE("whatever happens to nodes and messages, no shard is served by two "
            "of them, and none that holds something is given away") {
    CHECK(rc::check([] {
      constexpr auto shards = uint32_t{5};
      struct process {
        uint64_t incarnation = 1;
        bool up = false;
        /// Shards that it hosts, their epoch, and whether they hold something.
        std::map<uint32_t, std::pair<uint64_t, bool>> hosts;
        /// What is on its disk.
        std::map<uint32_t, bool> disk;
        std::vector<directive> inbox;
        /// Answers to the coordinator: shard, epoch, gone.
        std::vector<std::tuple<uint32_t, uint64_t, bool>> outbox;
      };
      auto store = memory_config_store{};
      auto dir = directory{store, shards};
      auto nodes
        = std::map<std::string, process>{{"a", {}}, {"b", {}}, {"c", {}}};
      auto full = std::set<uint32_t>{};
      auto dice = [](int n) {
        return *rc::gen::noShrink(rc::gen::inRange(0, n));
      };
      auto plan = [&] {
        auto told = dir.plan();
        RC_ASSERT(told.has_value());
        for (auto& x : *told)
          if (auto& to = nodes[x.node]; to.up)
            to.inbox.push_back(x);
      };
      auto beat = [&](const std::string& id) {
        auto news = std::map<uint32_t, shard_news>{};
        for (auto& [shard, x] : nodes[id].hosts)
          news[shard] = {x.first, true, !x.second, {}, {2, x.first, 0}};
        dir.seen(id, 0);
        dir.report(id, news);
        plan();
      };
      auto obey = [&](process& self) {
        auto x = self.inbox.front();
        self.inbox.erase(self.inbox.begin());
        auto here = self.hosts.find(x.shard);
        if (x.kind == what::assign) {
          if (here == self.hosts.end())
            self.hosts[x.shard] = {x.epoch, self.disk[x.shard]};
          else
            here->second.first = std::max(here->second.first, x.epoch);
          return;
        }
        auto gone = here == self.hosts.end();
        if (!gone && here->second.first == x.epoch && !here->second.second) {
          self.hosts.erase(here);
          gone = true;
        }
        self.outbox.emplace_back(x.shard, x.epoch, gone);
      };
      auto answer = [&](const std::string& id) {
        auto& out = nodes[id].outbox;
        auto [shard, epoch, gone] = out.front();
        out.erase(out.begin());
        RC_ASSERT(dir.released(id, shard, epoch, gone).has_value());
        plan();
      };
      for (auto step = 0; step < 300; ++step) {
        auto id = std::string(1, "abc"[dice(3)]);
        auto& self = nodes[id];
        switch (dice(10)) {
          case 0: // Joins, (re)connects, or restarts.
          {
            if (dice(2) == 0) {
              ++self.incarnation;
              self.hosts.clear();
            }
            self.inbox.clear();
            // Answers of the old connection may still come.
            auto held = std::map<uint32_t, log_position>{};
            for (auto& [shard, some] : self.disk)
              if (some)
                held[shard] = {2, 1, 0};
            self.up = true;
            RC_ASSERT(dir.join(node(id, self.incarnation), held).has_value());
            plan();
            break;
          }
          case 1:
            if (self.up && dice(3) == 0) {
              self.up = false;
              self.inbox.clear();
              if (dice(2) == 0)
                self.outbox.clear();
              dir.leave(id);
            }
            break;
          case 2: // A producer finds the shard, wherever its routes are from.
            for (auto& [shard, x] : self.hosts)
              if (dice(10) == 0) {
                // Two that take readings would lose those of one of them.
                RC_ASSERT(store.configs[shard].primary == id);
                x.second = true;
                self.disk[shard] = true;
                full.insert(shard);
              }
            break;
          case 3:
          case 4:
          case 5:
            if (self.up)
              beat(id);
            break;
          case 6:
          case 7:
            if (!self.inbox.empty())
              obey(self);
            break;
          default:
            if (!self.outbox.empty())
              answer(id);
            break;
        }
        for (auto shard : full)
          RC_ASSERT(nodes[store.configs[shard].primary].disk[shard]);
      }
    }));
  }

} // TEST_SUITE
