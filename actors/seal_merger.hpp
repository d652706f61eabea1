#pragma once

#include "messages/local.hpp"

#include <chrono>
#include <optional>
#include <set>
#include <vector>

namespace weir {

/// A node's part of sealing windows: waits for its shards and makes one message
/// of what they say, so that traffic grows with nodes and metrics alone.
class seal_merger {
public:
  using clock = std::chrono::steady_clock;

  /// The slowest shard is waited for so long; what the others said goes without
  /// it then.
  static constexpr auto patience = std::chrono::milliseconds{1000};

  /// Totals in one message, unless a single window has more: some 50 bytes
  /// each, so that it stays below a megabyte.
  static constexpr size_t cells_max = 16'384;

  /// The coordinator wants these shards; they have been asked.
  void expect(const seal_range& range, const std::vector<uint32_t>& shards,
              clock::time_point now);

  /// A shard's part; dropped if nobody wants it.
  void take(const shard_sealed& x);

  /// What there is to send, if all shards are in or patience is over. `node` is
  /// left empty.
  std::optional<sealed_partials> finish(clock::time_point now);

private:
  std::optional<seal_range> range_;
  std::set<uint32_t> missing_;
  std::vector<uint32_t> covered_;
  std::vector<window_partial> merged_;
  time_ms upto_ = 0;
  clock::time_point since_;
};

} // namespace weir
