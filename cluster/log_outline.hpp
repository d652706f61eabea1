#pragma once

#include "cluster/log.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace weir {

/// Where each epoch ends in a log. One primary writes an epoch, so entries of
/// the same index and epoch are the same in all logs, and logs that share one
/// are the same up to there: two outlines tell how far two logs agree. After
/// Kafka's leader epochs (KIP-101).
class log_outline {
public:
  /// The log begins after `x`.
  void begin(const log_position& x);

  /// The next entry.
  void append(const log_position& x);

  /// Entries after `x` are gone.
  /// @pre `x` is in the log
  void cut(const log_position& x);

  /// Entries up to `index` are stored nowhere any more.
  void drop(uint64_t index);

  /// Index before the first entry that is stored.
  uint64_t begin_index() const {
    return begin_;
  }

  const log_position& tail() const {
    return ends_.back();
  }

  /// The last entry of `epoch`, which may be the one before the first.
  std::optional<log_position> last_of(uint64_t epoch) const;

  /// The last entry of every epoch, beyond `index`.
  std::vector<log_position> ends_after(uint64_t index) const;

private:
  uint64_t begin_ = 0;
  /// By epoch; never empty.
  std::vector<log_position> ends_{log_position{}};
};

} // namespace weir
