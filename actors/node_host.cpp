#include "actors/node_host.hpp"

#include "actors/clock.hpp"
#include "actors/dialer.hpp"
#include "actors/farewell.hpp"
#include "actors/process.hpp"
#include "messages/types.hpp"

#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace weir {

namespace {

constexpr auto backoff_min = std::chrono::milliseconds{100};
constexpr auto backoff_max = std::chrono::milliseconds{2000};

/// Deletes and reads wait for whatever else the disk has to do.
constexpr auto disk_timeout = std::chrono::minutes{5};

/// A shard that is busier than that is reported as it was.
constexpr auto report_timeout = std::chrono::milliseconds{500};

/// Heartbeats without an answer, and ms that they take, at least: as long as a
/// connection may be silent (actors/process.cpp).
constexpr int64_t unanswered_max = 10;
constexpr int64_t coordinator_silence = 5'000;

/// A shard whose actor dies this often is reported as failed: what its log
/// holds would kill it again.
constexpr uint32_t shard_deaths_max = 3;

/// Between two copies that come to a node there is a heartbeat or two.
constexpr uint32_t whole_beats_min = 10;

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

replica_options to_replica_options(const process_settings& x) {
  auto res = replica_options{};
  res.heartbeat = x.heartbeat;
  res.stall_timeout = x.failure_timeout;
  return res;
}

void node_host_state::init(
  local_node_actor::stateful_pointer<node_host_state> self,
  node_context context) {
  self_ = self;
  context_ = std::move(context);
  coordinator_ = context_.coordinator;
  copy_.init(self, context_.copy);
  peers_.init(self, context_.dialer,
              {context_.node, context_.disk, context_.incarnation},
              [this](const std::string& node) {
                for (auto& [id, shard] : shards_)
                  if (shard.actor)
                    self_->send(shard.actor, peer_lost{node});
              });
}

void node_host_state::begin(const listening& x) {
  listens_ = x.at;
  copy_.begin([this] {
    connect();
  });
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
  auto attempt = ++attempt_;
  auto failed = [this, attempt](caf::error& err) {
    if (attempt == attempt_)
      retry(to_failure(err, "the coordinator"));
  };
  if (context_.coordinator)
    return join(failed);
  auto timeout = std::chrono::milliseconds{context_.process.timeout};
  auto& to = context_.process.join;
  self_
    ->request(context_.dialer, 3 * timeout,
              dial{{to.host, to.port},
                   {wire_version, context_.cluster, "node", context_.name},
                   timeout})
    .then(
      [this, failed](const dialed& x) {
        if (x.who.role != "coordinator")
          return retry({ec::invalid_argument,
                        fmt::format("{}:{} is a {}; --join wants the "
                                    "coordinator's address",
                                    context_.process.join.host,
                                    context_.process.join.port, x.who.role)});
        coordinator_ = caf::actor_cast<coordinator_actor>(x.actor);
        join(failed);
      },
      failed);
}

template <class Failed>
void node_host_state::join(Failed failed) {
  standing_ = standing::joining;
  watch(self_, coordinator_);
  auto attempt = attempt_;
  self_
    ->request(coordinator_, std::chrono::milliseconds{context_.process.timeout},
              join_node{context_.node, context_.disk, context_.incarnation,
                        context_.name, listens_, context_.version,
                        copy_.promised()})
    .then(
      [this, attempt](const joined& x) {
        if (attempt == attempt_)
          prepare(x);
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
  standing_ = standing::apart;
  ++attempt_; // Whatever is still on its way is over.
  copy_.connect(coordinator_actor{});
  // Once per trouble, not once per attempt.
  if (why.text != last_trouble_)
    spdlog::warn("no coordinator: {}; trying again", why.text);
  last_trouble_ = why.text;
  backoff_ = std::clamp(backoff_ * 2, backoff_min, backoff_max);
  self_->delayed_send(self_, backoff_, timer{dial_again});
}

void node_host_state::prepare(const joined& x) {
  standing_ = standing::preparing;
  copy_.connect(coordinator_);
  if (x.settings.version <= settings_text_.version)
    return joined_cluster(x);
  copy_.when_current([this, x] {
    joined_cluster(x);
  });
}

void node_host_state::joined_cluster(const joined& x) {
  context_.cluster = x.cluster;
  context_.name = x.name;
  take_settings(x.settings);
  if (auto res = context_.on_joined(x); !res)
    return context_.on_refused(res.error());
  standing_ = standing::member;
  unanswered_ = 0;
  backoff_ = {};
  last_trouble_.clear();
  // Others may ask for what it held before it was restarted.
  for (auto shard : std::exchange(context_.held, {}))
    ensure(shard);
  spdlog::info("node {} is a member of cluster {}", x.name, x.cluster);
  send_heartbeat();
}

void node_host_state::down(const caf::down_msg& x) {
  if (coordinator_ && x.source == coordinator_.address()) {
    if (standing_ != standing::apart)
      retry({ec::unreachable, "the connection to the coordinator is lost"});
    return;
  }
  if (peers_.down(x))
    return;
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
    shard.news.replica.failed = true;
    shard.news.text = fmt::format("its actor died {} times: {}", shard.deaths,
                                  to_string(x.reason));
    return;
  }
}

void node_host_state::alarm(const timer& x) {
  if (x.what == dial_again)
    return connect();
  if (x.what == beat_soon) {
    beat_is_due_ = false;
    return send_heartbeat();
  }
  check_coordinator();
  send_heartbeat();
  send_sealed();
  peers_.tick();
  copy_.tick();
  for (auto& [id, shard] : shards_) {
    if (!shard.actor || shard.tick_pending)
      continue;
    shard.tick_pending = true;
    self_->send(shard.actor,
                shard_tick{cluster_clock_, final_through_, shard_settings_,
                           plan_, cluster_.window});
  }
  begin_checkpoints();
  note_if_whole();
  // Also when nothing is written, it looks whether its file is there.
  self_->send(context_.journal, commit_now{});
  self_->delayed_send(
    self_, std::chrono::milliseconds{context_.process.heartbeat}, timer{beat});
}

/// A coordinator answers each heartbeat of a node that it knows to be there; it
/// may have given up on a connection that never ended here. One that is just
/// slow answers nothing else either, and heartbeats before that.
void node_host_state::check_coordinator() {
  auto heartbeat = context_.process.heartbeat;
  auto patience = std::max(unanswered_max, coordinator_silence / heartbeat);
  if (!is_member() || context_.coordinator || ++unanswered_ <= patience
      || doubting_)
    return;
  doubting_ = true;
  auto attempt = attempt_;
  self_
    ->request(coordinator_, std::chrono::milliseconds{context_.process.timeout},
              hello{wire_version, context_.cluster, "node", context_.name})
    .then(
      [=](const welcome&) {
        doubting_ = false;
        if (attempt == attempt_ && unanswered_ > patience)
          retry({ec::unavailable, "the coordinator takes this node for gone"});
      },
      [=](caf::error& err) {
        doubting_ = false;
        if (auto why = to_failure(err, "the coordinator");
            attempt == attempt_ && why.code != ec::timeout)
          retry(why);
      });
}

void node_host_state::note_if_whole() {
  if (context_.news.empty())
    return;
  auto whole = !shards_.empty();
  for (auto& [id, shard] : shards_)
    whole = whole && shard.news.state != shard_state::recovering
            && shard.news.replica.role >= replica_role::backup;
  whole_beats_ = whole ? whole_beats_ + 1 : 0;
  if (whole_beats_ < whole_beats_min)
    return;
  spdlog::info("node {} has copies again, after: {}", context_.name,
               context_.news);
  context_.news.clear();
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
  res.trouble = context_.news;
  res.copied_through = copy_.final_through();
  for (auto& [id, shard] : shards_) {
    res.shards.push_back(shard.news);
    if (!res.trouble.empty() || shard.news.text.empty())
      continue;
    if (shard.news.state == shard_state::following)
      res.trouble = fmt::format("shard {}: {}", id, shard.news.text);
    else if (shard.news.state != shard_state::recovering)
      res.trouble = shard.news.text;
  }
  if (res.trouble.empty() && !copy_.trouble().empty())
    res.trouble = "its copy of the coordinator's directory: " + copy_.trouble();
  return res;
}

void node_host_state::send_heartbeat() {
  if (is_member())
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
  if (x.version > settings_text_.version)
    copy_.when_current([this, x] {
      take_settings(x);
    });
}

void node_host_state::take_settings(const settings_text& x) {
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
  unanswered_ = 0;
  cluster_clock_ = std::max(cluster_clock_, x.cluster_clock);
  final_through_ = std::max(final_through_, x.final_through);
  copy_.heard(x.catalog);
}

shard_rules node_host_state::rules() const {
  return {shard_settings_, plan_, sealed_through_};
}

caf::result<welcome> node_host_state::greet(const hello& x) const {
  return open_door(x, context_.cluster, "node", context_.name);
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
    [self](const peer_list& x) {
      self->state.know(x);
    },
    [self](const announce_shards& x) {
      self->state.announce(x);
    },
    [self](const fence& x) {
      self->state.promise(x);
    },
    [self](const drop_copy& x) {
      self->state.drop(x);
    },
    [self](const shard_decision& x) {
      self->state.decide(x);
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
    [self](const meet_node& x) {
      return self->state.meet(x, self->current_sender());
    },
    [self](replica_message& x) {
      self->state.receive(x);
    },
    [self](const check_shards& x) {
      return self->state.check(x);
    },
    [self](const begin_backup& x) {
      return self->state.begin(x);
    },
    [self](const read_backup_chunk& x) {
      return self->state.read(x);
    },
    [self](const read_backup_log& x) {
      return self->state.read(x);
    },
    [self](const end_backup& x) {
      self->state.end(x);
    },
    [self](const get_survivor& x) {
      return self->state.survive(x);
    },
    [self](const get_catalog& x) {
      return self->state.give(x);
    },
    [self](const get_records& x) {
      return self->state.records(x);
    },
    [self](const shard_moved& x) {
      self->state.moved(x);
    },
    [self](outgoing_peer& x) {
      self->state.send(x);
    },
    [self](const proposal& x) {
      self->state.tell_coordinator(x);
    },
    [self](const fence_report& x) {
      self->state.tell_coordinator(x);
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
