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

/// A plan of explicit windows.
window_plan plan_of(const std::vector<window_bounds>& xs) {
  auto res = window_plan{};
  for (auto& x : xs)
    REQUIRE(res.open(x));
  return res;
}

/// Explicit windows, then periodic ones of one or two durations, near zero.
window_plan any_plan() {
  auto res = window_plan{};
  auto time = *rc::gen::inRange<time_ms>(0, 20);
  auto explicit_windows = *rc::gen::inRange(0, 4);
  for (auto i = 0; i < explicit_windows; ++i) {
    auto start = time + *rc::gen::inRange<time_ms>(0, 5);
    time = start + *rc::gen::inRange<time_ms>(1, 10);
    RC_ASSERT(res.open({start, time}).has_value());
  }
  auto changes = *rc::gen::inRange(0, 4);
  for (auto i = 0; i < changes; ++i) {
    auto every = *rc::gen::inRange<time_ms>(0, 12);
    if (!res.prepare(every))
      continue;
    RC_ASSERT(res.settle(*rc::gen::inRange<time_ms>(-50, 50)).has_value());
  }
  if (*rc::gen::inRange(0, 4) == 0)
    (void)res.prepare(*rc::gen::inRange<time_ms>(0, 12));
  return res;
}

} // namespace

TEST_SUITE("windows/window_plan") {
  TEST_CASE("a bound belongs to the window that begins there") {
    auto plan = window_plan::periodic(1000);
    CHECK(plan.find(0) == bounds(0, 1000));
    CHECK(plan.find(999) == bounds(0, 1000));
    CHECK(plan.find(1000) == bounds(1000, 2000));
    CHECK(plan.every() == 1000);
    CHECK(plan.periodic());
    CHECK(plan.version() == 1);
  }

  TEST_CASE("windows below zero are like those above") {
    auto plan = window_plan::periodic(1000);
    CHECK(plan.find(-1) == bounds(-1000, 0));
    CHECK(plan.find(-1000) == bounds(-1000, 0));
    CHECK(plan.find(-1001) == bounds(-2000, -1000));
  }

  TEST_CASE("windows at the extremes of int64 end there") {
    auto plan = window_plan::periodic(1000);
    CHECK(plan.find(always) == bounds(always, -9223372036854775000));
    CHECK(plan.find(forever - 1) == bounds(9223372036854775000, forever));
    CHECK(!plan.find(forever));
    CHECK(plan.last_end(forever) == forever);
    CHECK(plan.last_end(always) == always);
    CHECK(plan.last_end(always + 1) == always);
    CHECK(plan.next(always) == bounds(always, -9223372036854775000));
    CHECK(!plan.next(forever));
    CHECK(window_plan::periodic(1).find(always) == bounds(always, always + 1));
  }

  TEST_CASE("a plan without windows finds none") {
    auto plan = window_plan{};
    CHECK(!plan.find(0));
    CHECK(!plan.next(always));
    CHECK(plan.last_end(forever) == always);
    CHECK(!plan.periodic());
    CHECK(plan.version() == 0);
  }

  TEST_CASE("years of empty windows cost nothing") {
    auto plan = window_plan::periodic(1);
    CHECK(plan.last_end(1'000'000'000'000) == 1'000'000'000'000);
    CHECK(plan.next(1'000'000'000'000)
          == bounds(1'000'000'000'000, 1'000'000'000'001));
    REQUIRE(plan.prepare(999'983));
    CHECK(plan.settle(1'000'000'000'000)
          == (1'000'000'000'000 / 999'983 + 1) * 999'983);
  }

  TEST_CASE("a change that has not begun is taken back without a trace") {
    auto plan = window_plan::periodic(60);
    auto before = plan.segments();
    for (auto mistake : {time_ms{1'000'000'007}, time_ms{0}}) {
      REQUIRE(plan.prepare(mistake));
      auto begins = plan.settle(100);
      REQUIRE(begins);
      REQUIRE(plan.prepare(60));
      CHECK(plan.settle(101) == *begins);
      CHECK(plan.segments() == before);
    }
    // Others begin as soon as they can again.
    REQUIRE(plan.prepare(300));
    CHECK(plan.settle(102) == 300);
    // One that has begun stays.
    REQUIRE(plan.prepare(60));
    CHECK(plan.settle(500) == 600);
    CHECK(plan.find(301) == bounds(300, 600));
    CHECK(plan.segments().size() == 3);
  }

  TEST_CASE("explicit windows are found, and gaps between them are not") {
    auto plan = plan_of({{2000, 3000}, {0, 1000}, {1000, 1500}});
    CHECK(plan.find(0) == bounds(0, 1000));
    CHECK(plan.find(1000) == bounds(1000, 1500));
    CHECK(!plan.find(1500));
    CHECK(!plan.find(-1));
    CHECK(plan.find(2999) == bounds(2000, 3000));
    CHECK(!plan.find(3000));
    CHECK(plan.last_end(2999) == 1500);
    CHECK(plan.last_end(3000) == 3000);
    CHECK(plan.next(1500) == bounds(2000, 3000));
    CHECK(plan.next(999) == bounds(0, 1000));
    CHECK(!plan.next(3000));
    CHECK(plan.version() == 3);
    CHECK(plan.every() == 0);
  }

  TEST_CASE("an overlapping window is refused, and the sentence names which") {
    auto plan = plan_of({{1000, 2000}, {3000, 4000}});
    for (auto& x : {bounds(0, 1001), bounds(1999, 2001), bounds(1200, 1300),
                    bounds(0, 9000), bounds(1000, 2000)}) {
      auto opened = plan.open(x);
      REQUIRE(!opened);
      CHECK(opened.error().code == ec::conflict);
      CHECK(opened.error().text.find("[1970-01-01T00:00:01.000Z, "
                                     "1970-01-01T00:00:02.000Z)")
            != std::string::npos);
    }
    CHECK(plan.version() == 2);
    CHECK(plan.open({2000, 3000}));
    auto opened = window_plan::periodic(60'000).open({0, 1});
    REQUIRE(!opened);
    CHECK(opened.error().text.find("windows of 1m") != std::string::npos);
  }

  TEST_CASE("a window must have a beginning before its end, within the years") {
    auto plan = window_plan{};
    for (auto& x : {bounds(5, 5), bounds(6, 5), bounds(-1, 5),
                    bounds(0, time_max + 2), bounds(always, forever)}) {
      auto opened = plan.open(x);
      REQUIRE(!opened);
      CHECK(opened.error().code == ec::invalid_argument);
    }
    CHECK(plan.open({0, time_max + 1}));
  }

  TEST_CASE("an explicit window is closed by hand, once") {
    auto plan = plan_of({{0, 1000}, {1000, 2000}});
    CHECK(plan.close(1999) == bounds(1000, 2000));
    CHECK(plan.segments()[1].closed);
    CHECK(!plan.segments()[0].closed);
    CHECK(plan.close(1000).error().code == ec::conflict);
    CHECK(plan.close(2000).error().code == ec::not_found);
    CHECK(window_plan::periodic(10).close(0).error().code == ec::conflict);
    CHECK(plan.version() == 3);
  }

  TEST_CASE("a plan has a limit, and says so") {
    auto plan = window_plan{};
    for (auto i = time_ms{0}; i < 10'000; ++i)
      REQUIRE(plan.open({2 * i, 2 * i + 1}));
    auto opened = plan.open({90'000, 90'001});
    REQUIRE(!opened);
    CHECK(opened.error().code == ec::limit_reached);
    CHECK(plan.prepare(1000).error().code == ec::limit_reached);
    auto bytes = bytes_of(plan);
    CHECK(decoded<window_plan>(bytes) == plan);
    CHECK(bytes.size() < 100'000);
    plan.prune(100);
    CHECK(plan.open({90'000, 90'001}));
  }

  TEST_CASE("pruning keeps the last of what has ended") {
    auto plan = plan_of({{0, 1000}, {1000, 2000}, {5000, 6000}});
    plan.prune(999);
    plan.prune(1999);
    CHECK(plan.version() == 3);
    plan.prune(2500);
    CHECK(plan.version() == 4);
    CHECK(!plan.find(0));
    CHECK(plan.find(1000) == bounds(1000, 2000));
    CHECK(plan.find(5000) == bounds(5000, 6000));
    CHECK(plan.last_end(4000) == 2000);
    plan.prune(forever);
    CHECK(plan.last_end(forever) == 6000);
  }

  TEST_CASE("what is found, last and next is what a search would find") {
    CHECK(rc::check([] {
      auto plan = any_plan();
      // Far enough to see what lasts for ever.
      auto windows = std::vector<window_bounds>{};
      for (auto t = time_ms{-200}; t < 300; ++t) {
        auto expected = std::optional<window_bounds>{};
        for (auto& x : plan.segments()) {
          if (t < x.from || t >= x.until)
            continue;
          auto start = x.from;
          auto end = x.until;
          if (x.every != 0) {
            for (start = t; start % x.every != 0;)
              --start;
            end = start + x.every;
          }
          expected = {start, end};
        }
        RC_ASSERT(plan.find(t) == expected);
        if (expected && (windows.empty() || windows.back() != *expected))
          windows.push_back(*expected);
      }
      for (auto t = time_ms{-150}; t < 250; ++t) {
        auto last = plan.segments().empty() || plan.segments()[0].from > always
                      ? always
                      : time_ms{-200};
        auto next = std::optional<window_bounds>{};
        for (auto& x : windows) {
          if (x.end <= t)
            last = std::max(last, x.end);
          else if (!next)
            next = x;
        }
        RC_ASSERT(plan.last_end(t) == last);
        RC_ASSERT(plan.next(t) == next);
      }
    }));
  }

  TEST_CASE("a plan survives its bytes") {
    CHECK(rc::check([] {
      auto plan = any_plan();
      RC_ASSERT(decoded<window_plan>(bytes_of(plan)) == plan);
      auto extreme = window_plan::periodic(7);
      RC_ASSERT(decoded<window_plan>(bytes_of(extreme)) == extreme);
    }));
  }

  TEST_CASE("bytes of a plan that cannot be are refused") {
    struct segment {
      time_ms from;
      time_ms until;
      uint64_t every;
      bool closed;
    };
    auto decodes = [](const segment& x, uint64_t pending = 0) {
      auto bytes = std::string{};
      auto out = byte_writer{bytes};
      out.fixed(uint8_t{1});
      out.varint(1);
      out.varint(pending);
      out.varint(1);
      out.varint(static_cast<uint64_t>(x.from) - static_cast<uint64_t>(always));
      out.varint(static_cast<uint64_t>(x.until)
                 - static_cast<uint64_t>(x.from));
      out.varint(x.every);
      out.fixed(static_cast<uint8_t>(x.closed));
      return decoded<window_plan>(bytes).has_value();
    };
    CHECK(decodes({20, 40, 10, false}));
    CHECK(!decodes({21, 40, 10, false}));
    CHECK(!decodes({20, 41, 10, false}));
    CHECK(!decodes({20, 40, 10, true}));
    CHECK(!decodes({20, 20, 10, false}));
    CHECK(!decodes({0, forever, uint64_t{1} << 63, false}));
    CHECK(decodes({21, 41, 0, true}));
    CHECK(!decodes({-1, 41, 0, true}));
    CHECK(!decodes({0, time_max + 2, 0, true}));
    CHECK(decodes({always, forever, 10, false}, 12));
    CHECK(!decodes({always, forever, 10, false}, 11));
  }

  TEST_CASE("cut or flipped bytes are refused, or are another plan") {
    CHECK(rc::check([] {
      auto bytes = bytes_of(any_plan());
      for (auto n = size_t{0}; n < bytes.size(); ++n)
        RC_ASSERT(!decoded<window_plan>(bytes.substr(0, n)));
      for (auto at = size_t{0}; at < bytes.size(); ++at) {
        auto bad = bytes;
        bad[at] = static_cast<char>(bad[at] ^ (1 << *rc::gen::inRange(0, 8)));
        auto plan = decoded<window_plan>(bad);
        if (!plan)
          continue;
        RC_ASSERT(decoded<window_plan>(bytes_of(*plan)) == *plan);
        for (auto t : {always, time_ms{-1}, time_ms{0}, forever}) {
          plan->find(t);
          plan->next(t);
          plan->last_end(t);
          auto copy = *plan;
          (void)copy.settle(t);
        }
      }
    }));
  }
}
