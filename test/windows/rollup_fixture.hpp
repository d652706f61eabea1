#pragma once

#include "test/windows/sliding_fixture.hpp"
#include "windows/bytes.hpp"
#include "windows/partial.hpp"
#include "windows/rollup_table.hpp"

#include <rapidcheck.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Words for the tests of rollups.

namespace weir::test {

/// The bytes that `x.encode` writes.
template <class T>
std::string bytes_of(const T& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  x.encode(out);
  return res;
}

/// What the bytes decode to; none if they don't, or if some are left.
template <class T>
std::optional<T> decoded(std::string_view bytes) {
  auto res = T{};
  auto in = byte_reader{bytes};
  if (!res.decode(in) || !in.done())
    return std::nullopt;
  return res;
}

/// Any finite double: all exponents are as likely.
inline rc::Gen<double> any_double() {
  auto bits = rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<uint64_t>());
  return rc::gen::map(bits, [](uint64_t x) {
    auto res = 0.0;
    std::memcpy(&res, &x, sizeof(res));
    return std::isfinite(res) ? res : 1.5;
  });
}

inline partial partial_of(const std::vector<number>& xs) {
  auto res = partial{};
  for (auto& x : xs)
    res.lift(x);
  return res;
}

/// What readings of one metric become without any cleverness.
using naive_windows
  = std::map<std::pair<time_ms, std::string>, std::vector<number>>;

/// The totals of all windows that tables hold, merged.
inline std::vector<window_partial> all_windows(
  const std::vector<rollup_table>& tables) {
  auto res = std::vector<window_partial>{};
  for (auto& x : tables)
    merge(res, x.windows(window_plan::always, window_plan::forever, true,
                         size_t{1} << 30));
  return res;
}

/// The tables hold these readings in windows of `plan`, and nothing else.
inline bool agree(const std::vector<window_partial>& windows,
                  const naive_windows& expected, const window_plan& plan) {
  auto cells = size_t{0};
  for (auto& x : windows) {
    if (plan.find(x.bounds.start) != x.bounds)
      return false;
    auto count = size_t{0};
    for (auto& y : x.metrics) {
      auto i = expected.find({x.bounds.start, y.metric});
      if (i == expected.end() || !(partial_of(i->second) == y.total))
        return false;
      ++cells;
      count += i->second.size();
    }
    if (count != x.count)
      return false;
  }
  return cells == expected.size();
}

} // namespace weir::test
