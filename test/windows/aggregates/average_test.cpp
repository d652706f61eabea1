#include "test/windows/rollup_fixture.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

aggregate_value average_of(const std::vector<number>& xs) {
  return partial_of(xs).lower<average_aggregate>();
}

} // namespace

TEST_SUITE("windows/aggregates/average") {
  TEST_CASE("nothing has no average") {
    CHECK(average_of({}) == aggregate_value::nothing());
  }

  TEST_CASE("an average is rounded once") {
    auto x = number::of(int64_t{3});
    auto y = number::of(int64_t{4});
    CHECK(average_of({x, y}) == aggregate_value::of(3.5));
    CHECK(average_of({x, x, y}) == aggregate_value::of(10.0 / 3));
    auto most = number::of(std::numeric_limits<int64_t>::max());
    CHECK(average_of({most, most, most}) == aggregate_value::of(0x1p63));
    auto odd = number::of(-((int64_t{1} << 53) + 1));
    CHECK(average_of({odd, odd}) == aggregate_value::of(-0x1p53));
  }

  TEST_CASE("an average is there although the sum overflows") {
    auto big = number::of(1.5e308);
    auto x = partial_of({big, big});
    CHECK(x.lower<sum_aggregate>().is == aggregate_value::kind::overflow);
    CHECK(x.lower<average_aggregate>() == aggregate_value::of(1.5e308));
  }

  TEST_CASE("equal readings are their own average") {
    CHECK(rc::check([] {
      auto x = *any_double();
      auto n = *rc::gen::inRange<size_t>(1, 100);
      RC_ASSERT(average_of(std::vector<number>(n, number::of(x)))
                == aggregate_value::of(x));
    }));
  }
}
