#include "test/windows/rollup_fixture.hpp"
#include "windows/exact_sum.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <random>

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto greatest_double = std::numeric_limits<double>::max();
constexpr auto least_double = std::numeric_limits<double>::denorm_min();

exact_sum sum_of(const std::vector<number>& xs) {
  auto res = exact_sum{};
  for (auto& x : xs)
    res.add(x);
  return res;
}

exact_sum sum_of_doubles(const std::vector<double>& xs) {
  auto res = exact_sum{};
  for (auto x : xs)
    res.add(x);
  return res;
}

/// The same bits: unlike ==, tells zeros apart.
bool same(double x, double y) {
  return std::memcmp(&x, &y, sizeof(x)) == 0;
}

number negative(const number& x) {
  return number::of(-x.as_double());
}

big_number exactly(double x) {
  return sum_of_doubles({x}).value();
}

} // namespace

TEST_SUITE("windows/exact_sum") {
  TEST_CASE("what rounding loses is kept") {
    CHECK(sum_of_doubles({1e308, 1e308, -1e308}).to_double() == 1e308);
    CHECK(sum_of_doubles({1e16, 1, -1e16}).to_double() == 1);
    CHECK(sum_of_doubles({1e308, least_double, -1e308}).to_double()
          == least_double);
    CHECK(sum_of_doubles(std::vector<double>(10, 0.1)).to_double() == 1);
    CHECK(sum_of_doubles({1, 0x1p-53, 0x1p-106}).to_double() == 1 + 0x1p-52);
    CHECK(sum_of_doubles({1, 0x1p-53}).to_double() == 1);
    CHECK(sum_of_doubles({1 + 0x1p-52, 0x1p-53}).to_double() == 1 + 0x1p-51);
  }

  TEST_CASE("a sum beyond the greatest double overflows, and can come back") {
    auto x = sum_of_doubles({greatest_double, greatest_double});
    CHECK(x.overflows());
    CHECK(std::isinf(x.to_double()));
    x.add(-greatest_double);
    CHECK(!x.overflows());
    CHECK(x.to_double() == greatest_double);
    // Half a unit more is where rounding up begins.
    x.add(0x1p969);
    CHECK(!x.overflows());
    x.add(0x1p969);
    CHECK(x.overflows());
  }

  TEST_CASE("integers stay integers until a double comes") {
    auto x = exact_sum{};
    CHECK(x.is_integer());
    CHECK(x.integer() == 0);
    CHECK(same(x.to_double(), 0.0));
    auto most = std::numeric_limits<int64_t>::max();
    x.add(most);
    x.add(most);
    CHECK(x.integer() == int128{most} * 2);
    CHECK(x.is_integer());
    x.add(0.0);
    CHECK(!x.is_integer());
    CHECK(x.to_double() == 0x1p64);
    CHECK(!(x == sum_of({number::of(most), number::of(most)})));
  }

  TEST_CASE("zeros add up to a positive zero") {
    CHECK(same(sum_of_doubles({-0.0}).to_double(), 0.0));
    CHECK(same(sum_of_doubles({1.0, -1.0}).to_double(), 0.0));
    CHECK(bytes_of(sum_of_doubles({-0.0}))
          == bytes_of(sum_of_doubles({5e300, 0.1, -5e300, -0.1})));
  }

  TEST_CASE("two doubles add up to what the hardware says") {
    CHECK(rc::check([] {
      auto x = *any_double();
      auto y = *any_double();
      // Near in size, mostly, so that more than one of them counts.
      auto exponent = 0;
      if (x != 0 && *rc::gen::inRange(0, 4) > 0)
        y = std::ldexp(std::frexp(y, &exponent),
                       std::ilogb(x) + *rc::gen::inRange(-60, 60));
      RC_PRE(std::isfinite(y));
      auto expected = x + y;
      auto sum = sum_of_doubles({x, y});
      RC_ASSERT(same(sum.to_double(), expected == 0 ? 0.0 : expected));
      RC_ASSERT(sum.overflows() == std::isinf(expected));
    }));
  }

  TEST_CASE("integers and doubles mix exactly") {
    CHECK(rc::check([] {
      // Numbers of 2^-40 that 128 bits hold.
      auto sum = exact_sum{};
      auto oracle = int128{0};
      auto n = *rc::gen::inRange(0, 50);
      for (auto i = 0; i < n; ++i) {
        auto x
          = *rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<int64_t>());
        if (*rc::gen::arbitrary<bool>()) {
          sum.add(x);
          oracle += int128{x} * (int128{1} << 40);
        } else {
          x >>= 11;
          sum.add(std::ldexp(static_cast<double>(x), -40));
          oracle += x;
        }
      }
      RC_ASSERT(sum.to_double()
                == std::ldexp(static_cast<double>(oracle), -40));
    }));
  }

  TEST_CASE("what is added and taken away again leaves no trace") {
    CHECK(rc::check([] {
      auto left = *any_double();
      auto xs = std::vector<number>{number::of(left)};
      for (auto x : *rc::gen::container<std::vector<double>>(any_double())) {
        xs.push_back(number::of(x));
        xs.push_back(negative(xs.back()));
      }
      auto random = std::minstd_rand{*rc::gen::arbitrary<uint32_t>()};
      std::shuffle(xs.begin(), xs.end(), random);
      RC_ASSERT(sum_of(xs) == sum_of_doubles({left}));
      RC_ASSERT(bytes_of(sum_of(xs)) == bytes_of(sum_of_doubles({left})));
    }));
  }

  TEST_CASE("order and grouping change no bit") {
    CHECK(rc::check([] {
      auto xs = *rc::gen::container<std::vector<number>>(any_number());
      auto expected = sum_of(xs);
      auto random = std::minstd_rand{*rc::gen::arbitrary<uint32_t>()};
      std::shuffle(xs.begin(), xs.end(), random);
      auto groups = std::vector<exact_sum>(1 + random() % 5);
      for (auto& x : xs)
        groups[random() % groups.size()].add(x);
      auto total = exact_sum{};
      for (auto& x : groups) {
        // Through bytes, as between shards.
        auto copy = decoded<exact_sum>(bytes_of(x));
        RC_ASSERT(copy.has_value());
        RC_ASSERT(*copy == x);
        total.add(*copy);
      }
      RC_ASSERT(total == expected);
      RC_ASSERT(bytes_of(total) == bytes_of(expected));
      RC_ASSERT(same(total.to_double(), expected.to_double()));
    }));
  }

  TEST_CASE("a sum can be added to itself, copied and moved from") {
    auto x = sum_of({number::of(3.5), number::of(int64_t{2})});
    x.add(x);
    CHECK(x.to_double() == 11);
    auto copy = x;
    copy.add(1.0);
    CHECK(x.to_double() == 11);
    CHECK(copy.to_double() == 12);
    auto moved = std::move(copy);
    CHECK(moved.to_double() == 12);
    copy = exact_sum{};
    CHECK(copy.is_integer());
  }

  TEST_CASE("carries survive more additions than a digit has room for") {
    // Doubling adds digits to digits, again and again.
    auto x = sum_of_doubles({-0x1p-30, 0x1.fffffffffffffp-31});
    auto expected = -0x1p-83;
    for (auto i = 0; i < 900; ++i) {
      x.add(exact_sum{x});
      expected *= 2;
      REQUIRE(x.to_double() == expected);
    }
  }

  TEST_CASE("carries in the midst of additions change nothing") {
    auto x = exact_sum{};
    auto y = exact_sum{};
    for (auto i = 0; i < 200'000; ++i) {
      x.add(-0x1.fffffffffffffp60);
      y.add(i % 3 == 0 ? -0x1p61 : 0x1.fffffffffffffp60);
    }
    CHECK(x.to_double() == -0x1.fffffffffffffp60 * 200'000);
    x.add(y);
    CHECK(x.value()
          == big_number{-66'667}
               * (exactly(0x1p61) + exactly(0x1.fffffffffffffp60)));
  }

  TEST_CASE("integers encode to 17 bytes") {
    CHECK(bytes_of(exact_sum{}).size() == 17);
    CHECK(bytes_of(sum_of({number::of(int64_t{-1})})).size() == 17);
    CHECK(bytes_of(sum_of_doubles({1.0})).size() == 23);
  }

  TEST_CASE("bytes that nobody writes are refused") {
    auto bytes = bytes_of(sum_of_doubles({1.0, 0x1p-40}));
    for (auto n = size_t{0}; n < bytes.size(); ++n)
      CHECK(!decoded<exact_sum>(bytes.substr(0, n)));
    auto zero = std::string(4, '\0');
    auto two_digits = std::string(16, '\0') + "\1\1\2";
    CHECK(decoded<exact_sum>(two_digits + "abcdabcd"));
    CHECK(!decoded<exact_sum>(two_digits + zero + "abcd"));
    CHECK(!decoded<exact_sum>(two_digits + "abcd" + zero));
    // A sign that there isn't, a place too far, no digit, a minus zero.
    CHECK(!decoded<exact_sum>(std::string(16, '\0') + '\3'));
    CHECK(!decoded<exact_sum>(std::string(16, '\0') + "\1\xff\1" + "abcd"));
    CHECK(!decoded<exact_sum>(std::string(16, '\0') + "\1\1\1"
                              + std::string(4, '\0')));
    CHECK(
      !decoded<exact_sum>(std::string(16, '\0') + '\2' + std::string(2, '\0')));
  }

  TEST_CASE("any bytes are safe, and what decodes encodes to the same") {
    CHECK(rc::check([] {
      auto bytes = bytes_of(
        sum_of(*rc::gen::container<std::vector<number>>(any_number())));
      auto at = *rc::gen::inRange<size_t>(0, bytes.size());
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << *rc::gen::inRange(0, 8)));
      if (auto x = decoded<exact_sum>(bytes)) {
        RC_ASSERT(bytes_of(*x) == bytes);
        x->add(*x);
        x->to_double();
      }
    }));
  }
}

TEST_SUITE("windows/big_number") {
  TEST_CASE("a product is what the hardware rounds to") {
    CHECK(rc::check([] {
      auto x = *any_double();
      auto y = *any_double();
      auto expected = x * y;
      RC_ASSERT(same((exactly(x) * exactly(y)).to_double(),
                     expected == 0 ? 0.0 : expected));
    }));
  }

  TEST_CASE("a quotient is what the hardware rounds to") {
    CHECK(rc::check([] {
      auto x = *any_double();
      auto n = *rc::gen::inRange<uint64_t>(1, uint64_t{1} << 53);
      auto expected = x / static_cast<double>(n);
      RC_ASSERT(same(exactly(x).to_double(n), expected == 0 ? 0.0 : expected));
    }));
  }

  TEST_CASE("products and sums together round once") {
    CHECK(rc::check([] {
      auto x = *any_double();
      auto y = *any_double();
      auto z = *any_double();
      auto expected = std::fma(x, y, z);
      RC_ASSERT(same((exactly(x) * exactly(y) + exactly(z)).to_double(),
                     expected == 0 ? 0.0 : expected));
      expected = std::fma(x, y, -z);
      RC_ASSERT(same((exactly(x) * exactly(y) - exactly(z)).to_double(),
                     expected == 0 ? 0.0 : expected));
    }));
  }

  TEST_CASE("what is past all digits of a quotient still decides a tie") {
    // 2^-59 * (1 + 2^-53 + 2^-106 + ...)
    CHECK(big_number{1}.to_double((uint64_t{1} << 59) - 64)
          == 0x1.0000000000001p-59);
  }

  TEST_CASE("numbers below the least normal one are rounded once, too") {
    auto least = exactly(least_double);
    auto half = exactly(0x1p-1) * least;
    auto bit = exactly(0x1p-60) * least;
    CHECK((least + half).to_double() == 2 * least_double);
    CHECK((least + half - bit).to_double() == least_double);
    CHECK(half.to_double() == 0);
    CHECK((half + bit).to_double() == least_double);
    CHECK(bit.to_double() == 0);
  }

  TEST_CASE("dividing twice rounds once") {
    // 2^53 + 1 halves are a tie, and a ninth of anything more is not.
    auto x = big_number{(int128{1} << 53) + 1} * big_number{9};
    CHECK(x.to_double(3, 2) == 0x1p53);
    CHECK((x + big_number{1}).to_double(3, 2) == 0x1p53 + 2);
    CHECK((x - big_number{1}).to_double(3, 2) == 0x1p53);
    CHECK(big_number{-7}.to_double(2, 2) == -1.75);
    CHECK(same(big_number{}.to_double(7, 2), 0.0));
  }
}
