#include "cluster/leadership.hpp"

#include <algorithm>

// When something is committed, and who shall be a member.

namespace weir {

namespace {

bool contains(const std::vector<member>& xs, const member& x) {
  return std::find(xs.begin(), xs.end(), x) != xs.end();
}

template <class T, class Predicate>
void remove_if(std::vector<T>& xs, Predicate f) {
  xs.erase(std::remove_if(xs.begin(), xs.end(), f), xs.end());
}

} // namespace

// -- commits

uint64_t leadership::held_by(const member& x) const {
  if (x == context_.self)
    return context_.copy->stored().index;
  auto i = peers_.find(x.node);
  return i != peers_.end() && i->second.who == x ? i->second.held.index : 0;
}

uint64_t leadership::held_by_all(const std::vector<member>& xs) const {
  auto res = UINT64_MAX;
  for (auto& x : xs)
    res = std::min(res, held_by(x));
  return res;
}

std::vector<member> leadership::required() const {
  auto res = config_.members;
  // A proposal whose outcome was not read may have happened: then those that it
  // makes members count, and else those that there are.
  for (auto& proposed : proposed_)
    res.insert(res.end(), proposed.members.begin(), proposed.members.end());
  if (joining_)
    res.push_back(*joining_);
  return res;
}

void leadership::settle(int64_t now) {
  auto& state = context_.copy->state();
  auto index = held_by_all(required());
  if (config_.members.size() < config_.min_copies || index < state.lead_index()
      || index <= state.applied().index)
    return;
  auto producers = state.commit(index);
  while (!uncommitted_.empty() && uncommitted_.front().first <= index) {
    uncommitted_bytes_ -= uncommitted_.front().second;
    uncommitted_.pop_front();
  }
  serving_ = true;
  if (!producers.empty())
    context_.out->push_back(producers_acknowledge{
      std::move(producers), static_cast<uint32_t>(config_.members.size())});
  for (auto& [node, x] : peers_)
    pump(x, now);
}

void leadership::stored(int64_t now) {
  resigned_ = false;
  settle(now);
  consider(now);
}

// -- configurations

bool leadership::is_stalled(const peer& x, int64_t now) const {
  return x.held.index < context_.copy->tail().index
         && now - x.progress_at >= context_.options->stall_timeout;
}

bool leadership::has_caught_up(const peer& x) const {
  return !x.copy && x.held.index >= context_.copy->state().lead_index()
         && x.sent.index == context_.copy->tail().index
         && x.under_way() <= context_.options->join_lag_bytes;
}

shard_config leadership::successor_config() const {
  auto res = config_;
  ++res.epoch;
  // The no-op of this epoch is committed: no other disk is needed for what came
  // before.
  if (context_.copy->state().serving())
    res.eligible.clear();
  return res;
}

void leadership::consider(int64_t now) {
  if (!proposed_.empty())
    return;
  if (remove_lost(now) || take_in(now))
    return;
  if (!context_.copy->state().serving())
    return;
  if (!config_.eligible.empty())
    return propose(successor_config(), now);
  if (!let_go(now))
    hand_over(now);
}

bool leadership::remove_lost(int64_t now) {
  auto next = successor_config();
  remove_if(next.members, [&](const member& x) {
    if (x == context_.self)
      return resigned_;
    auto known = peers_.find(x.node);
    return known->second.lost || is_stalled(known->second, now);
  });
  if (next.members.size() == config_.members.size() || next.members.empty())
    return false;
  // Who remains must hold the no-op, and with it all that was acknowledged
  // before: else whoever goes may be the only one that does.
  if (held_by_all(next.members) < context_.copy->state().lead_index())
    return false;
  for (auto& x : config_.members)
    if (!contains(next.members, x))
      next.eligible.push_back({x.node, x.disk});
  if (resigned_)
    next.primary = next.members.front().node;
  propose(std::move(next), now);
  return true;
}

bool leadership::take_in(int64_t now) {
  auto& state = context_.copy->state();
  if (joining_) {
    auto x = find(*joining_);
    if (x == nullptr || !x->learner || x->lost
        || now - joining_since_ >= context_.options->join_timeout) {
      joining_.reset();
      settle(now);
    }
  }
  auto everyone = held_by_all(config_.members);
  if (everyone < state.lead_index())
    return false; // The no-op first.
  // What the coordinator has heard of a learner may be older than what we have.
  if (now - refused_at_ < context_.options->resend_after)
    return false;
  for (auto& known : peers_) {
    auto& x = known.second;
    if (!x.learner || x.lost || !has_caught_up(x))
      continue;
    // From here on nothing is committed without it, so that it soon holds all
    // that is.
    if (!joining_) {
      joining_ = x.who;
      joining_since_ = now;
    }
    if (!(*joining_ == x.who) || x.held.index < state.applied().index)
      continue;
    auto next = successor_config();
    next.members.push_back(x.who);
    remove_if(next.eligible, [&](const node_disk& disk) {
      return disk == node_disk{x.who.node, x.who.disk};
    });
    propose(std::move(next), now);
    return true;
  }
  return false;
}

bool leadership::let_go(int64_t now) {
  auto next = successor_config();
  remove_if(next.members, [&](const member& x) {
    auto surplus
      = std::find(goals_.surplus.begin(), goals_.surplus.end(), x.node)
        != goals_.surplus.end();
    return surplus && !(x == context_.self);
  });
  if (next.members.size() == config_.members.size()
      || next.members.size() < config_.min_copies)
    return false;
  for (auto& x : config_.members)
    if (!contains(next.members, x))
      next.eligible.push_back({x.node, x.disk});
  propose(std::move(next), now);
  return true;
}

bool leadership::hand_over(int64_t now) {
  auto next = successor_config();
  auto to = find(goals_.successor);
  if (to == nullptr || to->learner || to->lost) {
    closing_ = false;
    return false;
  }
  if (!closing_) {
    // The last one was given up just now: what is waiting goes first.
    if (closing_since_ > 0
        && now - closing_since_ < 2 * context_.options->hand_over_timeout)
      return false;
    closing_ = true;
    closing_since_ = now;
  }
  if (context_.copy->state().uncommitted() == 0) {
    next.primary = goals_.successor;
    propose(std::move(next), now);
    return true;
  }
  if (now - closing_since_ >= context_.options->hand_over_timeout)
    closing_ = false;
  return false;
}

void leadership::resign(int64_t now) {
  resigned_ = true;
  consider(now);
}

void leadership::propose(shard_config next, int64_t now) {
  send_proposal(next);
  proposed_.push_back(std::move(next));
  proposed_at_ = now;
  joining_.reset();
}

void leadership::send_proposal(const shard_config& next) {
  context_.out->push_back(
    coordinator_send{proposal{context_.self, next, config_.epoch}});
}

void leadership::refused(int64_t now) {
  if (proposed_.empty() || withdrawn_)
    return;
  // It may be on its way once more, and be taken then. Only another change
  // makes sure of its outcome, whichever of the two comes first.
  withdrawn_ = true;
  refused_at_ = now;
  auto next = config_;
  next.epoch = proposed_.back().epoch + 1;
  propose(std::move(next), now);
}

} // namespace weir
