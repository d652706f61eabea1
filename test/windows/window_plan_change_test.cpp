#include "test/windows/rollup_fixture.hpp"
#include "windows/window_plan.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto always = window_plan::always;
constexpr auto forever = window_plan::forever;

window_bounds bounds(time_ms start, time_ms end) {
  return {start, end};
}

window_plan prepared(window_plan plan, time_ms every) {
  REQUIRE(plan.prepare(every));
  return plan;
}

} // namespace

TEST_SUITE("windows/window_plan_change") {
  TEST_CASE("a change begins at the first common bound after all readings") {
    auto plan = prepared(window_plan::periodic(400), 600);
    CHECK(plan.pending() == 600);
    CHECK(plan.every() == 400);
    CHECK(plan.settle(2399) == 2400);
    CHECK(!plan.pending());
    CHECK(plan.every() == 600);
    CHECK(plan.find(2399) == bounds(2000, 2400));
    CHECK(plan.find(2400) == bounds(2400, 3000));
    CHECK(plan.version() == 3);
    CHECK(prepared(window_plan::periodic(400), 600).settle(2400) == 3600);
    CHECK(prepared(window_plan::periodic(400), 600).settle(-1) == 0);
    CHECK(prepared(window_plan::periodic(400), 600).settle(-1200) == 0);
    CHECK(prepared(window_plan::periodic(400), 600).settle(-1201) == -1200);
  }

  TEST_CASE("without a reading yet, a change begins before all of them") {
    auto plan = prepared(window_plan::periodic(400), 600);
    auto at = plan.settle(always);
    REQUIRE(at);
    CHECK(*at < time_min);
    CHECK(plan.find(0) == bounds(0, 600));
  }

  TEST_CASE("windows begin at the first bound after all readings") {
    auto plan = prepared(window_plan{}, 1000);
    CHECK(plan.settle(1000) == 2000);
    CHECK(!plan.find(1999));
    CHECK(plan.find(2000) == bounds(2000, 3000));
  }

  TEST_CASE("windows begin after those that are announced explicitly") {
    auto plan = window_plan{};
    REQUIRE(plan.open({500, 4500}));
    REQUIRE(plan.prepare(1000));
    CHECK(plan.settle(600) == 5000);
    CHECK(plan.find(4499) == bounds(500, 4500));
    CHECK(!plan.find(4500));
    auto exact = window_plan{};
    REQUIRE(exact.open({500, 4000}));
    REQUIRE(exact.prepare(1000));
    CHECK(exact.settle(600) == 4000);
  }

  TEST_CASE("windows end at the next bound after all readings") {
    auto plan = prepared(window_plan::periodic(1000), 0);
    CHECK(plan.pending() == 0);
    CHECK(plan.settle(1000) == 2000);
    CHECK(!plan.periodic());
    CHECK(plan.find(1999) == bounds(1000, 2000));
    CHECK(!plan.find(2000));
    CHECK(plan.open({2000, 2500}));
  }

  TEST_CASE("a change that begins where the last one did replaces it") {
    auto plan = prepared(window_plan::periodic(400), 600);
    CHECK(plan.settle(5) == 1200);
    REQUIRE(plan.prepare(100));
    CHECK(plan.settle(5) == 1200);
    CHECK(plan.segments().size() == 2);
    CHECK(plan.find(1200) == bounds(1200, 1300));
    REQUIRE(plan.prepare(0));
    CHECK(plan.settle(5) == 1200);
    CHECK(plan.segments().size() == 1);
    CHECK(!plan.find(1200));
  }

  TEST_CASE("what can't be changed to is refused") {
    auto plan = window_plan::periodic(1000);
    CHECK(plan.prepare(-1).error().code == ec::invalid_argument);
    CHECK(plan.prepare(forever).error().code == ec::invalid_argument);
    CHECK(plan.prepare(1000).error().code == ec::conflict);
    CHECK(window_plan{}.prepare(0).error().code == ec::conflict);
    REQUIRE(plan.prepare(2000));
    CHECK(plan.prepare(3000).error().code == ec::conflict);
    CHECK(window_plan{}.settle(0).error().code == ec::not_found);
    auto off = prepared(window_plan{}, 1000);
    CHECK(off.open({0, 1}).error().code == ec::conflict);
  }

  TEST_CASE("a change that would begin after the year 9999 is dropped") {
    auto plan
      = prepared(window_plan::periodic(999'999'999'989), 999'999'999'961);
    auto version = plan.version();
    auto settled = plan.settle(1'700'000'000'000);
    REQUIRE(!settled);
    CHECK(settled.error().code == ec::invalid_argument);
    CHECK(settled.error().text.find("2023-11-14T22:13:20.000Z")
          != std::string::npos);
    CHECK(!plan.pending());
    CHECK(plan.version() > version);
    CHECK(plan.every() == 999'999'999'989);
    auto far = prepared(window_plan::periodic(time_max - 1), time_max);
    CHECK(!far.settle(0));
    CHECK(!prepared(window_plan{}, 1000).settle(forever));
    CHECK(!prepared(window_plan{}, 1000).settle(time_max));
  }

  TEST_CASE("an abandoned change leaves the rule as it was") {
    auto plan = prepared(window_plan::periodic(1000), 300);
    plan.abandon();
    CHECK(!plan.pending());
    CHECK(plan.version() == 3);
    CHECK(plan.find(0) == bounds(0, 1000));
    plan.abandon();
    CHECK(plan.version() == 3);
  }

  TEST_CASE("a change begins at the least time that it may") {
    CHECK(rc::check([] {
      auto old = *rc::gen::inRange<time_ms>(1, 40);
      auto coming = *rc::gen::inRange<time_ms>(1, 40);
      RC_PRE(old != coming);
      auto greatest = *rc::gen::inRange<time_ms>(-5000, 5000);
      auto expected = greatest + 1;
      while (expected % old != 0 || expected % coming != 0)
        ++expected;
      auto plan = window_plan::periodic(old);
      RC_ASSERT(plan.prepare(coming).has_value());
      RC_ASSERT(plan.settle(greatest) == expected);
    }));
  }
}
