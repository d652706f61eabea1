#include "test/cluster/configurations_fixture.hpp"

using namespace weir;
using namespace weir::test;

TEST_SUITE("cluster/configurations_election") {
  TEST_CASE_FIXTURE(planned_cluster,
                    "every disk is asked, and the longest log leads") {
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

  TEST_CASE_FIXTURE(planned_cluster,
                    "a later epoch is longer than a greater index") {
    restart_all();
    plan();
    auto epoch = told_to<fence>("a")[0].epoch;
    answer("a", epoch, {11, 2, 5});
    answer("b", epoch, {90, 1, 6});
    plan();
    CHECK(config().primary == "a");
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "what was said under an older promise, or by an "
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

  TEST_CASE_FIXTURE(planned_cluster,
                    "a copy of no use still tells what was acknowledged") {
    restart_all();
    auto x = report_of("a", 13);
    x.role = replica_role::idle;
    x.failed = true;
    self->report(lives["a"], {x}, now);
    plan();
    // Its log lost its end where nobody saw it.
    answer("b", told_to<fence>("b").at(0).epoch, {12, 1, 77});
    plan();
    CHECK(config().epoch == 1);
    CHECK(contains(self->trouble(0), "ends at entry 12"));
    // The other one is started again, and its disk can be read.
    join("a");
    x.failed = false;
    self->report(lives["a"], {x}, now);
    plan(600);
    answer("a", told_to<fence>("a").at(0).epoch, {13, 1, 78});
    plan();
    CHECK(config().primary == "a");
  }

  TEST_CASE_FIXTURE(planned_cluster,
                    "a missing disk is waited for, and the sentence "
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

  TEST_CASE_FIXTURE(planned_cluster,
                    "a disk that is declared gone is not waited for, "
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

  TEST_CASE_FIXTURE(planned_cluster,
                    "a shorter log leads by force, and with the loss "
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

  TEST_CASE_FIXTURE(planned_cluster,
                    "a node whose copy is damaged before it could be "
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

  TEST_CASE_FIXTURE(planned_cluster,
                    "without the old primary's promise a forced "
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

  TEST_CASE_FIXTURE(planned_cluster,
                    "a forced promotion that was not needed is no "
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

  TEST_CASE_FIXTURE(planned_cluster,
                    "a forced promotion waits no longer than for all "
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

  TEST_CASE_FIXTURE(planned_cluster,
                    "a loss that is accepted is one, where all disks "
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

  TEST_CASE_FIXTURE(planned_cluster,
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

  TEST_CASE_FIXTURE(planned_cluster,
                    "epochs are above every promise that was heard "
                    "of") {
    settle();
    auto x = report_of("b");
    x.promised = 41;
    self->report(lives["b"], {x}, now);
    self->nodes().lose("a", now);
    plan();
    CHECK(config().epoch == 42);
  }
} // TEST_SUITE
