#include "actors/shard_host.hpp"

#include "actors/clock.hpp"
#include "cluster/sharding.hpp"
#include "messages/types.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <limits>

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

} // namespace

void shard_host_state::init(
  shard_actor::stateful_pointer<shard_host_state> self, shard_context context) {
  self_ = self;
  context_ = std::move(context);
  recover();
}

// -- recovery

void shard_host_state::recover() {
  core_ = std::make_unique<shard>(context_.shard, context_.shards);
  self_
    ->request(context_.checkpoints, disk_timeout,
              load_checkpoint{context_.shard})
    .then(
      [this](const loaded_checkpoint& x) {
        auto res = result<void>{};
        if (x.found)
          res = core_->load_meta(x.meta);
        for (auto& chunk : x.chunks)
          if (res)
            res = core_->load_chunk(chunk.bytes, chunk.covers);
        if (!res)
          return fail_for_good(std::move(res.error()));
        replay(core_->replay_start());
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the checkpoint store"));
      });
}

void shard_host_state::replay(log_position from) {
  self_->request(context_.journal, disk_timeout, read_log{context_.shard, from})
    .then(
      [this](const log_part& x) {
        for (auto& entry : x.entries)
          if (auto res = core_->replay(*entry); !res)
            return fail_for_good(std::move(res.error()));
        if (!x.entries.empty())
          return replay(core_->applied());
        if (auto res = core_->finish_recovery(); !res)
          return fail_for_good(std::move(res.error()));
        take_lead();
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the journal"));
      });
}

void shard_host_state::take_lead() {
  if (context_.epoch < core_->epoch())
    return fail_for_good(
      {ec::stale_epoch,
       fmt::format("its log has reached epoch {}, but the coordinator assigned "
                   "epoch {}: its catalog is older than this node's data; "
                   "restore the newest copy of it",
                   core_->epoch(), context_.epoch)});
  phase_ = phase::leading;
  trouble_.clear();
  auto& rules = context_.rules;
  store(core_->lead(context_.epoch));
  store(core_->admit_settings(*rules.settings));
  store(core_->admit_plan(*rules.plan));
  store(core_->admit_seal({before_time, rules.sealed_through, false}));
}

void shard_host_state::fail_for_good(failure why) {
  spdlog::error("shard {} is not served: {}", context_.shard, why.text);
  phase_ = phase::failed;
  trouble_ = std::move(why.text);
}

void shard_host_state::lead(const lead_shard& x) {
  if (x.epoch <= context_.epoch)
    return;
  context_.epoch = x.epoch;
  context_.rules = x.rules;
  if (phase_ == phase::leading)
    take_lead();
}

// -- blocks and sessions

std::string shard_host_state::not_serving() const {
  switch (phase_) {
    case phase::recovering:
      return fmt::format("shard {} is recovering on node {}", context_.shard,
                         context_.node_name);
    case phase::failed:
      return fmt::format("shard {} on node {}: {}", context_.shard,
                         context_.node_name, trouble_);
    case phase::released:
      return fmt::format("shard {} has left node {}", context_.shard,
                         context_.node_name);
    case phase::leading:
      break;
  }
  return core_->serving()
           ? std::string{}
           : fmt::format("shard {} on node {} is about to lead{}",
                         context_.shard, context_.node_name,
                         trouble_.empty() ? "" : ": " + trouble_);
}

void shard_host_state::refuse(const caf::strong_actor_ptr& to, append_ack ack,
                              ec code, std::string text) const {
  ack.code = code;
  ack.text = std::move(text);
  self_->send(caf::actor_cast<producer_actor>(to), std::move(ack));
}

void shard_host_state::append(const local_block& x) {
  auto ack = append_ack{};
  ack.shard = context_.shard;
  ack.epoch = context_.epoch;
  ack.attempt = x.attempt;
  auto header = decode_block_header(*x.bytes);
  if (!header)
    return refuse(x.reply_to, std::move(ack), header.error().code,
                  header.error().text);
  ack.producer = header->producer;
  ack.session = header->session;
  if (auto why = not_serving(); !why.empty())
    return refuse(x.reply_to, std::move(ack), ec::unavailable, why);
  if (x.epoch != context_.epoch)
    return refuse(x.reply_to, std::move(ack), ec::stale_epoch,
                  fmt::format("shard {} is in epoch {}, not {}", context_.shard,
                              context_.epoch, x.epoch));
  auto res = core_->admit_block(*x.bytes, x.bytes, wall_clock());
  if (res.code != ec::none) {
    ack.last = res.last;
    return refuse(x.reply_to, std::move(ack), res.code, std::move(res.text));
  }
  callers_[header->producer] = {x.reply_to, x.attempt, header->session};
  if (res.entry != nullptr)
    return store(res);
  // A duplicate of something not yet committed waits for that.
  auto known = core_->producers().find(header->producer);
  if (known != nullptr && known->last >= header->position)
    acknowledge(header->producer);
}

void shard_host_state::open(const open_session& x,
                            caf::strong_actor_ptr sender) {
  auto ack = append_ack{};
  ack.shard = context_.shard;
  ack.epoch = context_.epoch;
  ack.producer = x.producer;
  ack.session = x.session;
  if (auto why = not_serving(); !why.empty())
    return refuse(sender, std::move(ack), ec::unavailable, why);
  auto res = core_->admit_session(x.producer, x.session, wall_clock());
  if (res.code != ec::none)
    return refuse(sender, std::move(ack), res.code, std::move(res.text));
  callers_[x.producer] = {std::move(sender), 0, x.session};
  if (res.entry != nullptr)
    return store(res);
  auto known = core_->producers().find(x.producer);
  if (known != nullptr && known->session >= x.session)
    acknowledge(x.producer);
}

void shard_host_state::store(const offer& x) {
  if (x.entry != nullptr)
    self_->send(context_.journal, store_entry{x.entry});
}

void shard_host_state::committed(uint64_t index) {
  if (phase_ != phase::leading)
    return;
  trouble_.clear();
  for (auto& producer : core_->commit(index))
    acknowledge(producer);
  answer_seal();
}

void shard_host_state::acknowledge(producer_id producer) {
  auto i = callers_.find(producer);
  auto known = core_->producers().find(producer);
  if (i == callers_.end() || known == nullptr)
    return;
  auto ack = append_ack{};
  ack.shard = context_.shard;
  ack.epoch = context_.epoch;
  ack.attempt = i->second.attempt;
  ack.producer = producer;
  ack.session = known->session;
  ack.position = known->last;
  ack.counts = known->counts;
  ack.copies = 1;
  self_->send(caf::actor_cast<producer_actor>(i->second.actor), std::move(ack));
}

void shard_host_state::refused(const store_refused& x) {
  if (phase_ != phase::leading || !core_->awaits(*x.entry))
    return; // It was given up already.
  core_->abandon_tail();
  trouble_ = x.why.text;
  // A full disk may be cleared; after anything else only a restart tells what
  // the journal holds.
  if (x.why.code != ec::disk_full)
    fail_for_good(x.why);
  // The journal's own codes would mean something else to a producer.
  auto code = x.why.code == ec::disk_full ? ec::disk_full : ec::unavailable;
  auto ack = append_ack{};
  ack.shard = context_.shard;
  ack.epoch = context_.epoch;
  for (auto& [producer, waiting] : callers_) {
    ack.producer = producer;
    ack.session = waiting.session;
    ack.attempt = waiting.attempt;
    refuse(waiting.actor, ack, code,
           fmt::format("node {}: {}", context_.node_name, x.why.text));
  }
}

// -- queries

average_answers shard_host_state::average(const average_batch& x) const {
  auto res = average_answers{};
  res.answers.resize(x.requests.size());
  auto why = not_serving();
  auto now = wall_clock();
  for (auto i = size_t{0}; i < x.requests.size(); ++i) {
    auto& request = x.requests[i];
    auto& answer = res.answers[i];
    answer.shard = context_.shard;
    answer.epoch = context_.epoch;
    answer.node = context_.node_name;
    answer.role = "primary";
    if (!why.empty()) {
      answer.code = ec::unavailable;
      answer.text = why;
      continue;
    }
    auto at = request.has_at ? std::optional{request.at} : std::nullopt;
    auto width = request.width > 0 ? request.width : context_.window;
    auto hash = entity_hash(request.entity);
    auto found = core_->average(request.entity, hash, request.metric, at, width,
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
        = core_->table().metrics_of(request.entity, hash, cluster_clock_);
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
  if (phase_ == phase::leading) {
    if (!core_->leading())
      take_lead();
    if (core_->serving()) {
      auto& settings = *x.settings;
      store(core_->admit_settings(settings));
      store(core_->admit_plan(*x.plan));
      store(core_->admit_release(x.final_through));
      store(core_->admit_clock(settings.verdicts.wall_clock ? wall_clock()
                                                            : cluster_clock_));
      store(core_->admit_expiry(wall_clock()));
    }
    core_->table().sweep(sweep_entities);
  }
  self_->send(context_.node, report());
}

shard_report shard_host_state::report() const {
  auto res = shard_report{};
  res.shard = context_.shard;
  res.epoch = context_.epoch;
  res.text = not_serving();
  res.state = phase_ == phase::failed ? shard_state::failed
              : res.text.empty()      ? shard_state::serving
                                      : shard_state::recovering;
  if (res.text.empty())
    res.text = trouble_;
  res.index = core_->applied().index;
  res.chain = core_->applied().chain;
  res.empty = core_->empty();
  res.clock = core_->clock(wall_clock());
  res.entities = core_->table().entities();
  res.window_bytes = core_->table().bytes();
  res.ledger = core_->ledger();
  res.plan_version = core_->rollups().plan().version();
  res.plan_greatest = core_->plan_greatest();
  res.rollup = core_->rollup_ledger();
  return res;
}

// -- windows over all entities

void shard_host_state::seal(const seal_shard& x) {
  // Whoever waits asks again.
  if (phase_ != phase::leading || !core_->serving())
    return;
  store(core_->admit_plan(*x.plan));
  store(core_->admit_seal(x.range));
  sealing_ = x.range;
  answer_seal();
}

void shard_host_state::answer_seal() {
  if (!sealing_ || !core_->serving() || !core_->sealed(*sealing_))
    return;
  auto res = shard_sealed{context_.shard, *sealing_, 0, {}};
  res.windows = std::make_shared<const std::vector<window_partial>>(
    core_->rollups().sealed(sealing_->after, sealing_->through,
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
    core_->rollups().windows(x.from, x.to, x.totals, x.windows_max)};
}

caf::result<bool> shard_host_state::release(const release_shard& x) {
  if (phase_ == phase::released)
    return true;
  if (phase_ != phase::leading || x.epoch != context_.epoch || !core_->empty()
      || core_->uncommitted() > 0)
    return false;
  phase_ = phase::released;
  return true;
}

// -- checkpoint

void shard_host_state::checkpoint() {
  if (checkpointing_)
    return;
  checkpointing_ = true;
  if (phase_ != phase::leading || !core_->serving())
    return end_checkpoint(0);
  auto failed = [this](caf::error& err) {
    spdlog::error("shard {} has no checkpoint: {}", context_.shard,
                  to_failure(err, "the checkpoint store").text);
    end_checkpoint(0);
  };
  self_
    ->request(context_.checkpoints, disk_timeout,
              weigh_checkpoint{context_.shard})
    .then(
      [this, failed](const checkpoint_advice& x) {
        auto full = core_->begin_checkpoint(x.full);
        self_
          ->request(context_.checkpoints, disk_timeout,
                    begin_checkpoint{context_.shard, full})
          .then(
            [this](const checkpoint_stored&) {
              next_chunk();
            },
            [this, failed](caf::error& err) {
              core_->table().abort_checkpoint();
              failed(err);
            });
      },
      failed);
}

void shard_host_state::next_chunk() {
  auto failed = [this](caf::error& err) {
    spdlog::error("shard {} has no checkpoint: {}", context_.shard,
                  to_failure(err, "the checkpoint store").text);
    core_->table().abort_checkpoint();
    self_->send(context_.checkpoints, abort_checkpoint{context_.shard});
    end_checkpoint(0);
  };
  auto chunk = put_chunk{context_.shard, {{}, core_->applied().index}};
  if (core_->table().next_chunk(context_.checkpoint_chunk_entities,
                                chunk.chunk.bytes)) {
    self_->request(context_.checkpoints, disk_timeout, std::move(chunk))
      .then(
        [this](const checkpoint_stored&) {
          next_chunk();
        },
        failed);
    return;
  }
  auto meta = core_->checkpoint_meta();
  auto upto = meta.from_index;
  self_
    ->request(context_.checkpoints, disk_timeout,
              finish_checkpoint{context_.shard, std::move(meta)})
    .then(
      [this, upto](const checkpoint_stored&) {
        end_checkpoint(upto);
      },
      failed);
}

void shard_host_state::end_checkpoint(uint64_t upto) {
  checkpointing_ = false;
  // The last entry that is covered stays: a journal without any could not tell
  // what follows from what doesn't, nor a coordinator whether something is
  // lost.
  if (upto > 1)
    self_->send(context_.journal, truncate_log{context_.shard, upto - 1});
  self_->send(context_.node, shard_checkpointed{context_.shard, upto});
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
    [self](const lead_shard& x) {
      self->state.lead(x);
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
    [self](const release_shard& x) {
      return self->state.release(x);
    },
    [self](const checkpoint_shard&) {
      self->state.checkpoint();
    },
    [self](const stored& x) {
      self->state.committed(x.index);
    },
    [self](const store_refused& x) {
      self->state.refused(x);
    },
  };
}

} // namespace weir
