#include "cluster/peer.hpp"

#include <algorithm>

namespace weir {

peer::peer(member x, bool is_learner, const log_position& at, int64_t now)
  : who(std::move(x)),
    learner(is_learner),
    sent(at),
    base(at),
    needed_after(at.index),
    progress_at(now),
    heard_at(now),
    rewound_at(now) {
  // nop
}

void peer::begin_epoch(int64_t now) {
  held = {};
  progress_at = now;
}

void peer::rewind(const log_position& x) {
  sent = x;
  base = x;
  needed_after = x.index;
  parts_.clear();
  under_way_ = 0;
}

void peer::sending(const log_position& last, uint64_t bytes, int64_t now) {
  sent = last;
  sent_at = now;
  parts_.push_back({last, bytes});
  under_way_ += bytes;
}

void peer::acknowledged(const log_position& x, uint64_t taken, int64_t now) {
  lost = false;
  if (x.index > held.index) {
    held = x;
    progress_at = now;
  }
  while (!parts_.empty() && parts_.front().last.index <= taken) {
    base = parts_.front().last;
    under_way_ -= parts_.front().bytes;
    // Half of what it takes may be added to what it lacks.
    allowance += parts_.front().bytes / 2;
    parts_.pop_front();
    progress_at = now;
  }
  if (held.index > base.index)
    base = held;
  if (held.index > sent.index)
    sent = held;
  needed_after = std::max(needed_after, base.index);
}

} // namespace weir
