#pragma once

#include "windows/reading.hpp"

#include <cmath>
#include <cstdint>

namespace weir {

/// A sum of doubles and 64-bit integers with about 106 bits: the rounded sum
/// and what rounding took from it. So 10^9 numbers can be added in any order
/// before their mean is off by 1e-15 of their mean magnitude. After Dekker
/// (1971) and Knuth, TAOCP 2, 4.2.2 (TwoSum).
class compensated_sum {
public:
  compensated_sum() = default;

  /// @pre `low` is what rounding `high + low` to a double leaves over.
  compensated_sum(double high, double low) : high_(high), low_(low) {
    // nop
  }

  void add(double x) {
    auto sum = high_ + x;
    auto part = sum - high_;
    auto error = (high_ - (sum - part)) + (x - part);
    set(sum, low_ + error);
  }

  void add(int64_t x) {
    // Halves of 32 bits, because a double holds but 53.
    constexpr auto half = int64_t{1} << 32;
    add(static_cast<double>(x >> 32) * static_cast<double>(half));
    add(static_cast<double>(x & (half - 1)));
  }

  void add(const number& x) {
    if (x.is_double())
      add(x.as_double());
    else
      add(x.as_integer());
  }

  void add(const compensated_sum& x) {
    auto low = x.low_;
    add(x.high_);
    add(low);
  }

  /// @param factor a power of two, so that nothing is rounded, or else the
  ///        product is an estimate.
  compensated_sum scaled(double factor) const {
    return {high_ * factor, low_ * factor};
  }

  /// False for good once a sum left the range of a double, even in between.
  bool is_finite() const {
    return std::isfinite(high_) && std::isfinite(low_);
  }

  /// @pre `is_finite()`.
  double to_double() const {
    return high_ + low_;
  }

  /// @pre `is_finite()` and `count > 0`.
  double mean(double count) const {
    return to_double() / count;
  }

  double high() const {
    return high_;
  }

  double low() const {
    return low_;
  }

private:
  void set(double high, double low) {
    high_ = high + low;
    low_ = low - (high_ - high);
  }

  double high_ = 0;
  double low_ = 0;
};

} // namespace weir
