#include "test/cluster/records.hpp"
#include "test/cluster/shard_fixture.hpp"
#include "test/simulate/world.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace weir;
using namespace weir::test;

namespace {

bool has_member(const shard_config& x, const std::string& node) {
  return std::any_of(x.members.begin(), x.members.end(), [&](auto& m) {
    return m.node == node;
  });
}

bool is_eligible(const shard_config& x, const std::string& node) {
  return std::any_of(x.eligible.begin(), x.eligible.end(), [&](auto& disk) {
    return disk.node == node;
  });
}

} // namespace

TEST_SUITE("cluster/replica") {
  TEST_CASE_FIXTURE(world, "what all members hold is acknowledged, with the "
                           "number of copies") {
    serve({"a", "b", "c"});
    CHECK(at("a").role() == replica_role::primary);
    CHECK(at("b").role() == replica_role::backup);
    CHECK(send("a", 0, 3).code == ec::none);
    sync("a");
    while (!network.empty())
      deliver(0);
    sync("b");
    while (!network.empty())
      deliver(0);
    CHECK(acked() == 0); // c has not stored it.
    settle();
    CHECK(acked() == 3);
    CHECK(copies == 3);
    CHECK(counted("a") == 3);
  }

  TEST_CASE_FIXTURE(world,
                    "settings are in the log before the first block is") {
    add("a");
    configure("a", {identity("a")});
    announce();
    auto settings = shard_settings{};
    settings.version = 3;
    auto enter = [&](shard& x) {
      return x.admit_settings(settings);
    };
    CHECK(send("a", 0).code == ec::unavailable);
    CHECK(at("a").admit(enter).entry->index == 2);
    settle();
    CHECK(at("a").state().settings().version == 3);
    CHECK(send("a", 0).entry->index == 3);
    add("b");
    CHECK(at("b").admit(enter).entry == nullptr);
  }

  TEST_CASE_FIXTURE(world, "backups apply what is committed, and are equal") {
    serve({"a", "b"});
    send("a", 0, 5);
    settle();
    CHECK(counted("b") == 0); // It does not know yet that this is committed.
    pass(200);
    CHECK(counted("b") == 5);
    CHECK(at("b").state().table().digest() == at("a").state().table().digest());
    CHECK(at("b").state().applied() == at("a").state().applied());
  }

  TEST_CASE_FIXTURE(world,
                    "a new primary acknowledges nothing before its no-op "
                    "is committed on all members") {
    serve({"a", "b", "c"});
    send("a", 0);
    settle();
    crash("a");
    cut_off = {{"b", "c"}};
    promote("b", {identity("b"), identity("c")});
    settle();
    CHECK(!at("b").serving());
    CHECK(send("b", 1).code == ec::unavailable);
    CHECK(at("b").trouble() == "it is about to lead");
    cut_off.clear();
    tick(600);
    settle();
    CHECK(at("b").serving());
    CHECK(send("b", 1).code == ec::none);
    settle();
    CHECK(acked() == 2);
  }

  TEST_CASE_FIXTURE(world, "nothing is committed by halves: what came before "
                           "the no-op waits for it") {
    serve({"a", "b", "c"});
    cut_off = {{"a", "c"}};
    for (auto i = uint64_t{0}; i < 3; ++i)
      send("a", i);
    settle();
    crash("a");
    promote("b", {identity("b"), identity("c")});
    carry_out("b");
    sync("b");
    // c gets all of it, and stores one entry after the other.
    tick(600);
    for (auto round = 0; round < 4; ++round)
      while (!network.empty())
        deliver(0);
    auto before = nodes["c"].disk.log.size();
    while (nodes["c"].disk.waiting() > 0) {
      sync_one("c");
      while (!network.empty())
        deliver(0);
      auto& end = nodes["c"].disk.log.back();
      CHECK(at("b").serving() == (end.epoch == config().epoch));
    }
    CHECK(nodes["c"].disk.log.size() == before + 4);
    CHECK(at("b").serving());
  }

  TEST_CASE_FIXTURE(world, "what only some hold is neither lost nor counted "
                           "twice by the next primary") {
    serve({"a", "b", "c"});
    send("a", 0);
    settle();
    cut_off = {{"a", "c"}};
    send("a", 1); // Reaches b alone, and is not acknowledged.
    settle();
    crash("a");
    CHECK(acked() == 1);
    promote("b", {identity("b"), identity("c")});
    settle();
    CHECK(counted("b") == 2);
    CHECK(send("b", 1).entry == nullptr); // It is there.
    settle();
    CHECK(acked() == 2);
    CHECK(send("b", 2).code == ec::none);
    settle();
    CHECK(counted("b") == 3);
  }

  TEST_CASE_FIXTURE(world, "a duplicate of what is not committed yet is "
                           "acknowledged only when that is") {
    serve({"a", "b"});
    cut_off = {{"a", "b"}};
    send("a", 0);
    settle();
    CHECK(send("a", 0).entry == nullptr);
    settle();
    CHECK(acked() == 0);
    cut_off.clear();
    tick(600);
    settle();
    CHECK(acked() == 1);
    acknowledged.clear();
    CHECK(send("a", 0).entry == nullptr);
    CHECK(acked() == 1);
  }

  TEST_CASE_FIXTURE(world, "an old primary that is cut off acknowledges "
                           "nothing, and steps down when it hears of another") {
    serve({"a", "b"});
    cut_off = {{"a", "b"}};
    configure("b", {identity("b")}, {{"a", "disk-a"}});
    announce("b");
    settle();
    CHECK(at("b").serving());
    send("a", 0);
    settle();
    CHECK(acked() == 0);
    cut_off.clear();
    coordinator_up = false;
    tick(600);
    settle();
    CHECK(acked() == 0);
    // b's refusal says that there is a greater epoch.
    CHECK(at("a").role() == replica_role::idle);
    CHECK(send("a", 1).code == ec::unavailable);
  }

  TEST_CASE_FIXTURE(world, "a restarted process does not count as the member "
                           "that it was") {
    serve({"a", "b"});
    crash("b");
    start("b");
    send("a", 0);
    settle();
    tick(600);
    settle();
    CHECK(at("b").durable().index == at("a").durable().index);
    CHECK(acked() == 0);
    CHECK(at("b").role() != replica_role::backup);
    pass(2'500);
    CHECK(config().members == std::vector<member>{identity("a")});
    CHECK(acked() == 1);
    CHECK(copies == 1);
  }

  // -- learners

  TEST_CASE_FIXTURE(world, "a learner gets the log, and becomes a member") {
    serve({"a"});
    for (auto i = uint64_t{0}; i < 20; ++i) {
      send("a", i);
      settle();
    }
    add("b");
    goals.learners = {identity("b")};
    announce("a");
    settle();
    CHECK(at("b").role() == replica_role::backup);
    CHECK(config().epoch == 2);
    CHECK(has_member(config(), "b"));
    send("a", 20);
    settle();
    CHECK(copies == 2);
    pass(300);
    CHECK(counted("b") == 21);
    CHECK(proposals.size() == 1);
  }

  TEST_CASE_FIXTURE(world, "a learner that has applied more than was found to "
                           "agree in this epoch says so") {
    serve({"a"});
    send("a", 0, 1);
    send("a", 1, 1);
    settle();
    add("c");
    auto part
      = replicate{0, 1, identity("a"), {}, nodes["a"].disk.read(1, 3), 3};
    REQUIRE(part.entries.size() == 3);
    deliver(letter{"a", "c", part});
    // Before that is on its disk, the first of it comes under the next epoch.
    part.epoch = 2;
    part.entries.pop_back();
    deliver(letter{"a", "c", part});
    sync("c");
    REQUIRE(counted("c") == 2);
    // Its acknowledgements are lost, and the same part comes again.
    network.clear();
    deliver(letter{"a", "c", part});
    REQUIRE(network.size() == 1);
    auto claim = std::get_if<log_claim>(&network.front().message);
    REQUIRE(claim != nullptr);
    CHECK(claim->applied.index == 3);
  }

  TEST_CASE_FIXTURE(world, "a learner gets a checkpoint where the log does not "
                           "reach back") {
    serve({"a"});
    for (auto i = uint64_t{0}; i < 50; ++i) {
      send("a", i);
      settle();
      if (i == 30) {
        nodes["a"].disk.save(at("a").state());
        nodes["a"].disk.truncate(31);
        at("a").truncated(31);
      }
    }
    add("b");
    goals.learners = {identity("b")};
    pass(500);
    CHECK(at("b").role() == replica_role::backup);
    CHECK(nodes["b"].installed == 1);
    CHECK(counted("b") == 50);
    CHECK(at("b").state().table().digest() == at("a").state().table().digest());
    // What is on its disk suffices.
    crash("b");
    start("b");
    CHECK(counted("b") >= 31);
    crash("a");
    promote("b", {identity("b")});
    settle();
    CHECK(counted("b") == 50);
  }

  TEST_CASE_FIXTURE(world, "a learner is not proposed before all members hold "
                           "the no-op, whatever it has") {
    serve({"a", "b", "c"});
    send("a", 0);
    settle();
    crash("a");
    add("d");
    cut_off = {{"b", "c"}};
    goals.learners = {identity("d")};
    promote("b", {identity("b"), identity("c")});
    settle();
    for (auto i = 0; i < 10; ++i) {
      announce("b");
      tick(100);
      settle();
    }
    // It holds all that was acknowledged, and the no-op; c does not.
    CHECK(at("d").durable().index == at("b").durable().index);
    CHECK(proposals.empty());
    cut_off.clear();
    pass(1'000);
    CHECK(has_member(config(), "d"));
    CHECK(has_member(config(), "c"));
  }

  TEST_CASE_FIXTURE(world, "a learner that lacks something committed is not "
                           "proposed") {
    serve({"a"});
    add("b");
    goals.learners = {identity("b")};
    announce("a");
    // b has the no-op, and says so, while a goes on alone.
    while (nodes["b"].disk.log.empty()) {
      deliver(0);
      answer_locally("a");
      sync("b");
    }
    REQUIRE(nodes["b"].disk.log.size() == 1);
    send("a", 0);
    sync("a");
    CHECK(acked() == 1);
    auto ack = std::find_if(network.begin(), network.end(), [](auto& x) {
      return std::holds_alternative<replicated>(x.message);
    });
    REQUIRE(ack != network.end());
    deliver(static_cast<size_t>(ack - network.begin()));
    CHECK(to_coordinator.empty());
    settle();
    CHECK(proposals.size() == 1);
    CHECK(at("b").durable().index >= 2);
  }

  TEST_CASE_FIXTURE(world, "until the outcome of a proposal is read, old and "
                           "new members are required") {
    serve({"a", "b"});
    add("c");
    goals.learners = {identity("c")};
    coordinator_up = false; // The proposal may have happened, or not.
    announce("a");
    settle();
    CHECK(proposals.empty());
    CHECK(config().epoch == 1);
    cut_off = {{"a", "c"}};
    send("a", 0);
    settle();
    CHECK(acked() == 0);
    cut_off = {{"a", "b"}};
    send("a", 1);
    tick(600);
    settle();
    CHECK(acked() == 1); // All three hold the first one by now.
    cut_off.clear();
    tick(600);
    settle();
    CHECK(acked() == 2);
  }

  TEST_CASE_FIXTURE(world, "a member whose removal was proposed is required "
                           "until that is read") {
    serve({"a", "b", "c"});
    answers_get_through = false;
    cut_off = {{"a", "c"}};
    send("a", 0);
    settle();
    for (auto i = 0; i < 30; ++i) {
      tick(100);
      settle();
    }
    CHECK(!has_member(config(), "c")); // It happened, but a can't know.
    CHECK(acked() == 0);
    answers_get_through = true;
    tick(600);
    settle();
    CHECK(acked() == 1);
    CHECK(copies == 2);
  }

  TEST_CASE_FIXTURE(world, "a proposal that was refused is withdrawn by "
                           "another one") {
    serve({"a", "b"});
    add("c");
    goals.learners = {identity("c")};
    refusal = "node c is away";
    announce("a");
    settle();
    REQUIRE(proposals.size() >= 2);
    CHECK(proposals[1].next.members == config().members);
    goals = {};
    refusal.clear();
    tick(600);
    settle();
    CHECK(config().epoch > 1);
    cut_off = {{"a", "c"}};
    send("a", 0);
    settle();
    CHECK((acked() == 1 || has_member(config(), "c")));
  }

  TEST_CASE_FIXTURE(world, "a learner keeps its old copy until the new one is "
                           "complete and synced") {
    serve({"a", "b"});
    send("a", 0, 3);
    settle();
    pass(300);
    crash("b");
    promote("a", {identity("a")}, {{"b", "disk-b"}});
    settle();
    for (auto i = uint64_t{3}; i < 40; ++i) {
      send("a", i);
      settle();
    }
    nodes["a"].disk.save(at("a").state());
    nodes["a"].disk.truncate(30);
    crash("a");
    start("a");
    promote("a", {identity("a")});
    settle();
    start("b");
    auto old = nodes["b"].disk.log.size();
    goals.learners = {identity("b")};
    announce();
    // Nothing of what b writes reaches its disk.
    for (auto i = 0; i < 50; ++i) {
      sync("a");
      answer_locally("a");
      if (!network.empty())
        deliver(0);
    }
    CHECK(nodes["b"].disk.waiting() > 0);
    crash("b");
    CHECK(nodes["b"].disk.log.size() == old);
    start("b");
    CHECK(at("b").durable().index == old);
    goals.learners = {identity("b")};
    pass(3'000);
    CHECK(nodes["b"].installed == 1);
    CHECK(has_member(config(), "b"));
    pass(300);
    CHECK(counted("b") == 40);
  }

  TEST_CASE_FIXTURE(world, "a copy that is offered late does not hold up a "
                           "learner that lacks nothing") {
    serve({"a"});
    nodes["a"].disk.save(at("a").state());
    send("a", 0, 1);
    send("a", 1, 1);
    settle();
    add("c");
    auto part
      = replicate{0, 1, identity("a"), {}, nodes["a"].disk.read(1, 3), 3};
    deliver(letter{"a", "c", part});
    sync("c");
    REQUIRE(counted("c") == 2);
    auto offer = [this](uint64_t chunks) {
      auto& meta = nodes["a"].disk.saved->meta;
      deliver(letter{"a", "c",
                     copy_begin{0, 1, identity("a"), 7, meta.from_index,
                                meta.end, meta.bytes, chunks}});
      sync("c");
      network.clear();
    };
    auto heartbeat = replicate{0, 1, identity("a"), at("a").durable(), {}, 3};
    auto follows = true;
    SUBCASE("whole") {
      offer(0);
    }
    SUBCASE("and with no more of it to come") {
      offer(3);
    }
    SUBCASE("but does if more is committed than it has") {
      offer(3);
      heartbeat.committed = 4;
      follows = false;
    }
    deliver(letter{"a", "c", heartbeat});
    REQUIRE(network.size() == 1);
    auto& answer = network.front().message;
    CHECK(std::holds_alternative<log_claim>(answer) == !follows);
    if (auto held = std::get_if<replicated>(&answer); follows) {
      REQUIRE(held != nullptr);
      CHECK(held->held.index == 3);
    }
  }

  TEST_CASE_FIXTURE(world, "a copy that was begun is not continued by that of "
                           "another checkpoint, after its primary led anew") {
    serve({"a"});
    send("a", 0, 25); // Three chunks.
    settle();
    nodes["a"].disk.save(at("a").state());
    nodes["a"].disk.truncate(1);
    at("a").truncated(1);
    add("c");
    goals.learners = {identity("c")};
    announce("a");
    auto has_chunk = [&] {
      return std::any_of(network.begin(), network.end(), [](auto& x) {
        auto taken = std::get_if<copy_taken>(&x.message);
        return taken != nullptr && taken->chunks == 1;
      });
    };
    for (auto i = 0; i < 100 && !has_chunk(); ++i) {
      answer_locally("a");
      sync("c");
      if (!network.empty())
        deliver(0);
    }
    REQUIRE(has_chunk());
    network.clear();
    nodes["a"].local.clear();
    // It promises another epoch, which never comes, and leads a later one.
    at("a").promise(fence{0, 7});
    goals = {};
    configure("a", config().members);
    announce("a");
    settle();
    send("a", 25, 5); // Still three.
    settle();
    nodes["a"].disk.save(at("a").state());
    goals.learners = {identity("c")};
    pass(3'000);
    REQUIRE(counted("c") == 30);
    CHECK(at("c").state().table().digest() == at("a").state().table().digest());
  }

  TEST_CASE_FIXTURE(world, "the log is kept for a learner, and admission waits "
                           "for one that can't keep up") {
    options.pinned_bytes_max = 2'000;
    options.learner_credits = 1;
    options.part_bytes = 1;
    options.stall_timeout = 1'000'000;
    serve({"a"});
    add("b");
    goals.learners = {identity("b")};
    announce("a");
    auto sent = uint64_t{0};
    while (sent < 1'000 && send("a", sent).code == ec::none) {
      ++sent;
      sync("a");
    }
    CHECK(sent < 100);
    CHECK(send("a", sent).code == ec::busy);
    CHECK(at("a").log_needed_after() <= 1);
    settle();
    CHECK(send("a", sent).code == ec::none);
    settle();
    CHECK(at("a").log_needed_after() > sent);
  }

  // -- configurations

  TEST_CASE_FIXTURE(world, "a member that stalls is removed by the primary, "
                           "and its disk stays eligible until the no-op is "
                           "committed") {
    serve({"a", "b", "c"});
    cut_off = {{"a", "c"}};
    send("a", 0);
    settle();
    pass(1'900);
    CHECK(proposals.empty());
    CHECK(acked() == 0);
    pass(300);
    REQUIRE(!proposals.empty());
    CHECK(!has_member(proposals[0].next, "c"));
    CHECK(is_eligible(proposals[0].next, "c"));
    CHECK(acked() == 1);
    REQUIRE(proposals.size() == 2);
    CHECK(!is_eligible(proposals[1].next, "c"));
    CHECK(config() == proposals[1].next);
  }

  TEST_CASE_FIXTURE(world, "who is removed is removed only after those who "
                           "remain hold the no-op") {
    serve({"a", "b", "c", "d"});
    crash("a");
    cut_off = {{"b", "d"}};
    promote("b", {identity("b"), identity("c"), identity("d")});
    settle();
    at("b").disconnected("c", now);
    carry_out("b");
    settle();
    CHECK(proposals.empty());
    cut_off.clear();
    cut_off = {{"b", "c"}};
    tick(600);
    at("b").disconnected("c", now);
    carry_out("b");
    settle();
    REQUIRE(!proposals.empty());
    CHECK(!has_member(proposals[0].next, "c"));
    CHECK(has_member(proposals[0].next, "d"));
  }

  TEST_CASE_FIXTURE(world, "eligible disks are cleared by a primary whose "
                           "no-op is committed, on at least min_copies") {
    serve({"a", "b"}, 2);
    send("a", 0);
    settle();
    crash("a");
    promote("b", {identity("b")}, {{"a", "disk-a"}});
    settle();
    pass(1'000);
    CHECK(is_eligible(config(), "a"));
    CHECK(!at("b").serving());
    CHECK(send("b", 1).code == ec::unavailable);
    add("c");
    goals.learners = {identity("c")};
    pass(1'000);
    CHECK(has_member(config(), "c"));
    CHECK(!is_eligible(config(), "a"));
    CHECK(send("b", 1).code == ec::none);
    settle();
    CHECK(acked() == 2);
    CHECK(copies == 2);
  }

  TEST_CASE_FIXTURE(world, "a disk stays eligible through further changes, as "
                           "long as no no-op was committed since") {
    serve({"a", "b", "c"});
    crash("a");
    crash("c");
    promote("b", {identity("b"), identity("c")}, {{"a", "disk-a"}});
    settle();
    CHECK(!at("b").serving());
    at("b").disconnected("c", now);
    carry_out("b");
    settle();
    REQUIRE(!proposals.empty());
    CHECK(is_eligible(proposals[0].next, "a"));
    CHECK(is_eligible(proposals[0].next, "c"));
    CHECK(config().eligible.empty());
  }

  TEST_CASE_FIXTURE(world, "a lone primary goes on with min_copies = 1") {
    serve({"a", "b"});
    cut_off = {{"a", "b"}};
    at("a").disconnected("b", now);
    carry_out("a");
    settle();
    send("a", 0);
    settle();
    CHECK(acked() == 1);
    CHECK(copies == 1);
  }

  TEST_CASE_FIXTURE(world, "a divergent tail is cut where the logs agree, not "
                           "at the commit index") {
    serve({"a", "b", "c"});
    send("a", 0);
    settle();
    // a alone writes what nobody gets, b and c what is never committed.
    cut_off = {{"a", "b"}, {"a", "c"}};
    send("a", 1);
    send("a", 2);
    settle();
    crash("a");
    CHECK(nodes["a"].disk.log.size() == 4);
    promote("b", {identity("b"), identity("c")});
    settle();
    send("b", 1, 5);
    settle();
    cut_off.clear();
    start("a");
    goals.learners = {identity("a")};
    pass(1'000);
    CHECK(at("a").role() == replica_role::backup);
    CHECK(nodes["a"].installed == 0);
    pass(300);
    CHECK(counted("a") == 6);
    CHECK(at("a").state().applied() == at("b").state().applied());
    for (auto i = size_t{0}; i < nodes["b"].disk.log.size(); ++i)
      CHECK(nodes["a"].disk.log[i].chain == nodes["b"].disk.log[i].chain);
  }

  TEST_CASE_FIXTURE(world, "a hand-over stops admission, drains, and lets the "
                           "other one serve") {
    serve({"a", "b"});
    send("a", 0);
    goals.successor = "b";
    announce("a");
    CHECK(send("a", 1).code == ec::busy);
    CHECK(proposals.empty());
    settle();
    CHECK(acked() == 1);
    CHECK(config().primary == "b");
    CHECK(at("a").role() == replica_role::backup);
    CHECK(at("b").serving());
    goals = {};
    CHECK(send("b", 1).code == ec::none);
    settle();
    CHECK(acked() == 2);
    CHECK(copies == 2);
  }

  TEST_CASE_FIXTURE(world, "a hand-over that does not drain within its time is "
                           "given up") {
    serve({"a", "b", "c"});
    send("a", 0);
    cut_off = {{"a", "c"}};
    goals.successor = "b";
    announce("a");
    pass(900);
    CHECK(send("a", 1).code == ec::busy);
    pass(200);
    CHECK(send("a", 1).code == ec::none);
    CHECK(proposals.empty());
  }

  TEST_CASE_FIXTURE(world, "a hand-over whose answer is lost admits nothing "
                           "before the outcome is read") {
    serve({"a", "b"});
    goals.successor = "b";
    coordinator_up = false;
    announce("a");
    settle();
    for (auto i = 0; i < 20; ++i) {
      tick(100);
      settle();
      CHECK(send("a", 0).code == ec::busy);
    }
    coordinator_up = true;
    goals = {};
    tick(600);
    settle();
    CHECK(config().primary == "b");
    CHECK(at("b").serving());
  }

  TEST_CASE_FIXTURE(world, "surplus copies go, the primary stays") {
    serve({"a", "b", "c"});
    goals.surplus = {"c"};
    pass(500);
    CHECK(config().members
          == std::vector<member>{identity("a"), identity("b")});
    CHECK(config().eligible.empty());
    CHECK(at("c").role() == replica_role::idle);
  }

  // -- promises

  TEST_CASE_FIXTURE(world, "a report is given after the promise is synced, and "
                           "nothing older is followed from then on") {
    serve({"a", "b"});
    send("a", 0);
    settle();
    at("b").promise(fence{0, 7});
    carry_out("b");
    CHECK(to_coordinator.empty());
    sync("b");
    REQUIRE(to_coordinator.size() == 1);
    coordinate();
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].epoch == 7);
    CHECK(reports[0].end.index == 2);
    CHECK(reports[0].from == identity("b"));
    coordinator_up = false;
    send("a", 1);
    settle();
    tick(600);
    settle();
    CHECK(acked() == 1);
    crash("b");
    start("b");
    CHECK(at("b").report().promised == 7);
  }

  TEST_CASE_FIXTURE(world, "a promise that came to nothing is overtaken by the "
                           "primary's next epoch") {
    serve({"a", "b"});
    at("b").promise(fence{0, 7});
    carry_out("b");
    settle();
    send("a", 0);
    pass(2'000);
    CHECK(config().epoch > 7);
    CHECK(config().primary == "a");
    CHECK(at("a").serving());
    CHECK(acked() == 1);
  }

  TEST_CASE_FIXTURE(world, "a shard that died and was recovered in its process "
                           "leads under a new epoch only") {
    serve({"a", "b"});
    send("a", 0);
    settle();
    auto epoch = config().epoch;
    nodes["a"].disk.crash();
    --nodes["a"].self.incarnation; // The process lives, only its shard died.
    start("a");
    announce("a");
    settle();
    CHECK(!at("a").serving());
    pass(1'000);
    CHECK(config().epoch > epoch);
    CHECK(at("a").serving());
    CHECK(counted("a") == 1);
  }

  TEST_CASE_FIXTURE(world, "a copy may be dropped when nobody could count on "
                           "it") {
    serve({"a", "b"});
    auto epoch = config().epoch;
    CHECK(!at("b").drop({0, epoch}));
    goals.surplus = {"b"};
    pass(500);
    goals = {};
    pass(200);
    CHECK(config().epoch > epoch);
    CHECK(!at("b").drop({0, epoch}));
    CHECK(at("b").drop({0, config().epoch}));
    // It learns again: what was said before must not end that.
    auto late = drop_copy{0, config().epoch};
    goals.learners = {identity("b")};
    announce("a");
    sync("a");
    while (!network.empty())
      deliver(0);
    CHECK(!at("b").drop(late));
  }

  // -- disks

  TEST_CASE_FIXTURE(world, "on a full disk nothing is admitted, and what waits "
                           "is tried again") {
    serve({"a"});
    nodes["a"].disk.full = true;
    CHECK(send("a", 0).code == ec::none);
    settle();
    CHECK(acked() == 0);
    CHECK(send("a", 1).code == ec::disk_full);
    pass(600);
    CHECK(acked() == 0);
    nodes["a"].disk.full = false;
    pass(600);
    CHECK(acked() == 1);
    CHECK(send("a", 1).code == ec::none);
    settle();
    CHECK(acked() == 2);
  }

  TEST_CASE_FIXTURE(world,
                    "a full disk is tried again, however much more comes "
                    "and is refused meanwhile") {
    serve({"a", "b"});
    nodes["b"].disk.full = true;
    CHECK(send("a", 0).code == ec::none);
    settle();
    auto& b = at("b");
    auto attempts = 0;
    for (auto i = 0; i < 20; ++i) {
      now += 100;
      b.not_stored({ec::disk_full, "there is no room"}, clock("b"));
      b.tick(clock("b"));
      for (auto& x : b.take_effects())
        attempts += std::holds_alternative<journal_append>(x) ? 1 : 0;
    }
    CHECK(attempts >= 3);
    CHECK(attempts <= 5);
  }

  TEST_CASE_FIXTURE(world, "a primary whose disk stays full lets another one "
                           "lead") {
    serve({"a", "b"});
    nodes["a"].disk.full = true;
    send("a", 0);
    pass(3'000);
    CHECK(config().primary == "b");
    CHECK(at("b").serving());
    CHECK(counted("b") == 1); // It was there, only not acknowledged.
    CHECK(send("b", 0).entry == nullptr);
    CHECK(acked() == 1);
  }

  TEST_CASE_FIXTURE(world, "a copy that is of no use says so, and is removed "
                           "at once") {
    serve({"a", "b"});
    at("b").fail_for_good({ec::io_error, "the disk is on fire"});
    send("a", 0);
    settle();
    CHECK(acked() == 1);
    CHECK(!has_member(config(), "b"));
    CHECK(at("b").report().failed);
    CHECK(at("b").report().text == "the disk is on fire");
  }

  TEST_CASE_FIXTURE(world, "a primary whose journal is broken is replaced, and "
                           "acknowledges nothing more") {
    serve({"a", "b"});
    send("a", 0);
    settle();
    at("a").not_stored({ec::io_error, "the disk is on fire"}, now);
    settle();
    CHECK(config().primary == "b");
    CHECK(!has_member(config(), "a"));
    CHECK(at("b").serving());
    CHECK(send("a", 1).code == ec::unavailable);
  }
} // TEST_SUITE
