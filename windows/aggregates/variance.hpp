#pragma once

#include "windows/aggregate.hpp"
#include "windows/aggregates/count.hpp"
#include "windows/aggregates/sum.hpp"
#include "windows/big_number.hpp"
#include "windows/bytes.hpp"
#include "windows/double_accumulator.hpp"
#include "windows/int128.hpp"
#include "windows/reading.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

/// The mean square deviation from the mean, of the readings as a population:
/// (n * sum of x^2 - (sum of x)^2) / n^2. Squares of integers and of doubles
/// are summed without rounding, so that nothing cancels out: the answer is the
/// nearest double. Nothing for no reading, 0 for one.
struct variance_aggregate {
  static constexpr uint8_t id = 6;
  static constexpr std::string_view name = "variance";

  struct state {
    /// Sum of the squares of integers, in 192 bits: 2^63 of them have 189.
    uint128 low = 0;
    uint64_t high = 0;
    double_accumulator squares;
  };

  static void lift(state& x, const number& reading) {
    if (reading.is_double()) {
      x.squares.add_square(reading.as_double());
      return;
    }
    auto y = static_cast<int128>(reading.as_integer());
    add(x, static_cast<uint128>(y * y), 0);
  }

  static void combine(state& x, const state& y) {
    add(x, y.low, y.high);
    if (!y.squares.untouched())
      x.squares.add(y.squares);
  }

  template <class Partial>
  static aggregate_value lower(const Partial& x) {
    if (!x.template has<count_aggregate>() || !x.template has<sum_aggregate>())
      return aggregate_value::nothing();
    auto n = x.template get<count_aggregate>().count;
    if (n == 0)
      return aggregate_value::nothing();
    auto sum = x.template get<sum_aggregate>().sum.value();
    auto squares = sum_of_squares(x.template get<variance_aggregate>());
    auto deviation = big_number{int128{n}} * squares - sum * sum;
    return aggregate_value::of(deviation.to_double(n, 2));
  }

  /// Appends 24 bytes, and those of the doubles: 1 if there were none.
  static void encode(const state& x, byte_writer& out);

  static bool decode(state& x, byte_reader& in);

  static size_t heap_bytes(const state& x) {
    return x.squares.heap_bytes();
  }

private:
  static void add(state& x, uint128 low, uint64_t high) {
    x.low += low;
    x.high += high + (x.low < low ? 1 : 0);
  }

  static big_number sum_of_squares(const state& x);
};

} // namespace weir
