#pragma once

#include "actors/coordinator_host.hpp"
#include "test/actors/scripted.hpp"
#include "test/storage/support.hpp"

#include <caf/typed_response_promise.hpp>

namespace weir::test {

/// A node that keeps what it is told, and says what a test wants it to.
class scripted_node {
public:
  join_node self;
  result<joined> in = fail(ec::timeout, "no answer yet");
  /// Everything that it was ever assigned, with the newest epoch.
  std::map<uint32_t, uint64_t> assigned;
  /// How often it was told of a shard.
  size_t announced = 0;
  /// The configurations that it was told, and what is wanted of it.
  std::map<uint32_t, announcement> known;
  std::vector<drop_copy> drops;
  std::vector<fence> fences;
  std::vector<shard_decision> decisions;
  /// Where its logs end, if not at entry 7.
  std::map<uint32_t, uint64_t> ends;
  peer_list peers;
  std::vector<settings_text> settings;
  std::vector<heartbeat_ack> acks;
  std::vector<plan_text> plans;
  /// Version of the last one.
  uint64_t plan = 0;
  std::vector<seal_windows> seals;
  /// What its shards hold of windows that are not final.
  held_partials partials;
  get_partials asked_for;
  /// Happens while they are asked for.
  std::function<void()> before_partials;
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
      [this](const announce_shards& y) {
        // Settings come before shards, or a node could not serve them.
        REQUIRE(in.has_value());
        plan = std::max(plan, y.plan.version);
        announced += y.shards.size();
        for (auto& shard : y.shards) {
          auto& config = shard.config;
          auto& mine = known[config.shard];
          if (config.epoch < mine.config.epoch)
            continue;
          mine = shard;
          if (config.primary == self.node)
            assigned[config.shard] = config.epoch;
          else
            assigned.erase(config.shard);
        }
      },
      [this](const peer_list& y) {
        peers = y;
      },
      [this](const drop_copy& y) {
        drops.push_back(y);
        known.erase(y.shard);
      },
      [this](const fence& y) {
        fences.push_back(y);
      },
      [this](const shard_decision& y) {
        decisions.push_back(y);
        if (y.what.present.epoch > known[y.shard].config.epoch) {
          known[y.shard].config = y.what.present;
          if (y.what.present.primary == self.node)
            assigned[y.shard] = y.what.present.epoch;
          else
            assigned.erase(y.shard);
        }
      },
      [this](const settings_text& y) {
        settings.push_back(y);
      },
      [this](const heartbeat_ack& y) {
        acks.push_back(y);
      },
      [this](const plan_text& y) {
        plan = std::max(plan, y.version);
        plans.push_back(y);
      },
      [this](const seal_windows& y) {
        // A node without that plan does nothing.
        CHECK(y.plan_version <= plan);
        seals.push_back(y);
      },
      [this](const get_partials& y) {
        asked_for = y;
        if (before_partials)
          before_partials();
        return partials;
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
struct coordinator_fixture : actor_fixture {
  temporary_directory dir;
  cluster_settings initial;
  process_settings process;
  time_ms now = 1'700'000'000'000;
  /// None: whose connection is lost is not looked for.
  dialer_actor dialer;
  local_coordinator_actor boss;
  std::vector<std::unique_ptr<scripted_node>> nodes;

  coordinator_fixture() {
    initial.shards = 4;
    auto db = must(catalog::open(dir.file("coordinator.db")));
    auto pairs = to_pairs(initial);
    must(db.put_settings(1, {pairs.begin(), pairs.end()}));
  }

  ~coordinator_fixture() {
    end();
  }

  void begin() {
    auto context = coordinator_context{};
    context.cluster = "c1";
    context.name = "boss";
    context.process = process;
    context.dialer = dialer;
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

  /// Its process is another one, which leads nothing yet.
  scripted_node& start_anew(scripted_node& x) {
    ++x.self.incarnation;
    x.known.clear();
    x.assigned.clear();
    return join_again(x);
  }

  /// `x` reports that it serves what it was assigned.
  void beat(scripted_node& x, bool empty = true, uint64_t accepted = 0,
            time_ms clock = -1) {
    x.news = heartbeat{};
    x.news.node = x.self.node;
    x.news.incarnation = x.self.incarnation;
    x.news.settings_version = 1;
    for (auto& [shard, what] : x.known) {
      auto leads = x.assigned.count(shard) > 0;
      auto report = shard_report{};
      report.shard = shard;
      report.state = leads ? shard_state::serving : shard_state::following;
      auto& replica = report.replica;
      replica.shard = shard;
      replica.epoch = what.config.epoch;
      replica.promised = what.config.epoch;
      replica.role = leads ? replica_role::primary : replica_role::backup;
      replica.serving = leads;
      replica.empty = empty;
      replica.committed = {7, what.config.epoch, 77};
      replica.end = replica.committed;
      report.clock = clock;
      report.entities = 2;
      report.ledger.accepted = accepted;
      report.ledger.late = 1;
      x.news.shards.push_back(report);
    }
    caf::send_as(x.hdl, boss, x.news);
    run();
  }

  /// `x` promises what it was asked to, and says what it holds.
  void promise(scripted_node& x) {
    for (auto& y : std::exchange(x.fences, {})) {
      auto end = x.ends.count(y.shard) > 0 ? x.ends[y.shard] : 7;
      caf::send_as(x.hdl, boss,
                   fence_report{y.shard,
                                y.epoch,
                                {x.self.node, x.self.disk, x.self.incarnation},
                                {end, 1, end},
                                {end, 1, end}});
    }
    run();
  }

  /// A primary does at once what is wanted of it.
  void obey(scripted_node& x) {
    for (auto& [shard, what] : std::map{x.known}) {
      auto& was = what.config;
      auto& goals = what.goals;
      if (was.primary != x.self.node)
        continue;
      auto next = was;
      ++next.epoch;
      auto drop = [&](const std::string& node) {
        for (auto i = next.members.begin(); i != next.members.end();)
          i = i->node == node ? next.members.erase(i) : std::next(i);
      };
      if (!goals.learners.empty()) {
        for (auto& y : goals.learners) {
          drop(y.node); // Its life before.
          next.members.push_back(y);
        }
      } else if (!goals.successor.empty())
        next.primary = goals.successor;
      else if (!goals.surplus.empty())
        for (auto& y : goals.surplus)
          drop(y);
      else if (!next.eligible.empty())
        next.eligible.clear();
      else
        continue;
      caf::send_as(x.hdl, boss,
                   proposal{{x.self.node, x.self.disk, x.self.incarnation},
                            next,
                            was.epoch});
    }
    run();
  }

  /// Until everything is as the coordinator wants it.
  void settle(bool empty = true) {
    for (auto i = 0; i < 40; ++i)
      for (auto& x : nodes) {
        beat(*x, empty);
        obey(*x);
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

} // namespace weir::test
