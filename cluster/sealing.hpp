#pragma once

#include "windows/rollup_table.hpp"

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace weir {

/// Before all time.
constexpr time_ms before_time = std::numeric_limits<time_ms>::min();

/// Windows to seal, and to collect from all shards. Always means the same
/// windows, and the same totals, because a sealed window never changes: an
/// answer that was meant for an earlier request is as good.
struct seal_range {
  /// The windows that end in (after, through].
  time_ms after = before_time;
  time_ms through = before_time;
  /// Just the one that ends at `through`: it was closed by hand.
  bool single = false;

  friend bool operator==(const seal_range& x, const seal_range& y) {
    return x.after == y.after && x.through == y.through && x.single == y.single;
  }
};

/// Totals of a window of which no shard holds back anything.
struct final_window {
  window_bounds bounds;
  std::vector<metric_partial> metrics;
};

/// Collects the partials of sealed windows until every shard is covered exactly
/// once. No messages, no storage: whoever uses it asks, and stores.
class window_sealer {
public:
  /// A shard that was asked is asked again after this, ms: as long as a node
  /// takes to seal all its shards on a busy disk.
  static constexpr time_ms ask_again_after = 2'000;

  explicit window_sealer(uint32_t shards) : shards_(shards) {
    // nop
  }

  /// What is being collected.
  const std::optional<seal_range>& range() const {
    return range_;
  }

  /// @pre `!range()`
  void begin(const seal_range& x);

  /// Shards that were not yet heard of and should be asked now.
  std::vector<uint32_t> due(time_ms now);

  /// Whoever was asked for `shard` is gone: it is due again.
  void ask_again(uint32_t shard) {
    shards_[shard].asked = false;
  }

  bool covered(uint32_t shard) const {
    return shards_[shard].covered;
  }

  /// Merged partials of `shards`, of the windows of `range` up to `upto`.
  /// @returns false if it was dropped: not what is being collected, or some
  ///          shard is covered already
  bool take(const seal_range& range, const std::vector<uint32_t>& shards,
            time_ms upto, const std::vector<window_partial>& windows);

  /// If all shards are covered: the totals of all windows up to `upto`, the
  /// least that any answer reached. Nothing is being collected then; what is
  /// beyond `upto` has to be collected anew.
  std::optional<std::vector<final_window>> finish(time_ms& upto);

private:
  struct shard_state {
    bool covered = false;
    bool asked = false;
    time_ms asked_at = 0;
  };

  std::optional<seal_range> range_;
  std::vector<shard_state> shards_;
  size_t covered_ = 0;
  time_ms upto_ = 0;
  std::vector<window_partial> merged_;
};

} // namespace weir
