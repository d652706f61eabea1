#include "cluster/sealing.hpp"

#include <algorithm>
#include <cassert>

namespace weir {

void window_sealer::begin(const seal_range& x) {
  assert(!range_);
  range_ = x;
  upto_ = x.through;
  covered_ = 0;
  merged_.clear();
  std::fill(shards_.begin(), shards_.end(), shard_state{});
}

std::vector<uint32_t> window_sealer::due(time_ms now) {
  auto res = std::vector<uint32_t>{};
  if (!range_)
    return res;
  for (auto i = size_t{0}; i < shards_.size(); ++i) {
    auto& x = shards_[i];
    if (x.covered || (x.asked && now - x.asked_at < ask_again_after))
      continue;
    x.asked = true;
    x.asked_at = now;
    res.push_back(static_cast<uint32_t>(i));
  }
  return res;
}

bool window_sealer::take(const seal_range& range,
                         const std::vector<uint32_t>& shards, time_ms upto,
                         const std::vector<window_partial>& windows) {
  if (!range_ || !(*range_ == range) || upto > range.through)
    return false;
  auto sorted = shards;
  std::sort(sorted.begin(), sorted.end());
  auto usable = [this](uint32_t shard) {
    return shard < shards_.size() && !shards_[shard].covered;
  };
  // Its sums can't be taken apart: one shard too many spoils them all.
  if (!std::all_of(sorted.begin(), sorted.end(), usable)
      || std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    return false;
  for (auto shard : sorted)
    shards_[shard].covered = true;
  covered_ += sorted.size();
  upto_ = std::min(upto_, upto);
  merge(merged_, windows);
  return true;
}

std::optional<std::vector<final_window>> window_sealer::finish(time_ms& upto) {
  if (!range_ || covered_ < shards_.size())
    return std::nullopt;
  auto res = std::vector<final_window>{};
  for (auto& x : merged_)
    if (x.bounds.end <= upto_)
      res.push_back({x.bounds, std::move(x.metrics)});
  upto = upto_;
  range_.reset();
  merged_.clear();
  return res;
}

} // namespace weir
