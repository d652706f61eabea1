#include "windows/rollup_table.hpp"

#include "test/fuzz/fuzz.hpp"

// Input: a table, and then what is done to it: a letter and two times each, and
// for a plan its bytes.

using namespace weir;
using namespace weir::fuzz;

namespace {

void apply(rollup_table& x, time_ms time, int64_t value) {
  auto batch = reading_batch{};
  batch.entities = {"a"};
  batch.entity_hashes = {7};
  batch.metrics = {"value", "load"};
  batch.readings = {{0, 0, time, number::of(value)},
                    {0, 1, time, number::of(static_cast<double>(value) / 3)},
                    {0, 0, time, number::of(int64_t{1})}};
  require(x.apply(batch, {2}).total() == 2, "each reading counts once");
}

void change(rollup_table& x, byte_reader& in) {
  auto what = in.fixed<uint8_t>();
  auto a = in.zigzag();
  auto b = in.zigzag();
  auto plan = window_plan{};
  switch (what % 6) {
    case 0:
      if (plan.decode(in))
        x.set_plan(plan, a);
      break;
    case 1:
      x.seal(a);
      break;
    case 2:
      x.close({a, b});
      break;
    case 3:
      x.release(a);
      break;
    case 4:
      x.release(window_bounds{a, b});
      break;
    default:
      if (a >= time_min && a <= time_max)
        apply(x, a, b);
  }
}

} // namespace

WEIR_FUZZ_TARGET(rollup_table) {
  auto in = byte_reader{bytes};
  auto x = rollup_table{};
  if (!x.decode(in)) {
    require(bytes_of(x) == bytes_of(rollup_table{}),
            "what does not decode changes nothing");
    return;
  }
  require_round_trip(x);
  while (in.remaining() > 0) {
    change(x, in);
  }
  // Not after each change: an input that ends there is another one.
  require_round_trip(x);
  auto upto = time_ms{0};
  x.sealed(window_plan::always, window_plan::forever, 1 << 16, upto);
  x.windows(window_plan::always, window_plan::forever, true, 100);
  x.bytes();
}
