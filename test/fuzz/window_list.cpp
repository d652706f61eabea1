#include "windows/window_partial.hpp"

#include "test/fuzz/fuzz.hpp"

// Input: a list of windows.

using namespace weir;
using namespace weir::fuzz;

namespace {

std::string encoded(const std::vector<window_partial>& xs) {
  auto res = std::string{};
  auto out = byte_writer{res};
  encode_windows(xs, out);
  return res;
}

} // namespace

WEIR_FUZZ_TARGET(window_list) {
  auto xs = decode_windows(bytes);
  if (!xs)
    return;
  auto again = encoded(*xs);
  auto ys = decode_windows(again);
  require(ys && *ys == *xs && encoded(*ys) == again,
          "a list keeps its windows");
  for (auto& x : *xs)
    for (auto& y : x.metrics)
      y.total.for_each_aggregate([](auto, auto) {});
  auto merged = std::vector<window_partial>{};
  merge(merged, *xs);
  require(merged == *xs, "nothing and a list are that list");
  merge(merged, *xs);
  require(merged.size() == xs->size(), "the same windows merge");
  keep_first(merged, reach_of(*xs, 2), 2);
  require(merged.size() <= 2, "no more are kept than asked for");
}
