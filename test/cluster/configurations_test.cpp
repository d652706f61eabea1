#include "test/cluster/configurations_fixture.hpp"

using namespace weir;
using namespace weir::test;

TEST_SUITE("cluster/configurations") {
  TEST_CASE_FIXTURE(planned_cluster,
                    "a new shard begins on as many nodes as there "
                    "shall be copies") {
    settle();
    CHECK(config().epoch == 1);
    CHECK(store.configs[0] == config());
    CHECK(self->trouble(0).empty());
    plan();
    CHECK(told.empty());
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "how many copies must acknowledge changes at once, "
                    "even where too few are left to commit anything") {
    settle();
    options.min_copies = 2;
    self->set_options(options);
    plan();
    CHECK(config().epoch == 2);
    CHECK(config().min_copies == 2);
    CHECK(config().primary == "a");
    CHECK(config().members.size() == 2);
    plan();
    CHECK(config().epoch == 2);
    CHECK(told_to<announcement>("a").size() == 1);
    self->nodes().lose("a", now);
    plan();
    CHECK(config().primary == "b");
    CHECK(config().members.size() == 1);
    report("b");
    options.min_copies = 1;
    self->set_options(options);
    plan();
    CHECK(config().min_copies == 1);
    CHECK(config().members.size() == 1);
    CHECK(config().eligible == std::vector<node_disk>{{"a", "disk-a"}});
    CHECK(store.configs[0] == config());
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "nobody is told of what could not be stored") {
    found();
    join("a");
    store.disk_full = true;
    CHECK(code_of(self->plan(now)) == ec::disk_full);
    CHECK(config().epoch == 0);
    store.disk_full = false;
    plan();
    CHECK(told_to<announcement>("a").size() == 1);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a shard whose new primary could not be stored "
                    "is in trouble, and says why") {
    settle();
    store.disk_full = true;
    self->nodes().lose("a", now);
    CHECK(self->trouble(0) == "node name-a is down");
    CHECK(!self->plan(now));
    CHECK(
      contains(self->trouble(0), "can't write down who leads it: no space"));
    // It was away for a moment only.
    rejoin("a");
    report("a");
    plan();
    CHECK(self->trouble(0).empty());
    self->nodes().lose("a", now);
    store.disk_full = false;
    plan();
    report("b");
    CHECK(config().primary == "b");
    CHECK(self->trouble(0).empty());
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a shard whose primary can't get rid of a member "
                    "is in trouble, one that gets another is not") {
    settle();
    auto asked = proposal{lives["a"], config(), 1};
    ++asked.next.epoch;
    asked.next.members.pop_back();
    store.disk_full = true;
    // As long as that is alive, it acknowledges.
    CHECK(!self->propose(asked));
    CHECK(self->trouble(0).empty());
    self->nodes().lose("b", now);
    CHECK(!self->propose(asked));
    plan();
    CHECK(contains(self->trouble(0), "no space"));
    store.disk_full = false;
    must(self->propose(asked));
    report("a");
    plan();
    CHECK(config().epoch == 2);
    CHECK(self->trouble(0).empty());
    rejoin("b");
    store.disk_full = true;
    asked.expected = 2;
    asked.next = config();
    ++asked.next.epoch;
    asked.next.members.push_back(lives["b"]);
    CHECK(!self->propose(asked));
    CHECK(self->trouble(0).empty());
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "what a node's coming or death changes is one "
                    "commit, however many shards there are") {
    found(100);
    join("a");
    join("b");
    plan();
    CHECK(store.commits == 1);
    CHECK(store.configs.size() == 100);
    CHECK(told_to<announcement>("a").size() == 100);
    self->nodes().lose("a", now);
    plan();
    CHECK(store.commits == 2);
    for (auto& [shard, x] : store.configs)
      CHECK(x.primary == "b");
    plan();
    CHECK(store.commits == 2);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "where somebody else was quicker, what is stored "
                    "counts, and the other shards change") {
    found(4);
    join("a");
    join("b");
    plan();
    auto led = std::vector<uint32_t>{};
    for (auto i = 0u; i < 4; ++i)
      if (self->config(i).primary == "a")
        led.push_back(i);
    REQUIRE(led.size() == 2);
    auto other = self->config(led[0]);
    other.epoch = 9;
    CHECK(must(store.compare_and_set(1, other)));
    self->nodes().lose("a", now);
    plan();
    CHECK(self->config(led[0]) == other);
    CHECK(self->config(led[1]).primary == "b");
    plan();
    CHECK(self->config(led[0]).primary == "b");
    CHECK(self->config(led[0]).epoch == 10);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a configuration is announced until a node knows "
                    "it") {
    found();
    join("a");
    plan();
    plan();
    CHECK(told_to<announcement>("a").size() == 1);
    report("a");
    plan();
    CHECK(told_to<announcement>("a").empty());
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a backup takes the place of a dead primary, whose "
                    "disk stays eligible") {
    settle();
    self->nodes().lose("a", now);
    plan();
    CHECK(config().epoch == 2);
    CHECK(config().primary == "b");
    CHECK(config().members == std::vector<member>{lives["b"]});
    CHECK(config().eligible == std::vector<node_disk>{{"a", "disk-a"}});
    CHECK(told_to<announcement>("b").size() == 1);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a silent node is dead after the timeout") {
    settle();
    plan(1'500);
    report("b");
    plan();
    CHECK(config().primary == "a");
    plan(600);
    CHECK(config().primary == "b");
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "what was said while the coordinator stood still "
                    "may be read before anyone is dead") {
    settle();
    for (auto i = 0; i < 5; ++i) {
      wait(33'000);
      for (auto id : {"a", "b"}) {
        CHECK(self->nodes().find(id)->up);
        report(id);
      }
    }
    CHECK(config().epoch == 1);
    CHECK(!self->nodes().backup_only("a", now));
    // Who has died meanwhile is noticed soon after.
    wait(33'000);
    report("b");
    plan(1'400);
    CHECK(config().primary == "a");
    plan(400);
    CHECK(config().primary == "b");
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a coordinator that always takes long still "
                    "notices who is dead") {
    settle();
    for (auto i = 0; i < 5; ++i) {
      report("b");
      wait(3'000);
    }
    CHECK(config().primary == "b");
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a failover removes no other member: it may only "
                    "be slow") {
    options.replicas = 3;
    found();
    for (auto id : {"a", "b", "c"})
      join(id);
    plan();
    self->nodes().lose("c", now);
    plan();
    CHECK(config().epoch == 1); // The primary has to propose that.
    self->nodes().lose("a", now);
    plan();
    CHECK(config().members == std::vector<member>{lives["b"], lives["c"]});
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a restarted process is no member: its backup "
                    "takes over") {
    settle();
    join("a");
    plan();
    CHECK(config().primary == "b");
    CHECK(config().members == std::vector<member>{lives["b"]});
    report("b");
    plan();
    auto asked = told_to<announcement>("b");
    REQUIRE(!asked.empty());
    CHECK(asked[0].goals.learners == std::vector<member>{lives["a"]});
  }

  TEST_CASE_FIXTURE(planned_cluster, "a replica that failed leads no more") {
    settle();
    auto x = report_of("a");
    x.failed = true;
    self->report(lives["a"], {x}, now);
    plan();
    CHECK(config().primary == "b");
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "one that failed is told again and again who "
                    "counts on it") {
    settle();
    auto x = report_of("b");
    x.failed = true;
    for (auto i = 0; i < 3; ++i) {
      self->report(lives["b"], {x}, now);
      plan();
      REQUIRE(told_to<announcement>("b").size() == 1);
      CHECK(told_to<announcement>("b")[0].config == config());
    }
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a damaged copy is not waited for if a member is "
                    "there, and that one holds all") {
    restart_all();
    auto x = report_of("a");
    x.failed = true;
    x.text = "an entry is not what was written";
    self->report(lives["a"], {x}, now);
    plan();
    auto asked = told_to<fence>("b");
    REQUIRE(asked.size() == 1);
    CHECK(told_to<fence>("a").empty());
    answer("b", asked[0].epoch, {10, 1, 77});
    plan();
    CHECK(config().primary == "b");
    CHECK(config().members == std::vector<member>{lives["b"]});
    // It may hold something until the new epoch has begun.
    CHECK(config().eligible == std::vector<node_disk>{{"a", lives["a"].disk}});
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a sound copy that is too few by itself names the "
                    "damaged one, which another node replaces") {
    options.min_copies = 2;
    restart_all();
    auto x = report_of("a");
    x.failed = true;
    x.text = "an entry is not what was written";
    auto say_so = [&] {
      self->report(lives["a"], {x}, now);
      auto lone = report_of("b");
      lone.serving = false;
      lone.text = "it is about to lead";
      self->report(lives["b"], {lone}, now);
      plan();
    };
    say_so();
    answer("b", told_to<fence>("b").at(0).epoch, {10, 1, 77});
    plan();
    say_so();
    CHECK(config().members == std::vector<member>{lives["b"]});
    for (auto word : {"it has 1 of the 2 copies", "not what was written",
                      "name-a", "drain that node"})
      CHECK(contains(self->trouble(0), word));
    join("c");
    plan();
    CHECK(told_to<announcement>("b").empty());
    self->nodes().drain("a", true);
    plan();
    CHECK(told_to<announcement>("b").at(0).goals.learners
          == std::vector<member>{lives["c"]});
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "damaged copies are waited for if no member is "
                    "left, and the operator can't make one lead") {
    restart_all();
    for (auto id : {"a", "b"}) {
      auto x = report_of(id);
      x.failed = true;
      x.text = "an entry is not what was written";
      self->report(lives[id], {x}, now);
    }
    plan();
    CHECK(config().epoch == 1);
    auto text = self->trouble(0);
    for (auto word : {"damaged", "name-a", "name-b", "not what was written"})
      CHECK(contains(text, word));
    auto forced = forced_promotion{"a", true, true};
    CHECK(code_of(self->force(0, forced)) == ec::conflict);
    // One without any copy can, if the loss is accepted.
    join("c");
    forced.node = "c";
    forced.accept_loss = false;
    CHECK(code_of(self->force(0, forced)) == ec::conflict);
    forced.accept_loss = true;
    must(self->force(0, forced));
    wait(600);
    auto asked = told_to<fence>("c");
    REQUIRE(asked.size() == 1);
    answer("c", asked[0].epoch, {});
    plan();
    CHECK(config().primary == "c");
    CHECK(config().eligible.size() == 2);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "copies that failed hold up no others that are on "
                    "their way") {
    // b has to catch up with both shards, and can with one of them only.
    options.moves_per_node = 1;
    found(2);
    join("a");
    join("b");
    plan();
    join("b");
    auto reports = [&](bool failed) {
      auto res = std::vector<replica_report>{};
      for (auto shard : {0U, 1U}) {
        auto& x = res.emplace_back(report_of("b"));
        x.shard = shard;
        x.role = replica_role::idle;
        x.failed = failed && shard == 0;
      }
      return res;
    };
    auto wanted = [&](uint32_t shard) {
      plan();
      for (auto& x : told_to<announcement>("a"))
        if (x.config.shard == shard)
          return x.goals.learners.size();
      return size_t{0};
    };
    self->report(lives["b"], reports(false), now);
    CHECK(wanted(0) + wanted(1) == 1);
    self->report(lives["b"], reports(true), now);
    CHECK(wanted(1) == 1);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "an eligible disk alone does not stand for a "
                    "damaged member") {
    restart_all();
    auto present = config();
    present.epoch = 5;
    present.members = {lives["a"]};
    present.eligible = {{"b", lives["b"].disk}};
    store.configs[0] = present;
    options.settle = 0;
    found();
    join("a");
    join("b");
    auto x = report_of("a");
    x.failed = true;
    x.text = "broken";
    self->report(lives["a"], {x}, now);
    plan();
    CHECK(config().epoch == 5);
    CHECK(contains(self->trouble(0), "broken"));
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a new coordinator replaces nobody before all who "
                    "live have said so") {
    settle();
    found();
    rejoin("b");
    plan(500);
    CHECK(config().primary == "a");
    CHECK(self->trouble(0) == "the coordinator has just started");
    report("b");
    rejoin("a");
    plan(1'600);
    CHECK(config().primary == "a");
    CHECK(config().epoch == 1);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "once all are there, a new coordinator replaces "
                    "whoever dies at once") {
    settle();
    found();
    for (auto& id : {"a", "b"})
      self->nodes().remember({lives[id], id});
    rejoin("b");
    plan(500);
    self->nodes().lose("b", now);
    rejoin("a");
    plan();
    rejoin("b");
    CHECK(config().epoch == 1);
    plan(100);
    self->nodes().lose("a", now);
    plan(100);
    CHECK(config().primary == "b");
    CHECK(config().epoch == 2);
  }

  // -- proposals

  TEST_CASE_FIXTURE(planned_cluster,
                    "a primary's proposal is stored, then answered; "
                    "repeated, it is answered again") {
    settle();
    auto next = config();
    next.epoch = 2;
    next.members = {lives["a"]};
    next.eligible = {{"b", "disk-b"}};
    auto asked = proposal{lives["a"], next, 1};
    auto answer = must(self->propose(asked));
    CHECK(answer.present == next);
    CHECK(answer.refused.empty());
    CHECK(store.configs[0] == next);
    CHECK(must(self->propose(asked)).present == next);
    CHECK(config().epoch == 2);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "only the present primary proposes, and only those "
                    "who are there") {
    settle();
    auto next = config();
    next.epoch = 2;
    next.primary = "b";
    CHECK(!must(self->propose({lives["b"], next, 1})).refused.empty());
    self->nodes().lose("b", now);
    CHECK(contains(must(self->propose({lives["a"], next, 1})).refused,
                   "b is away"));
    next = config();
    next.epoch = 2;
    next.members.push_back({"c", "disk-c", 1});
    CHECK(!must(self->propose({lives["a"], next, 1})).refused.empty());
    CHECK(config().epoch == 1);
    auto old = lives["a"];
    join("a");
    plan();
    CHECK(must(self->propose({old, next, 1})).present.epoch == config().epoch);
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "of two coordinators one changes a shard, and the "
                    "other takes what is stored") {
    settle();
    auto other = store.configs[0];
    other.epoch = 5;
    other.members = {lives["a"]};
    store.configs[0] = other;
    auto next = config();
    next.epoch = 2;
    auto answer = must(self->propose({lives["a"], next, 1}));
    CHECK(answer.present == other);
    CHECK(config() == other);
  }
} // TEST_SUITE
