#pragma once

#include "windows/failure.hpp"
#include "windows/reading.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// What became of readings, counted. See docs/formats.md, "The ledger".
struct verdict_counts {
  uint64_t accepted = 0;
  uint64_t late = 0;
  uint64_t future = 0;
  /// Past a named limit (metrics of an entity, entities of a shard).
  uint64_t refused = 0;

  verdict_counts& operator+=(const verdict_counts& x) {
    accepted += x.accepted;
    late += x.late;
    future += x.future;
    refused += x.refused;
    return *this;
  }

  uint64_t total() const {
    return accepted + late + future + refused;
  }
};

/// Event time as one shard knows it.
struct shard_clock {
  /// Greatest time of an accepted reading; -1 before the first.
  time_ms event_max = -1;
  /// `event_max`, or the cluster's clock where that was heard to be greater and
  /// the shard idle; never past the wall clock. Readings at or before clock -
  /// retention are forgotten. -1 before the first reading.
  time_ms clock = -1;
};

/// What a primary decides about a block before it is written, so that the log
/// alone determines the state.
struct block_verdict {
  verdict_counts counts;
  /// Indexes of the readings that do not count, ascending.
  std::vector<uint32_t> skip;
  /// The shard's clock after this block.
  shard_clock clock;
  /// Wall clock when it was decided: producers expire by it, on every replica
  /// alike.
  time_ms decided = 0;
};

/// The settings that verdicts depend on.
struct verdict_options {
  time_ms retention = 70'000;
  time_ms future_limit = 300'000;
  /// Lateness is measured against the wall clock, not against event time.
  bool wall_clock = false;
};

/// Decides about `readings` one by one, in order: the outcome doesn't depend on
/// how a producer cut its readings into blocks. Late is measured against the
/// shard's own greatest event time, never against another shard's, so that a
/// shard that was away for a while loses nothing when producers resend.
/// @param before the clock after the previous entry of the log
/// @param now the wall clock
block_verdict decide(const std::vector<reading>& readings, shard_clock before,
                     const verdict_options& options, time_ms now);

/// The envelope of a block entry.
std::string encode_verdict(const block_verdict& x);

/// @param readings number of readings of the entry's block
result<block_verdict> decode_verdict(std::string_view bytes, size_t readings);

} // namespace weir
