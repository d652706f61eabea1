#include "windows/exact_sum.hpp"

#include <cmath>

namespace weir {

double exact_sum::to_double() const {
  return is_integer() ? static_cast<double>(integer_) : value().to_double();
}

bool exact_sum::overflows() const {
  return !is_integer() && !std::isfinite(to_double());
}

void exact_sum::encode(byte_writer& out) const {
  out.fixed(static_cast<uint64_t>(integer_));
  out.fixed(static_cast<int64_t>(integer_ >> 64));
  doubles_.encode(out);
}

bool exact_sum::decode(byte_reader& in) {
  auto low = in.fixed<uint64_t>();
  auto high = in.fixed<uint64_t>();
  integer_ = static_cast<int128>(static_cast<uint128>(high) << 64 | low);
  if (doubles_.decode(in))
    return true;
  integer_ = 0;
  return false;
}

bool operator==(const exact_sum& x, const exact_sum& y) {
  return x.is_integer() == y.is_integer() && x.value() == y.value();
}

} // namespace weir
