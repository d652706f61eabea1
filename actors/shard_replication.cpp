#include "actors/shard_host.hpp"

#include "cluster/peer_codec.hpp"
#include "messages/types.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <utility>

// A shard as one of several copies: carries messages to the replica, and does
// what it wants done.

namespace weir {

namespace {

/// A part of a log waits for the disk, and for all that other shards want of
/// it. Past this the disk hangs.
constexpr auto disk_timeout = std::chrono::minutes{5};

/// Messages of other copies that are kept while a shard recovers: the first
/// ones tell it where it stands. All of them come again.
constexpr size_t early_messages_max = 8;

} // namespace

// -- from the coordinator

void shard_host_state::announce(const announced_shard& x) {
  context_.rules = x.rules;
  if (phase_ == phase::recovering) {
    early_announcement_ = x;
    return;
  }
  replica_->announce(x.what, now());
  act();
  begin_anew();
}

void shard_host_state::promise(const fence& x) {
  if (phase_ == phase::recovering)
    early_fence_ = x;
  if (phase_ != phase::ready)
    return;
  replica_->promise(x);
  act();
}

void shard_host_state::decide(const decision& x) {
  if (phase_ == phase::recovering)
    return;
  replica_->decide(x, now());
  act();
}

bool shard_host_state::drop(const drop_copy& x) {
  if (phase_ == phase::dropped)
    return true;
  if (phase_ != phase::ready || !replica_->drop(x))
    return false;
  stop_checkpoint();
  phase_ = phase::dropped;
  return true;
}

// -- from other copies

void shard_host_state::receive(const peer_bytes& x) {
  if (phase_ == phase::dropped)
    return;
  if (phase_ == phase::recovering) {
    if (early_messages_.size() < early_messages_max)
      early_messages_.push_back(x);
    return;
  }
  auto message = decode_peer_message(x.bytes);
  if (!message) {
    spdlog::error("shard {}: {}", context_.shard, message.error().text);
    return;
  }
  replica_->receive(*message, now());
  act();
}

void shard_host_state::lost(const peer_lost& x) {
  if (phase_ != phase::ready)
    return;
  replica_->disconnected(x.node, now());
  act();
}

// -- from the own disk

void shard_host_state::written(const stored& x) {
  if (phase_ != phase::ready)
    return;
  replica_->stored(x.upto, now());
  act();
}

void shard_host_state::refused(const store_refused& x) {
  if (phase_ != phase::ready)
    return;
  // A full disk may be cleared; after anything else only a restart tells what
  // the journal holds.
  if (x.why.code != ec::disk_full)
    return fail_for_good(x.why);
  replica_->not_stored(x.why, now());
  act();
  // Whoever waits shall know why. What is in the log already is acknowledged
  // when it is sent again.
  auto ack = append_ack{};
  ack.shard = context_.shard;
  ack.epoch = replica_->config().epoch;
  for (auto& [producer, waiting] : callers_) {
    ack.producer = producer;
    ack.session = waiting.session;
    ack.attempt = waiting.attempt;
    refuse(waiting.actor, ack, x.why.code,
           fmt::format("node {}: {}", context_.node_name, x.why.text));
  }
}

void shard_host_state::promised(const record_stored& x) {
  if (phase_ != phase::ready)
    return;
  replica_->record_stored(x.promised, now());
  act();
}

// -- effects

void shard_host_state::act() {
  follow_rules();
  for (auto todo = replica_->take_effects(); !todo.empty();
       todo = replica_->take_effects()) {
    for (auto& x : todo)
      std::visit(
        [this](auto& y) {
          carry_out(y);
        },
        x);
    follow_rules();
  }
  answer_seal();
  if (!callers_.empty() && replica_->leads_since() == 0)
    turn_callers_away(ec::stale_epoch, not_serving());
  redirect_refused();
  auto& epoch = replica_->config().epoch;
  auto role = replica_->role();
  if (epoch == told_epoch_ && role == told_role_ && serving() == told_serving_)
    return;
  told_epoch_ = epoch;
  told_role_ = role;
  told_serving_ = serving();
  self_->send(context_.node, shard_moved{report()});
}

void shard_host_state::follow_rules() {
  auto since = replica_->leads_since();
  if (since == ruled_since_)
    return;
  ruled_since_ = since;
  if (since == 0)
    return;
  // In the log before the first block.
  auto& rules = context_.rules;
  replica_->admit([&](shard& x) {
    return x.admit_settings(*rules.settings);
  });
  replica_->admit([&](shard& x) {
    return x.admit_plan(*rules.plan);
  });
  replica_->admit([&](shard& x) {
    return x.admit_seal({before_time, rules.sealed_through, false});
  });
}

void shard_host_state::turn_callers_away(ec code, const std::string& why) {
  auto waiting = std::exchange(callers_, {});
  auto ack = append_ack{};
  ack.shard = context_.shard;
  ack.epoch = replica_->config().epoch;
  for (auto& [producer, x] : waiting) {
    ack.producer = producer;
    ack.session = x.session;
    ack.attempt = x.attempt;
    redirect(x.actor, ack, 0, code, why);
  }
}

void shard_host_state::carry_out(const journal_append& x) {
  self_->send(context_.journal, store_entry{x.entry, x.committed});
}

void shard_host_state::carry_out(const journal_cut& x) {
  self_
    ->request(context_.journal, disk_timeout, cut_log{context_.shard, x.after})
    .then([](bool) {},
          [this](caf::error& err) {
            fail_for_good(to_failure(err, "the journal"));
          });
}

void shard_host_state::carry_out(const record_write& x) {
  self_->send(context_.journal, put_record{x.record});
}

void shard_host_state::carry_out(const peer_send& x) {
  self_->send(context_.node,
              outgoing_peer{x.node, encode_peer_message(x.message)});
}

void shard_host_state::carry_out(const coordinator_send& x) {
  std::visit(
    [this](auto& message) {
      self_->send(context_.node, message);
    },
    x.message);
}

void shard_host_state::carry_out(const producers_acknowledge& x) {
  for (auto& producer : x.producers) {
    auto i = callers_.find(producer);
    auto known = core().producers().find(producer);
    if (i == callers_.end() || known == nullptr)
      continue;
    auto ack = append_ack{};
    ack.shard = context_.shard;
    ack.epoch = replica_->config().epoch;
    ack.attempt = i->second.attempt;
    ack.producer = producer;
    ack.session = known->session;
    ack.position = known->last;
    ack.counts = known->counts;
    ack.copies = x.copies;
    self_->send(caf::actor_cast<producer_actor>(i->second.actor),
                std::move(ack));
    if (known->last >= i->second.position)
      callers_.erase(i);
  }
}

void shard_host_state::carry_out(const journal_read& x) {
  auto part = read_log{context_.shard, x.from, std::nullopt,
                       context_.replication.part_bytes};
  self_->request(context_.journal, disk_timeout, part)
    .then(
      [this, node = x.node](const log_part& y) {
        replica_->log_read(node, y.entries, now());
        act();
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the journal"));
      });
}

} // namespace weir
