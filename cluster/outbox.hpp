#pragma once

#include "windows/failure.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace weir {

/// A block on its way, kept until it is acknowledged.
struct outgoing_block {
  /// Number of its first record in the producer's input.
  uint64_t first = 0;
  /// As in `block_header`.
  uint64_t after = 0;
  uint64_t position = 0;
  std::shared_ptr<const std::string> bytes;
};

/// The producer's end of the append protocol: blocks of each shard leave in
/// order, stay until acknowledged, and leave again when the shard refuses them
/// or moves. Knows no network and no clock.
///
/// Every time that a shard's blocks have to go out again is a new *attempt*,
/// which the shard repeats in its answers: a refusal of an older one is old
/// news, so a single lost block doesn't make every block behind it go out
/// twice.
class outbox {
public:
  explicit outbox(uint32_t shards) : shards_(shards) {
    // nop
  }

  /// @pre `x.after` is the position of the block added before it for `shard`
  void add(uint32_t shard, outgoing_block x);

  /// The next block of `shard` that has not left in the present attempt, or
  /// null. It counts as sent from now on.
  const outgoing_block* take(uint32_t shard);

  bool has_unsent(uint32_t shard) const;

  /// Everything of `shard` up to `position` is in its log for good.
  /// @returns bytes that are free now
  size_t acknowledge(uint32_t shard, uint64_t position);

  /// Begins a new attempt with all that is not acknowledged, unless `attempt`
  /// is not the present one.
  /// @returns whether it did
  bool restart(uint32_t shard, uint32_t attempt);

  /// As `restart`, after the shard named `last` as the end of its log for us.
  /// Fails if the block that should follow was acknowledged before this attempt
  /// began: then the shard has lost what it acknowledged.
  result<bool> restart_after(uint32_t shard, uint32_t attempt, uint64_t last);

  uint32_t attempt(uint32_t shard) const {
    return shards_[shard].attempt;
  }

  bool empty() const {
    return blocks_ == 0;
  }

  bool empty(uint32_t shard) const {
    return shards_[shard].blocks.empty();
  }

  /// Bytes of all blocks not yet acknowledged.
  size_t bytes() const {
    return bytes_;
  }

  size_t bytes(uint32_t shard) const {
    return shards_[shard].bytes;
  }

  /// Number of the first record that is not acknowledged; UINT64_MAX if all of
  /// them are.
  uint64_t first_unacknowledged() const;

  uint32_t shards() const {
    return static_cast<uint32_t>(shards_.size());
  }

private:
  struct shard_lane {
    std::deque<outgoing_block> blocks;
    /// How many of them have left in the present attempt.
    size_t sent = 0;
    uint32_t attempt = 1;
    /// Something was acknowledged in the present attempt, which a refusal of
    /// that attempt may not know yet.
    bool acknowledged = false;
    size_t bytes = 0;
  };

  std::vector<shard_lane> shards_;
  size_t blocks_ = 0;
  size_t bytes_ = 0;
};

} // namespace weir
