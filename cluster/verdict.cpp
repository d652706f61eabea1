#include "cluster/verdict.hpp"

#include "cluster/envelope.hpp"
#include "windows/bytes.hpp"

#include <algorithm>

namespace weir {

block_verdict decide(const std::vector<reading>& readings, shard_clock before,
                     const verdict_options& options, time_ms now) {
  auto res = block_verdict{};
  auto& [event_max, clock] = res.clock;
  res.clock = before;
  res.decided = now;
  // In event time, "now" is the greatest time seen, but a source whose clock
  // runs ahead must not make everyone else late.
  auto reference = options.wall_clock ? now : std::min(event_max, now);
  for (auto i = size_t{0}; i < readings.size(); ++i) {
    auto t = readings[i].time;
    if (t > now && t - now > options.future_limit) {
      ++res.counts.future;
      res.skip.push_back(static_cast<uint32_t>(i));
    } else if (reference >= 0 && t <= reference - options.retention) {
      ++res.counts.late;
      res.skip.push_back(static_cast<uint32_t>(i));
    } else {
      ++res.counts.accepted;
      if (t > event_max) {
        event_max = t;
        if (!options.wall_clock)
          reference = std::min(t, now);
      }
    }
  }
  if (event_max >= 0)
    clock = std::max(clock, options.wall_clock ? now : reference);
  return res;
}

std::string encode_verdict(const block_verdict& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.zigzag(x.clock.event_max);
  out.zigzag(x.clock.clock);
  out.zigzag(x.decided);
  out.varint(x.counts.accepted);
  out.varint(x.counts.late);
  out.varint(x.counts.future);
  auto previous = uint32_t{0};
  for (auto i : x.skip) {
    out.varint(i - previous);
    previous = i;
  }
  return res;
}

result<block_verdict> decode_verdict(std::string_view bytes, size_t readings) {
  auto res = block_verdict{};
  auto in = byte_reader{bytes};
  res.clock.event_max = in.zigzag();
  res.clock.clock = in.zigzag();
  res.decided = in.zigzag();
  res.counts.accepted = in.varint();
  res.counts.late = in.varint();
  res.counts.future = in.varint();
  auto i = uint64_t{0};
  auto first = true;
  while (in.ok() && in.remaining() > 0) {
    auto delta = in.varint();
    if ((delta == 0 && !first) || delta >= readings) {
      in.fail();
      break;
    }
    first = false;
    i += delta;
    if (i >= readings) {
      in.fail();
      break;
    }
    res.skip.push_back(static_cast<uint32_t>(i));
  }
  auto& [accepted, late, future, refused] = res.counts;
  // None beyond the sum, which could wrap to what it should be.
  if (!in.ok() || !is_clock_time(res.clock.event_max)
      || !is_clock_time(res.clock.clock) || !is_clock_time(res.decided)
      || accepted > readings || late > readings || future > readings
      || late + future != res.skip.size() || res.counts.total() != readings)
    return fail(ec::damaged, "a block's verdict does not decode");
  return res;
}

} // namespace weir
