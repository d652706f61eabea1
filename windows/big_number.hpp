#pragma once

#include "windows/int128.hpp"

#include <cstdint>
#include <vector>

namespace weir {

/// A finite binary number without limits or rounding: what exact totals are
/// turned into when somebody asks for a result. Not for hot paths.
class big_number {
public:
  /// Zero.
  big_number() = default;

  big_number(int128 x);

  /// The magnitude is the sum of digits[i] * 2^(32 * (first + i)).
  big_number(bool negative, std::vector<uint32_t> digits, int first);

  bool is_zero() const {
    return digits_.empty();
  }

  bool is_negative() const {
    return negative_;
  }

  /// Digits to the base of 2^32, least first. Neither the first nor the last is
  /// zero, so that equal numbers have equal digits. None for zero.
  const std::vector<uint32_t>& digits() const {
    return digits_;
  }

  /// Place of the first digit: it counts 2^(32 * first()). 0 for zero.
  int first() const {
    return first_;
  }

  /// The nearest double, of two equally near ones the even, of
  /// *this / divisor^times: one rounding, whatever the size. A zero is
  /// positive. An infinity if that is beyond the greatest double.
  /// @pre `divisor != 0`.
  double to_double(uint64_t divisor = 1, int times = 1) const;

  friend big_number operator+(const big_number& x, const big_number& y);

  friend big_number operator-(const big_number& x, const big_number& y);

  friend big_number operator*(const big_number& x, const big_number& y);

  friend bool operator==(const big_number& x, const big_number& y) {
    return x.negative_ == y.negative_ && x.first_ == y.first_
           && x.digits_ == y.digits_;
  }

private:
  void trim();

  bool negative_ = false;
  int first_ = 0;
  std::vector<uint32_t> digits_;
};

} // namespace weir
