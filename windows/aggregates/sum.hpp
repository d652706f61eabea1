#pragma once

#include "windows/aggregate.hpp"
#include "windows/bytes.hpp"
#include "windows/exact_sum.hpp"
#include "windows/reading.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

/// The sum: an integer if all readings are, else the double nearest to the
/// exact sum of all. 0 for no reading.
struct sum_aggregate {
  static constexpr uint8_t id = 2;
  static constexpr std::string_view name = "sum";

  struct state {
    exact_sum sum;
  };

  static void lift(state& x, const number& reading) {
    x.sum.add(reading);
  }

  static void combine(state& x, const state& y) {
    x.sum.add(y.sum);
  }

  template <class Partial>
  static aggregate_value lower(const Partial& x) {
    auto& sum = x.template get<sum_aggregate>().sum;
    return sum.is_integer() ? aggregate_value::of(sum.integer())
                            : aggregate_value::of(sum.to_double());
  }

  static void encode(const state& x, byte_writer& out) {
    x.sum.encode(out);
  }

  static bool decode(state& x, byte_reader& in) {
    return x.sum.decode(in);
  }

  static size_t heap_bytes(const state& x) {
    return x.sum.heap_bytes();
  }
};

} // namespace weir
