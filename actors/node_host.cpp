#include "actors/node_host.hpp"

#include "actors/clock.hpp"
#include "actors/dialer.hpp"
#include "actors/process.hpp"
#include "actors/shard_host.hpp"
#include "messages/types.hpp"

#include <caf/actor_system.hpp>
#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace weir {

namespace {

constexpr auto backoff_min = std::chrono::milliseconds{100};
constexpr auto backoff_max = std::chrono::milliseconds{2000};

/// Deletes and reads wait for whatever else the disk has to do.
constexpr auto disk_timeout = std::chrono::minutes{5};

/// A shard that is busier than that is reported as it was.
constexpr auto report_timeout = std::chrono::milliseconds{500};

/// A shard whose actor dies this often is reported as failed: what its log
/// holds would kill it again.
constexpr uint32_t shard_deaths_max = 3;

/// A block's bytes, counted as pending until nobody holds them any more.
struct charged_block {
  charged_block(std::string x, std::shared_ptr<std::atomic<uint64_t>> total)
    : bytes(std::move(x)), pending(std::move(total)) {
    *pending += bytes.size();
  }

  ~charged_block() {
    *pending -= bytes.size();
  }

  charged_block(const charged_block&) = delete;
  charged_block& operator=(const charged_block&) = delete;

  const std::string bytes;
  std::shared_ptr<std::atomic<uint64_t>> pending;
};

} // namespace

shard_settings to_shard_settings(const cluster_settings& x, uint64_t version) {
  auto res = shard_settings{};
  res.version = version;
  res.verdicts.retention = x.effective_retention();
  res.verdicts.future_limit = x.future_limit;
  res.verdicts.wall_clock = x.clock == clock_mode::wall;
  res.sliding.retention = x.effective_retention();
  res.sliding.cells_max = x.cells_max;
  res.sliding.metrics_per_entity_max = x.metrics_per_entity_max;
  res.sliding.entities_max = x.entities_per_shard_max;
  res.rollups.metrics_max = x.rollup_metrics_max;
  res.rollups.cells_max = x.rollup_cells_max;
  res.averages = x.sliding == on_off::on;
  // Without averages, nothing is too late for them.
  if (!res.averages)
    res.verdicts.retention = time_max;
  res.producers_max = x.producers_max;
  res.producer_expiry = x.producer_expiry;
  return res;
}

void node_host_state::init(
  local_node_actor::stateful_pointer<node_host_state> self,
  node_context context) {
  self_ = self;
  context_ = std::move(context);
  coordinator_ = context_.coordinator;
}

void node_host_state::begin(const listening& x) {
  listens_ = x.at;
  connect();
  self_->delayed_send(
    self_, std::chrono::milliseconds{context_.process.heartbeat}, timer{beat});
}

void node_host_state::leave(const caf::error& why) {
  for (auto& [id, shard] : shards_)
    if (shard.actor)
      self_->send_exit(shard.actor, why);
  self_->quit(why);
}

// -- membership

void node_host_state::connect() {
  auto failed = [this](caf::error& err) {
    retry(to_failure(err, "the coordinator"));
  };
  auto timeout = std::chrono::milliseconds{context_.process.timeout};
  auto join = [this, failed, timeout] {
    auto hold = std::vector<held_shard>{};
    for (auto& [id, shard] : shards_)
      hold.push_back({id, shard.epoch, shard.news.index, shard.news.chain});
    self_
      ->request(coordinator_, timeout,
                join_node{context_.node, context_.disk, context_.incarnation,
                          context_.name, listens_,
                          shards_.empty() ? context_.held : hold})
      .then(
        [this](const joined& x) {
          joined_cluster(x);
        },
        failed);
  };
  if (context_.coordinator) {
    self_->monitor(coordinator_);
    return join();
  }
  auto& to = context_.process.join;
  self_
    ->request(context_.dialer, 3 * timeout,
              dial{{to.host, to.port},
                   {wire_version, context_.cluster, "node", context_.name},
                   timeout})
    .then(
      [this, join](const dialed& x) {
        if (x.who.role != "coordinator")
          return retry({ec::invalid_argument,
                        fmt::format("{}:{} is a {}; --join wants the "
                                    "coordinator's address",
                                    context_.process.join.host,
                                    context_.process.join.port, x.who.role)});
        coordinator_ = caf::actor_cast<coordinator_actor>(x.actor);
        self_->monitor(coordinator_);
        join();
      },
      failed);
}

void node_host_state::retry(const failure& why) {
  switch (why.code) {
    case ec::version_mismatch:
    case ec::wrong_cluster:
    case ec::conflict:
    case ec::invalid_argument:
      return context_.on_refused(why);
    default:
      break;
  }
  member_ = false;
  // Once per trouble, not once per attempt.
  if (why.text != last_trouble_)
    spdlog::warn("no coordinator: {}; trying again", why.text);
  last_trouble_ = why.text;
  backoff_ = std::clamp(backoff_ * 2, backoff_min, backoff_max);
  self_->delayed_send(self_, backoff_, timer{dial_again});
}

void node_host_state::joined_cluster(const joined& x) {
  context_.cluster = x.cluster;
  context_.name = x.name;
  settings(x.settings);
  if (auto res = context_.on_joined(x); !res)
    return context_.on_refused(res.error());
  member_ = true;
  backoff_ = {};
  last_trouble_.clear();
  spdlog::info("node {} is a member of cluster {}", x.name, x.cluster);
  send_heartbeat();
}

void node_host_state::down(const caf::down_msg& x) {
  if (coordinator_ && x.source == coordinator_.address()) {
    if (member_)
      retry({ec::unreachable, "the connection to the coordinator is lost"});
    return;
  }
  for (auto& [id, shard] : shards_) {
    if (!shard.actor || x.source != shard.actor.address())
      continue;
    spdlog::error("shard {} died ({}); recovering it from its log", id,
                  to_string(x.reason));
    shard.actor = nullptr;
    checkpointed({id, 0}); // Whether it was at it or not.
    if (++shard.deaths < shard_deaths_max)
      return spawn_shard(id, shard);
    shard.news.state = shard_state::failed;
    shard.news.text = fmt::format("its actor died {} times: {}", shard.deaths,
                                  to_string(x.reason));
    return;
  }
}

void node_host_state::alarm(const timer& x) {
  if (x.what == dial_again)
    return connect();
  send_heartbeat();
  send_sealed();
  for (auto& [id, shard] : shards_) {
    if (!shard.actor || shard.tick_pending)
      continue;
    shard.tick_pending = true;
    self_->send(shard.actor,
                shard_tick{cluster_clock_, final_through_, shard_settings_,
                           plan_, cluster_.window});
  }
  begin_checkpoints();
  self_->delayed_send(
    self_, std::chrono::milliseconds{context_.process.heartbeat}, timer{beat});
}

heartbeat node_host_state::make_heartbeat() const {
  auto res = heartbeat{};
  res.node = context_.node;
  res.incarnation = context_.incarnation;
  res.memory_bytes = resident_bytes();
  res.journal_bytes = database_bytes(context_.journal_path);
  res.pending_bytes = *pending_;
  res.settings_version = settings_text_.version;
  res.plan_version = plan_->version();
  for (auto& [id, shard] : shards_) {
    res.shards.push_back(shard.news);
    if (res.trouble.empty() && !shard.news.text.empty()
        && shard.news.state != shard_state::recovering)
      res.trouble = shard.news.text;
  }
  return res;
}

void node_host_state::send_heartbeat() {
  if (member_)
    self_->send(coordinator_, make_heartbeat());
}

caf::result<heartbeat> node_host_state::report_now() {
  auto promise = self_->make_response_promise<heartbeat>();
  auto left = std::make_shared<size_t>(1);
  auto done = [this, left, promise]() mutable {
    if (--*left == 0)
      promise.deliver(make_heartbeat());
  };
  for (auto& [id, shard] : shards_) {
    if (!shard.actor)
      continue;
    ++*left;
    self_
      ->request<caf::message_priority::high>(shard.actor, report_timeout,
                                             report_shard{})
      .then(
        [this, done](const shard_report& x) mutable {
          if (auto i = shards_.find(x.shard); i != shards_.end())
            i->second.news = x;
          done();
        },
        [done](caf::error&) mutable {
          done(); // What it said last must do.
        });
  }
  done();
  return promise;
}

void node_host_state::settings(const settings_text& x) {
  if (x.version <= settings_text_.version)
    return;
  auto parsed = cluster_settings_from(x.values);
  if (!parsed)
    return context_.on_refused(parsed.error());
  settings_text_ = x;
  cluster_ = *parsed;
  shard_settings_ = std::make_shared<const shard_settings>(
    to_shard_settings(cluster_, x.version));
  self_
    ->request(context_.journal, disk_timeout,
              set_durability{cluster_.durability == durability_mode::power})
    .then([](bool) {},
          [](caf::error& err) {
            spdlog::error("the durability can't be changed: {}",
                          to_failure(err, "the journal").text);
          });
}

void node_host_state::clock(const heartbeat_ack& x) {
  cluster_clock_ = std::max(cluster_clock_, x.cluster_clock);
  final_through_ = std::max(final_through_, x.final_through);
}

shard_rules node_host_state::rules() const {
  return {shard_settings_, plan_, sealed_through_};
}

caf::result<welcome> node_host_state::greet(const hello& x) const {
  return open_door(x, context_.cluster, "node", context_.name);
}

// -- shards

void node_host_state::assign(const assign_shards& x) {
  plan(x.plan);
  sealed_through_ = std::max(sealed_through_, x.sealed_through);
  for (auto& [id, epoch] : x.shards) {
    auto [i, added] = shards_.emplace(id, hosted{});
    auto& shard = i->second;
    if (!added && epoch <= shard.epoch)
      continue;
    shard.epoch = epoch;
    if (added)
      spawn_shard(id, shard);
    else if (shard.actor)
      self_->send(shard.actor, lead_shard{epoch, rules()});
  }
}

void node_host_state::spawn_shard(uint32_t shard, hosted& x) {
  auto context = shard_context{};
  context.shard = shard;
  context.shards = cluster_.shards;
  context.epoch = x.epoch;
  context.node_name = context_.name;
  context.node = self_;
  context.journal = context_.journal;
  context.checkpoints = context_.checkpoints;
  context.rules = rules();
  context.window = cluster_.window;
  context.checkpoint_chunk_entities
    = context_.process.checkpoint_chunk_entities;
  x.news.shard = shard;
  x.news.epoch = x.epoch;
  x.news.state = shard_state::recovering;
  x.news.text = "it is recovering";
  x.tick_pending = false;
  x.actor = self_->spawn<caf::monitored>(shard_host, std::move(context));
}

void node_host_state::report(const shard_report& x) {
  auto i = shards_.find(x.shard);
  if (i == shards_.end() || !i->second.actor
      || self_->current_sender() != i->second.actor.address())
    return;
  i->second.news = x;
  i->second.tick_pending = false;
}

void node_host_state::release(const release_shard& x) {
  auto answer = [this, x](bool gone) {
    self_->send(coordinator_,
                shard_released{context_.node, x.shard, x.epoch, gone});
  };
  auto i = shards_.find(x.shard);
  if (i != shards_.end() && i->second.leaving)
    return; // It was asked before, and will be answered.
  if (i == shards_.end() || !i->second.actor)
    return answer(i == shards_.end());
  auto end = [this, answer, x](bool gone) {
    shards_.erase(x.shard);
    answer(gone);
  };
  auto not_removed = [end](caf::error& err) {
    spdlog::error("a shard can't be released: {}",
                  to_failure(err, "the storage").text);
    end(false);
  };
  self_->request(i->second.actor, disk_timeout, x)
    .then(
      [=](bool empty) {
        auto shard = shards_.find(x.shard);
        if (shard == shards_.end() || shard->second.leaving)
          return; // Asked twice; the first one answers.
        if (!empty || !shard->second.actor)
          return answer(false);
        self_->demonitor(shard->second.actor.address());
        self_->send_exit(shard->second.actor, caf::exit_reason::user_shutdown);
        shard->second.actor = nullptr;
        shard->second.leaving = true;
        shard->second.news.state = shard_state::recovering;
        shard->second.news.text = "it is moving to another node";
        // It ends without a word of the checkpoint that it may be at.
        checkpointed({x.shard, 0});
        // Not gone before its no-ops are, or else a later log would clash with
        // them; until then the coordinator sees it here, and assigns nothing.
        self_->request(context_.journal, disk_timeout, remove_shard{x.shard})
          .then(
            [=](bool) {
              self_
                ->request(context_.checkpoints, disk_timeout,
                          remove_shard{x.shard})
                .then(
                  [=](bool) {
                    end(true);
                  },
                  not_removed);
            },
            not_removed);
      },
      [answer](caf::error&) {
        answer(false); // It died, and is being recovered.
      });
}

// -- data

void node_host_state::refuse(const caf::strong_actor_ptr& to, append_ack ack,
                             ec code, std::string text) const {
  ack.code = code;
  ack.text = std::move(text);
  self_->send(caf::actor_cast<producer_actor>(to), std::move(ack));
}

void node_host_state::append(append_frame& x,
                             const caf::strong_actor_ptr& sender) {
  for (auto& block : x.blocks) {
    auto i = shards_.find(block.shard);
    auto here = i != shards_.end() && i->second.actor;
    auto full = *pending_ + block.bytes.size()
                > context_.process.node_pending_bytes_max;
    if (here && !full) {
      uncovered_bytes_ += block.bytes.size();
      auto charged
        = std::make_shared<charged_block>(std::move(block.bytes), pending_);
      auto bytes = std::shared_ptr<const std::string>{charged, &charged->bytes};
      self_->send(i->second.actor, local_block{block.epoch, block.attempt,
                                               std::move(bytes), sender});
      continue;
    }
    auto ack = append_ack{};
    ack.shard = block.shard;
    ack.attempt = block.attempt;
    if (auto header = decode_block_header(block.bytes)) {
      ack.producer = header->producer;
      ack.session = header->session;
    }
    if (full)
      refuse(sender, std::move(ack), ec::busy,
             fmt::format("node {} has {} bytes waiting for its disk, the "
                         "limit of node-pending-bytes-max",
                         context_.name, pending_->load()));
    else
      refuse(
        sender, std::move(ack), ec::stale_epoch,
        fmt::format("shard {} is not on node {}", block.shard, context_.name));
  }
}

void node_host_state::open(const open_session& x,
                           const caf::strong_actor_ptr& sender) {
  if (auto i = shards_.find(x.shard); i != shards_.end() && i->second.actor) {
    self_->delegate(i->second.actor, x);
    return;
  }
  auto ack = append_ack{};
  ack.shard = x.shard;
  ack.producer = x.producer;
  ack.session = x.session;
  refuse(sender, std::move(ack), ec::stale_epoch,
         fmt::format("shard {} is not on node {}", x.shard, context_.name));
}

caf::result<average_answers> node_host_state::average(const average_batch& x) {
  auto i = shards_.find(x.shard);
  if (i != shards_.end() && i->second.actor) {
    // Ahead of the blocks that wait: a question takes microseconds. It can't be
    // delegated, since the answer to one of another priority finds nobody who
    // waits for it.
    auto promise = self_->make_response_promise<average_answers>();
    self_
      ->request<caf::message_priority::high>(
        i->second.actor, std::chrono::milliseconds{context_.process.timeout}, x)
      .then(
        [promise](average_answers& y) mutable {
          promise.deliver(std::move(y));
        },
        [promise](caf::error& err) mutable {
          promise.deliver(std::move(err));
        });
    return promise;
  }
  auto res = average_answers{};
  auto answer = average_answer{};
  answer.shard = x.shard;
  answer.node = context_.name;
  answer.code = i == shards_.end() ? ec::stale_epoch : ec::unavailable;
  answer.text = i == shards_.end() ? fmt::format("shard {} is not on node {}",
                                                 x.shard, context_.name)
                                   : i->second.news.text;
  res.answers.resize(x.requests.size(), answer);
  return res;
}

// -- checkpoints

void node_host_state::begin_checkpoints() {
  if (uncovered_bytes_ < context_.process.checkpoint_every
      || !checkpoint_queue_.empty())
    return;
  uncovered_bytes_ = 0;
  for (auto& [id, shard] : shards_)
    if (shard.actor)
      checkpoint_queue_.push_back(id);
  checkpoint_next();
}

void node_host_state::checkpoint_next() {
  // One shard after the other, so that the disk serves new blocks in between.
  while (!checkpoint_queue_.empty()) {
    auto i = shards_.find(checkpoint_queue_.back());
    if (i != shards_.end() && i->second.actor) {
      self_->send(i->second.actor, checkpoint_shard{});
      return;
    }
    checkpoint_queue_.pop_back();
  }
}

void node_host_state::checkpointed(const shard_checkpointed& x) {
  if (checkpoint_queue_.empty() || checkpoint_queue_.back() != x.shard)
    return;
  checkpoint_queue_.pop_back();
  checkpoint_next();
}

// -- behavior

local_node_actor::behavior_type node_host(
  local_node_actor::stateful_pointer<node_host_state> self,
  node_context context) {
  self->set_down_handler([self](const caf::down_msg& x) {
    self->state.down(x);
  });
  self->set_exit_handler([self](const caf::exit_msg& x) {
    self->state.leave(x.reason);
  });
  self->state.init(self, std::move(context));
  return {
    [self](const hello& x) {
      return self->state.greet(x);
    },
    [self](append_frame& x) {
      self->state.append(x, self->current_sender());
    },
    [self](const open_session& x) {
      self->state.open(x, self->current_sender());
    },
    [self](const average_batch& x) {
      return self->state.average(x);
    },
    [self](const assign_shards& x) {
      self->state.assign(x);
    },
    [self](const release_shard& x) {
      self->state.release(x);
    },
    [self](const settings_text& x) {
      self->state.settings(x);
    },
    [self](const plan_text& x) {
      self->state.plan(x);
    },
    [self](const heartbeat_ack& x) {
      self->state.clock(x);
    },
    [self](const seal_windows& x) {
      self->state.seal(x);
    },
    [self](const get_partials& x) {
      return self->state.partials(x);
    },
    [self](const shard_sealed& x) {
      self->state.sealed(x);
    },
    [self](const shard_report& x) {
      self->state.report(x);
    },
    [self](const get_heartbeat&) {
      return self->state.report_now();
    },
    [self](const shard_checkpointed& x) {
      self->state.checkpointed(x);
    },
    [self](const listening& x) {
      self->state.begin(x);
    },
    [self](const timer& x) {
      self->state.alarm(x);
    },
  };
}

} // namespace weir
