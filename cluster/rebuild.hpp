#pragma once

#include "cluster/replica_effects.hpp"
#include "cluster/shard_copy.hpp"

#include <memory>
#include <vector>

namespace weir {

/// A copy in the making at a learner, from a checkpoint of the primary's and
/// the log after it, beside the copy that is there: that one may be the last
/// one to hold something, and goes when the new one holds as much.
class rebuild {
public:
  /// @param local number of this attempt, at this node
  /// @param shards number of shards of the cluster
  rebuild(uint64_t local, const copy_begin& x, uint32_t shards);

  /// It is the copy that `x` or `from` means.
  bool is(const member& from, uint64_t transfer) const {
    return begin_.from == from && begin_.transfer == transfer;
  }

  const member& from() const {
    return begin_.from;
  }

  uint64_t transfer() const {
    return begin_.transfer;
  }

  uint64_t local() const {
    return local_;
  }

  /// Loads the checkpoint's beginning.
  result<void> begin();

  /// @returns whether it was the next one
  result<bool> add_chunk(const copy_chunk& x);

  uint64_t chunks() const {
    return chunks_;
  }

  /// All of the checkpoint is there: the log may follow.
  bool has_checkpoint() const {
    return chunks_ == begin_.chunks;
  }

  /// Takes a part of the log.
  merge_result merge(const replicate& x);

  /// It holds all that a log up to `old` may hold, and its checkpoint is
  /// consistent.
  bool replaces(const log_position& old) const;

  /// Gives it up for installation.
  /// @pre replaces(...)
  new_copy_install install();

  /// Waits for `copy_installed`.
  bool installing() const {
    return installing_;
  }

  const shard_copy& copy() const {
    return *copy_;
  }

  std::unique_ptr<shard_copy> take() {
    return std::move(copy_);
  }

private:
  uint64_t local_;
  copy_begin begin_;
  std::unique_ptr<shard_copy> copy_;
  /// Where the log begins.
  log_position after_;
  std::vector<entry_ptr> log_;
  uint64_t chunks_ = 0;
  bool installing_ = false;
};

} // namespace weir
