#include "actors/seal_merger.hpp"

#include <algorithm>
#include <iterator>

namespace weir {

void seal_merger::expect(const seal_range& range,
                         const std::vector<uint32_t>& shards,
                         clock::time_point now) {
  if (!range_ || !(*range_ == range)) {
    *this = {};
    range_ = range;
    upto_ = range.through;
  }
  since_ = now;
  for (auto shard : shards)
    if (std::find(covered_.begin(), covered_.end(), shard) == covered_.end())
      missing_.insert(shard);
}

void seal_merger::take(const shard_sealed& x) {
  if (!range_ || !(*range_ == x.range) || missing_.erase(x.shard) == 0)
    return;
  covered_.push_back(x.shard);
  upto_ = std::min(upto_, x.upto);
  merge(merged_, *x.windows);
}

std::optional<sealed_partials> seal_merger::finish(clock::time_point now) {
  if (covered_.empty() || (!missing_.empty() && now - since_ < patience))
    return std::nullopt;
  auto res = sealed_partials{};
  res.range = *range_;
  res.shards = std::move(covered_);
  res.upto = upto_;
  // Others end later, but some shard has not told all of that.
  merged_.erase(std::find_if(merged_.begin(), merged_.end(),
                             [this](auto& x) {
                               return x.bounds.end > upto_;
                             }),
                merged_.end());
  // Shards that have few windows in common have more of them together than one
  // alone would send. The others are asked for again.
  auto cells = size_t{0};
  auto rest = std::find_if(merged_.begin(), merged_.end(), [&](auto& x) {
    cells += x.metrics.size();
    return cells > cells_max;
  });
  if (rest == merged_.begin() && rest != merged_.end())
    ++rest;
  if (rest != merged_.end()) {
    res.upto = std::prev(rest)->bounds.end;
    merged_.erase(rest, merged_.end());
  }
  auto out = byte_writer{res.windows};
  encode_windows(merged_, out);
  covered_.clear();
  merged_.clear();
  upto_ = range_->through;
  return res;
}

} // namespace weir
