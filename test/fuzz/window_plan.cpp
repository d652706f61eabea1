#include "windows/window_plan.hpp"

#include "test/fuzz/fuzz.hpp"

#include <algorithm>

// Input: a plan, and then what is done to it: a letter and two times each.

using namespace weir;
using namespace weir::fuzz;

namespace {

void look(const window_plan& plan, time_ms time) {
  auto found = plan.find(time);
  if (found) {
    require(found->start <= time && time < found->end,
            "a window holds its time");
    require(plan.find(found->start) == found, "a time has one window");
  }
  auto next = plan.next(time);
  require(!next || next->end > time, "the next window ends later");
  require(plan.last_end(time) <= time, "the last end is no later");
}

void change(window_plan& plan, uint8_t what, time_ms a, time_ms b) {
  switch (what % 6) {
    case 0:
      if (auto done = plan.open({a, b}); done)
        require(plan.find(a) == window_bounds{a, b}, "what is open is found");
      break;
    case 1:
      plan.close(a);
      break;
    case 2:
      plan.prepare(a);
      break;
    case 3:
      if (auto from = plan.settle(a); from)
        require(*from > a && !plan.pending(), "a change begins later");
      break;
    case 4:
      plan.abandon();
      break;
    default:
      plan.prune(a);
  }
}

} // namespace

WEIR_FUZZ_TARGET(window_plan) {
  auto in = byte_reader{bytes};
  auto plan = window_plan{};
  if (!plan.decode(in)) {
    require(plan == window_plan{}, "what does not decode changes nothing");
    return;
  }
  require_round_trip(plan);
  for (auto time :
       {window_plan::always, time_min, time_max, window_plan::forever})
    look(plan, time);
  while (in.remaining() > 0) {
    auto what = in.fixed<uint8_t>();
    auto a = in.zigzag();
    auto b = in.zigzag();
    change(plan, what, a, b);
    look(plan, a);
  }
  // Not after each change: an input that ends there is another one.
  require_round_trip(plan);
}
