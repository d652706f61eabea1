#include "test/actors/coordinator_fixture.hpp"
#include "test/storage/faulty_disk.hpp"

using namespace weir;
using namespace weir::test;

namespace {

using fixture = coordinator_fixture;

struct faulty_disk_owner {
  faulty_disk disk;
};

struct faulty_fixture : faulty_disk_owner, coordinator_fixture {};

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
                             "announced again") {
    begin();
    auto& a = join("a");
    a.assigned.erase(2);
    a.known.erase(2);
    pass(500);
    beat(a);
    CHECK(a.assigned.count(2) == 1);
  }

  TEST_CASE_FIXTURE(fixture, "what a node was told is not said again before it "
                             "can have answered, whatever else happens") {
    begin();
    auto& a = join("a");
    CHECK(a.announced == 4);
    for (auto i = 0; i < 10; ++i)
      tell(boss, timer{coordinator_host_state::introduce_timer});
    CHECK(a.announced == 4);
    pass(600);
    CHECK(a.announced == 8);
    // Another process knows nothing.
    start_anew(a);
    CHECK(a.announced == 12);
  }

  TEST_CASE_FIXTURE(fixture, "who has spoken while the coordinator was busy is "
                             "alive") {
    begin();
    auto& a = join("a");
    auto& b = join("b");
    beat(a);
    beat(b);
    auto before = where();
    caf::send_as(b.hdl, boss, b.news);
    caf::send_as(a.hdl, boss, a.news);
    scheduler.advance_time(std::chrono::milliseconds{5'000});
    run();
    auto after = where();
    for (auto i = size_t{0}; i < after.nodes.size(); ++i)
      CHECK(after.nodes[i].up);
    for (auto i = size_t{0}; i < after.shards.size(); ++i)
      CHECK(after.shards[i].epoch == before.shards[i].epoch);
  }

  TEST_CASE_FIXTURE(fixture, "a coordinator that stood still takes nobody for "
                             "dead before it has read what they said") {
    begin();
    auto& a = join("a");
    auto& b = join("b");
    beat(a);
    beat(b);
    scheduler.advance_time(33s);
    run();
    auto after = where();
    CHECK(after.nodes[0].up);
    CHECK(after.nodes[1].up);
    beat(a);
    pass(process.failure_timeout - process.heartbeat);
    after = where();
    CHECK(after.nodes[0].up);
    CHECK(!after.nodes[1].up);
  }

  TEST_CASE_FIXTURE(fixture, "a node that is down and holds nothing can be "
                             "forgotten, which is recorded") {
    begin();
    auto& a = join("a");
    beat(a);
    auto& b = join("b");
    beat(b);
    CHECK(code_of(ask<operator_answer>(boss, forget_node{"c"}))
          == ec::not_found);
    CHECK(code_of(ask<operator_answer>(boss, forget_node{"b"}))
          == ec::conflict);
    kill(b.hdl);
    pass(process.failure_timeout);
    auto held = ask<operator_answer>(boss, forget_node{"b"});
    CHECK(code_of(held) == ec::none);
    REQUIRE(where().nodes.size() == 1);
    CHECK(where().nodes[0].name == "a");
    kill(a.hdl);
    pass(process.failure_timeout);
    held = ask<operator_answer>(boss, forget_node{"a"});
    CHECK(code_of(held) == ec::conflict);
    CHECK(contains(text_of(held), "counts for 4 shards"));
    restart();
    CHECK(where().nodes.size() == 1);
    kill(boss);
    boss = nullptr;
    auto db = must(catalog::open(dir.file("coordinator.db")));
    auto events = must(db.events(10));
    REQUIRE(events.size() == 1);
    CHECK(contains(events[0].what, "forget node b"));
  }

  TEST_CASE_FIXTURE(fixture, "a node that is silent but still connected is "
                             "neither forgotten nor declared gone") {
    begin();
    auto& a = join("a");
    auto& b = join("b");
    for (auto i = 0; i < 5; ++i) {
      pass(process.failure_timeout / 4);
      beat(a);
    }
    CHECK(!where().nodes[1].up);
    auto refused = ask<operator_answer>(boss, forget_node{"b"});
    CHECK(code_of(refused) == ec::conflict);
    CHECK(contains(text_of(refused), "still connected"));
    CHECK(code_of(ask<operator_answer>(boss, remove_node{"b"}))
          == ec::conflict);
    kill(b.hdl);
    must(ask<operator_answer>(boss, remove_node{"b"}));
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
    pass(process.failure_timeout - 200);
    CHECK(where().nodes[0].up);
    pass(400);
    CHECK(!where().nodes[0].up);
    CHECK(contains(where().shards[0].trouble, "its replicas a (last seen "));
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
    CHECK(contains(where().shards[0].trouble, "its replicas a (last seen "));
    // Back under another connection; the end of the old one is old news.
    join_again(a);
    beat(a);
    CHECK(where().shards[0].trouble.empty());
    CHECK(where().shards[0].epoch == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a node that was cut off is looked for before it "
                             "is down, one that was told to stop is not") {
    auto looked_for = std::vector<dial>{};
    auto unanswered = std::vector<caf::typed_response_promise<dialed>>{};
    dialer = play<dialer_actor>(
      spawn([&](caf::event_based_actor* x) -> caf::behavior {
        return {[&, x](const dial& y) -> caf::result<dialed> {
          looked_for.push_back(y);
          return unanswered.emplace_back(x->make_response_promise<dialed>());
        }};
      }));
    begin();
    auto& a = join("a");
    beat(a);
    kill(a.hdl);
    CHECK(!where().nodes[0].up);
    CHECK(looked_for.empty());
    join_again(a);
    beat(a);
    kill(a.hdl, caf::exit_reason::remote_link_unreachable);
    CHECK(where().nodes[0].up);
    CHECK(looked_for.size() == 1);
    pass(1'000);
    CHECK(!where().nodes[0].up);
    unanswered.clear();
  }

  TEST_CASE_FIXTURE(fixture, "a heartbeat of an earlier connection or start "
                             "counts for nothing") {
    begin();
    auto& a = join("a");
    beat(a);
    auto old = a.hdl;
    auto stale = a.news;
    start_anew(a);
    // It has to say what it holds before it leads again.
    pass(600);
    REQUIRE(a.fences.size() >= 4);
    CHECK(contains(where().shards[0].trouble, "asked what they hold"));
    caf::send_as(old, boss, stale);
    run();
    caf::send_as(a.hdl, boss, stale);
    run();
    CHECK(contains(where().shards[0].trouble, "asked what they hold"));
    promise(a);
    CHECK(a.assigned[0] == 2);
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

  TEST_CASE_FIXTURE(fixture, "of two processes with the same data only the one "
                             "that was started last takes part") {
    begin();
    auto& a = join("a");
    ++a.self.incarnation;
    must(join_again(a).in);
    --a.self.incarnation;
    CHECK(code_of(join_again(a).in) == ec::conflict);
    CHECK(contains(text_of(a.in), "a has been started once more"));
  }

  TEST_CASE_FIXTURE(fixture, "a name that belongs to another node is refused, "
                             "unless that is away") {
    begin();
    auto& a = join("a");
    auto& thief = join("a");
    CHECK(code_of(thief.in) == ec::conflict);
    CHECK(contains(text_of(thief.in), "the name a belongs to another node"));
    CHECK(where().nodes.size() == 1);
    kill(a.hdl);
    CHECK(must(join_again(thief).in).name == "a");
    auto there = where();
    REQUIRE(there.nodes.size() == 2);
    CHECK(there.nodes[0].name == "a@node-a");
    CHECK(there.nodes[1].name == "a");
    // The old one may come back, under another name.
    CHECK(code_of(join_again(a).in) == ec::conflict);
    a.self.name = "b";
    CHECK(must(join_again(a).in).name == "b");
  }

  TEST_CASE_FIXTURE(faulty_fixture, "a node whose coming can't be written down "
                                    "has not come, and takes no name") {
    begin();
    auto& a = join("a");
    kill(a.hdl);
    disk.fail_write = SQLITE_FULL;
    auto& thief = join("a");
    CHECK(code_of(thief.in) == ec::disk_full);
    CHECK(code_of(join("c").in) == ec::disk_full);
    auto there = where();
    REQUIRE(there.nodes.size() == 1);
    CHECK(there.nodes[0].name == "a");
    CHECK(there.nodes[0].node == a.self.node);
    CHECK(!there.nodes[0].up);
    disk.fail_write = SQLITE_OK;
    CHECK(must(join_again(thief).in).name == "a");
    restart();
    there = where();
    REQUIRE(there.nodes.size() == 2);
    CHECK(there.nodes[0].name == "a@node-a");
    CHECK(there.nodes[1].name == "a");
  }

  TEST_CASE_FIXTURE(fixture, "a disk that is gone takes no name from a node "
                             "that is away") {
    begin();
    auto& old = join("a");
    kill(old.hdl);
    auto& present = join("a");
    must(ask<operator_answer>(boss, remove_node{"a@node-a"}));
    kill(present.hdl);
    CHECK(code_of(join_again(old).in) == ec::conflict);
    auto there = where();
    REQUIRE(there.nodes.size() == 2);
    CHECK(there.nodes[1].node == present.self.node);
    CHECK(there.nodes[1].name == "a");
  }

  TEST_CASE_FIXTURE(fixture, "two nodes hold two copies of every shard, and "
                             "lead two each") {
    begin();
    join("a");
    auto& b = join("b");
    settle(false);
    CHECK(nodes[0]->assigned.size() == 2);
    CHECK(b.assigned.size() == 2);
    for (auto& x : status().shards) {
      CHECK(x.state == "serving");
      CHECK(x.backups.size() == 1);
      CHECK(x.copies.size() == 2);
      CHECK(x.backups[0] != x.primary);
    }
    for (auto& x : where().shards)
      CHECK(x.backups.size() == 1);
    // A third one takes its share, and no more.
    join("c");
    auto before = std::map<uint32_t, std::string>{};
    for (auto& x : status().shards)
      before[x.shard] = x.primary;
    settle(false);
    auto moved = 0;
    for (auto& x : status().shards) {
      CHECK(x.backups.size() == 1);
      moved += x.primary != before[x.shard] ? 1 : 0;
    }
    CHECK(moved <= 2);
    auto& c = *nodes[2];
    CHECK(!c.assigned.empty());
    CHECK(c.known.size() >= 2);
  }

  TEST_CASE_FIXTURE(fixture, "of two nodes one is told to connect, and of all "
                             "where they are") {
    begin();
    join("a");
    join("b");
    join("c");
    auto dials = 0;
    for (auto& x : nodes) {
      REQUIRE(x->peers.nodes.size() == 2);
      for (auto& y : x->peers.nodes) {
        CHECK(y.node != x->self.node);
        CHECK(y.listens.port > 7000);
        dials += y.dial ? 1 : 0;
      }
    }
    CHECK(dials == 3);
  }

  TEST_CASE_FIXTURE(fixture,
                    "the backup leads when the primary's node is lost, "
                    "and the lost one's disk is not forgotten") {
    begin();
    auto& a = join("a");
    auto& b = join("b");
    settle(false);
    auto led = a.assigned;
    REQUIRE(led.size() == 2);
    kill(a.hdl);
    CHECK(b.assigned.size() == 4);
    for (auto& [shard, epoch] : led) {
      auto& found = b.known[shard].config;
      CHECK(found.epoch > epoch);
      CHECK(found.primary == b.self.node);
      CHECK(found.members.size() == 1);
      CHECK(found.eligible
            == std::vector<node_disk>{{a.self.node, a.self.disk}});
      CHECK(contains(where().shards[shard].trouble, "taking it over"));
    }
    beat(b, false);
    for (auto& x : where().shards)
      CHECK(x.trouble.empty());
    // It comes back as another life, to be brought up to date.
    ++a.self.incarnation;
    join_again(a);
    settle(false);
    for (auto& x : status().shards)
      CHECK(x.backups.size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a proposal is answered, whatever becomes of it") {
    begin();
    auto& a = join("a");
    beat(a, false);
    auto self_a = member{a.self.node, a.self.disk, 1};
    auto next = shard_config{0, 5, a.self.node, {self_a}, {}, 1};
    caf::send_as(a.hdl, boss, proposal{self_a, next, 1});
    run();
    REQUIRE(a.decisions.size() == 1);
    CHECK(a.decisions[0].what.present.epoch == 5);
    CHECK(a.decisions[0].what.refused.empty());
    caf::send_as(a.hdl, boss, proposal{self_a, next, 1});
    run();
    CHECK(a.decisions[1].what.present.epoch == 5);
    auto stranger = member{"x", "y", 1};
    caf::send_as(a.hdl, boss, proposal{stranger, next, 5});
    run();
    next.epoch = 6;
    next.members = {stranger};
    caf::send_as(a.hdl, boss, proposal{self_a, next, 5});
    run();
    CHECK(!a.decisions.back().what.refused.empty());
    restart();
    CHECK(where().shards[0].epoch == 5);
  }

  TEST_CASE_FIXTURE(fixture, "a node that is drained leads nothing and holds "
                             "nothing in the end; without another one it can't "
                             "be") {
    begin();
    auto& a = join("a");
    beat(a, false);
    auto refused = ask<operator_answer>(boss, drain_node{"a", true});
    CHECK(code_of(refused) == ec::conflict);
    CHECK(code_of(ask<operator_answer>(boss, drain_node{"z", true}))
          == ec::not_found);
    join("b");
    join("c");
    settle(false);
    must(ask<operator_answer>(boss, drain_node{"a", true}));
    CHECK(status().nodes[0].state == "draining");
    settle(false);
    CHECK(status().nodes[0].state == "drained");
    CHECK(a.assigned.empty());
    for (auto& x : status().shards)
      CHECK(x.backups.size() == 1);
    CHECK(contains(must(ask<operator_answer>(boss, drain_node{"a", true})).text,
                   "may be stopped"));
    // For good, until it is taken back.
    restart();
    for (auto& x : nodes)
      join_again(*x);
    settle(false);
    CHECK(a.assigned.empty());
    must(ask<operator_answer>(boss, drain_node{"a", false}));
    settle(false);
    CHECK(!a.assigned.empty());
  }

  TEST_CASE_FIXTURE(faulty_fixture, "a drain that can't be written down is "
                                    "none, nor is its end") {
    begin();
    join("a");
    join("b");
    settle();
    auto state = [&] {
      return status().nodes[0].state;
    };
    disk.fail_write = SQLITE_FULL;
    CHECK(code_of(ask<operator_answer>(boss, drain_node{"a", true}))
          == ec::disk_full);
    CHECK(state() == "up");
    disk.fail_write = SQLITE_OK;
    must(ask<operator_answer>(boss, drain_node{"a", true}));
    CHECK(state() == "draining");
    disk.fail_write = SQLITE_FULL;
    CHECK(code_of(ask<operator_answer>(boss, drain_node{"a", false}))
          == ec::disk_full);
    CHECK(state() == "draining");
  }

  TEST_CASE_FIXTURE(fixture,
                    "without any copy a shard waits, until an operator "
                    "gives the disks up, which is recorded") {
    begin();
    auto& a = join("a");
    beat(a, false);
    auto& b = join("b");
    kill(a.hdl);
    pass(process.failure_timeout);
    beat(b, false);
    CHECK(contains(where().shards[0].trouble, "its replicas a (last seen "));
    auto promote = promote_replica{0, "b", false, false};
    CHECK(code_of(ask<operator_answer>(boss, promote)) == ec::conflict);
    CHECK(code_of(ask<operator_answer>(boss, remove_node{"b"}))
          == ec::conflict);
    must(ask<operator_answer>(boss, remove_node{"a"}));
    CHECK(contains(where().shards[0].trouble, "promote a node by force"));
    promote.accept_loss = true;
    must(ask<operator_answer>(boss, promote));
    pass(1000);
    promise(b);
    CHECK(b.assigned.count(0) == 1);
    // A disk that was given up does not come back.
    CHECK(code_of(join_again(a).in) == ec::conflict);
    restart();
    CHECK(code_of(join_again(a).in) == ec::conflict);
    kill(boss);
    boss = nullptr;
    auto db = must(catalog::open(dir.file("coordinator.db")));
    auto events = must(db.events(10));
    REQUIRE(events.size() == 3);
    CHECK(contains(events[0].what, "loss accepted"));
    CHECK(contains(events[1].what, "is gone"));
  }

  TEST_CASE_FIXTURE(fixture, "what would move can be asked for, and nothing "
                             "moves for it") {
    begin();
    join("a");
    join("b");
    settle(false);
    auto none = must(ask<planned_moves>(boss, plan_moves{}));
    CHECK(none.moves.empty());
    auto more = must(ask<planned_moves>(boss, plan_moves{0, {"new"}, {}}));
    auto copies = 0;
    for (auto& x : more.moves)
      if (x.what == "copy") {
        CHECK(x.to == "new");
        ++copies;
      }
    CHECK(copies >= 2);
    CHECK(copies <= 3);
    auto fewer = must(ask<planned_moves>(boss, plan_moves{1, {}, {"b"}}));
    for (auto& x : fewer.moves)
      CHECK(x.to != "b");
    CHECK(code_of(ask<planned_moves>(boss, plan_moves{0, {}, {"z"}}))
          == ec::not_found);
    CHECK(where().shards[0].epoch == status().shards[0].epoch);
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
    CHECK(there.shards[1].trouble == "the coordinator has just started");
    start_anew(a);
    for (auto i = 0; i < 5; ++i) {
      pass(500);
      beat(a);
    }
    // One of its logs ends before what was committed.
    a.ends[3] = 6;
    promise(a);
    beat(a, false);
    CHECK(where().shards[1].trouble.empty());
    CHECK(where().shards[1].epoch == 2);
    CHECK(contains(where().shards[3].trouble, "ends at entry 6"));
    CHECK(contains(where().shards[3].trouble, "accept the loss"));
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
      CHECK(shard.primary == "a");
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
