#include "cluster/leadership.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

// What a primary sends to those that follow it.

namespace weir {

namespace {

/// What an entry takes beside its envelope and its block.
constexpr uint64_t entry_overhead = 96;

/// Transfers while it leads without a break, at most. The epoch comes before
/// that: a learner may still hold a part of what the same process had begun to
/// send when it led before.
constexpr uint64_t transfer_bits = 32;

uint64_t size_of(const log_entry& x) {
  return x.envelope.size() + x.block.size() + entry_overhead;
}

} // namespace

leadership::leadership(replica_context context, shard_config config,
                       int64_t now)
  : context_(std::move(context)),
    since_(config.epoch),
    transfers_(config.epoch << transfer_bits) {
  auto& state = context_.copy->state();
  for (auto i = state.applied().index + 1; i <= state.tail().index; ++i) {
    auto bytes = size_of(*state.uncommitted_at(i));
    uncommitted_.emplace_back(i, bytes);
    uncommitted_bytes_ += bytes;
  }
  begin_epoch(std::move(config), now);
}

void leadership::begin_epoch(shard_config config, int64_t now) {
  assert(config.epoch > context_.copy->tail().epoch);
  config_ = std::move(config);
  proposed_.clear();
  withdrawn_ = false;
  joining_.reset();
  closing_ = false;
  for (auto& [node, x] : peers_)
    x.begin_epoch(now);
  meet_peers(now);
  appended(context_.copy->state().lead(config_.epoch).entry, now);
}

void leadership::pursue(const replica_goals& goals, int64_t now) {
  goals_ = goals;
  meet_peers(now);
  for (auto& [node, x] : peers_)
    if (x.sent_at == 0)
      send_heartbeat(x, now);
  consider(now);
}

void leadership::meet_peers(int64_t now) {
  auto followers = std::map<std::string, std::pair<member, bool>>{};
  for (auto& x : goals_.learners)
    followers[x.node] = {x, true};
  for (auto& x : config_.members) {
    auto i = followers.find(x.node);
    auto restarted = i != followers.end() && !(i->second.first == x);
    followers[x.node] = {x, false};
    // Its node runs another process, or has another disk: nobody will answer.
    if (auto known = find(x); restarted && known != nullptr)
      known->lost = true;
  }
  followers.erase(context_.self.node);
  for (auto i = peers_.begin(); i != peers_.end();) {
    auto wanted = followers.find(i->first);
    if (wanted != followers.end() && wanted->second.first == i->second.who) {
      i->second.learner = wanted->second.second;
      followers.erase(wanted);
      ++i;
    } else {
      end_copy(i->second);
      i = peers_.erase(i);
    }
  }
  // Their logs end where ours does, most of the time; else they say so.
  for (auto& [node, x] : followers)
    peers_.emplace(node, peer{x.first, x.second, context_.copy->tail(), now});
}

peer* leadership::find(const std::string& node) {
  auto i = peers_.find(node);
  return i != peers_.end() ? &i->second : nullptr;
}

peer* leadership::find(const member& x) {
  auto res = find(x.node);
  return res != nullptr && res->who == x ? res : nullptr;
}

void leadership::appended(const entry_ptr& entry, int64_t now) {
  auto before = context_.copy->tail().index - 1;
  auto bytes = size_of(*entry);
  context_.copy->appended(*entry);
  uncommitted_.emplace_back(entry->index, bytes);
  uncommitted_bytes_ += bytes;
  context_.out->push_back(
    journal_append{entry, context_.copy->state().applied().index});
  for (auto& [node, x] : peers_) {
    if (x.held.index == before)
      x.progressed(now); // It had nothing to do until now.
    x.grown += bytes;
    x.allowance -= std::min(x.allowance, bytes);
    pump(x, now);
  }
}

void leadership::send(const peer& to, peer_message x) {
  context_.out->push_back(peer_send{to.who.node, std::move(x)});
}

void leadership::send_heartbeat(peer& to, int64_t now) {
  to.sent_at = now;
  send(to, replicate{context_.shard,
                     config_.epoch,
                     context_.self,
                     to.sent,
                     {},
                     context_.copy->state().applied().index});
}

void leadership::send_part(peer& to, const std::vector<entry_ptr>& entries,
                           int64_t now) {
  auto& first = *entries.front();
  // That its log ends where it was found to agree has been believed so far.
  if (first.chain != chain_after(to.sent.chain, first.crc))
    return begin_copy(to, now);
  auto bytes = uint64_t{0};
  for (auto& x : entries)
    bytes += size_of(*x);
  auto previous = to.sent;
  auto& last = *entries.back();
  to.sending({last.index, last.epoch, last.chain}, bytes, now);
  send(to, replicate{context_.shard, config_.epoch, context_.self, previous,
                     entries, context_.copy->state().applied().index});
}

void leadership::pump(peer& to, int64_t now) {
  if (to.copy)
    return pump_copy(to);
  auto& options = *context_.options;
  auto& state = context_.copy->state();
  // Members need no window of their own: what is not committed is bounded.
  auto window
    = to.learner ? options.learner_credits * options.part_bytes : UINT64_MAX;
  while (to.sent.index < state.tail().index && to.under_way() < window) {
    if (to.sent.index < state.applied().index) {
      if (to.sent.index < context_.copy->outline().begin_index())
        return begin_copy(to, now);
      if (!to.reading)
        context_.out->push_back(journal_read{to.who.node, to.sent.index + 1});
      to.reading = true;
      return;
    }
    auto part = std::vector<entry_ptr>{};
    auto bytes = uint64_t{0};
    while (bytes < options.part_bytes) {
      auto next = state.uncommitted_at(to.sent.index + part.size() + 1);
      if (next == nullptr)
        break;
      bytes += size_of(*next);
      part.push_back(std::move(next));
    }
    send_part(to, part, now);
    if (to.copy)
      return;
  }
}

void leadership::log_read(const std::string& node,
                          const std::vector<entry_ptr>& entries, int64_t now) {
  auto to = find(node);
  if (to == nullptr || !to->reading)
    return;
  to->reading = false;
  if (to->copy)
    return;
  if (entries.empty())
    return begin_copy(*to, now);
  // It may have been found to agree elsewhere meanwhile.
  if (entries.front()->index == to->sent.index + 1)
    send_part(*to, entries, now);
  pump(*to, now);
}

void leadership::resend(peer& to, int64_t now) {
  if (to.copy)
    return resend_copy(to, now);
  to.rewound_at = now;
  to.rewind(to.base);
  to.reading = false;
  pump(to, now);
}

// -- what they answer

void leadership::receive(const replicated& x, int64_t now) {
  auto from = find(x.from);
  if (from == nullptr || x.epoch != config_.epoch)
    return;
  auto mine = context_.copy->position_at(x.held.index);
  if (x.held.index > context_.copy->tail().index
      || (mine && !(*mine == x.held)))
    return; // Whatever that is, it does not hold our log.
  from->heard_at = now;
  from->acknowledged(x.held, x.taken, now);
  if (!from->copy && x.again && x.held.index < from->sent.index
      && now - from->rewound_at >= context_.options->heartbeat) {
    from->base = x.held;
    resend(*from, now);
  }
  if (has_caught_up(*from)) {
    from->grown = 0;
    from->allowance = 0;
  }
  settle(now);
  pump(*from, now);
  consider(now);
}

std::optional<int64_t> leadership::confirmed() const {
  auto res = std::optional<int64_t>{};
  for (auto& x : config_.members)
    if (auto known = peers_.find(x.node);
        known != peers_.end() && !(x == context_.self))
      res = std::min(res.value_or(INT64_MAX), known->second.heard_at);
  return res;
}

std::optional<log_position> leadership::agreement(const log_claim& x) const {
  auto& outline = context_.copy->outline();
  auto ends = x.ends;
  ends.insert(ends.begin(), x.applied);
  for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
    auto mine = outline.last_of(end->epoch);
    if (!mine)
      continue;
    auto res = mine->index < end->index ? *mine : *end;
    auto wrong = mine->index == end->index && !(*mine == *end);
    if (wrong || res.index < x.applied.index
        || res.index < outline.begin_index())
      return std::nullopt;
    return res;
  }
  return std::nullopt;
}

void leadership::receive(const log_claim& x, int64_t now) {
  auto from = find(x.from);
  if (from == nullptr || x.epoch != config_.epoch || from->copy)
    return;
  from->lost = false;
  auto at = agreement(x);
  if (!at) {
    // A member that lacks what is committed is none; it can learn it all later.
    if (from->learner)
      begin_copy(*from, now);
    else
      from->lost = true;
    return consider(now);
  }
  // Late news, from before it was found to agree.
  if (at->index < from->held.index)
    return;
  if (*at == from->base && now - from->rewound_at < context_.options->heartbeat)
    return; // Every part on the way is answered like that.
  from->rewind(*at);
  from->rewound_at = now;
  from->reading = false;
  from->progressed(now);
  pump(*from, now);
}

void leadership::receive(const not_followed& x, int64_t now) {
  auto from = find(x.from);
  if (from == nullptr || x.epoch != config_.epoch || !x.failed)
    return;
  from->lost = true;
  consider(now);
}

void leadership::disconnected(const std::string& node) {
  if (auto x = find(node); x != nullptr)
    x->lost = true;
}

void leadership::end() {
  for (auto& [node, x] : peers_)
    end_copy(x);
  context_.copy->state().stop_leading();
}

// -- time and limits

void leadership::tick(int64_t now) {
  auto& options = *context_.options;
  for (auto& [node, x] : peers_) {
    if (x.copy && now - x.progress_at >= options.copy_timeout) {
      end_copy(x);
      x.rewind(context_.copy->tail());
    }
    auto behind = x.copy || x.under_way() > 0 || x.reading;
    if (behind && now - x.progress_at >= options.resend_after
        && now - x.rewound_at >= options.resend_after)
      resend(x, now);
    pump(x, now);
    if (now - x.sent_at >= options.heartbeat)
      send_heartbeat(x, now);
  }
  if (!proposed_.empty() && now - proposed_at_ >= options.resend_after) {
    proposed_at_ = now;
    for (auto& x : proposed_)
      send_proposal(x);
  }
  settle(now);
  consider(now);
}

failure leadership::obstacle() const {
  auto& options = *context_.options;
  if (!serving_)
    return {ec::unavailable, "it is about to lead"};
  if (config_.members.size() < config_.min_copies)
    return {ec::unavailable,
            fmt::format("it has {} of the {} copies that min-copies asks for",
                        config_.members.size(), config_.min_copies)};
  if (closing_)
    return {ec::busy, "it is being handed over to another node"};
  if (uncommitted_bytes_ >= options.uncommitted_bytes_max)
    return {ec::busy,
            fmt::format("{} bytes wait for its replicas", uncommitted_bytes_)};
  for (auto& [node, x] : peers_)
    if (x.learner && !x.lost && x.grown > options.pinned_bytes_max
        && x.allowance == 0)
      return {ec::busy, "a new replica has to catch up"};
  return {};
}

uint64_t leadership::log_needed_after() const {
  auto res = UINT64_MAX;
  for (auto& [node, x] : peers_)
    if (!x.lost)
      res = std::min(res, x.needed_after);
  return res;
}

} // namespace weir
