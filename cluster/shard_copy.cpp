#include "cluster/shard_copy.hpp"

#include <algorithm>

namespace weir {

namespace {

log_position position_of(const log_entry& x) {
  return {x.index, x.epoch, x.chain};
}

} // namespace

shard_copy::shard_copy(uint32_t shard, uint32_t shards)
  : state_(shard, shards) {
  // nop
}

// -- recovery

result<void> shard_copy::load_meta(const shard_meta& x) {
  if (auto res = state_.load_meta(x); !res)
    return res;
  recovered_at_ = x.end.index;
  outline_.begin(state_.replay_start());
  return {};
}

result<void> shard_copy::replay(entry_ptr x, uint64_t committed) {
  return add(std::move(x), committed);
}

result<void> shard_copy::finish_recovery() {
  if (recovering_) {
    if (auto res = state_.finish_recovery(); !res)
      return res;
    recovering_ = false;
  }
  stored_ = state_.tail();
  return {};
}

result<void> shard_copy::add(entry_ptr x, uint64_t committed) {
  auto at = position_of(*x);
  // A copy without a checkpoint, or at its end, has nothing left to recover.
  auto through = std::max(recovered_at_, committed);
  if (recovering_ && at.index > through) {
    if (auto res = state_.finish_recovery(); !res)
      return res;
    recovering_ = false;
  }
  auto res = recovering_ ? state_.replay(*x) : state_.follow(std::move(x));
  if (res)
    outline_.append(at);
  return res;
}

// -- another one's log

std::optional<log_position> shard_copy::position_at(uint64_t index) const {
  auto& applied = state_.applied();
  if (index == applied.index)
    return applied;
  if (recovering_ || index < applied.index)
    return std::nullopt;
  auto entry = state_.uncommitted_at(index);
  return entry != nullptr ? std::optional{position_of(*entry)} : std::nullopt;
}

merge_result shard_copy::merge(const log_position& previous,
                               const std::vector<entry_ptr>& entries) {
  auto res = merge_result{};
  auto applied = state_.applied();
  auto first = size_t{0};
  auto at = previous;
  // What is applied can't be looked up; the entry at its end stands for it.
  while (at.index < applied.index && first < entries.size())
    at = position_of(*entries[first++]);
  auto known = position_at(at.index);
  if (!known || !(*known == at)) {
    res.what = at.index > tail().index ? merge_result::outcome::gap
                                       : merge_result::outcome::diverged;
    return res;
  }
  res.upto = at.index;
  for (; first < entries.size(); ++first) {
    auto& x = entries[first];
    if (auto mine = position_at(x->index)) {
      if (*mine == position_of(*x)) {
        res.upto = x->index;
        continue;
      }
      state_.cut(x->index - 1);
      outline_.cut(state_.tail());
      if (stored_.index >= x->index)
        stored_ = state_.tail();
      res.cut = x->index - 1;
    }
    if (auto added = add(x, 0); !added) {
      res.what = merge_result::outcome::damaged;
      res.text = std::move(added.error().text);
      return res;
    }
    res.upto = x->index;
    res.appended.push_back(x);
  }
  return res;
}

// -- own log

void shard_copy::appended(const log_entry& x) {
  outline_.append(position_of(x));
}

bool shard_copy::store(const log_position& x) {
  auto mine = position_at(x.index);
  if (!mine || !(*mine == x) || x.index <= stored_.index)
    return false;
  stored_ = x;
  return true;
}

} // namespace weir
