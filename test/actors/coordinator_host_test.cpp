#include "test/actors/coordinator_fixture.hpp"

using namespace weir;
using namespace weir::test;

namespace {

using fixture = coordinator_fixture;

} // namespace

TEST_SUITE("actors/coordinator_host") {
  TEST_CASE_FIXTURE(fixture, "the first node gets the settings, and then every "
                             "shard") {
    begin();
    auto& a = join("a");
    auto in = must(a.in);
    CHECK(in.cluster == "c1");
    CHECK(in.name == "a");
    CHECK(in.settings.version == 1);
    CHECK(must(cluster_settings_from(in.settings.values)).shards == 4);
    CHECK(a.assigned
          == std::map<uint32_t, uint64_t>{{0, 1}, {1, 1}, {2, 1}, {3, 1}});
    CHECK(where().shards[2].trouble == "node a is taking it over");
    beat(a);
    auto there = where();
    CHECK(there.cluster == "c1");
    REQUIRE(there.nodes.size() == 1);
    CHECK(there.nodes[0].listens == address{"127.0.0.1", 7001});
    CHECK(there.nodes[0].up);
    CHECK(there.shards[2].node == 0);
    CHECK(there.shards[2].epoch == 1);
    CHECK(there.shards[2].trouble.empty());
  }

  TEST_CASE_FIXTURE(fixture, "a shard that does not show in a heartbeat is "
                             "assigned again") {
    begin();
    auto& a = join("a");
    a.assigned.erase(2);
    beat(a);
    CHECK(a.assigned.count(2) == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a heartbeat is answered with the clock of the "
                             "cluster, never past the wall clock") {
    begin();
    auto& a = join("a");
    beat(a, false, 5, now - 100);
    CHECK(a.acks.back().cluster_clock == now - 100);
    beat(a, false, 5, now - 200);
    CHECK(a.acks.back().cluster_clock == now - 100);
    beat(a, false, 5, now + 999);
    CHECK(a.acks.back().cluster_clock == now);
  }

  TEST_CASE_FIXTURE(fixture, "a silent node is down after the failure timeout, "
                             "and up when it speaks again") {
    begin();
    auto& a = join("a");
    beat(a);
    pass(process.failure_timeout);
    CHECK(where().nodes[0].up);
    pass(200);
    CHECK(!where().nodes[0].up);
    CHECK(where().shards[0].trouble == "its node a is down");
    CHECK(status().nodes[0].state == "down");
    beat(a);
    CHECK(where().nodes[0].up);
    beat(a);
    CHECK(where().shards[0].trouble.empty());
    CHECK(where().shards[0].epoch == 1);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a node whose connection is lost is down at once") {
    begin();
    auto& a = join("a");
    beat(a);
    kill(a.hdl);
    CHECK(!where().nodes[0].up);
    // Back under another connection; the end of the old one is old news.
    join_again(a);
    beat(a);
    CHECK(where().shards[0].trouble.empty());
    CHECK(where().shards[0].epoch == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a heartbeat of an earlier connection or start "
                             "counts for nothing") {
    begin();
    auto& a = join("a");
    beat(a);
    auto old = a.hdl;
    ++a.self.incarnation;
    join_again(a);
    CHECK(a.assigned[0] == 2);
    caf::send_as(old, boss, a.news);
    run();
    CHECK(contains(where().shards[0].trouble, "taking it over"));
    auto stale = a.news;
    caf::send_as(a.hdl, boss, stale);
    run();
    CHECK(contains(where().shards[0].trouble, "taking it over"));
    beat(a);
    CHECK(where().shards[0].trouble.empty());
  }

  TEST_CASE_FIXTURE(fixture, "a node without a name gets one that is free") {
    begin();
    CHECK(must(join("").in).name == "n1");
    CHECK(must(join("n3").in).name == "n3");
    auto& third = join("");
    CHECK(third.in->name != "n1");
    CHECK(third.in->name != "n3");
    ++third.self.incarnation;
    auto name = third.in->name;
    CHECK(must(join_again(third).in).name == name);
  }

  TEST_CASE_FIXTURE(fixture, "a name that belongs to another node is refused") {
    begin();
    join("a");
    nodes.push_back(std::make_unique<scripted_node>("b", 7009));
    nodes.back()->self.name = "a";
    auto& thief = join_again(*nodes.back());
    CHECK(code_of(thief.in) == ec::conflict);
    CHECK(contains(text_of(thief.in), "the name a belongs to another node"));
    CHECK(where().nodes.size() == 1);
  }

  TEST_CASE_FIXTURE(fixture,
                    "empty shards move to a node that joins, those that "
                    "hold something don't") {
    begin();
    auto& a = join("a");
    beat(a);
    auto& b = join("b");
    CHECK(a.releases.size() == 2);
    CHECK(b.assigned.empty());
    settle();
    CHECK(a.assigned.size() == 2);
    CHECK(b.assigned.size() == 2);
    auto there = where();
    for (auto& x : there.shards) {
      CHECK(x.trouble.empty());
      CHECK(x.epoch == (there.nodes[x.node].name == "a" ? 1 : 2));
    }
    settle(false);
    join("c");
    settle(false);
    CHECK(nodes[2]->assigned.empty());
  }

  TEST_CASE_FIXTURE(fixture, "what a coordinator decided is known to the next "
                             "one") {
    begin();
    auto& a = join("a");
    beat(a, false);
    pass(6000);
    beat(a, false);
    restart();
    auto there = where();
    REQUIRE(there.nodes.size() == 1);
    CHECK(there.nodes[0].name == "a");
    CHECK(there.nodes[0].listens == address{"127.0.0.1", 7001});
    CHECK(!there.nodes[0].up);
    CHECK(there.shards[1].epoch == 1);
    CHECK(there.shards[1].trouble == "its node a is down");
    for (auto i = uint32_t{0}; i < 4; ++i)
      a.self.held.push_back({i, 1, i == 3 ? 6u : 7u, 0});
    ++a.self.incarnation;
    join_again(a);
    beat(a, false);
    CHECK(where().shards[1].trouble.empty());
    CHECK(where().shards[1].epoch == 2);
    // Shorter than what was committed.
    CHECK(contains(where().shards[3].trouble, "has lost the end of its log"));
  }

  TEST_CASE_FIXTURE(fixture,
                    "sessions of a name are numbered, and know how far "
                    "the last one came, whatever happens to the "
                    "coordinator") {
    begin();
    auto first = must(open("pump"));
    CHECK(first.session == 1);
    CHECK(first.prefix == 0);
    must(report(first, 40, 3));
    auto second = must(open("pump"));
    CHECK(second.producer == first.producer);
    CHECK(second.session == 2);
    CHECK(second.prefix == 40);
    CHECK(second.digest == 440);
    CHECK(second.digest_at == 40);
    auto refused = report(first, 41);
    CHECK(code_of(refused) == ec::stale_session);
    CHECK(contains(text_of(refused), "pump"));
    must(report(second, 50, 2));
    restart();
    auto third = must(open("pump"));
    CHECK(third.session == 3);
    CHECK(third.prefix == 50);
    must(report(third, 60, 4, true));
    must(report(third, 60, 4, true));
    CHECK(status().ledger.malformed == 9);
    CHECK(status().ledger.received == 9);
    CHECK(must(open("valve")).producer != first.producer);
  }

  TEST_CASE_FIXTURE(fixture,
                    "what producers without a name reported is counted "
                    "once, and outlives them and the coordinator") {
    begin();
    auto one = must(open(""));
    auto other = must(open(""));
    CHECK(one.producer != other.producer);
    CHECK((one.producer.low & 1) == 1);
    must(report(one, 10, 5, true));
    must(report(one, 10, 5, true)); // The first answer got lost.
    must(report(other, 10, 2));
    CHECK(status().ledger.malformed == 7);
    CHECK(status().producers.size() == 1);
    restart();
    CHECK(status().ledger.malformed == 7);
    must(report(other, 20, 3, true));
    CHECK(status().ledger.malformed == 8);
    restart();
    CHECK(status().ledger.malformed == 8);
    CHECK(status().producers.empty());
  }

  TEST_CASE_FIXTURE(fixture,
                    "more sessions than the limit are refused until one "
                    "ends") {
    process.sessions_max = 2;
    begin();
    auto first = must(open("a"));
    must(open("b"));
    auto refused = open("c");
    CHECK(code_of(refused) == ec::limit_reached);
    CHECK(contains(text_of(refused), "sessions-max"));
    must(report(first, 0, 0, true));
    CHECK(must(open("c")).session == 1);
    CHECK(status().producers.size() == 3);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a changed setting is a new version, for nodes and "
                    "for good") {
    begin();
    auto& a = join("a");
    beat(a);
    auto changed
      = must(ask<settings_text>(boss, change_settings{{{"window", "5s"}}}));
    CHECK(changed.version == 2);
    REQUIRE(a.settings.size() == 1);
    CHECK(a.settings[0].version == 2);
    CHECK(must(cluster_settings_from(a.settings[0].values)).window == 5000);
    // A node that has not heard of it hears again.
    beat(a);
    CHECK(a.settings.size() == 2);
    CHECK(must(ask<settings_text>(boss, change_settings{{{"window", "5s"}}}))
            .version
          == 2);
    for (auto& bad : {change_settings{{{"window", "soon"}}},
                      change_settings{{{"no-such-option", "1"}}},
                      change_settings{{{"shards", "8"}}}})
      CHECK(code_of(ask<settings_text>(boss, bad)) == ec::invalid_argument);
    restart();
    auto now_known = must(ask<settings_text>(boss, get_settings{}));
    CHECK(now_known.version == 2);
    CHECK(must(cluster_settings_from(now_known.values)).window == 5000);
  }

  TEST_CASE_FIXTURE(fixture, "a status adds up what the nodes say when asked") {
    begin();
    auto& a = join("a");
    auto& b = join("b");
    settle(false);
    beat(a, false, 10);
    // More has happened since its last heartbeat.
    for (auto& x : b.news.shards)
      x.ledger.accepted = 20;
    auto x = status();
    CHECK(x.ledger.accepted == 10 * a.assigned.size() + 20 * b.assigned.size());
    CHECK(x.ledger.late == 4);
    CHECK(x.ledger.received == x.ledger.accepted + 4);
    REQUIRE(x.nodes.size() == 2);
    CHECK(x.nodes[0].primaries + x.nodes[1].primaries == 4);
    CHECK(x.nodes[0].entities + x.nodes[1].entities == 8);
    REQUIRE(x.shards.size() == 4);
    for (auto& shard : x.shards) {
      CHECK(shard.state == "serving");
      CHECK(shard.index == 7);
      CHECK(!shard.empty);
    }
    // A node that is gone is no reason to wait for ever.
    kill(b.hdl);
    CHECK(status().ledger.accepted == x.ledger.accepted);
    for (auto& shard : status().shards)
      CHECK(shard.state == (shard.primary == "a" ? "serving" : "unavailable"));
  }

  TEST_CASE_FIXTURE(fixture, "a status does not wait for a node that hangs") {
    begin();
    auto& a = join("a");
    beat(a, false, 10);
    a.hangs = true;
    auto pending = self->request(boss, caf::infinite, get_status{});
    run();
    CHECK(self->mailbox().empty());
    advance(1001ms);
    REQUIRE(!self->mailbox().empty());
    pending.receive(
      [](const cluster_status& x) {
        CHECK(x.ledger.accepted == 40);
      },
      [](caf::error&) {
        FAIL("no status");
      });
  }

} // TEST_SUITE
