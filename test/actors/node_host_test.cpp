#include "test/actors/node_fixture.hpp"

using namespace weir;
using namespace weir::test;

namespace {

using fixture = node_fixture;

/// A node with a journal in memory.
struct held_fixture : fixture {
  scripted_journal held;
  caf::actor held_hdl = spawn([this](caf::event_based_actor* x) {
    return held.behavior(x);
  });

  held_fixture() {
    context.journal = play<journal_actor>(held_hdl);
  }

  ~held_fixture() {
    end();
  }
};

} // namespace

TEST_SUITE("actors/node_host") {
  TEST_CASE_FIXTURE(fixture, "a node joins with what it found on its disk, and "
                             "says how its shards are") {
    begin();
    REQUIRE(boss.joins.size() == 1);
    auto& x = boss.joins[0];
    CHECK(x.node == "node-id");
    CHECK(x.disk == "disk-id");
    CHECK(x.incarnation == 7);
    CHECK(x.name == "n1");
    CHECK(x.listens == address{"127.0.0.1", 9});
    REQUIRE(x.held.size() == 1);
    CHECK(x.held[0].index == 9);
    CHECK(joined_times == 1);
    assign(1);
    assign(2, 3);
    auto news = beat();
    CHECK(news.node == "node-id");
    CHECK(news.incarnation == 7);
    CHECK(news.settings_version == 1);
    CHECK(news.trouble.empty());
    REQUIRE(news.shards.size() == 2);
    CHECK(news.shards[0].shard == 1);
    CHECK(news.shards[0].state == shard_state::serving);
    CHECK(news.shards[1].epoch == 3);
  }

  TEST_CASE_FIXTURE(fixture, "blocks and questions reach their shard") {
    serve();
    send(0, 3);
    CHECK(ack().position == 3);
    CHECK(average().count == 3);
    caf::send_as(producer, node, open_session{1, 1, ann, 2});
    run();
    CHECK(ack().session == 2);
    // The journal has the entries that the shard has applied.
    CHECK(must(log->tail(1))->index == 4);
  }

  TEST_CASE_FIXTURE(fixture, "what belongs to no shard here is refused by "
                             "name") {
    serve();
    send({{2, 1, 5, block(0, 1, 2)}});
    auto refused = ack();
    CHECK(refused.code == ec::stale_epoch);
    CHECK(refused.shard == 2);
    CHECK(refused.attempt == 5);
    CHECK(refused.producer == ann);
    CHECK(refused.text == "shard 2 is not on node n1");
    caf::send_as(producer, node, open_session{2, 1, ann, 1});
    run();
    CHECK(ack().code == ec::stale_epoch);
    CHECK(average(2).code == ec::stale_epoch);
    CHECK(average(2).text == "shard 2 is not on node n1");
  }

  TEST_CASE_FIXTURE(fixture, "a node with too much on its way to the disk is "
                             "busy, and has room again later") {
    context.process.node_pending_bytes_max = block(0).size() + 10;
    serve();
    send({{1, 1, 1, block(0)}, {1, 1, 1, block(1)}});
    REQUIRE(acks.size() == 2);
    CHECK(acks[0].code == ec::busy);
    CHECK(contains(acks[0].text, "node-pending-bytes-max"));
    CHECK(acks[1].position == 1);
    acks.clear();
    send(1);
    CHECK(ack().position == 2);
    CHECK(beat().pending_bytes == 0);
  }

  TEST_CASE_FIXTURE(fixture, "an assignment that comes twice changes nothing, "
                             "one of a greater epoch does") {
    serve();
    assign(1);
    send(0);
    CHECK(ack().epoch == 1);
    assign(1, 2);
    assign(1, 1);
    send({{1, 2, 1, block(1)}});
    CHECK(ack().epoch == 2);
    CHECK(beat().shards[0].epoch == 2);
  }

  TEST_CASE_FIXTURE(fixture, "an empty shard leaves without a trace, one that "
                             "holds something stays") {
    serve();
    assign(2);
    CHECK(must(log->tail(2)).has_value());
    release(2);
    REQUIRE(boss.released.size() == 1);
    CHECK(boss.released[0].released);
    CHECK(boss.released[0].shard == 2);
    CHECK(boss.released[0].epoch == 1);
    CHECK(!must(log->tail(2)).has_value());
    CHECK(beat().shards.size() == 1);
    send(0);
    release(1);
    CHECK(!boss.released.back().released);
    CHECK(average().count == 1);
    // It was gone already: so it is.
    release(2);
    CHECK(boss.released.back().released);
    // And may come back.
    assign(2, 5);
    send({{2, 5, 1, block(0, 1, 2)}});
    CHECK(acks.back().position == 1);
  }

  TEST_CASE_FIXTURE(held_fixture, "a shard that is asked to leave again while "
                                  "its storage is removed answers once") {
    serve();
    held.hold = true;
    release(1);
    release(1);
    // Still here for the coordinator, which so assigns it to nobody.
    CHECK(beat().shards.size() == 1);
    CHECK(boss.beats.back().shards[0].state != shard_state::serving);
    assign(1);
    CHECK(contains(average().text, "moving"));
    release(1);
    CHECK(boss.released.empty());
    held.release();
    run();
    REQUIRE(boss.released.size() == 1);
    CHECK(boss.released[0].released);
    CHECK(held.removed == std::vector<uint32_t>{1});
    CHECK(beat().shards.empty());
  }

  TEST_CASE_FIXTURE(fixture, "new settings reach the shards") {
    serve();
    boss.settings.window = 5000;
    boss.settings.durability = durability_mode::process;
    tell(node, settings_text{2, to_pairs(boss.settings)});
    // An older one changes nothing any more.
    tell(node, settings_text{1, to_pairs(cluster_settings{})});
    CHECK(beat().settings_version == 2);
    send(0, 1);
    CHECK(average().start == start + 1 - 5000);
    CHECK(must(log->tail(1))->index == 4);
  }

  TEST_CASE_FIXTURE(fixture, "settings that this version does not know are "
                             "refused") {
    begin();
    tell(node, settings_text{2, {{"no-such-option", "1"}}});
    REQUIRE(refusals.size() == 1);
    CHECK(refusals[0].code == ec::version_mismatch);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a lost coordinator is dialed again, and told what "
                    "the shards hold by now") {
    serve();
    send(0, 3);
    beat();
    dialer.doors.clear();
    kill(boss_hdl);
    advance(1s);
    CHECK(boss.joins.size() == 1);
    // Ingest goes on meanwhile.
    acks.clear();
    send(3);
    CHECK(ack().position == 4);
    boss_hdl = spawn([this] {
      return boss.behavior();
    });
    dialer.doors[1] = {boss_hdl, "coordinator"};
    advance(5s);
    REQUIRE(boss.joins.size() == 2);
    REQUIRE(boss.joins[1].held.size() == 1);
    CHECK(boss.joins[1].held[0].shard == 1);
    CHECK(boss.joins[1].held[0].index == 4);
    CHECK(beat().shards[0].index == 4);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a node that the cluster does not want is told so, "
                    "and does not try again") {
    boss.refuse = failure{ec::conflict, "the name n1 belongs to another node"};
    begin();
    advance(10s);
    REQUIRE(refusals.size() == 1);
    CHECK(refusals[0].text == "the name n1 belongs to another node");
    CHECK(boss.joins.size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a node whose coordinator is not there yet waits "
                             "for it") {
    dialer.doors.clear();
    begin();
    advance(3s);
    CHECK(refusals.empty());
    CHECK(dialer.dials.size() > 2);
    dialer.doors[1] = {producer, "node"};
    advance(3s);
    REQUIRE(refusals.size() == 1);
    CHECK(contains(refusals[0].text, "wants the coordinator's address"));
  }

  TEST_CASE_FIXTURE(fixture, "who asks for a heartbeat gets what is applied by "
                             "now") {
    serve();
    send(0, 3);
    auto news = must(ask<heartbeat>(node, get_heartbeat{}));
    REQUIRE(news.shards.size() == 1);
    CHECK(news.shards[0].ledger.accepted == 3);
  }

  TEST_CASE_FIXTURE(fixture, "a door opens to the same version and cluster") {
    serve();
    auto greet = [this](hello x) {
      return ask<welcome>(node, x);
    };
    auto in = must(greet({wire_version, "c1", "client", ""}));
    CHECK(in.role == "node");
    CHECK(in.name == "n1");
    CHECK(in.cluster == "c1");
    CHECK(greet({wire_version, "", "client", ""}).has_value());
    CHECK(code_of(greet({"weir/0", "c1", "client", ""}))
          == ec::version_mismatch);
    CHECK(code_of(greet({wire_version, "c2", "client", ""}))
          == ec::wrong_cluster);
  }

} // TEST_SUITE
