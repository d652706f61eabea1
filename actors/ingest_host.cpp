#include "actors/ingest_host.hpp"

#include "messages/types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir {

namespace {

/// How often what waits is looked at.
constexpr auto tick_every = std::chrono::milliseconds{20};

/// A shard that acknowledges nothing for this long may have moved.
constexpr auto ask_after = std::chrono::milliseconds{500};

/// A refused shard is tried again after this long, twice as long each time.
constexpr auto refused_backoff_min = std::chrono::milliseconds{50};
constexpr auto refused_backoff_max = std::chrono::milliseconds{1000};

/// A shard that acknowledges nothing for this long, twice as long each time,
/// may have lost what we sent.
constexpr auto patience_min = std::chrono::seconds{3};
constexpr auto patience_max = std::chrono::seconds{20};

} // namespace

void ingest_host_state::init(
  ingest_actor::stateful_pointer<ingest_host_state> self,
  ingest_context context) {
  self_ = self;
  context_ = std::move(context);
  dial_coordinator();
  self_->delayed_send(self_, tick_every, timer{tick});
}

void ingest_host_state::give_up(failure why) {
  phase_ = phase::over;
  context_.gate->failed(std::move(why));
}

// -- opening

void ingest_host_state::open_producer_session() {
  self_
    ->request(coordinator_, std::chrono::milliseconds{context_.process.timeout},
              open_producer{context_.producer, context_.resume})
    .then(
      [this](const producer_opened& x) {
        opened_ = x;
        told_.producer = x.producer;
        told_.session = x.session;
        told_.base = x.base;
        told_.prefix = x.prefix;
        told_.digest = x.digest;
        told_.digest_at = x.digest_at;
        report();
        if (!context_.producer.empty())
          return open_shards();
        // Nobody else has this id: there is nothing to ask the shards.
        for (auto& lane : lanes_)
          lane.open = true;
        open_shards();
      },
      [this](caf::error& err) {
        give_up(to_failure(err, "the coordinator"));
      });
}

void ingest_host_state::open_shards() {
  for (auto i = uint32_t{0}; i < lanes_.size(); ++i)
    if (!lanes_[i].open)
      open_shard(i);
  begin_streaming();
}

void ingest_host_state::open_shard(uint32_t shard) {
  auto& route = routes_->shards[shard];
  auto node = node_of(shard);
  if (node == nullptr) {
    trouble_ = route.trouble;
    refresh_is_due_ = true;
    return;
  }
  if (auto actor = links_.find(node->listens))
    self_->send(actor, open_session{shard, route.epoch, opened_.producer,
                                    opened_.session});
  else
    connect(node->listens);
}

void ingest_host_state::begin_streaming() {
  auto open = std::all_of(lanes_.begin(), lanes_.end(), [](auto& lane) {
    return lane.open;
  });
  if (!open || phase_ != phase::opening)
    return;
  start_.producer = opened_.producer;
  start_.session = opened_.session;
  for (auto& lane : lanes_)
    start_.last.push_back(lane.last);
  if (context_.resume) {
    start_.base = opened_.base;
    start_.prefix = opened_.prefix;
    start_.digest = opened_.digest;
    start_.digest_at = opened_.digest_at;
  } else {
    // A new input is numbered behind everything that was ever sent.
    start_.base
      = std::max(opened_.prefix,
                 *std::max_element(start_.last.begin(), start_.last.end()));
    start_.prefix = start_.base;
    start_.digest_at = start_.base;
  }
  // A producer without a name never resumes.
  head_is_known_ = context_.producer.empty() || start_.digest_at > start_.base;
  handed_over_ = start_.prefix;
  start_.future_limit = cluster_.future_limit;
  last_input_ = self_->clock().now();
  phase_ = phase::streaming;
  connect_all();
  trouble_.clear();
  context_.gate->opened(start_);
}

// -- streaming

void ingest_host_state::send(outgoing_parcel& x) {
  if (phase_ != phase::streaming)
    return;
  auto now = self_->clock().now();
  for (auto& [shard, block] : x.blocks) {
    auto& lane = lanes_[shard];
    if (outbox_->empty(shard)) {
      lane.progress = now;
      lane.waiting_since = now;
      lane.patience = patience_min;
    }
    auto size = block.bytes->size();
    outbox_->add(shard, std::move(block));
    count(shard, size, 0);
  }
  handed_over_ = x.handed_over;
  input_ended_ = input_ended_ || x.end;
  flush_ = flush_ || x.flush;
  take_mark(x.mark);
  pass_marks();
  last_input_ = now;
  report_if_due();
  pump_later();
  finish();
}

void ingest_host_state::pump_later() {
  // After all that is in the mailbox by now, so that frames get full.
  if (pump_is_due_)
    return;
  pump_is_due_ = true;
  self_->send(self_, timer{pump_now});
}

void ingest_host_state::pump() {
  pump_is_due_ = false;
  if (phase_ != phase::streaming || !head_is_known_)
    return;
  for (auto node = size_t{0}; node < shards_of_.size(); ++node) {
    auto& shards = shards_of_[node];
    auto unsent = std::any_of(shards.begin(), shards.end(), [this](auto i) {
      return outbox_->has_unsent(i);
    });
    if (!unsent)
      continue;
    auto& to = routes_->nodes[node].listens;
    if (auto actor = links_.find(to))
      pump(to, actor, shards);
    else
      connect(to);
  }
}

void ingest_host_state::pump(const address&, const node_actor& node,
                             const std::vector<uint32_t>& shards) {
  auto frame = append_frame{};
  auto bytes = size_t{0};
  auto flush = [&] {
    if (!frame.blocks.empty())
      self_->send(node, std::move(frame));
    frame = append_frame{};
    bytes = 0;
  };
  // A block of every shard in turn: all of them have work, soon.
  for (auto more = true; more;) {
    more = false;
    for (auto shard : shards) {
      if (lanes_[shard].refused)
        continue;
      auto block = outbox_->take(shard);
      if (block == nullptr)
        continue;
      more = true;
      if (bytes + block->bytes->size() > context_.process.frame_bytes_max)
        flush();
      bytes += block->bytes->size();
      frame.blocks.push_back({shard, routes_->shards[shard].epoch,
                              outbox_->attempt(shard), *block->bytes});
    }
  }
  flush();
}

void ingest_host_state::answer(const append_ack& x) {
  if (x.shard >= lanes_.size() || x.producer != opened_.producer)
    return;
  auto& lane = lanes_[x.shard];
  if (x.code != ec::none)
    return refused(x);
  if (x.session > opened_.session)
    return give_up({ec::stale_session,
                    fmt::format("another process has taken over the producer "
                                "{}; this one stops",
                                context_.producer)});
  if (x.session < opened_.session)
    return;
  if (phase_ == phase::opening) {
    lane.open = true;
    lane.last = x.position;
    return begin_streaming();
  }
  if (x.position < lane.last)
    return; // Overtaken by a later one.
  lane.last = x.position;
  lane.counts = x.counts;
  lane.progress = self_->clock().now();
  lane.patience = patience_min;
  lane.backoff = {};
  copies_ = copies_ == 0 ? x.copies : std::min(copies_, x.copies);
  auto freed = outbox_->acknowledge(x.shard, x.position);
  if (freed > 0) {
    lane.longest_wait
      = std::max(lane.longest_wait, lane.progress - lane.waiting_since);
    lane.waiting_since = lane.progress;
  }
  count(x.shard, 0, freed);
  pass_marks();
  trouble_.clear();
  context_.gate->acknowledged(freed, progress());
  finish();
}

void ingest_host_state::go_on(shard_lane& lane) {
  lane.refused = false;
  lane.backoff = {};
}

/// Who has led a shard knows who does now, and who is about to lead says when
/// it does: both sooner than the coordinator, once it is asked.
bool ingest_host_state::redirected(const append_ack& x) {
  auto& route = routes_->shards[x.shard];
  if (x.primary.empty() || x.epoch < route.epoch)
    return false;
  auto& nodes = routes_->nodes;
  auto to = std::find_if(nodes.begin(), nodes.end(), [&](auto& node) {
    return node.node == x.primary;
  });
  if (to == nodes.end())
    return false;
  auto node = static_cast<uint32_t>(to - nodes.begin());
  auto moved = node != route.node;
  route.node = node;
  route.epoch = x.epoch;
  route.trouble.clear();
  go_on(lanes_[x.shard]);
  if (moved)
    count_nodes();
  if (phase_ == phase::opening) {
    open_shard(x.shard);
  } else {
    outbox_->restart(x.shard, moved ? outbox_->attempt(x.shard) : x.attempt);
    pump_later();
  }
  return true;
}

void ingest_host_state::refused(const append_ack& x) {
  auto& lane = lanes_[x.shard];
  switch (x.code) {
    case ec::sequence_gap: {
      auto again = outbox_->restart_after(x.shard, x.attempt, x.last);
      if (!again)
        return give_up(std::move(again.error()));
      if (*again)
        pump_later();
      return;
    }
    case ec::stale_epoch:
      if (redirected(x))
        return;
      [[fallthrough]];
    case ec::unavailable:
    case ec::busy:
    case ec::disk_full:
    case ec::io_error: {
      if (phase_ == phase::streaming
          && (lane.refused || !outbox_->restart(x.shard, x.attempt)))
        return;
      lane.backoff = std::clamp(2 * lane.backoff, refused_backoff_min,
                                refused_backoff_max);
      lane.not_before = self_->clock().now() + lane.backoff;
      lane.refused = true;
      if (x.code != ec::stale_epoch) {
        trouble_ = x.text;
        context_.gate->show(progress());
      }
      refresh_is_due_ = true;
      return;
    }
    default:
      return give_up({x.code, fmt::format("shard {} refuses this producer: {}",
                                          x.shard, x.text)});
  }
}

// -- what time brings

/// What was on its way to another primary must be sent again, and what was
/// refused by one is due.
void ingest_host_state::follow_moves(const routes& before) {
  auto where = [](const routes& x, uint32_t shard) {
    auto node = x.shards[shard].node;
    return node < x.nodes.size() ? x.nodes[node].listens : address{};
  };
  for (auto i = uint32_t{0}; i < lanes_.size(); ++i) {
    if (before.shards[i].epoch == routes_->shards[i].epoch)
      continue;
    auto& lane = lanes_[i];
    go_on(lane);
    if (!(where(before, i) == where(*routes_, i))) {
      outbox_->restart(i, outbox_->attempt(i));
      lane.progress = self_->clock().now();
      lane.patience = patience_min;
    }
  }
}

void ingest_host_state::alarm(const timer& x) {
  if (x.what == pump_now)
    return pump();
  if (phase_ == phase::over)
    return;
  self_->delayed_send(self_, tick_every, timer{tick});
  if (refresh_is_due_ || (phase_ == phase::opening && !refreshing_))
    refresh();
  note_input();
  report_if_due();
  if (phase_ != phase::streaming)
    return;
  auto now = self_->clock().now();
  for (auto i = uint32_t{0}; i < lanes_.size(); ++i)
    look_after(i, now);
  if (!trouble_.empty())
    context_.gate->show(progress());
  pump();
  finish();
}

void ingest_host_state::look_after(uint32_t shard, clock::time_point now) {
  auto& lane = lanes_[shard];
  if (lane.refused && now >= lane.not_before)
    lane.refused = false;
  if (outbox_->empty(shard))
    return;
  if (lane.refused || now - lane.progress >= ask_after)
    refresh_is_due_ = true;
  if (node_of(shard) == nullptr) {
    trouble_ = routes_->shards[shard].trouble;
    refresh_is_due_ = true;
  }
  if (now - lane.progress < lane.patience)
    return;
  lane.progress = now;
  lane.patience
    = std::min<std::chrono::milliseconds>(2 * lane.patience, patience_max);
  outbox_->restart(shard, outbox_->attempt(shard));
  refresh_is_due_ = true;
}

std::vector<int64_t> ingest_host_state::waits() const {
  auto res = std::vector<int64_t>{};
  for (auto& lane : lanes_)
    res.push_back(
      std::chrono::duration_cast<std::chrono::milliseconds>(lane.longest_wait)
        .count());
  return res;
}

session_progress ingest_host_state::progress() const {
  auto res = session_progress{};
  for (auto& lane : lanes_)
    res.counts += lane.counts;
  res.acknowledged = prefix();
  res.trouble = trouble_;
  res.copies = copies_;
  return res;
}

ingest_actor::behavior_type ingest_host(
  ingest_actor::stateful_pointer<ingest_host_state> self,
  ingest_context context) {
  self->set_down_handler([self](const caf::down_msg& x) {
    self->state.down(x);
  });
  self->state.init(self, std::move(context));
  return {
    [self](outgoing_parcel& x) {
      self->state.send(x);
    },
    [self](const append_ack& x) {
      self->state.answer(x);
    },
    [self](const timer& x) {
      self->state.alarm(x);
    },
  };
}

} // namespace weir
