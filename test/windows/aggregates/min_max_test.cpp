#include "test/windows/rollup_fixture.hpp"
#include "windows/aggregates/extreme.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

number i(int64_t x) {
  return number::of(x);
}

number d(double x) {
  return number::of(x);
}

aggregate_value least_of(const std::vector<number>& xs) {
  return partial_of(xs).lower<min_aggregate>();
}

aggregate_value greatest_of(const std::vector<number>& xs) {
  return partial_of(xs).lower<max_aggregate>();
}

aggregate_value integer(int64_t x) {
  return aggregate_value::of(int128{x});
}

aggregate_value real(double x) {
  return aggregate_value::of(x);
}

constexpr auto most = std::numeric_limits<int64_t>::max();
constexpr auto least = std::numeric_limits<int64_t>::min();

} // namespace

TEST_SUITE("windows/aggregates/min_max") {
  TEST_CASE("nothing has no least and no greatest") {
    CHECK(least_of({}) == aggregate_value::nothing());
    CHECK(greatest_of({}) == aggregate_value::nothing());
  }

  TEST_CASE("integers and doubles are compared without rounding") {
    // 2^63 is what the greatest int64 rounds to.
    CHECK(greatest_of({i(most), d(0x1p63)}) == real(0x1p63));
    CHECK(least_of({i(most), d(0x1p63)}) == integer(most));
    CHECK(greatest_of({i(most - 1), i(most)}) == integer(most));
    CHECK(greatest_of({i((int64_t{1} << 53) + 1), d(0x1p53)})
          == integer((int64_t{1} << 53) + 1));
    CHECK(least_of({i(1), d(0.5)}) == real(0.5));
    CHECK(least_of({i(0), d(-0.5)}) == real(-0.5));
    CHECK(greatest_of({i(-1), d(-0.5)}) == real(-0.5));
    CHECK(least_of({i(least), d(-1e300)}) == real(-1e300));
    CHECK(greatest_of({i(least), d(-1e300)}) == integer(least));
  }

  TEST_CASE("of equal ones it is the integer, and a zero is positive") {
    CHECK(least_of({d(1), i(1)}) == integer(1));
    CHECK(least_of({i(1), d(1)}) == integer(1));
    CHECK(greatest_of({d(1), i(1), d(1)}) == integer(1));
    CHECK(least_of({i(least), d(-0x1p63)}) == integer(least));
    CHECK(least_of({d(-0.0), i(0)}) == integer(0));
    for (auto& xs :
         {std::vector<number>{d(-0.0)}, std::vector<number>{d(0), d(-0.0)},
          std::vector<number>{d(1), d(-0.0)}}) {
      CHECK(!std::signbit(least_of(xs).real));
      CHECK(least_of(xs) == real(0));
    }
    CHECK(!std::signbit(greatest_of({d(-1), d(-0.0)}).real));
  }

  TEST_CASE("comparing is exact for all numbers") {
    CHECK(rc::check([] {
      auto number_of = [] {
        auto x = *any_double();
        auto near = std::ldexp(*rc::gen::inRange(-4, 4), 61) + x / 0x1p1000;
        return *rc::gen::element(d(x), d(near), *any_number());
      };
      auto x = number_of();
      auto y = number_of();
      // Any int64, and any double of at most 2^63, is exact in 113 bits.
      auto a = to_quad(x);
      auto b = to_quad(y);
      auto expected = a < b ? -1 : a > b ? 1 : 0;
      RC_ASSERT(compare(x, y) == expected);
      RC_ASSERT(compare(y, x) == -expected);
    }));
  }

  TEST_CASE("bytes of a minus zero or of an infinity are refused") {
    auto refused = [](char kind, double x) {
      auto bytes = std::string(1, kind);
      byte_writer{bytes}.fixed(x);
      return !decoded<extreme>(bytes);
    };
    CHECK(!refused(2, 1.5));
    CHECK(refused(2, -0.0));
    CHECK(refused(2, std::numeric_limits<double>::infinity()));
    CHECK(refused(2, std::numeric_limits<double>::quiet_NaN()));
    CHECK(refused(3, 1.5));
    CHECK(refused(0, 1.5));
  }
}
