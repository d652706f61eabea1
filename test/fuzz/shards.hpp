#pragma once

#include "cluster/shard.hpp"
#include "test/fuzz/fuzz.hpp"

#include <string>
#include <utility>
#include <vector>

namespace weir::fuzz {

/// What there is to be asked of a shard, asked.
inline void look(const shard& x) {
  auto resolved = time_ms{0};
  for (auto at : {time_min, time_ms{1'700'000'000'000}, time_max})
    x.average("a", 0, "value", at, 60'000, -1, at, resolved);
  x.clock(time_max);
  x.rollups().windows(window_plan::always, window_plan::forever, true, 100);
  auto upto = time_ms{0};
  x.rollups().sealed(window_plan::always, window_plan::forever, 1 << 16, upto);
}

/// A shard that was written to checkpoint chunks and read from them is the
/// same.
inline void require_checkpoint(shard& x) {
  require(x.begin_checkpoint(true), "a full checkpoint is full");
  auto chunks = std::vector<std::string>{};
  for (auto chunk = std::string{}; x.table().next_chunk(2, chunk);
       chunk.clear())
    chunks.push_back(chunk);
  auto y = shard{x.id(), 1};
  require(y.load_meta(x.checkpoint_meta()).has_value(), "a checkpoint loads");
  for (auto& chunk : chunks)
    require(y.load_chunk(chunk, x.applied().index).has_value(),
            "a chunk loads");
  require(y.finish_recovery().has_value(), "a checkpoint is whole");
  require(y.applied() == x.applied(), "a checkpoint keeps its place");
  require(y.table().digest() == x.table().digest(),
          "a checkpoint keeps the averages");
  require(bytes_of(y.rollups()) == bytes_of(x.rollups()),
          "a checkpoint keeps the windows");
  require(y.digest() == x.digest(), "a checkpoint keeps the state");
}

/// What a primary does after a recovery.
inline void lead(shard& x) {
  constexpr auto now = time_ms{1'700'000'000'000};
  if (x.epoch() == UINT64_MAX)
    return;
  x.lead(x.epoch() + 1);
  x.admit_clock(now);
  x.admit_expiry(now);
  x.admit_session({1, 1}, 1, now);
  x.admit_seal({0, now, false});
  x.commit(x.tail().index);
  x.admit_release(now);
  x.commit(x.tail().index);
  while (!x.table().sweep(1000)) {
    // Goes on.
  }
}

} // namespace weir::fuzz
