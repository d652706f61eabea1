#pragma once

#include "cluster/replica_effects.hpp"

#include <cstdint>
#include <deque>
#include <optional>

namespace weir {

/// What a primary knows of one process that follows it, and what is on the way
/// there.
class peer {
public:
  /// A checkpoint on its way.
  struct transfer {
    uint64_t id = 0;
    /// Empty while it is being opened.
    std::optional<copy_begin> begin;
    /// The other side has it.
    bool begun = false;
    bool reading = false;
    /// Chunks.
    uint64_t sent = 0;
    uint64_t taken = 0;
  };

  /// @param at where its log is hoped to agree with ours
  peer(member who, bool is_learner, const log_position& at, int64_t now);

  /// A new epoch: what it holds has to be shown anew.
  void begin_epoch(int64_t now);

  /// It was found to agree with our log up to `x`: sending goes on from there.
  void rewind(const log_position& x);

  /// Entries up to `last` are on their way.
  void sending(const log_position& last, uint64_t bytes, int64_t now);

  /// It holds, durably, what we hold up to `held`, and has room for more than
  /// `taken`.
  void acknowledged(const log_position& held, uint64_t taken, int64_t now);

  /// Something came of what was sent.
  void progressed(int64_t now) {
    progress_at = now;
  }

  /// Bytes sent and not yet taken.
  uint64_t under_way() const {
    return under_way_;
  }

  member who;
  bool learner = false;
  /// Its connection is lost, another process runs in its place, or it says that
  /// it can't follow.
  bool lost = false;
  /// The last entry that was sent, and the last one that it has taken, or where
  /// sending began.
  log_position sent;
  log_position base;
  /// In this epoch; index 0 before the first acknowledgement.
  log_position held;
  /// Entries after this may still be needed.
  uint64_t needed_after = 0;
  /// A part of the journal is being read.
  bool reading = false;
  std::optional<transfer> copy;
  int64_t progress_at = 0;
  /// When it last acknowledged anything, old or new.
  int64_t heard_at = 0;
  int64_t sent_at = 0;
  int64_t rewound_at = 0;
  /// Bytes by which the log has grown since it last kept up, and how many more
  /// may be admitted in spite of that.
  uint64_t grown = 0;
  uint64_t allowance = 0;

private:
  struct part {
    log_position last;
    uint64_t bytes = 0;
  };

  std::deque<part> parts_;
  uint64_t under_way_ = 0;
};

} // namespace weir
