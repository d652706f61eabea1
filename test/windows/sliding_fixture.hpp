#pragma once

#include "windows/reading.hpp"
#include "windows/sliding_table.hpp"

#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

// Words for the tests of sliding windows: batches written down in a line each,
// readings as nature invents them, and a naive recalculation as the oracle.

namespace weir::test {

/// 113 bits and exponents that no sum of doubles leaves.
__extension__ typedef __float128 quad;

struct plain_reading {
  time_ms time = 0;
  number value;
};

inline quad to_quad(const number& x) {
  return x.is_double() ? static_cast<quad>(x.as_double())
                       : static_cast<quad>(x.as_integer());
}

/// What a window holds, recalculated from every reading there ever was.
struct naive_window {
  uint64_t count = 0;
  quad sum = 0;
  /// Sum of the magnitudes.
  quad magnitude = 0;

  naive_window(const std::vector<plain_reading>& xs, time_ms from, time_ms at) {
    for (auto& x : xs) {
      if (x.time <= from || x.time > at)
        continue;
      auto value = to_quad(x.value);
      ++count;
      sum += value;
      magnitude += value < 0 ? -value : value;
    }
  }

  /// `mean` is within 1e-15 of the mean magnitude, or a unit of the least
  /// double there is.
  bool agrees(double mean) const {
    auto n = static_cast<quad>(count);
    auto error = static_cast<quad>(mean) - sum / n;
    auto least = static_cast<quad>(std::numeric_limits<double>::denorm_min());
    auto allowed = magnitude / n * static_cast<quad>(1e-15) + least;
    return (error < 0 ? -error : error) <= allowed;
  }

  bool may_overflow() const {
    return magnitude > static_cast<quad>(std::numeric_limits<double>::max());
  }
};

inline uint64_t hash_of(std::string_view id) {
  // FNV-1a with a last stir, because a table uses the low bits.
  auto res = uint64_t{14695981039346656037u};
  for (auto c : id)
    res = (res ^ static_cast<uint8_t>(c)) * 1099511628211u;
  return res ^ (res >> 29);
}

/// A batch that owns its names. It moves, but has no copies: they would refer
/// to the names of the original.
class batch_of {
public:
  batch_of() = default;

  batch_of(batch_of&&) = default;

  batch_of& operator=(batch_of&&) = default;

  batch_of& add(std::string_view entity, std::string_view metric, time_ms time,
                number value, uint64_t hash) {
    auto e = index(batch_.entities, entity);
    if (e == batch_.entity_hashes.size())
      batch_.entity_hashes.push_back(hash);
    auto m = index(batch_.metrics, metric);
    batch_.readings.push_back({e, m, time, value});
    return *this;
  }

  batch_of& add(std::string_view entity, std::string_view metric, time_ms time,
                number value) {
    return add(entity, metric, time, value, hash_of(entity));
  }

  batch_of& add(std::string_view entity, std::string_view metric, time_ms time,
                int64_t value) {
    return add(entity, metric, time, number::of(value));
  }

  const reading_batch& get() const {
    return batch_;
  }

private:
  uint32_t index(std::vector<std::string_view>& names, std::string_view name) {
    auto i = std::find(names.begin(), names.end(), name);
    auto res = static_cast<uint32_t>(i - names.begin());
    if (i == names.end())
      names.push_back(kept_.emplace_back(name));
    return res;
  }

  std::deque<std::string> kept_;
  reading_batch batch_;
};

/// `average` with the hash filled in.
inline sliding_answer ask(const sliding_table& table, std::string_view entity,
                          std::string_view metric, time_ms at, time_ms width,
                          time_ms now = std::numeric_limits<time_ms>::min()) {
  return table.average(entity, hash_of(entity), metric, at, width, now);
}

/// Numbers small, large, extreme and odd.
inline rc::Gen<number> any_number() {
  auto integer = [](int64_t x) {
    return number::of(x);
  };
  auto real = [](double x) {
    return number::of(std::isfinite(x) ? x : 0.5);
  };
  return rc::gen::oneOf(
    rc::gen::map(rc::gen::inRange<int64_t>(-1000, 1000), integer),
    rc::gen::map(rc::gen::arbitrary<int64_t>(), integer),
    rc::gen::map(rc::gen::element(std::numeric_limits<int64_t>::min(),
                                  std::numeric_limits<int64_t>::max(),
                                  (int64_t{1} << 53) + 1, int64_t{0}),
                 integer),
    rc::gen::map(rc::gen::arbitrary<double>(), real),
    rc::gen::map(rc::gen::element(1e308, -1e308, 1.7e308, 1e-308, -1e-308,
                                  5e-324, 0.1, -0.0, 1e16, 1.0),
                 real));
}

/// Integers that any sum in a test of ours keeps exact.
inline rc::Gen<number> small_integer() {
  return rc::gen::map(rc::gen::inRange<int64_t>(-1'000'000, 1'000'000),
                      [](int64_t x) {
                        return number::of(x);
                      });
}

} // namespace weir::test
