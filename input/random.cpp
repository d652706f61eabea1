#include "input/random.hpp"

#include <cassert>
#include <cmath>

namespace weir {

zipf_law::zipf_law(uint32_t ranks, double exponent) : ranks_(ranks) {
  assert(ranks >= 1);
  if (exponent == 0 || ranks == 1)
    return;
  // Rounded to integers here, so that all that follows is exact.
  auto weights = std::vector<uint64_t>(ranks);
  auto total = uint64_t{0};
  for (auto i = uint32_t{0}; i < ranks; ++i) {
    weights[i] = static_cast<uint64_t>(
      std::llround(std::ldexp(std::pow(i + 1.0, -exponent), 32)));
    total += weights[i];
  }
  // Scaled so that the mean weight fills one slot.
  slots_.resize(ranks);
  auto small = std::vector<uint32_t>{};
  auto large = std::vector<uint32_t>{};
  for (auto i = uint32_t{0}; i < ranks; ++i) {
    auto scaled = static_cast<uint128>(weights[i]) * ranks * slot_size / total;
    slots_[i] = {static_cast<uint64_t>(scaled), i};
    (slots_[i].share < slot_size ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    auto s = small.back();
    auto l = large.back();
    small.pop_back();
    slots_[s].alias = l;
    slots_[l].share -= slot_size - slots_[s].share;
    if (slots_[l].share < slot_size) {
      large.pop_back();
      small.push_back(l);
    }
  }
}

} // namespace weir
