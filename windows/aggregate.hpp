#pragma once

#include "windows/big_number.hpp"
#include "windows/int128.hpp"

#include <cstdint>
#include <string>

namespace weir {

/// What an aggregate function answers.
struct aggregate_value {
  enum class kind : uint8_t {
    /// There is no answer: the average of nothing.
    nothing,
    integer,
    real,
    /// The answer is beyond the greatest double.
    overflow,
  };

  kind is = kind::nothing;
  /// 0 unless it is an integer.
  int128 integer = 0;
  /// Finite; 0 unless it is real.
  double real = 0;

  static aggregate_value nothing() {
    return {};
  }

  static aggregate_value of(int128 x) {
    return {kind::integer, x, 0};
  }

  /// An infinity is an overflow.
  static aggregate_value of(double x);

  friend bool operator==(const aggregate_value& x, const aggregate_value& y) {
    return x.is == y.is && x.integer == y.integer && x.real == y.real;
  }
};

/// Writes `x` in decimal digits, all that it needs.
std::string decimal(int128 x);

} // namespace weir
