#pragma once

#include "cluster/log.hpp"
#include "windows/reading.hpp"

#include <map>
#include <optional>

namespace weir {

/// What of a watermark must survive a restart. -1: not yet.
struct watermark_record {
  /// No producer will send anything older, but for lateness.
  time_ms watermark = -1;
  /// Where the watermark goes once no live session holds it: past the last
  /// window of a producer that has ended for good.
  time_ms flushed = -1;
  /// Some session is live: after a restart it has to be waited for.
  bool live = false;

  friend bool operator==(const watermark_record& x, const watermark_record& y) {
    return x.watermark == y.watermark && x.flushed == y.flushed
           && x.live == y.live;
  }
};

/// What a session says of the times of its readings.
struct session_times {
  /// Greatest of its acknowledged prefix; -1: none yet.
  time_ms greatest = -1;
  /// Its input pauses: it holds nobody up.
  bool idle = false;
  bool ended = false;
  /// With `ended`: where to raise the watermark once nobody holds it; -1:
  /// nowhere.
  time_ms flush_to = -1;
};

/// The cluster's watermark: the least of what its live sessions have reached,
/// as far as the wall clock has come. It never goes back.
class watermark_keeper {
public:
  /// Who keeps it from advancing.
  struct holder {
    producer_id producer;
    /// What the session has reached; -1: it has not said anything yet.
    time_ms greatest = -1;
  };

  /// @param idle_after ms after which a session that does not report lets go
  /// @param future_limit times so far beyond the wall clock are nobody's, ms
  void configure(time_ms idle_after, time_ms future_limit) {
    idle_after_ = idle_after;
    future_limit_ = future_limit;
  }

  /// Continues where an earlier coordinator was. Sessions that were live then
  /// have `idle_after` to say so again.
  void load(const watermark_record& x, time_ms now) {
    record_ = x;
    advanced_at_ = now;
    if (x.live)
      settles_at_ = now + idle_after_;
  }

  /// A session begins. It holds the watermark until it reports.
  void open(producer_id producer, time_ms now);

  /// A session is alive, and has come so far. Harmless when repeated.
  void report(producer_id producer, const session_times& x, time_ms now);

  /// Recomputes; to be called a few times in every `idle_after`. If that or
  /// anything before has changed the record, then it must be stored before
  /// anyone acts on it.
  void advance(time_ms now);

  const watermark_record& record() const {
    return record_;
  }

  /// Nobody if no live session holds it.
  std::optional<holder> held_by() const;

  /// Wall clock: until then sessions have time to come back.
  time_ms settles_at() const {
    return settles_at_;
  }

private:
  struct session {
    time_ms greatest = -1;
    time_ms heard = 0;
    bool idle = false;
    bool ended = false;
  };

  void raise(time_ms to, time_ms now);

  watermark_record record_;
  std::map<producer_id, session> sessions_;
  time_ms settles_at_ = 0;
  time_ms advanced_at_ = 0;
  time_ms idle_after_ = 10'000;
  time_ms future_limit_ = 300'000;
};

} // namespace weir
