#include "test/windows/rollup_fixture.hpp"
#include "windows/rollup_table.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <random>

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto always = window_plan::always;

/// Explicit windows, one of them closed, a seal, and a change under way.
rollup_table busy_table(uint32_t seed, bool reversed = false) {
  auto plan = window_plan{};
  REQUIRE(plan.open({0, 500}));
  REQUIRE(plan.open({600, 800}));
  REQUIRE(plan.open({800, 1000}));
  REQUIRE(plan.close(700));
  auto res = rollup_table{};
  res.set_plan(plan, always);
  auto random = std::mt19937{seed};
  auto readings = std::vector<std::pair<time_ms, number>>{};
  for (auto i = 0; i < 40; ++i)
    readings.emplace_back(random() % 900,
                          i % 3 == 0
                            ? number::of(static_cast<double>(random()) * 0.001)
                            : number::of(static_cast<int64_t>(random())));
  if (reversed)
    std::reverse(readings.begin(), readings.end());
  for (auto& x : readings) {
    auto metric = "metric " + std::to_string(x.first % 3);
    res.apply(batch_of{}.add("a", metric, x.first, x.second).get(), {});
  }
  res.seal(500);
  REQUIRE(plan.prepare(300));
  res.set_plan(plan, 900);
  for (auto time : {850, 950, 1100, 1300})
    res.apply(batch_of{}.add("a", "late metric", time, 3).get(), {});
  return res;
}

} // namespace

TEST_SUITE("windows/rollup_checkpoint") {
  TEST_CASE("a table goes on from its bytes as if nothing had happened") {
    auto table = busy_table(1);
    auto copy = decoded<rollup_table>(bytes_of(table));
    REQUIRE(copy);
    CHECK(copy->digest() == table.digest());
    CHECK(copy->cells() == table.cells());
    CHECK(copy->metrics() == table.metrics());
    CHECK(copy->windows_held() == table.windows_held());
    CHECK(copy->sealed_through() == 500);
    auto plan = table.plan();
    REQUIRE(plan.settle(900));
    for (auto x : {&table, &*copy}) {
      x->set_plan(plan, 1300);
      auto batch = batch_of{};
      // Late by seal, late by hand, and of a new window.
      batch.add("a", "m", 100, 1).add("a", "m", 700, 1).add("a", "m", 1250, 1);
      auto c = x->apply(batch.get(), {});
      CHECK(c.late == 2);
      CHECK(c.in == 1);
      x->release(window_bounds{600, 800});
    }
    CHECK(copy->digest() == table.digest());
    CHECK(bytes_of(*copy) == bytes_of(table));
  }

  TEST_CASE("the digest does not depend on the order of readings") {
    auto table = busy_table(1);
    CHECK(busy_table(1, true).digest() == table.digest());
    CHECK(busy_table(2).digest() != table.digest());
  }

  TEST_CASE("whatever changes a table changes its digest") {
    auto digests = std::vector<uint64_t>{};
    auto table = busy_table(1);
    auto note = [&] {
      digests.push_back(table.digest());
    };
    note();
    table.apply(batch_of{}.add("a", "m", 850, 0).get(), {});
    note();
    table.close({800, 1000});
    note();
    table.seal(800);
    note();
    table.release(500);
    note();
    auto plan = table.plan();
    plan.abandon();
    table.set_plan(plan, 0);
    note();
    std::sort(digests.begin(), digests.end());
    CHECK(std::unique(digests.begin(), digests.end()) == digests.end());
  }

  TEST_CASE("an empty table has bytes, too") {
    auto copy = decoded<rollup_table>(bytes_of(rollup_table{}));
    REQUIRE(copy);
    CHECK(copy->windows_held() == 0);
    CHECK(copy->sealed_through() == always);
  }

  TEST_CASE("bytes that do not decode leave a table as it was") {
    auto table = busy_table(1);
    auto digest = table.digest();
    auto bytes = bytes_of(busy_table(2));
    for (auto n = size_t{0}; n < bytes.size(); ++n) {
      auto in = byte_reader{std::string_view{bytes}.substr(0, n)};
      REQUIRE(!table.decode(in));
    }
    CHECK(table.digest() == digest);
  }

  TEST_CASE("windows that the plan does not have are refused") {
    auto bytes_under = [](const window_plan& plan) {
      auto table = rollup_table{};
      table.set_plan(window_plan::periodic(1000), always);
      table.apply(batch_of{}.add("a", "m", 500, 1).get(), {});
      auto bytes = bytes_of(table);
      auto plan_bytes = bytes_of(table.plan()).size();
      return bytes.replace(1, plan_bytes, bytes_of(plan));
    };
    CHECK(decoded<rollup_table>(bytes_under(window_plan::periodic(1000))));
    CHECK(!decoded<rollup_table>(bytes_under(window_plan::periodic(700))));
    CHECK(!decoded<rollup_table>(bytes_under(window_plan{})));
  }

  TEST_CASE("flipped bytes are refused, or are another table") {
    CHECK(rc::check([] {
      static const auto good = bytes_of(busy_table(3));
      auto bytes = good;
      auto at = *rc::gen::inRange<size_t>(0, bytes.size());
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << *rc::gen::inRange(0, 8)));
      auto table = decoded<rollup_table>(bytes);
      if (!table)
        return;
      RC_ASSERT(decoded<rollup_table>(bytes_of(*table)).has_value());
      table->apply(batch_of{}.add("a", "metric 1", 850, 3).get(), {});
      table->seal(window_plan::forever);
      table->release(window_plan::forever);
      RC_ASSERT(table->windows(always, window_plan::forever, true, 99).empty());
    }));
  }
}
