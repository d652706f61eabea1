#pragma once

#include "actors/catalog_copier.hpp"
#include "actors/checkpointer.hpp"
#include "actors/journal_writer.hpp"
#include "actors/node_host.hpp"
#include "test/actors/scripted.hpp"
#include "test/cluster/records.hpp"
#include "test/storage/support.hpp"

// A node between a scripted coordinator and a producer.

namespace weir::test {

/// A coordinator that knows one answer to each question.
class scripted_coordinator {
public:
  std::vector<join_node> joins;
  std::vector<heartbeat> beats;
  std::vector<proposal> proposals;
  std::vector<fence_report> fences;
  std::optional<failure> refuse;
  /// It answers heartbeats.
  bool hears = true;
  /// It answers nothing else either.
  bool hangs = false;
  std::vector<caf::response_promise> forgotten;
  cluster_settings settings;
  /// What there is to copy of its directory.
  std::function<caf::result<catalog_part>(const get_catalog&)> give;

  caf::behavior behavior(caf::event_based_actor* self) {
    return {
      [this, self](const hello&) -> caf::result<welcome> {
        if (hangs)
          return forget(self);
        return welcome{wire_version, "c1", "coordinator", {}};
      },
      [this, self](const join_node& x) -> caf::result<joined> {
        joins.push_back(x);
        if (hangs)
          return forget(self);
        if (refuse)
          return to_error(*refuse);
        return joined{"c1", "n1", {1, to_pairs(settings)}};
      },
      [this, self](const heartbeat& x) {
        beats.push_back(x);
        if (hears)
          caf::anon_send(caf::actor_cast<caf::actor>(self->current_sender()),
                         heartbeat_ack{});
      },
      [this, self](const proposal& x) {
        proposals.push_back(x);
        // Whatever a primary wants.
        caf::anon_send(caf::actor_cast<caf::actor>(self->current_sender()),
                       shard_decision{x.next.shard, {x.next, {}}});
      },
      [this](const fence_report& x) {
        fences.push_back(x);
      },
      [this](const get_catalog& x) {
        return give(x);
      },
    };
  }

private:
  caf::response_promise forget(caf::event_based_actor* self) {
    forgotten.push_back(self->make_response_promise());
    return forgotten.back();
  }
};

/// A node between a scripted coordinator and a producer.
struct node_fixture : actor_fixture {
  static constexpr auto ann = producer_id{1, 2};
  static constexpr auto start = time_ms{1'700'000'000'000};
  static constexpr auto shards = uint32_t{4};

  temporary_directory dir;
  std::shared_ptr<journal> log = std::make_shared<journal>(
    must(journal::open(dir.file("journal.db"), durability::power)));
  std::shared_ptr<state_store> state = std::make_shared<state_store>(
    must(state_store::open(dir.file("state.db"))));

  scripted_coordinator boss;
  scripted_dialer dialer;
  std::vector<append_ack> acks;
  /// Who sent the last one.
  caf::actor acker;
  std::vector<failure> refusals;
  int joined_times = 0;

  caf::actor producer
    = spawn([this](caf::event_based_actor* x) -> caf::behavior {
        return {[this, x](const append_ack& ack) {
          acks.push_back(ack);
          acker = caf::actor_cast<caf::actor>(x->current_sender());
        }};
      });
  caf::actor boss_hdl = spawn([this](caf::event_based_actor* x) {
    return boss.behavior(x);
  });
  caf::actor dialer_hdl = spawn([this] {
    return dialer.behavior();
  });
  journal_actor writer = spawn(journal_writer, log, on_disk_failure{});
  checkpoint_actor checkpoints = spawn(checkpointer, state, on_disk_failure{});
  node_context context;
  local_node_actor node;

  node_fixture() {
    boss.settings.shards = shards;
    dialer.doors[1] = {boss_hdl, "coordinator"};
    context.node = "node-id";
    context.disk = "disk-id";
    context.incarnation = 7;
    context.name = "n1";
    context.process.join = {"127.0.0.1", 1};
    context.journal_path = dir.file("journal.db");
    context.journal = writer;
    context.checkpoints = checkpoints;
    context.dialer = play<dialer_actor>(dialer_hdl);
    context.held = {2};
    context.on_joined = [this](const joined&) -> result<void> {
      ++joined_times;
      return {};
    };
    context.on_refused = [this](const failure& x) {
      refusals.push_back(x);
    };
  }

  ~node_fixture() {
    end();
  }

  void begin() {
    node = spawn(node_host, context);
    tell(node, listening{{"127.0.0.1", 9}});
  }

  member us() const {
    return {context.node, context.disk, context.incarnation};
  }

  /// The coordinator says that this node, alone, is primary.
  void assign(uint32_t shard, uint64_t epoch = 1) {
    auto x = announce_shards{};
    x.shards.push_back({{shard, epoch, context.node, {us()}, {}, 1}, {}});
    tell(node, x);
    // Whoever had to recover first is told again.
    tell(node, x);
  }

  /// Another node leads the shard, and this one has no part in it.
  void lose(uint32_t shard, uint64_t epoch) {
    auto x = announce_shards{};
    auto other = member{"other", "disk", 1};
    x.shards.push_back({{shard, epoch, other.node, {other}, {}, 1}, {}});
    tell(node, x);
  }

  void drop(uint32_t shard, uint64_t epoch) {
    tell(node, drop_copy{shard, epoch});
  }

  /// A node that serves shard 1.
  void serve() {
    begin();
    assign(1);
  }

  static std::string block(uint64_t after, uint64_t n = 1, uint32_t shard = 1) {
    auto ids = entities_of(shard, shards, 1);
    auto records = std::vector<plain_record>{};
    for (auto i = after + 1; i <= after + n; ++i)
      records.push_back(event(ids[0], start + static_cast<time_ms>(i), 4));
    return block_of({shard, ann, 1, after, after + n}, records);
  }

  void send(std::vector<block_message> blocks) {
    caf::send_as(producer, node, append_frame{std::move(blocks)});
    run();
  }

  /// In the newest epoch that the primary has asked for.
  uint64_t epoch_of(uint32_t shard) const {
    auto res = uint64_t{1};
    for (auto& x : boss.proposals)
      if (x.next.shard == shard)
        res = x.next.epoch;
    return res;
  }

  void send(uint64_t after, uint64_t n = 1) {
    send({{1, epoch_of(1), 1, block(after, n)}});
  }

  append_ack ack() {
    REQUIRE(acks.size() == 1);
    auto res = acks[0];
    acks.clear();
    return res;
  }

  average_answer average(uint32_t shard = 1) {
    auto request = average_request{};
    request.entity = entities_of(shard, shards, 1)[0];
    request.metric = std::string{default_metric};
    return must(ask<average_answers>(
                  play<node_actor>(caf::actor_cast<caf::actor>(node)),
                  average_batch{shard, {request}}))
      .answers.at(0);
  }

  /// The last heartbeat, after the next one is due.
  heartbeat beat() {
    // A tick asks the shards, the next one tells of them.
    advance(std::chrono::milliseconds{2 * context.process.heartbeat});
    REQUIRE(!boss.beats.empty());
    return boss.beats.back();
  }
};

} // namespace weir::test
