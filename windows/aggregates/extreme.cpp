#include "windows/aggregates/extreme.hpp"

#include <cassert>
#include <cmath>

namespace weir {

int compare(int64_t x, double y) {
  assert(!std::isnan(y));
  constexpr auto limit = 9223372036854775808.0; // 2^63
  if (y >= limit)
    return -1;
  if (y < -limit)
    return 1;
  auto whole = static_cast<int64_t>(y);
  if (x != whole)
    return x < whole ? -1 : 1;
  auto fraction = y - static_cast<double>(whole);
  return fraction > 0 ? -1 : fraction < 0 ? 1 : 0;
}

int compare(const number& x, const number& y) {
  if (x.is_double() && y.is_double()) {
    auto a = x.as_double();
    auto b = y.as_double();
    return a < b ? -1 : a > b ? 1 : 0;
  }
  if (x.is_double())
    return -compare(y.as_integer(), x.as_double());
  if (y.is_double())
    return compare(x.as_integer(), y.as_double());
  auto a = x.as_integer();
  auto b = y.as_integer();
  return a < b ? -1 : a > b ? 1 : 0;
}

void extreme::add_other(const number& x, int sign) {
  if (!empty()) {
    auto order = sign * compare(x, value_);
    if (order > 0 || (order == 0 && x.is_double()))
      return;
  }
  kind_ = x.is_double() ? kind::real : kind::integer;
  value_ = x.is_double() ? positive_zero(x) : x;
}

aggregate_value extreme::lower() const {
  if (empty())
    return aggregate_value::nothing();
  if (value_.is_double())
    return aggregate_value::of(value_.as_double());
  return aggregate_value::of(int128{value_.as_integer()});
}

void extreme::encode(byte_writer& out) const {
  out.fixed(static_cast<uint8_t>(kind_));
  if (value_.is_double())
    out.fixed(value_.as_double());
  else
    out.fixed(value_.as_integer());
}

bool extreme::decode(byte_reader& in) {
  *this = extreme{};
  auto k = in.fixed<uint8_t>();
  if (k == static_cast<uint8_t>(kind::real)) {
    auto x = in.fixed<double>();
    if (!in.ok() || !std::isfinite(x) || (x == 0 && std::signbit(x)))
      return false;
    value_ = number::of(x);
    kind_ = kind::real;
    return true;
  }
  auto x = in.fixed<int64_t>();
  if (!in.ok() || k > static_cast<uint8_t>(kind::integer)
      || (k == static_cast<uint8_t>(kind::none) && x != 0))
    return false;
  value_ = number::of(x);
  kind_ = static_cast<kind>(k);
  return true;
}

} // namespace weir
