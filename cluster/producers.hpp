#pragma once

#include "cluster/log.hpp"
#include "cluster/verdict.hpp"
#include "windows/bytes.hpp"

#include <map>
#include <string>

namespace weir {

/// What a shard remembers of one producer.
struct producer_state {
  /// The newest run of the producer; older ones are refused.
  uint64_t session = 0;
  /// Position of its last block in the log.
  uint64_t last = 0;
  /// Counts of the present session.
  verdict_counts counts;
  /// Wall clock, ms, of its last entry: random ids expire by it.
  time_ms heard = 0;
};

/// Outcome of asking whether a block may enter the log.
enum class admission : uint8_t {
  /// The block follows the producer's last one.
  fresh,
  /// The log holds it already.
  duplicate,
  /// The block before it is missing; the producer resends from `last`.
  gap,
  /// A newer session of the same producer exists.
  stale_session,
  /// An expired or never seen producer that claims to have sent before.
  unknown_producer,
  /// The shard knows as many producers as it may.
  too_many,
};

/// The producers of one shard and where each stands in its input: deduplicates
/// what is sent again. A shard holds two: one at the end of its log, one at
/// what is applied.
class producer_table {
public:
  /// Says whether a block of `producer` may follow, changing nothing.
  /// @param limit number of producers that the shard remembers at most
  admission check(producer_id producer, uint64_t session, uint64_t after,
                  uint64_t position, size_t limit) const;

  /// Enters a block or a session, as a log entry says it.
  /// @pre the log only holds what `check` called fresh
  producer_state& enter(producer_id producer, uint64_t session,
                        uint64_t position, time_ms heard);

  /// Forgets `producer`.
  void forget(producer_id producer) {
    states_.erase(producer);
  }

  const producer_state* find(producer_id producer) const;

  const std::map<producer_id, producer_state>& all() const {
    return states_;
  }

  void encode(byte_writer out) const;

  /// False when the bytes are not what `encode` wrote.
  bool decode(byte_reader& in);

private:
  std::map<producer_id, producer_state> states_;
};

} // namespace weir
