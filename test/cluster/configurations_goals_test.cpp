#include "test/cluster/configurations_fixture.hpp"

using namespace weir;
using namespace weir::test;

TEST_SUITE("cluster/configurations_goals") {
  TEST_CASE_FIXTURE(planned_cluster,
                    "a node that is drained is asked for nothing more, "
                    "and is empty in the end") {
    settle();
    join("c");
    self->nodes().drain("a", true);
    plan();
    auto asked = told_to<announcement>("a");
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].goals.learners == std::vector<member>{lives["c"]});
    CHECK(asked[0].goals.successor.empty());
    CHECK(asked[0].goals.surplus.empty());
    auto next = config();
    next.epoch = 2;
    next.members.push_back(lives["c"]);
    must(self->propose({lives["a"], next, 1}));
    for (auto id : {"a", "b", "c"})
      report(id);
    plan();
    asked = told_to<announcement>("a");
    REQUIRE(asked.size() == 1);
    CHECK(!asked[0].goals.successor.empty());
    CHECK(asked[0].goals.successor != "a");
    next.epoch = 3;
    next.primary = asked[0].goals.successor;
    must(self->propose({lives["a"], next, 2}));
    for (auto id : {"a", "b", "c"})
      report(id);
    plan();
    asked = told_to<announcement>(config().primary);
    REQUIRE(asked.size() == 1);
    CHECK(asked[0].goals.surplus == std::vector<std::string>{"a"});
    CHECK(!self->is_empty("a"));
    next.epoch = 4;
    next.members = {lives["b"], lives["c"]};
    must(self->propose({lives[next.primary], next, 3}));
    CHECK(self->is_empty("a"));
    for (auto id : {"a", "b", "c"})
      report(id);
    plan();
    CHECK(told_to<drop_copy>("a").size() == 1);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a copy that was begun and is not wanted goes, "
                    "after a new epoch if it has followed in this "
                    "one") {
    settle();
    join("c");
    auto say = [&](replica_role role, bool served = true) {
      auto leader = report_of("a");
      leader.serving = served;
      self->report(lives["a"], {leader}, now);
      report("b");
      auto copy = report_of("c");
      copy.role = role;
      self->report(lives["c"], {copy}, now);
      plan();
    };
    say(replica_role::idle);
    CHECK(config().epoch == 1);
    CHECK(told_to<drop_copy>("c").size() == 1);
    // Not while anything is under way.
    say(replica_role::learner, false);
    CHECK(config().epoch == 1);
    auto before = config();
    say(replica_role::learner);
    CHECK(config().epoch == 2);
    CHECK(config().primary == before.primary);
    CHECK(config().members == before.members);
    CHECK(told_to<announcement>("c").size() == 1);
    CHECK(told_to<drop_copy>("c").empty());
    say(replica_role::idle);
    CHECK(config().epoch == 2);
    CHECK(told_to<drop_copy>("c").size() == 1);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a node that is away for a moment keeps its place, "
                    "and after a while another one takes it") {
    settle();
    join("c");
    auto place = self->target(0);
    auto ask = [&] {
      report("a");
      report("c");
      plan();
      return self->target(0);
    };
    self->nodes().lose("b", now);
    plan(1'000);
    CHECK(ask() == place);
    for (auto i = 0; i < 30; ++i) {
      plan(1'000);
      ask();
    }
    CHECK(self->target(0) == std::vector<std::string>{"a", "c"});
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "when all were away for long, the first one to "
                    "come back does not take the others' places") {
    options.replicas = 1;
    found(12);
    join("a");
    join("b");
    plan();
    auto places = [&] {
      auto res = std::vector<std::vector<std::string>>{};
      for (auto i = uint32_t{0}; i < self->shards(); ++i)
        res.push_back(self->target(i));
      return res;
    };
    auto before = places();
    for (auto id : {"a", "b"})
      self->nodes().lose(id, now);
    plan(2 * options.replace_after);
    join("b");
    auto go_on = [&](int64_t ms) {
      for (; ms > 0; ms -= 1'000) {
        report("b");
        plan(1'000);
      }
    };
    go_on(options.replace_after - 1'000);
    CHECK(places() == before);
    // From then on the others are waited for as usual.
    go_on(2'000);
    auto taken = std::vector<std::vector<std::string>>(12, {"b"});
    CHECK(places() == taken);
  }

  TEST_CASE_FIXTURE(planned_cluster, "only so many copies are made at a time") {
    options.replicas = 1;
    found(12);
    join("a");
    plan();
    self->set_options(options);
    join("b");
    plan();
    auto learners = size_t{0};
    for (auto& x : told_to<announcement>("a"))
      learners += x.goals.learners.size();
    CHECK(learners == options.moves_per_node);
    // Those that have nothing to copy need not wait for the others.
    auto reports = std::vector<replica_report>{};
    for (auto i = uint32_t{0}; i < 12; ++i) {
      auto x = report_of("a");
      x.shard = i;
      x.epoch = x.promised = self->config(i).epoch;
      x.empty = i % 3 > 0;
      reports.push_back(x);
    }
    self->report(lives["a"], reports, now);
    plan();
    auto full = size_t{0};
    auto empty = size_t{0};
    for (auto& x : told_to<announcement>("a"))
      (x.config.shard % 3 > 0 ? empty : full) += x.goals.learners.size();
    auto moving = size_t{0};
    for (auto i = uint32_t{0}; i < 12; ++i)
      moving += self->target(i).front() == "b" && i % 3 > 0 ? 1 : 0;
    CHECK(moving > options.moves_per_node);
    CHECK(empty == moving);
    CHECK(full <= options.moves_per_node);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "who has died too often lately leads only where "
                    "there is no other") {
    options.replicas = 3;
    found();
    for (auto id : {"a", "b", "c"})
      join(id);
    plan();
    for (auto i = 0; i < 3; ++i) {
      self->nodes().lose("b", now);
      rejoin("b");
    }
    CHECK(self->nodes().backup_only("b", now));
    self->nodes().lose("a", now);
    plan();
    CHECK(config().primary == "c");
    self->nodes().lose("c", now);
    plan();
    CHECK(config().primary == "b");
    CHECK(!self->nodes().backup_only("b", now + 60'000));
  }
} // TEST_SUITE
