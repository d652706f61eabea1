#include "actors/coordinator_host.hpp"
#include "test/actors/scripted.hpp"
#include "test/storage/support.hpp"

#include <caf/typed_response_promise.hpp>

using namespace weir;
using namespace weir::test;

namespace {

/// A node that keeps what it is told, and says what a test wants it to.
class scripted_node {
public:
  join_node self;
  result<joined> in = fail(ec::timeout, "no answer yet");
  /// Everything that it was ever assigned, with the newest epoch.
  std::map<uint32_t, uint64_t> assigned;
  std::vector<release_shard> releases;
  std::vector<settings_text> settings;
  std::vector<heartbeat_ack> acks;
  /// What it says of itself when asked.
  heartbeat news;
  bool hangs = false;
  std::vector<caf::typed_response_promise<heartbeat>> forgotten;

  scripted_node(std::string id, uint16_t port) {
    self.node = "node-at-" + std::to_string(port);
    self.disk = "disk-at-" + std::to_string(port);
    self.incarnation = 1;
    self.name = std::move(id);
    self.listens = {"127.0.0.1", port};
  }

  caf::behavior behavior(caf::event_based_actor* x) {
    hdl = caf::actor_cast<caf::actor>(x);
    return {
      [this, x](const coordinator_actor& to) {
        x->request(to, caf::infinite, self)
          .then(
            [this](const joined& y) {
              in = y;
            },
            [this](caf::error& err) {
              in = tl::unexpected(to_failure(err, "the coordinator"));
            });
      },
      [this](const assign_shards& y) {
        // Settings come before shards, or a node could not serve them.
        REQUIRE(in.has_value());
        for (auto& [shard, epoch] : y.shards)
          assigned[shard] = std::max(assigned[shard], epoch);
      },
      [this](const release_shard& y) {
        releases.push_back(y);
      },
      [this](const settings_text& y) {
        settings.push_back(y);
      },
      [this](const heartbeat_ack& y) {
        acks.push_back(y);
      },
      [this, x](const get_heartbeat&) -> caf::result<heartbeat> {
        if (hangs)
          return forgotten.emplace_back(x->make_response_promise<heartbeat>());
        return news;
      },
    };
  }

  caf::actor hdl;
};

/// A coordinator with a catalog on the disk, at a time that the test sets.
struct fixture : actor_fixture {
  temporary_directory dir;
  cluster_settings initial;
  process_settings process;
  time_ms now = 1'700'000'000'000;
  local_coordinator_actor boss;
  std::vector<std::unique_ptr<scripted_node>> nodes;

  fixture() {
    initial.shards = 4;
    auto db = must(catalog::open(dir.file("coordinator.db")));
    auto pairs = to_pairs(initial);
    must(db.put_settings(1, {pairs.begin(), pairs.end()}));
  }

  ~fixture() {
    end();
  }

  void begin() {
    auto context = coordinator_context{};
    context.cluster = "c1";
    context.name = "boss";
    context.process = process;
    context.store = std::make_shared<catalog>(
      must(catalog::open(dir.file("coordinator.db"))));
    context.contents = must(context.store->load());
    context.now = [this] {
      return now;
    };
    boss = spawn(coordinator_host, std::move(context));
    run();
  }

  void restart() {
    kill(boss);
    boss = nullptr;
    begin();
  }

  /// Time goes by, on every clock.
  void pass(time_ms ms) {
    for (auto step = time_ms{100}; ms > 0; ms -= step) {
      now += step;
      advance(std::chrono::milliseconds{step});
    }
  }

  scripted_node& join(const std::string& id) {
    auto port = static_cast<uint16_t>(7001 + nodes.size());
    nodes.push_back(std::make_unique<scripted_node>(id, port));
    return join_again(*nodes.back());
  }

  /// With a new connection, which is a new actor.
  scripted_node& join_again(scripted_node& x) {
    spawn([&x](caf::event_based_actor* y) {
      return x.behavior(y);
    });
    run();
    caf::anon_send(x.hdl, caf::actor_cast<coordinator_actor>(boss));
    run();
    return x;
  }

  /// `x` reports that it serves what it was assigned.
  void beat(scripted_node& x, bool empty = true, uint64_t accepted = 0,
            time_ms clock = -1) {
    x.news = heartbeat{};
    x.news.node = x.self.node;
    x.news.incarnation = x.self.incarnation;
    x.news.settings_version = 1;
    for (auto& [shard, epoch] : x.assigned) {
      auto report = shard_report{};
      report.shard = shard;
      report.epoch = epoch;
      report.state = shard_state::serving;
      report.index = 7;
      report.empty = empty;
      report.clock = clock;
      report.entities = 2;
      report.ledger.accepted = accepted;
      report.ledger.late = 1;
      x.news.shards.push_back(report);
    }
    caf::send_as(x.hdl, boss, x.news);
    run();
  }

  void answer(scripted_node& x, bool gone) {
    for (auto& y : std::exchange(x.releases, {})) {
      if (gone)
        x.assigned.erase(y.shard);
      caf::send_as(x.hdl, boss,
                   shard_released{x.self.node, y.shard, y.epoch, gone});
    }
    run();
  }

  /// Settles all releases and assignments.
  void settle(bool empty = true) {
    for (auto i = 0; i < 5; ++i)
      for (auto& x : nodes) {
        answer(*x, true);
        beat(*x, empty);
      }
  }

  routes where() {
    return must(ask<routes>(boss, get_routes{}));
  }

  cluster_status status() {
    return must(ask<cluster_status>(boss, get_status{}));
  }

  result<producer_opened> open(const std::string& name) {
    return ask<producer_opened>(boss, open_producer{name, false});
  }

  result<session_reported> report(const producer_opened& who, uint64_t prefix,
                                  uint64_t malformed = 0, bool ended = false) {
    auto x = report_session{};
    x.producer = who.producer;
    x.session = who.session;
    x.base = who.base;
    x.prefix = prefix;
    x.digest = 11 * prefix;
    x.digest_at = prefix;
    x.malformed = malformed;
    x.ended = ended;
    return ask<session_reported>(boss, x);
  }
};

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
