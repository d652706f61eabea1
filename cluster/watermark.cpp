#include "cluster/watermark.hpp"

#include <algorithm>
#include <iterator>

namespace weir {

namespace {

/// A coordinator looks at its clock every heartbeat; one that did not for so
/// long was stopped, however short `idle_after` is. ms
constexpr time_ms pause_least = 1'000;

} // namespace

void watermark_keeper::open(producer_id producer, time_ms now) {
  // One that takes over begins anew: it may send what its predecessor did.
  auto x = session{};
  x.heard = now;
  sessions_[producer] = x;
  record_.live = true;
}

void watermark_keeper::report(producer_id producer, const session_times& x,
                              time_ms now) {
  auto& to = sessions_[producer];
  record_.live = true;
  to.heard = now;
  to.idle = x.idle;
  to.ended = x.ended;
  // What the shards refuse as being from the future is no progress.
  if (x.greatest > now + future_limit_)
    return;
  to.greatest = std::max(to.greatest, x.greatest);
  if (x.ended)
    record_.flushed = std::max(record_.flushed, x.flush_to);
}

void watermark_keeper::raise(time_ms to, time_ms now) {
  record_.watermark = std::max(record_.watermark, std::min(to, now));
}

void watermark_keeper::advance(time_ms now) {
  // A coordinator that was stopped for a while has heard nobody meanwhile.
  if (now - advanced_at_ > std::max(idle_after_ / 2, pause_least))
    settles_at_ = now + idle_after_;
  // Nor must a clock that was set back make anyone wait until it is there
  // again.
  settles_at_ = std::min(settles_at_, now + idle_after_);
  advanced_at_ = now;
  if (now < settles_at_)
    return;
  for (auto i = sessions_.begin(); i != sessions_.end();) {
    auto& x = i->second;
    auto lost = !x.ended && now - x.heard >= idle_after_;
    i = lost ? sessions_.erase(i) : std::next(i);
  }
  // Idle and ended sessions count with what they have reached, and hold nobody:
  // an idle one not even one that has ended, which counts just once.
  auto least_of = [this](bool with_idle, bool with_ended) {
    auto res = std::optional<time_ms>{};
    for (auto& [id, x] : sessions_)
      if ((with_idle || !x.idle) && (with_ended || !x.ended))
        res = std::min(res.value_or(x.greatest), x.greatest);
    return res;
  };
  if (auto least = least_of(true, true))
    raise(*least, now);
  if (auto least = least_of(false, true))
    raise(*least, now);
  raise(least_of(false, false).value_or(record_.flushed), now);
  for (auto i = sessions_.begin(); i != sessions_.end();)
    i = i->second.ended ? sessions_.erase(i) : std::next(i);
  record_.live = !sessions_.empty();
}

std::optional<watermark_keeper::holder> watermark_keeper::held_by() const {
  auto res = std::optional<holder>{};
  for (auto& [id, x] : sessions_)
    if (!x.idle && !x.ended && (!res || x.greatest < res->greatest))
      res = holder{id, x.greatest};
  return res;
}

} // namespace weir
