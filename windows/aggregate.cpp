#include "windows/aggregate.hpp"

#include <algorithm>
#include <cmath>

namespace weir {

aggregate_value aggregate_value::of(double x) {
  if (!std::isfinite(x))
    return {kind::overflow, 0, 0};
  return {kind::real, 0, x};
}

std::string decimal(int128 x) {
  auto res = std::string{};
  auto rest = x < 0 ? -static_cast<uint128>(x) : static_cast<uint128>(x);
  do {
    res += static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  } while (rest != 0);
  if (x < 0)
    res += '-';
  std::reverse(res.begin(), res.end());
  return res;
}

} // namespace weir
