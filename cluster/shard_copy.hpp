#pragma once

#include "cluster/log_outline.hpp"
#include "cluster/replication.hpp"
#include "cluster/shard.hpp"

#include <optional>
#include <string>
#include <vector>

namespace weir {

/// What came of a part of the primary's log.
struct merge_result {
  enum class outcome : uint8_t {
    /// The log is the primary's up to `upto`.
    merged,
    /// The part begins beyond the end of the log.
    gap,
    /// The log does not hold the entry before the part.
    diverged,
    /// The part is not what a primary sends; see `text`.
    damaged,
  };

  outcome what = outcome::merged;
  uint64_t upto = 0;
  /// Everything after this index was another log's, and is gone.
  std::optional<uint64_t> cut;
  /// What is new, in order.
  std::vector<entry_ptr> appended;
  std::string text;
};

/// A shard with the outline of its log, and how much of it is on the disk.
class shard_copy {
public:
  shard_copy(uint32_t shard, uint32_t shards);

  // -- recovery

  result<void> load_meta(const shard_meta& x);

  result<void> load_chunk(std::string_view chunk, uint64_t covers) {
    return state_.load_chunk(chunk, covers);
  }

  /// The next entry of the log. Up to `committed`, and up to the checkpoint's
  /// end, it is applied.
  result<void> replay(entry_ptr x, uint64_t committed);

  /// The log read so far is all there is, and is on the disk. Fails if it ends
  /// before the checkpoint.
  result<void> finish_recovery();

  /// The checkpoint's end is not reached yet.
  bool recovering() const {
    return recovering_;
  }

  // -- another one's log

  /// Takes what is new in a part of the primary's log. What is committed is
  /// never given up.
  merge_result merge(const log_position& previous,
                     const std::vector<entry_ptr>& entries);

  /// The entry of `index`, from the last applied one to the tail.
  std::optional<log_position> position_at(uint64_t index) const;

  // -- own log

  /// An entry that the shard has just made.
  void appended(const log_entry& x);

  /// Everything up to `x` is on the disk.
  /// @returns whether that is news, and true of this log
  bool store(const log_position& x);

  const log_position& stored() const {
    return stored_;
  }

  const log_position& tail() const {
    return recovering_ ? state_.applied() : state_.tail();
  }

  const log_outline& outline() const {
    return outline_;
  }

  void drop(uint64_t index) {
    outline_.drop(index);
  }

  shard& state() {
    return state_;
  }

  const shard& state() const {
    return state_;
  }

private:
  result<void> add(entry_ptr x, uint64_t committed);

  shard state_;
  log_outline outline_;
  log_position stored_;
  bool recovering_ = true;
  /// Where the checkpoint ends.
  uint64_t recovered_at_ = 0;
};

} // namespace weir
