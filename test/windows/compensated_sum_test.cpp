#include "test/windows/sliding_fixture.hpp"
#include "windows/compensated_sum.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

compensated_sum sum_of(const std::vector<number>& xs) {
  auto res = compensated_sum{};
  for (auto& x : xs)
    res.add(x);
  return res;
}

std::vector<plain_reading> readings_of(const std::vector<number>& xs) {
  auto res = std::vector<plain_reading>{};
  for (auto& x : xs)
    res.push_back({1, x});
  return res;
}

} // namespace

TEST_SUITE("windows/compensated_sum") {
  TEST_CASE("nothing sums to zero") {
    CHECK(compensated_sum{}.to_double() == 0.0);
    CHECK(compensated_sum{}.is_finite());
  }

  TEST_CASE("what a plain sum of doubles loses is kept") {
    auto sum = compensated_sum{};
    sum.add(1e16);
    for (auto i = 0; i < 1000; ++i)
      sum.add(1.0);
    sum.add(-1e16);
    CHECK(sum.to_double() == 1000.0);
  }

  TEST_CASE("integers beyond 2^53 are added to the last bit") {
    auto sum = compensated_sum{};
    constexpr auto odd = (int64_t{1} << 62) + 1;
    for (auto i = 0; i < 1000; ++i)
      sum.add(odd);
    for (auto i = 0; i < 1000; ++i)
      sum.add(-(int64_t{1} << 62));
    CHECK(sum.to_double() == 1000.0);
    sum.add(std::numeric_limits<int64_t>::min());
    sum.add(std::numeric_limits<int64_t>::max());
    CHECK(sum.to_double() == 999.0);
  }

  TEST_CASE("a million tenths have the mean of one") {
    auto sum = compensated_sum{};
    for (auto i = 0; i < 1'000'000; ++i)
      sum.add(0.1);
    CHECK(sum.mean(1e6) == 0.1);
  }

  TEST_CASE("a sum beyond the doubles says so, and goes on saying so") {
    auto sum = compensated_sum{};
    sum.add(1e308);
    CHECK(sum.is_finite());
    sum.add(1e308);
    CHECK(!sum.is_finite());
    sum.add(-1e308);
    CHECK(!sum.is_finite());
    auto other = compensated_sum{};
    other.add(1.0);
    other.add(sum);
    CHECK(!other.is_finite());
  }

  TEST_CASE("a mean is within 1e-15 of the mean magnitude in any order") {
    CHECK(rc::check([] {
      auto xs = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<number>>(any_number()));
      auto expected = naive_window{readings_of(xs), 0, 1};
      auto sum = sum_of(xs);
      if (expected.may_overflow())
        return;
      RC_ASSERT(sum.is_finite());
      RC_ASSERT(expected.agrees(sum.mean(static_cast<double>(xs.size()))));
      std::reverse(xs.begin(), xs.end());
      RC_ASSERT(
        expected.agrees(sum_of(xs).mean(static_cast<double>(xs.size()))));
    }));
  }

  TEST_CASE("sums of parts add up to the sum of all") {
    CHECK(rc::check(
      [](const std::vector<int64_t>& left, const std::vector<int64_t>& right) {
        auto all = compensated_sum{};
        auto parts = compensated_sum{};
        auto part = compensated_sum{};
        for (auto x : left) {
          all.add(x);
          parts.add(x);
        }
        for (auto x : right) {
          all.add(x);
          part.add(x);
        }
        parts.add(part);
        RC_ASSERT(parts.high() == all.high());
        RC_ASSERT(parts.low() == all.low());
      }));
  }
} // TEST_SUITE
