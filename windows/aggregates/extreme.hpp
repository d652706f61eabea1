#pragma once

#include "windows/aggregate.hpp"
#include "windows/bytes.hpp"
#include "windows/reading.hpp"

#include <cstdint>

// What min and max share.

namespace weir {

/// Compares as real numbers do, without rounding an integer to a double.
/// @returns less than, equal to, or greater than 0, as `x` is to `y`.
/// @pre `y` is not NaN.
int compare(int64_t x, double y);

/// As above. -0.0 and 0.0 are equal, and so are 1 and 1.0.
int compare(const number& x, const number& y);

/// The number that comes before all others in an order, or none yet.
class extreme {
public:
  bool empty() const {
    return kind_ == kind::none;
  }

  /// @pre `!empty()`.
  number value() const {
    return value_;
  }

  /// Takes `x` if it comes before. Of equal ones the integer stays, and 0.0
  /// for -0.0, so that the order of calls does not matter.
  /// @param sign 1 for the least, -1 for the greatest.
  template <int Sign>
  void add(const number& x) {
    if (kind_ == kind::integer && !x.is_double()) {
      if (is_before<Sign>(x.as_integer(), value_.as_integer()))
        value_ = x;
    } else if (kind_ == kind::real && x.is_double()) {
      if (is_before<Sign>(x.as_double(), value_.as_double()))
        value_ = positive_zero(x);
    } else {
      add_other(x, Sign);
    }
  }

  template <int Sign>
  void add(const extreme& other) {
    if (!other.empty())
      add<Sign>(other.value());
  }

  aggregate_value lower() const;

  /// Appends 9 bytes.
  void encode(byte_writer& out) const;

  /// Replaces the content by what `encode` wrote. Any bytes are safe.
  /// @returns false if no extreme encodes to such bytes.
  bool decode(byte_reader& in);

private:
  /// Stored: numbers keep their meaning.
  enum class kind : uint8_t { none = 0, integer = 1, real = 2 };

  template <int Sign, class T>
  static bool is_before(T x, T y) {
    return Sign > 0 ? x < y : x > y;
  }

  /// Adding 0.0 changes nothing but the sign of a negative zero.
  static number positive_zero(const number& x) {
    return number::of(x.as_double() + 0.0);
  }

  void add_other(const number& x, int sign);

  number value_;
  kind kind_ = kind::none;
};

} // namespace weir
