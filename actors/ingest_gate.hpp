#pragma once

#include "cluster/log.hpp"
#include "cluster/verdict.hpp"
#include "windows/failure.hpp"
#include "windows/reading.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace weir {

/// Where a session takes up its input.
struct session_start {
  producer_id producer;
  uint64_t session = 0;
  /// Records are numbered from `base` + 1.
  uint64_t base = 0;
  /// Every record up to this one was acknowledged before.
  uint64_t prefix = 0;
  /// Resumed: records `base` + 1 to `digest_at` had this digest then. Nothing
  /// may be handed over before they are known to have it still.
  uint64_t digest = 0;
  uint64_t digest_at = 0;
  /// By shard: the last record that is in its log already.
  std::vector<uint64_t> last;
  /// A record dated further ahead of the wall clock is refused, ms.
  time_ms future_limit = 0;
};

/// What the reader can show of a session.
struct session_progress {
  verdict_counts counts;
  /// Every record up to this one is acknowledged, or was dropped.
  uint64_t acknowledged = 0;
  /// Bytes of blocks on their way.
  uint64_t in_flight = 0;
  /// What the session waits for, if anything.
  std::string trouble;
  /// Fewest copies that an acknowledgement spoke of; 0 before the first.
  uint32_t copies = 0;
};

/// Between the thread that reads the input and the ingest actor: here reading
/// waits when the cluster is slower. All functions are for any thread.
class ingest_gate {
public:
  // -- the reader's side

  /// The record with this number was read, whatever becomes of it.
  void read(uint64_t number) {
    read_.store(number, std::memory_order_relaxed);
  }

  /// Waits until the session is open, at most `timeout`.
  result<session_start> wait_open(std::chrono::milliseconds timeout);

  /// Waits while too much is on its way, at most `timeout`.
  /// @returns whether more may be sent; fails if the session has failed
  result<bool> wait_room(std::chrono::milliseconds timeout);

  /// `bytes` were handed to the actor.
  void handed_over(uint64_t bytes);

  /// Waits until everything is acknowledged and reported, at most `timeout`.
  /// @returns whether that is so; fails if the session has failed
  result<bool> wait_end(std::chrono::milliseconds timeout);

  session_progress progress() const;

  /// By shard: the longest time, in ms, in which something was on its way and
  /// nothing was acknowledged. Empty before the end.
  std::vector<int64_t> waits() const;

  // -- the actor's side

  /// Number of the last record read; 0 before the first.
  uint64_t last_read() const {
    return read_.load(std::memory_order_relaxed);
  }

  void opened(session_start x);
  void acknowledged(uint64_t bytes, const session_progress& x);
  void show(const session_progress& x);
  /// @param x bytes that may be on their way altogether
  void set_room(uint64_t x);
  /// One node has as much on its way as it may.
  void set_node_full(bool x);
  /// @param waits by shard: the longest that anything waited there, ms
  void ended(std::vector<int64_t> waits);
  void failed(failure why);

private:
  std::atomic<uint64_t> read_ = 0;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<session_start> start_;
  std::optional<failure> failure_;
  session_progress progress_;
  uint64_t in_flight_ = 0;
  uint64_t room_ = 0;
  bool node_full_ = false;
  bool ended_ = false;
  std::vector<int64_t> waits_;
};

} // namespace weir
