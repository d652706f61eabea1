#include "windows/aggregates/variance.hpp"

#include <utility>
#include <vector>

namespace weir {

void variance_aggregate::encode(const state& x, byte_writer& out) {
  out.fixed(static_cast<uint64_t>(x.low));
  out.fixed(static_cast<uint64_t>(x.low >> 64));
  out.fixed(x.high);
  x.squares.encode(out);
}

bool variance_aggregate::decode(state& x, byte_reader& in) {
  auto low = in.fixed<uint64_t>();
  auto middle = in.fixed<uint64_t>();
  x.low = static_cast<uint128>(middle) << 64 | low;
  x.high = in.fixed<uint64_t>();
  return x.squares.decode(in);
}

big_number variance_aggregate::sum_of_squares(const state& x) {
  auto digits = std::vector<uint32_t>{};
  for (auto rest = x.low; digits.size() < 4; rest >>= 32)
    digits.push_back(static_cast<uint32_t>(rest));
  digits.push_back(static_cast<uint32_t>(x.high));
  digits.push_back(static_cast<uint32_t>(x.high >> 32));
  return big_number{false, std::move(digits), 0} + x.squares.value();
}

} // namespace weir
