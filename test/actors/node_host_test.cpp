#include "cluster/peer_codec.hpp"
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

/// A node that says its id to whoever connects to it, and keeps what it gets.
caf::behavior another_node(const char* id, std::vector<meet_node>& met,
                           std::vector<replica_message>& got) {
  return {
    [=, &met](const meet_node& x) {
      met.push_back(x);
      return meet_node{id, "disk", 1};
    },
    [&got](const replica_message& x) {
      got.push_back(x);
    },
  };
}

} // namespace

TEST_SUITE("actors/node_host") {
  TEST_CASE_FIXTURE(fixture, "a node joins, says how its shards are, and what "
                             "it found on its disk") {
    begin();
    REQUIRE(boss.joins.size() == 1);
    auto& x = boss.joins[0];
    CHECK(x.node == "node-id");
    CHECK(x.disk == "disk-id");
    CHECK(x.incarnation == 7);
    CHECK(x.name == "n1");
    CHECK(x.listens == address{"127.0.0.1", 9});
    CHECK(joined_times == 1);
    // Shard 2 was there before.
    REQUIRE(beat().shards.size() == 1);
    CHECK(boss.beats.back().shards[0].shard == 2);
    CHECK(boss.beats.back().shards[0].state == shard_state::following);
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
    CHECK(news.shards[1].replica.epoch == 3);
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
    send({{3, 1, 5, block(0, 1, 3)}});
    auto refused = ack();
    CHECK(refused.code == ec::stale_epoch);
    CHECK(refused.shard == 3);
    CHECK(refused.attempt == 5);
    CHECK(refused.producer == ann);
    CHECK(refused.text == "shard 3 is not on node n1");
    caf::send_as(producer, node, open_session{3, 1, ann, 1});
    run();
    CHECK(ack().code == ec::stale_epoch);
    CHECK(average(3).code == ec::stale_epoch);
    CHECK(average(3).text == "shard 3 is not on node n1");
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
    CHECK(beat().shards[0].replica.epoch == 2);
  }

  TEST_CASE_FIXTURE(fixture, "a copy that nobody counts on leaves, all but its "
                             "promise; another one stays") {
    serve();
    send(0);
    CHECK(must(log->tail(1)).has_value());
    drop(1, 9);
    CHECK(average().count == 1);
    lose(1, 5);
    drop(1, 4);
    CHECK(must(log->tail(1)).has_value());
    drop(1, 5);
    CHECK(!must(log->tail(1)).has_value());
    CHECK(beat().shards.size() == 1);
    auto records = must(log->records());
    REQUIRE(!records.empty());
    CHECK(records[0].promised == 5);
    CHECK(average().code == ec::stale_epoch);
    // And may come back.
    acks.clear();
    assign(1, 7);
    send({{1, 7, 1, block(0)}});
    CHECK(acks.back().position == 1);
  }

  TEST_CASE_FIXTURE(held_fixture, "while a copy's storage is removed, nothing "
                                  "new begins in its place") {
    serve();
    lose(1, 5);
    held.hold = true;
    drop(1, 5);
    drop(1, 5);
    assign(1, 6);
    CHECK(average().code == ec::unavailable);
    held.release();
    run();
    CHECK(held.removed == std::vector<uint32_t>{1});
    assign(1, 6);
    send({{1, 6, 1, block(0)}});
    CHECK(acks.back().position == 1);
  }

  TEST_CASE_FIXTURE(fixture, "messages between copies reach their shard, which "
                             "begins with the first one") {
    begin();
    auto other = member{"other", "disk", 1};
    auto ask_for = replicate{};
    ask_for.shard = 3;
    ask_for.epoch = 4;
    ask_for.from = other;
    auto bytes = encode_peer_message(ask_for);
    tell(node, replica_message{bytes});
    tell(node, replica_message{bytes});
    auto news = beat();
    REQUIRE(news.shards.size() == 2);
    CHECK(news.shards[1].shard == 3);
    CHECK(news.shards[1].replica.role == replica_role::learner);
    CHECK(news.shards[1].replica.promised == 4);
    // Neither does rubbish any harm, nor a shard that there isn't.
    tell(node, replica_message{"\xff\xff"});
    ask_for.shard = 77;
    tell(node, replica_message{encode_peer_message(ask_for)});
    CHECK(beat().shards.size() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "a node connects to those it is told to, says who "
                             "it is, and answers whoever connects to it") {
    auto met = std::vector<meet_node>{};
    auto got = std::vector<replica_message>{};
    auto peer = spawn([&] {
      return another_node("other", met, got);
    });
    dialer.doors[5] = {peer, "node"};
    begin();
    tell(node, peer_list{{{"other", "n2", {"127.0.0.1", 5}, true},
                          {"third", "n3", {"127.0.0.1", 6}, false}}});
    REQUIRE(met.size() == 1);
    CHECK(met[0].node == "node-id");
    CHECK(met[0].incarnation == 7);
    // The other one leads, and gets an answer.
    auto heartbeat_of = [](const std::string& from) {
      auto x = replicate{};
      x.shard = 3;
      x.epoch = 4;
      x.from = {from, "disk", 1};
      return replica_message{encode_peer_message(x)};
    };
    tell(node, heartbeat_of("other"));
    tell(node, heartbeat_of("other"));
    CHECK(!got.empty());
    got.clear();
    // One that connects to us is answered on its connection.
    spawn([&](caf::event_based_actor* third) {
      third
        ->request(play<node_actor>(caf::actor_cast<caf::actor>(node)), 1s,
                  meet_node{"third", "disk", 1})
        .then([](const meet_node& x) {
          CHECK(x.node == "node-id");
        });
      return keep(got);
    });
    run();
    auto x = heartbeat_of("third");
    tell(node, x);
    CHECK(!got.empty());
    // It asks now and then whether the other one is there.
    advance(5s);
    CHECK(met.size() > 3);
    // A lost one is dialed again, and so is one that does not answer.
    auto dials = dialer.dials.size();
    dialer.doors.erase(5);
    kill(peer);
    advance(3s);
    CHECK(dialer.dials.size() > dials);
  }

  TEST_CASE_FIXTURE(fixture, "who listens where another one did is known by "
                             "the name that it gives") {
    auto met = std::vector<meet_node>{};
    auto got = std::vector<replica_message>{};
    auto peer = spawn([&] {
      return another_node("new-id", met, got);
    });
    dialer.doors[5] = {peer, "node"};
    begin();
    // The coordinator has not heard of it yet, and then wants it to connect.
    tell(node, peer_list{{{"old-id", "n2", {"127.0.0.1", 5}, true}}});
    CHECK(met.size() == 1);
    tell(node, peer_list{{{"new-id", "n2", {"127.0.0.1", 5}, false}}});
    auto ask_for = replicate{};
    ask_for.shard = 3;
    ask_for.epoch = 4;
    ask_for.from = {"old-id", "disk", 1};
    tell(node, replica_message{encode_peer_message(ask_for)});
    CHECK(got.empty());
    ask_for.epoch = 5;
    ask_for.from = {"new-id", "disk", 1};
    tell(node, replica_message{encode_peer_message(ask_for)});
    CHECK(!got.empty());
  }

  TEST_CASE_FIXTURE(fixture, "who dies before it has said who it is is dialed "
                             "again at once") {
    auto met = std::vector<meet_node>{};
    auto got = std::vector<replica_message>{};
    auto asked = std::vector<caf::response_promise>{};
    auto hangs = spawn([&](caf::event_based_actor* x) -> caf::behavior {
      return {[&, x](const meet_node&) -> caf::result<meet_node> {
        asked.push_back(x->make_response_promise());
        return asked.back();
      }};
    });
    auto peer = spawn([&] {
      return another_node("other", met, got);
    });
    dialer.doors[5] = {hangs, "node"};
    begin();
    tell(node, peer_list{{{"other", "n2", {"127.0.0.1", 5}, true}}});
    CHECK(asked.size() == 1);
    advance(3s);
    CHECK(asked.size() == 1);
    dialer.doors[5] = {peer, "node"};
    kill(hangs);
    advance(500ms);
    CHECK(met.size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "who verifies gets what the copies hold, and is "
                             "told of what can't be read") {
    serve();
    send(0, 3);
    auto x = must(ask<shard_checks>(node, check_shards{{1, 2, 3}, true}));
    CHECK(x.node == "node-id");
    REQUIRE(x.shards.size() == 2); // It has no copy of shard 3.
    for (auto& y : x.shards) {
      CHECK(y.code == ec::none);
      if (y.shard == 1) {
        CHECK(y.role == replica_role::primary);
        CHECK(y.applied.index == 3);
        CHECK(y.journal_entries == 3);
        CHECK(y.journal_from == 1);
        CHECK(y.ledger.accepted == 3);
      }
    }
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
    boss_hdl = spawn([this](caf::event_based_actor* x) {
      return boss.behavior(x);
    });
    dialer.doors[1] = {boss_hdl, "coordinator"};
    advance(5s);
    REQUIRE(boss.joins.size() == 2);
    CHECK(beat().shards[0].replica.committed.index == 4);
  }

  TEST_CASE_FIXTURE(fixture, "a coordinator that has given up on a connection "
                             "that is still there is joined again") {
    begin();
    advance(20s);
    CHECK(boss.joins.size() == 1);
    boss.hears = false;
    advance(4s);
    CHECK(boss.joins.size() == 1);
    advance(3s);
    CHECK(boss.joins.size() == 2);
    boss.hears = true;
    advance(20s);
    CHECK(boss.joins.size() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "a coordinator that is just slow is waited for") {
    begin();
    boss.hears = false;
    boss.hangs = true;
    advance(30s);
    CHECK(boss.joins.size() == 1);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a coordinator that is lost while a node waits for "
                    "its answer is joined again at once") {
    boss.hangs = true;
    begin();
    CHECK(boss.joins.size() == 1);
    kill(boss_hdl);
    boss.hangs = false;
    boss_hdl = spawn([this](caf::event_based_actor* x) {
      return boss.behavior(x);
    });
    dialer.doors[1] = {boss_hdl, "coordinator"};
    advance(500ms);
    CHECK(boss.joins.size() == 2);
    CHECK(joined_times == 1);
    // The first question comes to nothing, much later.
    advance(20s);
    CHECK(boss.joins.size() == 2);
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
    REQUIRE(news.shards.size() == 2);
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
