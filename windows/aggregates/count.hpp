#pragma once

#include "windows/aggregate.hpp"
#include "windows/bytes.hpp"
#include "windows/reading.hpp"

#include <cstdint>
#include <string_view>

namespace weir {

/// How many readings.
struct count_aggregate {
  static constexpr uint8_t id = 1;
  static constexpr std::string_view name = "count";

  struct state {
    uint64_t count = 0;
  };

  static void lift(state& x, const number&) {
    ++x.count;
  }

  static void combine(state& x, const state& y) {
    x.count += y.count;
  }

  template <class Partial>
  static aggregate_value lower(const Partial& x) {
    return aggregate_value::of(int128{x.template get<count_aggregate>().count});
  }

  static void encode(const state& x, byte_writer& out) {
    out.fixed(x.count);
  }

  static bool decode(state& x, byte_reader& in) {
    x.count = in.fixed<uint64_t>();
    return in.ok();
  }
};

} // namespace weir
