#include "test/windows/rollup_fixture.hpp"
#include "windows/rollup_table.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <random>

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto always = window_plan::always;
constexpr auto forever = window_plan::forever;
constexpr auto unlimited = size_t{1} << 40;

rollup_counts counts(uint64_t in, uint64_t late, uint64_t outside,
                     uint64_t refused) {
  return {in, late, outside, refused};
}

/// A table with windows of a second.
struct fixture {
  rollup_table table;
  time_ms upto = 0;

  fixture() {
    table.set_plan(window_plan::periodic(1000), always);
  }

  rollup_counts apply(const batch_of& batch,
                      const std::vector<uint32_t>& skip = {}) {
    return table.apply(batch.get(), skip);
  }

  /// One reading of the metric "m".
  rollup_counts at(time_ms time, int64_t value = 1) {
    return apply(std::move(batch_of{}.add("a", "m", time, value)));
  }

  std::vector<window_partial> held() const {
    return table.windows(always, forever, true, unlimited);
  }

  /// Starts of the sealed windows in (after_end, through].
  std::vector<time_ms> sealed_starts(time_ms after_end, time_ms through,
                                     size_t bytes_max = unlimited) {
    auto res = std::vector<time_ms>{};
    for (auto& x : table.sealed(after_end, through, bytes_max, upto))
      res.push_back(x.bounds.start);
    return res;
  }
};

/// A table with two explicit windows: [0, 1000) and [2000, 5000).
struct explicit_fixture : fixture {
  window_plan plan;

  explicit_fixture() {
    REQUIRE(plan.open({0, 1000}));
    REQUIRE(plan.open({2000, 5000}));
    table = rollup_table{};
    table.set_plan(plan, always);
  }
};

aggregate_value sum_of(const window_partial& x, size_t metric = 0) {
  return x.metrics.at(metric).total.lower<sum_aggregate>();
}

aggregate_value integer(int64_t x) {
  return aggregate_value::of(int128{x});
}

} // namespace

TEST_SUITE("windows/rollup_table") {
  TEST_CASE_FIXTURE(fixture, "totals are those of all entities together") {
    auto c = apply(batch_of{}
                     .add("a", "load", 100, 1)
                     .add("b", "heat", 100, 2)
                     .add("b", "load", 999, 3)
                     .add("a", "load", 1000, 4));
    CHECK(c == counts(4, 0, 0, 0));
    auto xs = held();
    REQUIRE(xs.size() == 2);
    CHECK(xs[0].bounds == window_bounds{0, 1000});
    CHECK(xs[0].count == 3);
    CHECK(!xs[0].sealed);
    REQUIRE(xs[0].metrics.size() == 2);
    CHECK(xs[0].metrics[0].metric == "heat");
    CHECK(sum_of(xs[0], 0) == integer(2));
    CHECK(xs[0].metrics[1].metric == "load");
    CHECK(sum_of(xs[0], 1) == integer(4));
    CHECK(sum_of(xs[1]) == integer(4));
    CHECK(table.cells() == 3);
    CHECK(table.metrics() == 2);
    CHECK(table.windows_held() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "readings that a verdict skips count nowhere") {
    auto c = apply(batch_of{}
                     .add("a", "m", 100, 1)
                     .add("a", "m", 100, 2)
                     .add("a", "m", 100, 4)
                     .add("a", "m", 100, 8),
                   {0, 2});
    CHECK(c == counts(2, 0, 0, 0));
    CHECK(sum_of(held()[0]) == integer(10));
  }

  TEST_CASE_FIXTURE(fixture, "a sealed window takes nothing more") {
    at(500);
    at(1500);
    table.seal(1000);
    CHECK(at(999) == counts(0, 1, 0, 0));
    CHECK(at(1000) == counts(1, 0, 0, 0));
    CHECK(at(-1) == counts(0, 1, 0, 0));
    auto xs = held();
    CHECK(xs[0].sealed);
    CHECK(xs[0].count == 1);
    CHECK(!xs[1].sealed);
    CHECK(xs[1].count == 2);
  }

  TEST_CASE_FIXTURE(fixture, "a seal in the midst of a window leaves it open") {
    at(500);
    table.seal(999);
    CHECK(at(999) == counts(1, 0, 0, 0));
    CHECK(sealed_starts(always, forever).empty());
  }

  TEST_CASE_FIXTURE(fixture, "a seal never goes back, and may seal nothing") {
    table.seal(5000);
    table.seal(3000);
    CHECK(table.sealed_through() == 5000);
    CHECK(at(4999) == counts(0, 1, 0, 0));
    CHECK(table.windows_held() == 0);
    CHECK(sealed_starts(always, 5000).empty());
    CHECK(upto == 5000);
  }

  TEST_CASE_FIXTURE(fixture, "sealed windows are told in order, in portions") {
    for (auto time : {3500, 500, 2500, 1500, 4500})
      at(time);
    table.seal(4000);
    CHECK(sealed_starts(always, 4000)
          == std::vector<time_ms>{0, 1000, 2000, 3000});
    CHECK(upto == 4000);
    CHECK(sealed_starts(1000, 3000) == std::vector<time_ms>{1000, 2000});
    CHECK(upto == 3000);
    CHECK(sealed_starts(1500, 3999) == std::vector<time_ms>{1000, 2000});
    CHECK(upto == 3999);
    CHECK(sealed_starts(always, 4000, 1) == std::vector<time_ms>{0});
    CHECK(upto == 1000);
    CHECK(sealed_starts(upto, 4000, 200) == std::vector<time_ms>{1000, 2000});
    CHECK(upto == 3000);
    CHECK(sealed_starts(upto, 4000, 200) == std::vector<time_ms>{3000});
    CHECK(upto == 4000);
  }

  TEST_CASE_FIXTURE(fixture, "a portion has about the bytes that it may") {
    for (auto i = 0; i < 200; ++i)
      for (auto m : {"first", "second", "a metric with a longer name"})
        apply(std::move(batch_of{}
                          .add("a", m, 1000 * i, i)
                          .add("a", m, 1000 * i, number::of(0.1 * i))));
    table.seal(200'000);
    auto bytes = std::string{};
    auto out = byte_writer{bytes};
    encode_windows(table.sealed(always, 200'000, 20'000, upto), out);
    CHECK(bytes.size() > 15'000);
    CHECK(bytes.size() < 25'000);
  }

  TEST_CASE_FIXTURE(fixture, "windows are held until they are released") {
    for (auto time : {500, 1500, 2500})
      at(time);
    CHECK(!table.holds_sealed(forever));
    table.seal(2000);
    CHECK(!table.holds_sealed(999));
    CHECK(table.holds_sealed(1000));
    table.release(1000);
    CHECK(held().size() == 2);
    CHECK(at(500) == counts(0, 1, 0, 0));
    table.release(forever);
    CHECK(held().size() == 1);
    CHECK(held()[0].bounds.start == 2000);
    CHECK(!table.holds_sealed(forever));
    table.release(window_bounds{2000, 3000});
    CHECK(held().size() == 1);
    table.seal(3000);
    table.release(window_bounds{2000, 3001});
    CHECK(held().size() == 1);
    table.release(window_bounds{2000, 3000});
    CHECK(held().empty());
    CHECK(table.cells() == 0);
    CHECK(table.metrics() == 0);
  }

  TEST_CASE_FIXTURE(fixture, "windows that overlap a span are told") {
    for (auto time : {500, 1500, 2500, 3500})
      at(time);
    auto starts = [&](time_ms from, time_ms until, size_t count_max) {
      auto res = std::vector<time_ms>{};
      for (auto& x : table.windows(from, until, false, count_max)) {
        CHECK(x.metrics.empty());
        CHECK(x.count == 1);
        res.push_back(x.bounds.start);
      }
      return res;
    };
    CHECK(starts(1000, 3000, 9) == std::vector<time_ms>{1000, 2000});
    CHECK(starts(1999, 2001, 9) == std::vector<time_ms>{1000, 2000});
    CHECK(starts(always, forever, 3) == std::vector<time_ms>{0, 1000, 2000});
    CHECK(starts(4000, forever, 9).empty());
  }

  TEST_CASE_FIXTURE(explicit_fixture, "outside of all windows is no window") {
    CHECK(at(-1) == counts(0, 0, 1, 0));
    CHECK(at(0) == counts(1, 0, 0, 0));
    CHECK(at(1000) == counts(0, 0, 1, 0));
    CHECK(at(4999) == counts(1, 0, 0, 0));
    CHECK(at(5000) == counts(0, 0, 1, 0));
    table.seal(1000);
    CHECK(at(-1) == counts(0, 0, 1, 0));
    CHECK(at(0) == counts(0, 1, 0, 0));
    CHECK(held().size() == 2);
  }

  TEST_CASE_FIXTURE(explicit_fixture, "a window closed by hand is sealed") {
    at(500);
    at(3000, 7);
    CHECK(!table.close({2000, 4999}));
    CHECK(!table.close({1000, 2000}));
    CHECK(table.close({2000, 5000}));
    CHECK(at(3000) == counts(0, 1, 0, 0));
    CHECK(at(500) == counts(1, 0, 0, 0));
    CHECK(sealed_starts(4999, 5000) == std::vector<time_ms>{2000});
    CHECK(sealed_starts(always, 1000).empty());
    table.release(window_bounds{2000, 5000});
    CHECK(at(3000) == counts(0, 1, 0, 0));
    CHECK(held().size() == 1);
    table.seal(5000);
    CHECK(at(3000) == counts(0, 1, 0, 0));
  }

  TEST_CASE_FIXTURE(explicit_fixture, "a plan that closes a window seals it") {
    at(3000, 7);
    REQUIRE(plan.close(2000));
    table.set_plan(plan, 3000);
    CHECK(at(3000) == counts(0, 1, 0, 0));
    CHECK(sealed_starts(always, 5000) == std::vector<time_ms>{2000});
  }

  TEST_CASE_FIXTURE(explicit_fixture, "only a greater version is taken") {
    auto older = plan;
    REQUIRE(plan.open({7000, 8000}));
    table.set_plan(plan, always);
    table.set_plan(older, always);
    CHECK(table.plan() == plan);
    CHECK(at(7000) == counts(1, 0, 0, 0));
  }

  TEST_CASE_FIXTURE(explicit_fixture,
                    "what is sealed stays when the plan forgets it") {
    at(500);
    at(4000);
    table.seal(5000);
    plan.prune(forever);
    table.set_plan(plan, 4000);
    CHECK(held().size() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "past the limit of cells readings are refused") {
    table.configure({10, 2});
    CHECK(at(500) == counts(1, 0, 0, 0));
    CHECK(apply(batch_of{}.add("a", "n", 500, 1).add("a", "o", 500, 1))
          == counts(1, 0, 0, 1));
    CHECK(at(500) == counts(1, 0, 0, 0));
    CHECK(at(1500) == counts(0, 0, 0, 1));
    CHECK(table.windows_held() == 1);
    table.seal(1000);
    table.release(1000);
    CHECK(at(1500) == counts(1, 0, 0, 0));
  }

  TEST_CASE_FIXTURE(fixture, "past the limit of metrics readings are refused") {
    table.configure({1, 100});
    CHECK(at(500) == counts(1, 0, 0, 0));
    CHECK(apply(batch_of{}.add("a", "n", 500, 1).add("a", "m", 1500, 1))
          == counts(1, 0, 0, 1));
    CHECK(table.metrics() == 1);
    table.seal(2000);
    table.release(2000);
    CHECK(apply(batch_of{}.add("a", "n", 2500, 1)) == counts(1, 0, 0, 0));
    CHECK(held()[0].metrics[0].metric == "n");
  }

  TEST_CASE_FIXTURE(fixture, "metrics don't take over each other's numbers") {
    for (auto i = 0; i < 50; ++i) {
      auto name = "metric " + std::to_string(i);
      apply(std::move(batch_of{}
                        .add("a", "unused", 0, 1)
                        .add("a", name, 1000 * i, i)
                        .add("a", "m", 1000 * i, 2)));
      auto xs = table.windows(1000 * i, 1000 * i + 1, true, 1);
      REQUIRE(xs.size() == 1);
      REQUIRE(xs[0].metrics[0].metric == "m");
      REQUIRE(xs[0].metrics[1].metric == name);
      REQUIRE(sum_of(xs[0], 1) == integer(i));
      table.seal(1000 * i);
      table.release(1000 * i);
    }
    // Three of two windows, and "unused" not.
    CHECK(table.metrics() == 2);
  }

  TEST_CASE_FIXTURE(fixture,
                    "the extremes of time are in a window or outside") {
    CHECK(at(always) == counts(1, 0, 0, 0));
    CHECK(at(forever - 1) == counts(1, 0, 0, 0));
    CHECK(at(forever) == counts(0, 0, 1, 0));
    CHECK(at(-1) == counts(1, 0, 0, 0));
    table.seal(forever);
    CHECK(sealed_starts(always, forever)
          == std::vector<time_ms>{always, -1000, 9223372036854775000});
    table.release(forever);
    CHECK(table.windows_held() == 0);
  }

  TEST_CASE_FIXTURE(fixture, "a gap of years costs nothing") {
    table.set_plan(
      [] {
        auto plan = window_plan::periodic(1000);
        REQUIRE(plan.prepare(1));
        REQUIRE(plan.settle(always));
        return plan;
      }(),
      always);
    at(5);
    CHECK(at(1'000'000'000'000) == counts(1, 0, 0, 0));
    table.seal(1'000'000'000'001);
    CHECK(sealed_starts(always, 1'000'000'000'001).size() == 2);
    table.release(1'000'000'000'001);
    CHECK(table.windows_held() == 0);
  }

  TEST_CASE("many windows at a time are told apart") {
    CHECK(rc::check([] {
      auto every = *rc::gen::inRange<time_ms>(1, 3000);
      auto plan = window_plan::periodic(every);
      auto tables = std::vector<rollup_table>(3);
      for (auto& x : tables)
        x.set_plan(plan, always);
      auto expected = naive_windows{};
      auto random = std::mt19937{*rc::gen::arbitrary<uint32_t>()};
      auto base = *rc::gen::element<time_ms>(0, 1'700'000'000'000, -50'000);
      auto sealed = always;
      auto received = size_t{0};
      auto ledger = rollup_counts{};
      auto late = uint64_t{0};
      for (auto i = 0; i < 30; ++i) {
        auto batch = batch_of{};
        for (auto j = 0; j < 20; ++j) {
          auto time = base + static_cast<time_ms>(random() % 100'000);
          auto metric = "metric " + std::to_string(random() % 4);
          auto value = number::of(static_cast<int64_t>(random()));
          batch.add("a", metric, time, value);
          ++received;
          auto window = *plan.find(time);
          if (window.end <= sealed)
            ++late;
          else
            expected[{window.start, metric}].push_back(value);
        }
        ledger += tables[random() % 3].apply(batch.get(), {});
        if (random() % 8 == 0) {
          sealed
            = std::max(sealed, base + static_cast<time_ms>(random() % 50'000));
          for (auto& x : tables)
            x.seal(sealed);
        }
      }
      RC_ASSERT(ledger.total() == received);
      RC_ASSERT(ledger == counts(received - late, late, 0, 0));
      RC_ASSERT(agree(all_windows(tables), expected, plan));
    }));
  }

  TEST_CASE_FIXTURE(fixture, "bytes on the heap grow and shrink with content") {
    auto empty = table.bytes();
    auto batch = batch_of{};
    for (auto i = 0; i < 1000; ++i)
      batch.add("a", "m" + std::to_string(i), 5, number::of(0.1));
    apply(batch);
    CHECK(table.bytes() > empty + 1000 * (sizeof(partial) + 100));
    CHECK(table.bytes() < empty + 1000 * (sizeof(partial) + 100) * 4);
    table.seal(forever);
    table.release(forever);
    CHECK(table.bytes() < empty + 100'000);
  }
}
