#include "test/windows/rollup_fixture.hpp"
#include "windows/partial.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <random>

using namespace weir;
using namespace weir::test;

namespace {

number i(int64_t x) {
  return number::of(x);
}

/// What `for_each_aggregate` tells, in order.
std::vector<std::pair<std::string, aggregate_value>> answers_of(
  const partial& x) {
  auto res = std::vector<std::pair<std::string, aggregate_value>>{};
  x.for_each_aggregate([&](std::string_view name, const aggregate_value& y) {
    res.emplace_back(name, y);
  });
  return res;
}

/// Bytes of a partial with these states, as (id, bytes).
std::string bytes_with(std::vector<std::pair<uint8_t, std::string>> states) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.varint(states.size());
  for (auto& x : states) {
    out.fixed(x.first);
    out.string(x.second);
  }
  return res;
}

std::string number_bytes(uint64_t x, size_t n) {
  auto res = std::string(n, '\0');
  std::memcpy(res.data(), &x, sizeof(x));
  return res;
}

/// A count, and a sum of integers, as they are stored.
std::pair<uint8_t, std::string> stored_count(uint64_t x) {
  return {1, number_bytes(x, 8)};
}

std::pair<uint8_t, std::string> stored_sum(uint64_t x) {
  return {2, number_bytes(x, 17)};
}

} // namespace

TEST_SUITE("windows/partial") {
  TEST_CASE("the table's functions answer in its order") {
    auto answers = answers_of(partial_of({i(1), i(2), i(6)}));
    REQUIRE(answers.size() == std::tuple_size_v<aggregate_functions>);
    CHECK(answers[0].first == "count");
    CHECK(answers[0].second == aggregate_value::of(int128{3}));
    CHECK(answers[1].first == "sum");
    CHECK(answers[1].second == aggregate_value::of(int128{9}));
    CHECK(answers[2].first == "min");
    CHECK(answers[2].second == aggregate_value::of(int128{1}));
    CHECK(answers[3].first == "max");
    CHECK(answers[3].second == aggregate_value::of(int128{6}));
    CHECK(answers[4].first == "average");
    CHECK(answers[4].second == aggregate_value::of(3.0));
    CHECK(answers[5].first == "variance");
    CHECK(answers[5].second == aggregate_value::of(14.0 / 3));
  }

  TEST_CASE("nothing counts 0, sums to 0 and has no average") {
    auto x = partial{};
    CHECK(x.lower<count_aggregate>() == aggregate_value::of(int128{0}));
    CHECK(x.lower<sum_aggregate>() == aggregate_value::of(int128{0}));
    CHECK(x.lower<average_aggregate>() == aggregate_value::nothing());
  }

  TEST_CASE("a double among integers makes a real sum") {
    auto x = partial_of({i(1), number::of(2.0)});
    CHECK(x.lower<sum_aggregate>() == aggregate_value::of(3.0));
    CHECK(x.lower<max_aggregate>() == aggregate_value::of(2.0));
    CHECK(x.lower<min_aggregate>() == aggregate_value::of(int128{1}));
  }

  TEST_CASE("order and grouping change no bit of it") {
    CHECK(rc::check([] {
      auto xs = *rc::gen::container<std::vector<number>>(any_number());
      auto expected = partial_of(xs);
      auto random = std::minstd_rand{*rc::gen::arbitrary<uint32_t>()};
      std::shuffle(xs.begin(), xs.end(), random);
      auto groups = std::vector<partial>(1 + random() % 5);
      for (auto& x : xs)
        groups[random() % groups.size()].lift(x);
      while (groups.size() > 1) {
        auto last = decoded<partial>(bytes_of(groups.back()));
        RC_ASSERT(last.has_value());
        groups.pop_back();
        groups[random() % groups.size()].combine(*last);
      }
      RC_ASSERT(groups[0] == expected);
      RC_ASSERT(answers_of(groups[0]) == answers_of(expected));
    }));
  }

  TEST_CASE("integer readings have bytes of one length") {
    auto n = bytes_of(partial{}).size();
    CHECK(n == 79);
    CHECK(bytes_of(partial_of({i(1)})).size() == n);
    auto most = std::numeric_limits<int64_t>::max();
    CHECK(bytes_of(partial_of({i(most), i(-most), i(most)})).size() == n);
  }

  TEST_CASE("the stored form of each function is what it was") {
    auto x = decoded<partial>(bytes_with({stored_count(2), stored_sum(9)}));
    REQUIRE(x);
    CHECK(x->lower<count_aggregate>() == aggregate_value::of(int128{2}));
    CHECK(x->lower<sum_aggregate>() == aggregate_value::of(int128{9}));
    auto bytes = bytes_of(partial_of({i(4), i(5)}));
    CHECK(bytes.substr(1, 10) == bytes_with({stored_count(2)}).substr(1));
    CHECK(bytes.substr(11, 19) == bytes_with({stored_sum(9)}).substr(1));
    CHECK(bytes[30] == 3);
    CHECK(bytes[41] == 4);
    CHECK(bytes[52] == 6);
  }

  TEST_CASE("a function that came later has no answer for what is older") {
    auto old = decoded<partial>(bytes_with({stored_count(2), stored_sum(9)}));
    REQUIRE(old);
    CHECK(!old->has<max_aggregate>());
    CHECK(old->lower<max_aggregate>() == aggregate_value::nothing());
    CHECK(old->lower<variance_aggregate>() == aggregate_value::nothing());
    CHECK(old->lower<average_aggregate>() == aggregate_value::of(4.5));
    SUBCASE("nor has a total that it is a part of") {
      auto x = partial_of({i(1)});
      x.combine(*old);
      CHECK(x.lower<count_aggregate>() == aggregate_value::of(int128{3}));
      CHECK(x.lower<max_aggregate>() == aggregate_value::nothing());
      auto copy = decoded<partial>(bytes_of(x));
      REQUIRE(copy);
      CHECK(*copy == x);
      CHECK(copy->lower<max_aggregate>() == aggregate_value::nothing());
    }
    SUBCASE("and what is made of others lacks what they lack") {
      auto x = decoded<partial>(bytes_with({stored_count(2)}));
      REQUIRE(x);
      CHECK(x->lower<average_aggregate>() == aggregate_value::nothing());
    }
  }

  TEST_CASE("a function of a newer program is skipped") {
    auto x = decoded<partial>(
      bytes_with({stored_count(2), {200, "whatever"}, stored_sum(9)}));
    REQUIRE(x);
    CHECK(x->lower<sum_aggregate>() == aggregate_value::of(int128{9}));
  }

  TEST_CASE("bytes that nobody writes are refused") {
    CHECK(!decoded<partial>(bytes_with({stored_count(2), stored_count(2)})));
    CHECK(!decoded<partial>(bytes_with({{1, "1234567"}})));
    CHECK(!decoded<partial>(bytes_with({{1, "123456789"}})));
    auto bytes = bytes_of(partial_of({i(1), number::of(0.1)}));
    for (auto n = size_t{0}; n < bytes.size(); ++n)
      CHECK(!decoded<partial>(bytes.substr(0, n)));
  }

  TEST_CASE("any bytes are safe") {
    CHECK(rc::check([] {
      auto bytes = bytes_of(
        partial_of(*rc::gen::container<std::vector<number>>(any_number())));
      auto at = *rc::gen::inRange<size_t>(0, bytes.size());
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << *rc::gen::inRange(0, 8)));
      if (auto x = decoded<partial>(bytes)) {
        x->combine(partial{*x});
        answers_of(*x);
      }
    }));
  }

  TEST_CASE("128-bit integers are written in all their digits") {
    CHECK(decimal(0) == "0");
    CHECK(decimal(-10) == "-10");
    CHECK(decimal(int128{1} << 64) == "18446744073709551616");
    auto most = static_cast<int128>(~uint128{0} >> 1);
    CHECK(decimal(most) == "170141183460469231731687303715884105727");
    CHECK(decimal(-most - 1) == "-170141183460469231731687303715884105728");
  }
}
