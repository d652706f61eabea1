#include "cluster/outbox.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace weir {

void outbox::add(uint32_t shard, outgoing_block x) {
  auto& lane = shards_[shard];
  assert(lane.blocks.empty() || lane.blocks.back().position == x.after);
  lane.bytes += x.bytes->size();
  bytes_ += x.bytes->size();
  ++blocks_;
  lane.blocks.push_back(std::move(x));
}

const outgoing_block* outbox::take(uint32_t shard) {
  if (!has_unsent(shard))
    return nullptr;
  auto& lane = shards_[shard];
  return &lane.blocks[lane.sent++];
}

bool outbox::has_unsent(uint32_t shard) const {
  return shards_[shard].sent < shards_[shard].blocks.size();
}

size_t outbox::acknowledge(uint32_t shard, uint64_t position) {
  auto& lane = shards_[shard];
  auto freed = size_t{0};
  while (!lane.blocks.empty() && lane.blocks.front().position <= position) {
    freed += lane.blocks.front().bytes->size();
    --blocks_;
    if (lane.sent > 0)
      --lane.sent;
    lane.blocks.pop_front();
    lane.acknowledged = true;
  }
  lane.bytes -= freed;
  bytes_ -= freed;
  return freed;
}

bool outbox::restart(uint32_t shard, uint32_t attempt) {
  auto& lane = shards_[shard];
  if (attempt != lane.attempt)
    return false;
  ++lane.attempt;
  lane.acknowledged = false;
  lane.sent = 0;
  return true;
}

result<bool> outbox::restart_after(uint32_t shard, uint32_t attempt,
                                   uint64_t last) {
  auto& lane = shards_[shard];
  auto& blocks = lane.blocks;
  auto next = std::find_if(blocks.begin(), blocks.end(), [=](auto& x) {
    return x.after == last;
  });
  if (attempt == lane.attempt && !lane.acknowledged && !blocks.empty()
      && last < blocks.front().after)
    return fail(ec::damaged,
                fmt::format("shard {} has lost what it acknowledged: its log "
                            "ends at record {} of this producer, but record {} "
                            "was acknowledged",
                            shard, last, blocks.front().after));
  if (!restart(shard, attempt))
    return false;
  // What lies before `last` is in the log, though perhaps not yet for good: it
  // stays until it is acknowledged, but needs not go out again.
  if (next != blocks.end())
    lane.sent = static_cast<size_t>(next - blocks.begin());
  return true;
}

uint64_t outbox::first_unacknowledged() const {
  auto res = UINT64_MAX;
  for (auto& lane : shards_)
    if (!lane.blocks.empty())
      res = std::min(res, lane.blocks.front().first);
  return res;
}

} // namespace weir
