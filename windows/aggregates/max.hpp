#pragma once

#include "windows/aggregates/extreme.hpp"

#include <cstdint>
#include <string_view>

namespace weir {

/// The greatest reading, compared exactly across integers and doubles. Of equal
/// ones it is the integer; a zero is positive. Nothing for no reading.
struct max_aggregate {
  static constexpr uint8_t id = 4;
  static constexpr std::string_view name = "max";

  struct state {
    extreme value;
  };

  static void lift(state& x, const number& reading) {
    x.value.add<-1>(reading);
  }

  static void combine(state& x, const state& y) {
    x.value.add<-1>(y.value);
  }

  template <class Partial>
  static aggregate_value lower(const Partial& x) {
    return x.template get<max_aggregate>().value.lower();
  }

  static void encode(const state& x, byte_writer& out) {
    x.value.encode(out);
  }

  static bool decode(state& x, byte_reader& in) {
    return x.value.decode(in);
  }
};

} // namespace weir
