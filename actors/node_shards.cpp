#include "actors/node_host.hpp"

#include "actors/shard_host.hpp"
#include "cluster/peer_codec.hpp"
#include "messages/types.hpp"

#include <caf/actor_system.hpp>
#include <caf/typed_response_promise.hpp>

#include <spdlog/spdlog.h>

// The copies of shards that a node hosts: how they come, go, and hear of one
// another.

namespace weir {

namespace {

/// Deletes and reads wait for whatever else the disk has to do.
constexpr auto disk_timeout = std::chrono::minutes{5};

/// What changes in one moment, such as all shards of a node that died, is told
/// in one message.
constexpr auto news_delay = std::chrono::milliseconds{2};

} // namespace

// -- hosting

void node_host_state::spawn_shard(uint32_t shard, hosted& x) {
  auto context = shard_context{};
  context.shard = shard;
  context.shards = cluster_.shards;
  context.self = {context_.node, context_.disk, context_.incarnation};
  context.node_name = context_.name;
  context.node = self_;
  context.journal = context_.journal;
  context.checkpoints = context_.checkpoints;
  context.replication = to_replica_options(context_.process);
  context.rules = rules();
  context.window = cluster_.window;
  context.checkpoint_chunk_entities
    = context_.process.checkpoint_chunk_entities;
  context.again = x.deaths > 0;
  x.news.shard = shard;
  x.news.state = shard_state::recovering;
  x.news.text = "it is recovering";
  x.tick_pending = false;
  x.actor = self_->spawn<caf::monitored>(shard_host, std::move(context));
}

shard_actor node_host_state::ensure(uint32_t shard) {
  // Before it has joined it does not know what shards are.
  if (shard_settings_ == nullptr || shard >= cluster_.shards)
    return {};
  auto [i, added] = shards_.emplace(shard, hosted{});
  if (added)
    spawn_shard(shard, i->second);
  return i->second.actor;
}

void node_host_state::report(const shard_report& x) {
  auto i = shards_.find(x.shard);
  if (i == shards_.end() || !i->second.actor
      || self_->current_sender() != i->second.actor.address())
    return;
  i->second.news = x;
  i->second.tick_pending = false;
}

void node_host_state::moved(const shard_moved& x) {
  auto i = shards_.find(x.report.shard);
  if (i == shards_.end() || !i->second.actor
      || self_->current_sender() != i->second.actor.address())
    return;
  i->second.news = x.report;
  if (beat_is_due_)
    return;
  beat_is_due_ = true;
  self_->delayed_send(self_, news_delay, timer{beat_soon});
}

// -- from the coordinator

void node_host_state::know(const peer_list& x) {
  peers_.know(x, context_.cluster);
}

void node_host_state::announce(const announce_shards& x) {
  // A primary takes nothing before it has the plan, and so the copy has it.
  if (x.plan.version > plan_->version()) {
    copy_.when_current([this, x] {
      take_plan(x.plan);
      tell_shards(x);
    });
    return;
  }
  tell_shards(x);
}

void node_host_state::tell_shards(const announce_shards& x) {
  sealed_through_ = std::max(sealed_through_, x.sealed_through);
  for (auto& shard : x.shards)
    if (auto actor = ensure(shard.config.shard))
      self_->send(actor, announced_shard{shard, rules()});
}

void node_host_state::promise(const fence& x) {
  if (auto actor = ensure(x.shard))
    self_->send(actor, x);
}

void node_host_state::decide(const shard_decision& x) {
  if (auto i = shards_.find(x.shard); i != shards_.end() && i->second.actor)
    self_->send(i->second.actor, x);
}

void node_host_state::drop(const drop_copy& x) {
  auto i = shards_.find(x.shard);
  if (i == shards_.end() || !i->second.actor || i->second.leaving)
    return;
  i->second.leaving = true;
  auto kept = [this, shard = x.shard](caf::error& err) {
    spdlog::error("a copy of shard {} can't be dropped: {}", shard,
                  to_failure(err, "the storage").text);
    auto j = shards_.find(shard);
    if (j == shards_.end())
      return;
    j->second.leaving = false;
    if (!j->second.actor) {
      j->second.news.state = shard_state::failed;
      j->second.news.replica.failed = true;
      j->second.news.text = to_failure(err, "the storage").text;
    }
  };
  self_->request(i->second.actor, disk_timeout, x)
    .then(
      [this, x, kept](bool gone) {
        auto shard = shards_.find(x.shard);
        if (shard == shards_.end())
          return;
        if (!gone || !shard->second.actor) {
          shard->second.leaving = false;
          return;
        }
        self_->demonitor(shard->second.actor.address());
        self_->send_exit(shard->second.actor, caf::exit_reason::user_shutdown);
        shard->second.actor = nullptr;
        // It ends without a word of the checkpoint that it may be at.
        checkpointed({x.shard, 0});
        // Another copy may come only when nothing of this one is left: until
        // then, messages for it are lost.
        self_->request(context_.journal, disk_timeout, remove_shard{x.shard})
          .then(
            [this, x, kept](bool) {
              self_
                ->request(context_.checkpoints, disk_timeout,
                          remove_shard{x.shard})
                .then(
                  [this, x](bool) {
                    shards_.erase(x.shard);
                  },
                  kept);
            },
            kept);
      },
      kept);
}

// -- between copies

meet_node node_host_state::meet(const meet_node& x,
                                const caf::strong_actor_ptr& sender) {
  return peers_.met(x, sender);
}

void node_host_state::receive(replica_message& x) {
  auto shard = shard_of_peer_message(x.bytes);
  if (!shard)
    return spdlog::error("a message between replicas does not decode");
  uncovered_bytes_ += x.bytes.size();
  if (auto actor = ensure(*shard))
    self_->send(actor, peer_bytes{std::make_shared<const std::string>(
                         std::move(x.bytes))});
}

void node_host_state::send(outgoing_peer& x) {
  peers_.send(x.node, std::move(x.bytes));
}

void node_host_state::tell_coordinator(const proposal& x) {
  if (is_member())
    self_->send(coordinator_, x);
}

void node_host_state::tell_coordinator(const fence_report& x) {
  if (is_member())
    self_->send(coordinator_, x);
}

// -- verification

caf::result<shard_checks> node_host_state::check(const check_shards& x) {
  struct gathering {
    size_t left = 1;
    shard_checks res;
  };
  auto promise = self_->make_response_promise<shard_checks>();
  auto all = std::make_shared<gathering>();
  all->res.node = context_.node;
  auto done = [all, promise]() mutable {
    if (--all->left == 0)
      promise.deliver(std::move(all->res));
  };
  auto unknown = [all, done](uint32_t shard, const failure& why) mutable {
    auto res = shard_check{};
    res.shard = shard;
    res.code = why.code;
    res.text = why.text;
    all->res.shards.push_back(std::move(res));
    done();
  };
  for (auto& id : x.shards) {
    auto i = shards_.find(id);
    if (i == shards_.end() || !i->second.actor)
      continue;
    ++all->left;
    self_->request(i->second.actor, disk_timeout, check_shard{})
      .then(
        [this, all, done, unknown, id = id,
         deep = x.journal](shard_check& y) mutable {
          if (!deep || y.code != ec::none) {
            all->res.shards.push_back(std::move(y));
            return done();
          }
          self_->request(context_.journal, disk_timeout, check_log{id})
            .then(
              [all, done, y](const log_checked& z) mutable {
                y.journal_from = z.from;
                y.journal_entries = z.entries;
                all->res.shards.push_back(std::move(y));
                done();
              },
              [unknown, id](caf::error& err) mutable {
                unknown(id, to_failure(err, "the journal"));
              });
        },
        [unknown, id = id](caf::error& err) mutable {
          unknown(id, to_failure(err, "the shard"));
        });
  }
  done();
  return promise;
}

} // namespace weir
