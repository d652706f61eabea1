#include "windows/big_number.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

namespace weir {

namespace {

using digit_vector = std::vector<uint32_t>;

constexpr int digit_bits = 32;

/// Bits of a double, and the place of the last bit that one can have.
constexpr int64_t mantissa_bits = std::numeric_limits<double>::digits;
constexpr int64_t least_exponent
  = std::numeric_limits<double>::min_exponent - mantissa_bits;

uint32_t low_digit(uint64_t x) {
  return static_cast<uint32_t>(x);
}

/// The digits of `x` from place `first` on, in `n` places.
digit_vector aligned(const big_number& x, int first, size_t n) {
  auto res = digit_vector(n, 0);
  std::copy(x.digits().begin(), x.digits().end(),
            res.begin() + (x.first() - first));
  return res;
}

bool less(const digit_vector& x, const digit_vector& y) {
  return std::lexicographical_compare(x.rbegin(), x.rend(), y.rbegin(),
                                      y.rend());
}

/// @pre the sum has as many digits.
void add_to(digit_vector& x, const digit_vector& y) {
  auto carry = uint64_t{0};
  for (auto i = size_t{0}; i < x.size(); ++i) {
    carry += uint64_t{x[i]} + y[i];
    x[i] = low_digit(carry);
    carry >>= digit_bits;
  }
  assert(carry == 0);
}

/// @pre `!less(x, y)`.
void subtract_from(digit_vector& x, const digit_vector& y) {
  auto borrow = uint64_t{0};
  for (auto i = size_t{0}; i < x.size(); ++i) {
    auto difference = uint64_t{x[i]} - y[i] - borrow;
    x[i] = low_digit(difference);
    borrow = difference >> 63;
  }
  assert(borrow == 0);
}

/// Divides by one digit after the other, as on paper.
/// @returns whether there is a remainder.
bool divide(digit_vector& x, uint64_t divisor) {
  auto rest = uint128{0};
  for (auto i = x.rbegin(); i != x.rend(); ++i) {
    rest = (rest << digit_bits) | *i;
    *i = low_digit(static_cast<uint64_t>(rest / divisor));
    rest %= divisor;
  }
  return rest != 0;
}

int64_t bit_length(const digit_vector& x) {
  auto n = static_cast<int64_t>(x.size());
  while (n > 0 && x[static_cast<size_t>(n - 1)] == 0)
    --n;
  if (n == 0)
    return 0;
  auto top = x[static_cast<size_t>(n - 1)];
  return n * digit_bits - __builtin_clz(top);
}

bool bit_at(const digit_vector& x, int64_t i) {
  return ((x[static_cast<size_t>(i / digit_bits)] >> (i % digit_bits)) & 1)
         != 0;
}

bool any_bit_below(const digit_vector& x, int64_t n) {
  for (auto i = int64_t{0}; i < n; ++i)
    if (bit_at(x, i))
      return true;
  return false;
}

/// The nearest double of digits * 2^exponent, ties to even.
/// @param rest whether a bit to be rounded away, of less worth, is not here.
double round(const digit_vector& digits, int64_t exponent, bool rest) {
  auto length = bit_length(digits);
  if (length == 0)
    return 0;
  auto last = std::max(length + exponent - mantissa_bits, least_exponent);
  auto cut = std::max<int64_t>(last - exponent, 0);
  auto mantissa = uint64_t{0};
  for (auto i = length - 1; i >= cut; --i)
    mantissa = mantissa << 1 | (bit_at(digits, i) ? 1 : 0);
  auto half = cut > 0 && cut <= length && bit_at(digits, cut - 1);
  if (half) {
    auto above = rest || any_bit_below(digits, cut - 1);
    if (above || (mantissa & 1) != 0)
      ++mantissa;
  }
  auto place = std::min<int64_t>(exponent + cut, 1 << 20);
  return std::ldexp(static_cast<double>(mantissa), static_cast<int>(place));
}

} // namespace

big_number::big_number(int128 x) : negative_(x < 0) {
  auto rest = x < 0 ? -static_cast<uint128>(x) : static_cast<uint128>(x);
  for (; rest != 0; rest >>= digit_bits)
    digits_.push_back(static_cast<uint32_t>(rest));
  trim();
}

big_number::big_number(bool negative, std::vector<uint32_t> digits, int first)
  : negative_(negative), first_(first), digits_(std::move(digits)) {
  trim();
}

void big_number::trim() {
  while (!digits_.empty() && digits_.back() == 0)
    digits_.pop_back();
  auto used = std::find_if(digits_.begin(), digits_.end(), [](uint32_t x) {
    return x != 0;
  });
  first_ += static_cast<int>(used - digits_.begin());
  digits_.erase(digits_.begin(), used);
  if (digits_.empty()) {
    first_ = 0;
    negative_ = false;
  }
}

double big_number::to_double(uint64_t divisor, int times) const {
  assert(divisor != 0);
  // So many zeros that the quotient has more bits than a double, and one for
  // the half.
  auto zeros = divisor == 1 ? size_t{0} : static_cast<size_t>(2 * times + 2);
  auto digits = digit_vector(zeros, 0);
  digits.insert(digits.end(), digits_.begin(), digits_.end());
  auto rest = false;
  for (auto i = 0; i < times && divisor != 1; ++i)
    rest = divide(digits, divisor) || rest;
  auto exponent = digit_bits * (int64_t{first_} - static_cast<int64_t>(zeros));
  auto magnitude = round(digits, exponent, rest);
  return negative_ && magnitude != 0 ? -magnitude : magnitude;
}

big_number operator+(const big_number& x, const big_number& y) {
  if (x.is_zero())
    return y;
  if (y.is_zero())
    return x;
  auto first = std::min(x.first_, y.first_);
  auto past = [](const big_number& z) {
    return z.first_ + static_cast<int>(z.digits_.size());
  };
  auto n = static_cast<size_t>(std::max(past(x), past(y)) - first) + size_t{1};
  auto a = aligned(x, first, n);
  auto b = aligned(y, first, n);
  if (x.negative_ == y.negative_) {
    add_to(a, b);
    return {x.negative_, std::move(a), first};
  }
  if (less(a, b)) {
    subtract_from(b, a);
    return {y.negative_, std::move(b), first};
  }
  subtract_from(a, b);
  return {x.negative_, std::move(a), first};
}

big_number operator-(const big_number& x, const big_number& y) {
  return x + big_number{!y.negative_, y.digits_, y.first_};
}

big_number operator*(const big_number& x, const big_number& y) {
  auto digits = digit_vector(x.digits_.size() + y.digits_.size(), 0);
  for (auto i = size_t{0}; i < x.digits_.size(); ++i) {
    auto carry = uint64_t{0};
    for (auto j = size_t{0}; j < y.digits_.size(); ++j) {
      carry += uint64_t{x.digits_[i]} * y.digits_[j] + digits[i + j];
      digits[i + j] = low_digit(carry);
      carry >>= digit_bits;
    }
    digits[i + y.digits_.size()] = low_digit(carry);
  }
  return {x.negative_ != y.negative_, std::move(digits), x.first_ + y.first_};
}

} // namespace weir
