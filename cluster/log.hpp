#pragma once

#include "windows/bytes.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

// The log of a shard: what a journal stores and, later, replicas exchange.

namespace weir {

/// 128 bits, random or derived from a name.
struct producer_id {
  uint64_t high = 0;
  uint64_t low = 0;

  friend bool operator==(const producer_id& x, const producer_id& y) {
    return x.high == y.high && x.low == y.low;
  }

  friend bool operator!=(const producer_id& x, const producer_id& y) {
    return !(x == y);
  }

  friend bool operator<(const producer_id& x, const producer_id& y) {
    return x.high != y.high ? x.high < y.high : x.low < y.low;
  }
};

/// What an entry does. Values are stored: they never change meaning.
enum class entry_kind : uint8_t {
  /// First entry of an epoch: whoever commits it may serve.
  noop = 1,
  /// Readings of a producer.
  block = 2,
  /// A producer's new session; older ones are refused from here on.
  session = 3,
  /// The cluster's settings, from here on.
  settings = 4,
  /// The cluster's clock, so that an idle shard forgets in step.
  clock = 5,
  /// Producers that have not been heard of for too long.
  expire = 6,
  /// Which windows over all entities there are, from here on.
  plan = 7,
  /// Nothing more enters some of these windows.
  seal = 8,
  /// The results of windows are stored elsewhere: they may be forgotten.
  release = 9,
};

/// One entry of one shard's log.
struct log_entry {
  uint32_t shard = 0;
  /// 1, 2, 3, ... without a gap.
  uint64_t index = 0;
  uint64_t epoch = 0;
  entry_kind kind = entry_kind::noop;
  producer_id producer;
  uint64_t session = 0;
  /// Position of the producer's previous block for this shard.
  uint64_t after = 0;
  /// Number of the block's last record in the producer's input.
  uint64_t position = 0;
  /// What the primary decided: verdicts, clock. Or the entry's own content,
  /// for every kind but `block`.
  std::string envelope;
  /// The producer's block, unchanged; kept alive by `keep`.
  std::string_view block;
  std::shared_ptr<const void> keep;
  /// XXH3-64 of every field above.
  uint64_t crc = 0;
  /// XXH3-64 of the previous entry's chain value and `crc`: two logs with the
  /// same chain value at an index are the same up to there.
  uint64_t chain = 0;
};

/// An entry's place in a log, or the end of one.
struct log_position {
  uint64_t index = 0;
  uint64_t epoch = 0;
  uint64_t chain = 0;

  friend bool operator==(const log_position& x, const log_position& y) {
    return x.index == y.index && x.epoch == y.epoch && x.chain == y.chain;
  }
};

/// XXH3-64 of all fields of `x` but `crc`, `chain` and `keep`.
uint64_t entry_crc(const log_entry& x);

/// The chain value of an entry with checksum `crc` after one with `previous`
/// (0 before the first).
uint64_t chain_after(uint64_t previous, uint64_t crc);

} // namespace weir
