#include "cluster/configurations.hpp"
#include "test/cluster/memory_config_store.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>

#include <memory>

using namespace weir;
using namespace weir::test;

namespace {

/// A coordinator with nodes that say what they are told to say.
struct cluster {
  memory_config_store store;
  configuration_options options;
  std::unique_ptr<configurations> self;
  std::map<std::string, member> lives;
  int64_t now = 10'000;
  std::vector<instruction> told;

  cluster() {
    options.replicas = 2;
  }

  void found(uint32_t shards = 1) {
    self = std::make_unique<configurations>(store, shards, options);
    must(self->load(now));
  }

  void join(const std::string& id) {
    auto& x = lives[id];
    if (x.node.empty())
      x = {id, "disk-" + id, 0};
    ++x.incarnation;
    rejoin(id);
  }

  /// The same life again.
  void rejoin(const std::string& id) {
    self->nodes().join({lives[id], "name-" + id}, now);
  }

  /// `ms` later, as often as a coordinator does.
  void plan(int64_t ms = 0) {
    for (; ms > 300; ms -= 300)
      wait(300);
    wait(ms);
  }

  /// It stands still for `ms`.
  void wait(int64_t ms) {
    now += ms;
    told = must(self->plan(now));
  }

  /// What a replica of shard 0 says: its role follows from the configuration.
  replica_report report_of(const std::string& id, uint64_t index = 10) {
    auto& config = self->config(0);
    auto res = replica_report{};
    res.epoch = config.epoch;
    res.promised = config.epoch;
    res.empty = false;
    res.end = res.committed = {index, config.epoch, 77};
    for (auto& m : config.members)
      if (m == lives[id])
        res.role = replica_role::backup;
    if (config.primary == id) {
      res.role = replica_role::primary;
      res.serving = true;
    }
    return res;
  }

  void report(const std::string& id, uint64_t index = 10) {
    self->report(lives[id], {report_of(id, index)}, now);
  }

  void answer(const std::string& id, uint64_t epoch, log_position end) {
    self->report(fence_report{0, epoch, lives[id], end, {}});
  }

  template <class T>
  std::vector<T> told_to(const std::string& id) const {
    auto res = std::vector<T>{};
    for (auto& x : told)
      if (auto message = std::get_if<T>(&x.message);
          message != nullptr && x.node == id)
        res.push_back(*message);
    return res;
  }

  const shard_config& config() {
    return self->config(0);
  }

  /// a leads, b follows, and both say so.
  void settle() {
    found();
    join("a");
    join("b");
    plan();
    report("a");
    report("b");
    plan();
    REQUIRE(config().primary == "a");
    REQUIRE(config().members.size() == 2);
  }

  /// Both members come back as other processes.
  void restart_all() {
    settle();
    join("a");
    join("b");
  }
};

} // namespace

TEST_SUITE("cluster/configurations") {
  TEST_CASE_FIXTURE(cluster, "a new shard begins on as many nodes as there "
                             "shall be copies") {
    settle();
    CHECK(config().epoch == 1);
    CHECK(store.configs[0] == config());
    CHECK(self->trouble(0).empty());
    plan();
    CHECK(told.empty());
  }

  TEST_CASE_FIXTURE(cluster,
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

  TEST_CASE_FIXTURE(cluster, "nobody is told of what could not be stored") {
    found();
    join("a");
    store.disk_full = true;
    CHECK(code_of(self->plan(now)) == ec::disk_full);
    CHECK(config().epoch == 0);
    store.disk_full = false;
    plan();
    CHECK(told_to<announcement>("a").size() == 1);
  }

  TEST_CASE_FIXTURE(cluster, "a shard whose new primary could not be stored "
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

  TEST_CASE_FIXTURE(cluster, "a shard whose primary can't get rid of a member "
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

  TEST_CASE_FIXTURE(cluster, "what a node's coming or death changes is one "
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

  TEST_CASE_FIXTURE(cluster, "where somebody else was quicker, what is stored "
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

  TEST_CASE_FIXTURE(cluster, "a configuration is announced until a node knows "
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

  TEST_CASE_FIXTURE(cluster,
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

  TEST_CASE_FIXTURE(cluster, "a silent node is dead after the timeout") {
    settle();
    plan(1'500);
    report("b");
    plan();
    CHECK(config().primary == "a");
    plan(600);
    CHECK(config().primary == "b");
  }

  TEST_CASE_FIXTURE(cluster, "what was said while the coordinator stood still "
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

  TEST_CASE_FIXTURE(cluster, "a coordinator that always takes long still "
                             "notices who is dead") {
    settle();
    for (auto i = 0; i < 5; ++i) {
      report("b");
      wait(3'000);
    }
    CHECK(config().primary == "b");
  }

  TEST_CASE_FIXTURE(cluster, "a failover removes no other member: it may only "
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

  TEST_CASE_FIXTURE(cluster, "a restarted process is no member: its backup "
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

  TEST_CASE_FIXTURE(cluster, "a replica that failed leads no more") {
    settle();
    auto x = report_of("a");
    x.failed = true;
    self->report(lives["a"], {x}, now);
    plan();
    CHECK(config().primary == "b");
  }

  TEST_CASE_FIXTURE(cluster, "one that failed is told again and again who "
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

  TEST_CASE_FIXTURE(cluster, "a damaged copy is not waited for if a member is "
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

  TEST_CASE_FIXTURE(cluster, "a sound copy that is too few by itself names the "
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

  TEST_CASE_FIXTURE(cluster, "damaged copies are waited for if no member is "
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

  TEST_CASE_FIXTURE(cluster, "copies that failed hold up no others that are on "
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

  TEST_CASE_FIXTURE(cluster, "an eligible disk alone does not stand for a "
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

  TEST_CASE_FIXTURE(cluster, "a new coordinator replaces nobody before all who "
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

  TEST_CASE_FIXTURE(cluster, "once all are there, a new coordinator replaces "
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

  TEST_CASE_FIXTURE(cluster, "a primary's proposal is stored, then answered; "
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

  TEST_CASE_FIXTURE(cluster,
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

  TEST_CASE_FIXTURE(cluster, "of two coordinators one changes a shard, and the "
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

  // -- no valid member is left

  TEST_CASE_FIXTURE(cluster, "every disk is asked, and the longest log leads") {
    restart_all();
    plan();
    REQUIRE(told_to<fence>("a").size() == 1);
    REQUIRE(told_to<fence>("b").size() == 1);
    auto epoch = told_to<fence>("a")[0].epoch;
    CHECK(epoch > 1);
    CHECK(config().epoch == 1);
    answer("a", epoch, {12, 1, 5});
    plan();
    CHECK(config().epoch == 1); // Not before all have answered.
    answer("b", epoch, {13, 1, 6});
    plan();
    CHECK(config().epoch == epoch);
    CHECK(config().primary == "b");
    CHECK(config().members == std::vector<member>{lives["b"]});
    CHECK(config().eligible == std::vector<node_disk>{{"a", "disk-a"}});
  }

  TEST_CASE_FIXTURE(cluster, "a later epoch is longer than a greater index") {
    restart_all();
    plan();
    auto epoch = told_to<fence>("a")[0].epoch;
    answer("a", epoch, {11, 2, 5});
    answer("b", epoch, {90, 1, 6});
    plan();
    CHECK(config().primary == "a");
  }

  TEST_CASE_FIXTURE(cluster, "what was said under an older promise, or by an "
                             "earlier life, does not count") {
    restart_all();
    plan();
    auto epoch = told_to<fence>("a")[0].epoch;
    answer("a", epoch - 1, {99, 1, 5});
    answer("b", epoch, {13, 1, 6});
    plan();
    CHECK(config().epoch == 1);
    answer("a", epoch, {12, 1, 5});
    join("b");
    plan(600);
    CHECK(config().epoch == 1);
    CHECK(told_to<fence>("b").size() == 1);
    CHECK(told_to<fence>("a").empty());
  }

  TEST_CASE_FIXTURE(cluster, "a missing disk is waited for, and the sentence "
                             "says which") {
    settle();
    join("a");
    self->nodes().lose("b", now);
    plan();
    CHECK(config().epoch == 1);
    CHECK(told_to<fence>("a").empty());
    CHECK(contains(self->trouble(0), "name-b"));
    // The same life is back: it is a valid member.
    rejoin("b");
    plan();
    CHECK(config().primary == "b");
  }

  TEST_CASE_FIXTURE(cluster, "a disk that is declared gone is not waited for, "
                             "if the others reach the last known commit") {
    settle();
    join("a");
    self->nodes().lose("b", now);
    self->nodes().declare_gone({"b", "disk-b"});
    plan();
    REQUIRE(told_to<fence>("a").size() == 1);
    auto epoch = told_to<fence>("a")[0].epoch;
    answer("a", epoch, {9, 1, 5});
    plan();
    CHECK(config().epoch == 1);
    CHECK(contains(self->trouble(0), "ends at entry 9"));
    answer("a", epoch, {10, 1, 5});
    plan();
    CHECK(config().primary == "a");
    CHECK(config().eligible.empty());
  }

  TEST_CASE_FIXTURE(cluster, "a shorter log leads by force, and with the loss "
                             "accepted, only") {
    settle();
    CHECK(code_of(self->force(0, {"b", true, true})) == ec::conflict);
    self->nodes().lose("a", now);
    join("b");
    plan();
    CHECK(contains(self->trouble(0), "name-a"));
    CHECK(code_of(self->force(0, {"x", false, true})) == ec::not_found);
    must(self->force(0, {"b", false, true}));
    plan();
    auto epoch = told_to<fence>("b").at(0).epoch;
    answer("b", epoch, {9, 1, 5});
    plan();
    CHECK(config().epoch == 1);
    must(self->force(0, {"b", true, true}));
    plan();
    CHECK(config().primary == "b");
    CHECK(config().epoch == epoch);
    CHECK(self->committed(0).index == 0);
    // A coordinator that has just started still knows of what was given up.
    self->remember_commit(0, {10, 1, 77});
    report("b", 3);
    CHECK(self->committed(0) == log_position{3, epoch, 77});
    self->remember_commit(0, {12, 1, 77});
    CHECK(self->committed(0).index == 3);
  }

  TEST_CASE_FIXTURE(cluster, "a node whose copy is damaged before it could be "
                             "promoted by force is not waited for") {
    settle();
    self->nodes().lose("a", now);
    join("b");
    must(self->force(0, {"b", true, true}));
    plan();
    join("b");
    auto damaged = report_of("b");
    damaged.failed = true;
    self->report(lives["b"], {damaged}, now);
    join("a");
    now += 1'000;
    plan();
    auto epoch = told_to<fence>("a").at(0).epoch;
    answer("a", epoch, {10, 1, 5});
    plan();
    CHECK(config().primary == "a");
    CHECK(config().epoch == epoch);
  }

  TEST_CASE_FIXTURE(cluster, "without the old primary's promise a forced "
                             "promotion needs the word that it is stopped") {
    settle();
    self->nodes().lose("a", now);
    join("b");
    must(self->force(0, {"b", false, false}));
    plan();
    answer("b", told_to<fence>("b").at(0).epoch, {10, 1, 5});
    plan();
    CHECK(config().epoch == 1);
    CHECK(contains(self->trouble(0), "make sure that it is stopped"));
    must(self->force(0, {"b", false, true}));
    plan();
    CHECK(config().primary == "b");
  }

  TEST_CASE_FIXTURE(cluster, "a forced promotion that was not needed is no "
                             "licence for the next loss") {
    settle();
    self->nodes().lose("a", now);
    self->nodes().lose("b", now);
    join("c");
    must(self->force(0, {"c", true, true}));
    // Before c has answered, one of them is back as it was.
    rejoin("a");
    plan();
    report("a");
    plan();
    CHECK(config().primary == "a");
    CHECK(self->trouble(0).empty());
    // Much later all members are lost again.
    self->nodes().lose("a", now);
    plan();
    CHECK(config().epoch == 1);
    CHECK(told_to<fence>("c").empty());
    CHECK(contains(self->trouble(0), "name-a"));
  }

  TEST_CASE_FIXTURE(cluster, "a forced promotion waits no longer than for all "
                             "disks") {
    settle();
    self->nodes().lose("a", now);
    join("b");
    must(self->force(0, {"b", false, true}));
    plan();
    auto epoch = told_to<fence>("b").at(0).epoch;
    answer("b", epoch, {9, 1, 5});
    plan();
    CHECK(contains(self->trouble(0), "ends at entry 9"));
    SUBCASE("that was refused") {
      join("a");
    }
    SUBCASE("with the loss accepted, before it was made") {
      join("a");
      must(self->force(0, {"b", true, true}));
    }
    SUBCASE("of a node that is down by now") {
      self->nodes().lose("b", now);
      plan();
      CHECK(contains(self->trouble(0), "name-b, which an operator"));
      join("a");
      join("b");
    }
    plan(600);
    answer("a", epoch, {10, 1, 6});
    answer("b", epoch, {9, 1, 5});
    plan();
    CHECK(config().primary == "a");
    CHECK(config().epoch == epoch);
  }

  TEST_CASE_FIXTURE(cluster, "a loss that is accepted is one, where all disks "
                             "are there and none holds what was acknowledged") {
    restart_all();
    plan();
    auto epoch = told_to<fence>("a").at(0).epoch;
    answer("a", epoch, {8, 1, 5});
    answer("b", epoch, {9, 1, 5});
    plan();
    CHECK(contains(self->trouble(0), "ends at entry 9"));
    must(self->force(0, {"a", true, true}));
    plan();
    CHECK(config().primary == "a");
    CHECK(config().epoch == epoch);
  }

  TEST_CASE_FIXTURE(cluster,
                    "a node that was forgotten counts for nothing, and "
                    "is another one when it comes back") {
    settle();
    join("c");
    for (auto i = 0; i < 3; ++i) {
      self->nodes().lose("c", now);
      rejoin("c");
    }
    self->nodes().lose("c", now);
    CHECK(self->count_held("a") == 1);
    CHECK(self->count_held("c") == 0);
    self->nodes().forget("c");
    CHECK(self->nodes().find("c") == nullptr);
    plan();
    CHECK(config().primary == "a");
    join("c");
    CHECK(!self->nodes().backup_only("c", now));
  }

  TEST_CASE_FIXTURE(cluster, "epochs are above every promise that was heard "
                             "of") {
    settle();
    auto x = report_of("b");
    x.promised = 41;
    self->report(lives["b"], {x}, now);
    self->nodes().lose("a", now);
    plan();
    CHECK(config().epoch == 42);
  }

  // -- places

  TEST_CASE_FIXTURE(cluster,
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

  TEST_CASE_FIXTURE(cluster, "a copy that was begun and is not wanted goes, "
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

  TEST_CASE_FIXTURE(cluster,
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

  TEST_CASE_FIXTURE(cluster, "when all were away for long, the first one to "
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

  TEST_CASE_FIXTURE(cluster, "only so many copies are made at a time") {
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

  TEST_CASE_FIXTURE(cluster, "who has died too often lately leads only where "
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
