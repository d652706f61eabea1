#include "cluster/rollups.hpp"

#include "test/fuzz/fuzz.hpp"

#include <algorithm>

// Input: a record (string), what the wall clock said when it was loaded
// (zigzag), and what happens then: a letter and two times each.

using namespace weir;
using namespace weir::fuzz;

namespace {

constexpr auto shards = uint32_t{2};

result<void> keep(const rollup_record& x, const std::vector<final_window>&) {
  auto bytes = x.encode();
  auto y = rollup_record::decode(bytes);
  require(y && y->encode() == bytes, "what is stored can be read");
  return {};
}

time_ms wall_clock(time_ms x) {
  return std::clamp(x, time_min, time_max);
}

void seal(rollup_registry& x, time_ms now) {
  auto before = x.final_through();
  x.seal();
  auto range = x.sealer().range();
  auto due = x.sealer().due(now);
  if (range)
    x.sealer().take(*range, due, range->through, {});
  if (auto done = x.finish(); done && range && !range->single)
    require(x.final_through() >= before, "what is final stays so");
}

void report(rollup_registry& x, uint8_t what, time_ms greatest, time_ms now) {
  auto times = session_times{};
  times.greatest = greatest;
  times.idle = (what & 0x40) != 0;
  times.ended = (what & 0x80) != 0;
  x.report_session({1, 2}, times, true, wall_clock(now));
}

void change(rollup_registry& x, uint8_t what, time_ms a, time_ms b) {
  auto settings = rollup_settings{};
  switch (what % 8) {
    case 0:
      x.open_window({a, b});
      break;
    case 1:
      x.close_window(a);
      break;
    case 2:
      settings.every = std::clamp(a, time_ms{0}, time_max);
      x.configure(settings);
      break;
    case 3:
      x.note_shard(what / 8 % shards, x.plan().version(), b);
      break;
    case 4:
      report(x, what, a, b);
      break;
    case 5:
      x.advance(wall_clock(a));
      break;
    case 6:
      seal(x, wall_clock(a));
      break;
    default:
      x.state_of({a, b});
      x.closing({a, b});
  }
}

} // namespace

WEIR_FUZZ_TARGET(rollup_record) {
  auto in = byte_reader{bytes};
  auto record = rollup_record::decode(in.string());
  if (!record) {
    require(record.error().code == ec::damaged
              || record.error().code == ec::version_mismatch,
            "a bad record is damage");
    return;
  }
  keep(*record, {});
  auto x = rollup_registry{shards, keep};
  x.load(std::move(*record), {}, wall_clock(in.zigzag()));
  while (in.remaining() > 0) {
    auto what = in.fixed<uint8_t>();
    auto a = in.zigzag();
    change(x, what, a, in.zigzag());
  }
}
