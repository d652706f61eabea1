#include "actors/shard_host.hpp"

#include "actors/clock.hpp"
#include "cluster/sharding.hpp"
#include "messages/types.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>
#include <utility>

// What a shard does for questions and for its node.

namespace weir {

namespace {

/// A part of a log or a step of a checkpoint waits for the disk, and for all
/// that other shards want of it. Past this the disk hangs.
constexpr auto disk_timeout = std::chrono::minutes{5};

/// Entities looked at in one tick for what can be forgotten: about a
/// millisecond.
constexpr size_t sweep_entities = 20'000;

/// Totals of sealed windows that a shard hands over at a time. A node's answer
/// is hardly larger, since its shards have the same metrics, and stays below
/// the megabyte that a message may have.
constexpr size_t sealed_bytes_max = 256 << 10;

/// Not so what the disk itself says, or a version to come: the next start may
/// read what is there.
bool is_damage(ec code) {
  return code == ec::damaged || code == ec::conflict || code == ec::sequence_gap
         || code == ec::not_found;
}

} // namespace

void shard_host_state::init(
  shard_actor::stateful_pointer<shard_host_state> self, shard_context context) {
  self_ = self;
  context_ = std::move(context);
  recover();
}

int64_t shard_host_state::now() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           self_->clock().now().time_since_epoch())
    .count();
}

// -- recovery

void shard_host_state::recover() {
  replica_ = std::make_unique<replica>(context_.self, context_.shard,
                                       context_.shards, context_.replication);
  self_->request(context_.journal, disk_timeout, load_record{context_.shard})
    .then(
      [this](const loaded_record& x) {
        replica_->load_record(x.record);
        if (std::exchange(context_.again, true))
          replica_->assume_part();
        load_state();
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the journal"));
      });
}

void shard_host_state::load_state() {
  self_
    ->request(context_.checkpoints, disk_timeout,
              load_checkpoint{context_.shard})
    .then(
      [this](const loaded_checkpoint& x) {
        auto res = result<void>{};
        if (x.found)
          res = replica_->load_meta(x.meta);
        for (auto& chunk : x.chunks)
          if (res)
            res = replica_->load_chunk(chunk.bytes, chunk.covers);
        if (!res)
          return fail_for_good(std::move(res.error()));
        replayed_ = replica_->replay_start();
        settle({x.meta.from_index, x.meta.end});
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the checkpoint store"));
      });
}

void shard_host_state::settle(const checkpoint_extent& found) {
  self_
    ->request(context_.journal, disk_timeout, settle_log{context_.shard, found})
    .then(
      [this](bool) {
        replay();
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the journal"));
      });
}

void shard_host_state::replay() {
  auto& from = replayed_;
  self_
    ->request(context_.journal, disk_timeout,
              read_log{context_.shard, from.index + 1, from.chain})
    .then(
      [this](const log_part& x) {
        for (auto& entry : x.entries) {
          replayed_ = {entry->index, entry->epoch, entry->chain};
          if (auto res = replica_->replay(entry, x.committed); !res)
            return fail_for_good(std::move(res.error()));
        }
        if (!x.entries.empty())
          return replay();
        if (auto res = replica_->recovered(); !res)
          return fail_for_good(std::move(res.error()));
        phase_ = phase::ready;
        // Whoever died as the primary asks for another epoch at once.
        replica_->tick(now());
        act();
        if (auto early = std::exchange(early_announcement_, {}))
          announce(*early);
        if (auto early = std::exchange(early_fence_, {}))
          promise(*early);
        for (auto& early : std::exchange(early_messages_, {}))
          receive(early);
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the journal"));
      });
}

void shard_host_state::fail_for_good(failure why) {
  if (phase_ == phase::dropped)
    return;
  spdlog::error("shard {} on node {} is of no use: {}", context_.shard,
                context_.node_name, why.text);
  phase_ = phase::failed;
  trouble_ = why.text;
  damaged_ = is_damage(why.code);
  disk_was_full_ = why.code == ec::disk_full;
  failed_at_ = now();
  replica_->fail_for_good(std::move(why));
  act();
  // Nobody waits for what can't come.
  turn_callers_away(ec::unavailable, not_serving());
}

// -- queries

/// For how long it might have been replaced as the primary without knowing: a
/// process that was frozen hears of that a moment later than of a question.
time_ms shard_host_state::unconfirmed_for() const {
  auto heard = replica_->confirmed();
  auto silence = heard ? now() - *heard : 0;
  return silence > 3 * context_.replication.heartbeat ? silence : 0;
}

average_answers shard_host_state::average(const average_batch& x) const {
  auto res = average_answers{};
  res.answers.resize(x.requests.size());
  auto why = not_serving();
  auto now = wall_clock();
  // Whoever follows knows what was committed a moment ago. One that only
  // learns may know nothing yet.
  auto follows = phase_ == phase::ready && !replica_->serving()
                 && replica_->role() >= replica_role::backup;
  auto stale = follows ? this->now() - replica_->heard() : unconfirmed_for();
  // Where another node leads, that one has to be asked.
  auto elsewhere
    = phase_ == phase::dropped
      || (phase_ == phase::ready && !follows && replica_->leads_since() == 0);
  for (auto i = size_t{0}; i < x.requests.size(); ++i) {
    auto& request = x.requests[i];
    auto& answer = res.answers[i];
    answer.shard = context_.shard;
    answer.epoch = replica_->config().epoch;
    answer.node = context_.node_name;
    answer.role = follows ? "backup" : "primary";
    answer.stale = stale;
    if (!why.empty() && !follows) {
      answer.code = elsewhere ? ec::stale_epoch : ec::unavailable;
      answer.text = why;
      continue;
    }
    auto at = request.has_at ? std::optional{request.at} : std::nullopt;
    auto width = request.width > 0 ? request.width : context_.window;
    auto hash = entity_hash(request.entity);
    auto found = core().average(request.entity, hash, request.metric, at, width,
                                cluster_clock_, now, answer.end);
    // Any time may be asked for.
    constexpr auto earliest = std::numeric_limits<time_ms>::min();
    answer.start
      = answer.end < earliest + width ? earliest : answer.end - width;
    answer.known_entity = found.known_entity;
    answer.known_metric = found.known_metric;
    answer.count = found.count;
    answer.average = found.average;
    answer.exact = found.exact;
    answer.complete = found.complete;
    answer.resolution = found.resolution;
    if (found.known_entity && !found.known_metric)
      answer.metrics
        = core().table().metrics_of(request.entity, hash, cluster_clock_);
    if (found.overflow) {
      answer.code = ec::overflow;
      answer.text = fmt::format("the sum of {} in this window is beyond the "
                                "range of a double",
                                request.entity);
    }
  }
  return res;
}

// -- idle work

void shard_host_state::tick(const shard_tick& x) {
  cluster_clock_ = std::max(cluster_clock_, x.cluster_clock);
  context_.rules.settings = x.settings;
  context_.rules.plan = x.plan;
  context_.window = x.window;
  if (phase_ == phase::ready || phase_ == phase::failed)
    replica_->tick(now());
  if (serving()) {
    auto& settings = *x.settings;
    auto wall = wall_clock();
    replica_->admit([&](shard& y) {
      return y.admit_settings(settings);
    });
    replica_->admit([&](shard& y) {
      return y.admit_plan(*x.plan);
    });
    replica_->admit([&](shard& y) {
      return y.admit_release(x.final_through);
    });
    replica_->admit([&](shard& y) {
      return y.admit_clock(settings.verdicts.wall_clock ? wall
                                                        : cluster_clock_);
    });
    replica_->admit([&](shard& y) {
      return y.admit_expiry(wall);
    });
  }
  if (phase_ == phase::ready)
    core().table().sweep(sweep_entities);
  act();
  try_again();
  note_if_whole();
  self_->send(context_.node, report());
}

shard_report shard_host_state::report() const {
  auto res = shard_report{};
  res.shard = context_.shard;
  res.replica = replica_->report();
  if (res.replica.text.empty())
    res.replica.text = made_anew_;
  auto leads = res.replica.role == replica_role::primary;
  if (phase_ == phase::failed)
    res.state = shard_state::failed;
  else if (serving())
    res.state = shard_state::serving;
  else if (phase_ == phase::ready && !leads)
    res.state = shard_state::following;
  // Whoever only follows is no trouble to anybody.
  res.text
    = res.state == shard_state::serving || res.state == shard_state::following
        ? res.replica.text
        : not_serving();
  res.clock = core().clock(wall_clock());
  res.entities = core().table().entities();
  res.window_bytes = core().table().bytes();
  res.ledger = core().ledger();
  res.plan_version = core().rollups().plan().version();
  res.plan_greatest = core().plan_greatest();
  res.rollup = core().rollup_ledger();
  for (auto& [node, x] : copies_out_)
    res.copies.push_back({node, x.bytes, x.bytes_in_all, now() - x.since});
  return res;
}

shard_check shard_host_state::check() const {
  auto res = shard_check{};
  res.shard = context_.shard;
  if (phase_ != phase::ready) {
    res.code = ec::unavailable;
    res.text = not_serving();
    return res;
  }
  res.epoch = replica_->config().epoch;
  res.role = replica_->role();
  res.applied = core().applied();
  res.end = replica_->durable();
  res.digest = core().digest();
  res.ledger = core().ledger();
  res.rollup = core().rollup_ledger();
  return res;
}

// -- windows over all entities

void shard_host_state::seal(const seal_shard& x) {
  // Whoever waits asks again.
  if (!serving())
    return;
  replica_->admit([&](shard& y) {
    return y.admit_plan(*x.plan);
  });
  replica_->admit([&](shard& y) {
    return y.admit_seal(x.range);
  });
  sealing_ = x.range;
  act();
}

void shard_host_state::answer_seal() {
  if (!sealing_ || !serving() || !core().sealed(*sealing_))
    return;
  auto res = shard_sealed{context_.shard, *sealing_, 0, {}};
  res.windows = std::make_shared<const std::vector<window_partial>>(
    core().rollups().sealed(sealing_->after, sealing_->through,
                            sealed_bytes_max, res.upto));
  sealing_.reset();
  self_->send(context_.node, std::move(res));
}

caf::result<shard_windows> shard_host_state::windows(
  const get_partials& x) const {
  // One that is recovering has but a part of them.
  if (auto why = not_serving(); !why.empty())
    return to_error({ec::unavailable, std::move(why)});
  return shard_windows{
    core().rollups().windows(x.from, x.to, x.totals, x.windows_max)};
}

shard_actor::behavior_type shard_host(
  shard_actor::stateful_pointer<shard_host_state> self, shard_context context) {
  self->state.init(self, std::move(context));
  return {
    [self](const local_block& x) {
      self->state.append(x);
    },
    [self](const open_session& x) {
      self->state.open(x, self->current_sender());
    },
    [self](const average_batch& x) {
      return self->state.average(x);
    },
    [self](const announced_shard& x) {
      self->state.announce(x);
    },
    [self](const fence& x) {
      self->state.promise(x);
    },
    [self](const shard_decision& x) {
      self->state.decide(x.what);
    },
    [self](const peer_bytes& x) {
      self->state.receive(x);
    },
    [self](const peer_lost& x) {
      self->state.lost(x);
    },
    [self](const shard_tick& x) {
      self->state.tick(x);
    },
    [self](const report_shard&) {
      return self->state.report();
    },
    [self](const seal_shard& x) {
      self->state.seal(x);
    },
    [self](const get_partials& x) {
      return self->state.windows(x);
    },
    [self](const drop_copy& x) {
      return self->state.drop(x);
    },
    [self](const check_shard&) {
      return self->state.check();
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
    [self](const checkpoint_shard&) {
      self->state.checkpoint();
    },
    [self](const stored& x) {
      self->state.written(x);
    },
    [self](const store_refused& x) {
      self->state.refused(x);
    },
    [self](const record_stored& x) {
      self->state.promised(x);
    },
  };
}

} // namespace weir
