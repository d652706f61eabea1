#include "test/actors/node_fixture.hpp"

using namespace weir;
using namespace weir::test;

namespace {

/// A node that copies a coordinator's directory.
struct fixture : node_fixture {
  catalog source = must(catalog::open(dir.file("coordinator.db")));
  std::shared_ptr<catalog_copy> copied = std::make_shared<catalog_copy>(
    must(catalog_copy::open(dir.file("coordinator-copy.db"))));
  time_ms final_through = before_time;
  /// The coordinator does not answer requests for it.
  bool silent = false;

  fixture() {
    source.begin_feed({1, 1, 0});
    must(source.put_cluster({"c1", 5, 1}));
    auto pairs = to_pairs(boss.settings);
    must(source.put_settings(1, {pairs.begin(), pairs.end()}));
    context.copy = spawn(catalog_copier, copied);
    boss.hears = false; // It would tell of nothing to be copied.
    boss.give = [this](const get_catalog& x) -> caf::result<catalog_part> {
      if (silent)
        return to_error({ec::timeout, "it is silent"});
      auto wish = must(catalog_wish::decode(x.wish));
      return catalog_part{must(source.page(wish, final_through)).encode()};
    };
  }

  plan_text announce_windows() {
    auto record = rollup_record{};
    record.plan = window_plan::periodic(1'000);
    must(source.put_rollup(record.encode(), {}));
    auto res = plan_text{record.plan.version(), {}};
    auto out = byte_writer{res.bytes};
    record.plan.encode(out);
    return res;
  }

  void pass_seconds(int n) {
    for (auto i = 0; i < 10 * n; ++i)
      advance(std::chrono::milliseconds{100});
  }

  survivor ask_who(uint64_t promise) {
    return must(
      ask<survivor>(play<node_actor>(caf::actor_cast<caf::actor>(node)),
                    get_survivor{promise}));
  }
};

} // namespace

TEST_SUITE("actors/node_copy") {
  TEST_CASE_FIXTURE(fixture, "a node takes part when its copy has what it is "
                             "told of the cluster") {
    silent = true;
    begin();
    CHECK(boss.joins.size() == 1);
    CHECK(joined_times == 0);
    silent = false;
    pass_seconds(2);
    CHECK(joined_times == 1);
    CHECK(must(copied->contents().load()).settings.size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a coordinator that is lost before its node takes "
                             "part is joined again") {
    silent = true;
    begin();
    CHECK(joined_times == 0);
    kill(boss_hdl);
    boss_hdl = spawn([this](caf::event_based_actor* x) {
      return boss.behavior(x);
    });
    dialer.doors[1] = {boss_hdl, "coordinator"};
    silent = false;
    pass_seconds(2);
    CHECK(boss.joins.size() == 2);
    CHECK(joined_times == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a plan is passed on when the copy has it") {
    serve();
    silent = true;
    auto plan = announce_windows();
    tell(node, plan);
    pass_seconds(2);
    CHECK(beat().plan_version == 0);
    silent = false;
    pass_seconds(2);
    CHECK(must(copied->contents().get_rollup()));
    CHECK(beat().plan_version == plan.version);
  }

  TEST_CASE_FIXTURE(fixture,
                    "what has changed is copied, and how far is told") {
    serve();
    CHECK(beat().copied_through == before_time);
    auto row = final_row{};
    row.end = 70;
    final_through = 70;
    must(source.put_rollup("record", {row}));
    tell(node, heartbeat_ack{-1, before_time, source.mark()});
    pass_seconds(2);
    CHECK(beat().copied_through == 70);
    CHECK(must(copied->contents().finals_after(0, 9, 999)).size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a copy that can't be written keeps no node from "
                             "taking part, and is told of") {
    boss.give = [](const get_catalog&) -> caf::result<catalog_part> {
      return catalog_part{"garbage"};
    };
    begin();
    CHECK(joined_times == 1);
    CHECK(contains(beat().trouble, "its copy of the coordinator's directory"));
  }

  TEST_CASE_FIXTURE(fixture, "what was promised is told whoever is joined") {
    must(copied->promise(5));
    begin();
    CHECK(boss.joins.at(0).generation == 5);
  }

  TEST_CASE_FIXTURE(fixture, "a node promises against no coordinator that is "
                             "there") {
    begin();
    auto here = ask_who(7);
    CHECK(here.connected);
    CHECK(here.generation == 1);
    CHECK(here.node == context.node);
    kill(boss_hdl);
    auto gone = ask_who(7);
    CHECK_FALSE(gone.connected);
    CHECK(gone.generation == 7);
    CHECK(copied->lineage().promised == 7);
  }

  TEST_CASE_FIXTURE(fixture,
                    "what the journal knows of configurations is told") {
    serve();
    run();
    auto found = must(ask<shard_records>(
      play<node_actor>(caf::actor_cast<caf::actor>(node)), get_records{0, 4}));
    REQUIRE(found.records.size() == 4);
    CHECK(found.records[0].config.epoch == 0);
    CHECK(found.records[1].config.primary == context.node);
    CHECK(found.records[1].promised >= 1);
  }
}
