#pragma once

#include "windows/aggregate.hpp"
#include "windows/aggregates/count.hpp"
#include "windows/aggregates/sum.hpp"

#include <cstdint>
#include <string_view>

namespace weir {

/// The double nearest to sum / count, also where the sum alone overflows.
/// Nothing for no reading.
struct average_aggregate {
  static constexpr uint8_t id = 5;
  static constexpr std::string_view name = "average";

  /// Made of others' states.
  struct state {};

  template <class Partial>
  static aggregate_value lower(const Partial& x) {
    if (!x.template has<count_aggregate>() || !x.template has<sum_aggregate>())
      return aggregate_value::nothing();
    auto count = x.template get<count_aggregate>().count;
    if (count == 0)
      return aggregate_value::nothing();
    auto sum = x.template get<sum_aggregate>().sum.value();
    return aggregate_value::of(sum.to_double(count));
  }
};

} // namespace weir
