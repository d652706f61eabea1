#include "test/windows/rollup_fixture.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

aggregate_value variance_of(const std::vector<number>& xs) {
  return partial_of(xs).lower<variance_aggregate>();
}

number d(double x) {
  return number::of(x);
}

number i(int64_t x) {
  return number::of(x);
}

} // namespace

TEST_SUITE("windows/aggregates/variance") {
  TEST_CASE("nothing has no variance, and one reading has none to speak of") {
    CHECK(variance_of({}) == aggregate_value::nothing());
    CHECK(variance_of({i(7)}) == aggregate_value::of(0.0));
    CHECK(variance_of({d(1e300)}) == aggregate_value::of(0.0));
  }

  TEST_CASE("it is that of the population") {
    CHECK(variance_of({i(2), i(4), i(4), i(4), i(5), i(5), i(7), i(9)})
          == aggregate_value::of(4.0));
    CHECK(variance_of({i(1), d(2.0)}) == aggregate_value::of(0.25));
  }

  TEST_CASE("nothing cancels out") {
    CHECK(variance_of({d(1e16), d(1e16 + 2)}) == aggregate_value::of(1.0));
    CHECK(variance_of({d(1e9 + 0.25), d(1e9 - 0.25)})
          == aggregate_value::of(0.0625));
    auto most = std::numeric_limits<int64_t>::max();
    CHECK(variance_of({i(most), i(most - 2)}) == aggregate_value::of(1.0));
    CHECK(variance_of({i(most), i(-most)}) == aggregate_value::of(0x1p126));
    CHECK(variance_of({d(3e-170), d(-3e-170)}).real == 0);
    CHECK(variance_of({d(0x1p-530), d(-0x1p-530)})
          == aggregate_value::of(0x1p-1060));
  }

  TEST_CASE("only what is beyond a double overflows") {
    CHECK(variance_of({d(1e200), d(-1e200)}).is
          == aggregate_value::kind::overflow);
    CHECK(variance_of({d(0x1p600), d(0x1p600 + 0x1p548)}).is
          == aggregate_value::kind::overflow);
    CHECK(variance_of({d(0x1p560), d(0x1p560 + 0x1p508)})
          == aggregate_value::of(0x1p1014));
    CHECK(variance_of({d(1e300), d(1e300)}) == aggregate_value::of(0.0));
  }

  TEST_CASE("the squares of many readings don't wrap") {
    auto x = partial_of({i(std::numeric_limits<int64_t>::min())});
    for (auto n = 0; n < 40; ++n)
      x.combine(partial{x});
    CHECK(x.lower<count_aggregate>() == aggregate_value::of(int128{1} << 40));
    CHECK(x.lower<variance_aggregate>() == aggregate_value::of(0.0));
    x.combine(partial_of({i(0)}));
    // (n * a^2) / (n + 1) - (n * a / (n + 1))^2 with n = 2^40, a = 2^63.
    auto n = 0x1p40L;
    auto expected = 0x1p126L / (n + 1) * (n / (n + 1));
    CHECK(x.lower<variance_aggregate>().real
          == doctest::Approx(static_cast<double>(expected)).epsilon(1e-14));
  }

  TEST_CASE("it is the nearest double, for integers and doubles alike") {
    CHECK(rc::check([] {
      auto xs = *rc::gen::nonEmpty(rc::gen::container<std::vector<int64_t>>(
        rc::gen::inRange<int64_t>(-10'000, 10'000)));
      auto shift = *rc::gen::inRange(-400, 400);
      auto n = static_cast<int128>(xs.size());
      auto sum = int128{0};
      auto squares = int128{0};
      auto integers = std::vector<number>{};
      auto reals = std::vector<number>{};
      auto far = std::vector<number>{};
      for (auto x : xs) {
        sum += x;
        squares += int128{x} * x;
        integers.push_back(i(x));
        reals.push_back(d(std::ldexp(static_cast<double>(x), shift)));
        far.push_back(*rc::gen::arbitrary<bool>()
                        ? i(x + (int64_t{1} << 52))
                        : d(static_cast<double>(x) + 0x1p52));
      }
      auto expected = static_cast<double>(
        static_cast<quad>(n * squares - sum * sum) / static_cast<quad>(n * n));
      RC_ASSERT(variance_of(integers) == aggregate_value::of(expected));
      RC_ASSERT(variance_of(far) == aggregate_value::of(expected));
      RC_ASSERT(variance_of(reals)
                == aggregate_value::of(std::ldexp(expected, 2 * shift)));
    }));
  }
}
