#include "test/windows/sliding_fixture.hpp"
#include "windows/sliding_series.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <random>

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto nothing_forgotten = std::numeric_limits<time_ms>::min();

void add(sliding_series& x, time_ms time, int64_t value, uint32_t cells_max,
         time_ms floor = nothing_forgotten) {
  x.add(time, number::of(value), floor, cells_max);
}

time_ms floor_to(time_ms x, time_ms width) {
  return (x / width - (x % width < 0 ? 1 : 0)) * width;
}

/// Readings in cells that touch the window, or lie wholly in it.
std::pair<uint64_t, uint64_t> bounds(const std::vector<plain_reading>& xs,
                                     time_ms from, time_ms at, time_ms width) {
  auto least = uint64_t{0};
  auto most = uint64_t{0};
  for (auto& x : xs) {
    auto first = floor_to(x.time, width);
    auto last = first + width - 1;
    least += first > from && last <= at ? 1 : 0;
    most += first <= at && last > from ? 1 : 0;
  }
  return {least, most};
}

/// Readings in a short time, so that cells get company, with a clock that
/// rises by fits and starts.
struct step {
  time_ms behind = 0;
  number value;
  time_ms pause = 0;
};

std::ostream& operator<<(std::ostream& out, const step& x) {
  return out << '{' << x.behind << ", " << x.value.to_double() << ", "
             << x.pause << '}';
}

rc::Gen<std::vector<step>> steps(const rc::Gen<number>& value) {
  auto one = rc::gen::map(
    rc::gen::tuple(rc::gen::inRange<time_ms>(0, 100), value,
                   rc::gen::weightedElement<time_ms>(
                     {{20, 0}, {10, 1}, {5, 7}, {2, 40}, {1, 120}})),
    [](const std::tuple<time_ms, number, time_ms>& x) {
      return step{std::get<0>(x), std::get<1>(x), std::get<2>(x)};
    });
  return rc::gen::scale(2.0, rc::gen::container<std::vector<step>>(one));
}

void check_against_naive(const rc::Gen<number>& value) {
  constexpr auto retention = time_ms{100};
  auto cells_max = *rc::gen::inRange(2u, 40u);
  auto all = std::vector<plain_reading>{};
  auto series = sliding_series{};
  auto clock = time_ms{-50}; // Floor division matters below zero.
  auto live_most = size_t{0};
  for (auto& x : *steps(value)) {
    clock += x.pause;
    auto floor = clock - retention;
    auto time = clock - x.behind + 10;
    if (time <= floor)
      continue;
    series.add(time, x.value, floor, cells_max);
    all.push_back({time, x.value});
    RC_ASSERT(series.size() <= cells_max);
    auto live = naive_window{all, floor, clock + 10}.count;
    live_most = std::max<size_t>(live_most, live);
    auto from = clock - *rc::gen::inRange<time_ms>(-20, 130);
    auto at = from + *rc::gen::inRange<time_ms>(0, 130);
    auto answer = series.average(from, at, floor);
    auto expected = naive_window{all, std::max(from, floor), at};
    if (live_most <= cells_max)
      RC_ASSERT(answer.exact);
    if (answer.overflow) {
      RC_ASSERT((naive_window{all, floor - answer.resolution, clock + 10}
                   .may_overflow()));
      continue;
    }
    if (answer.exact) {
      RC_ASSERT(answer.resolution == 1);
      RC_ASSERT(answer.count == static_cast<double>(expected.count));
      auto right
        = expected.count == 0 ? answer.mean == 0 : expected.agrees(answer.mean);
      RC_ASSERT(right);
    } else {
      auto [least, most]
        = bounds(all, std::max(from, floor), at, answer.resolution);
      RC_ASSERT(answer.resolution > 1);
      RC_ASSERT(answer.count >= static_cast<double>(least) - 1e-6);
      RC_ASSERT(answer.count <= static_cast<double>(most) + 1e-6);
    }
  }
}

} // namespace

TEST_SUITE("windows/sliding_series") {
  TEST_CASE("a window takes its end and leaves its beginning") {
    auto x = sliding_series{};
    for (auto t = 0; t <= 5; ++t)
      add(x, t * 10, t, 16);
    auto answer = x.average(10, 40, nothing_forgotten);
    CHECK(answer.count == 3);
    CHECK(answer.mean == 3.0);
    CHECK(answer.exact);
    CHECK(answer.resolution == 1);
    CHECK(x.average(40, 10, nothing_forgotten).count == 0);
    CHECK(x.average(51, 90, nothing_forgotten).count == 0);
  }

  TEST_CASE("numbers of every kind agree with a naive recalculation") {
    CHECK(rc::check([] {
      check_against_naive(any_number());
    }));
  }

  TEST_CASE("small integers agree with a naive recalculation") {
    CHECK(rc::check([] {
      check_against_naive(small_integer());
    }));
  }

  TEST_CASE("any order of arrival gives the same answer to the last bit") {
    CHECK(rc::check([] {
      auto xs = *rc::gen::container<std::vector<std::pair<int8_t, int32_t>>>(
        rc::gen::arbitrary<std::pair<int8_t, int32_t>>());
      auto shuffled = xs;
      std::shuffle(shuffled.begin(), shuffled.end(),
                   std::mt19937{*rc::gen::arbitrary<uint32_t>()});
      auto one = sliding_series{};
      auto other = sliding_series{};
      for (auto& x : xs)
        add(one, x.first, x.second, 1000);
      for (auto& x : shuffled)
        add(other, x.first, x.second, 1000);
      auto from = *rc::gen::inRange<time_ms>(-130, 130);
      auto a = one.average(from, from + 60, nothing_forgotten);
      auto b = other.average(from, from + 60, nothing_forgotten);
      RC_ASSERT(a.count == b.count);
      RC_ASSERT(a.mean == b.mean);
    }));
  }

  TEST_CASE("times that are equal keep their readings apart until they need "
            "not") {
    auto x = sliding_series{};
    for (auto i = 0; i < 100; ++i)
      add(x, 5, i, 4);
    CHECK(x.size() == 1);
    CHECK(x.cell_width() == 1);
    auto answer = x.average(4, 5, nothing_forgotten);
    CHECK(answer.exact);
    CHECK(answer.count == 100);
    CHECK(answer.mean == 49.5);
  }

  TEST_CASE("more readings than cells make cells wider, and the answer says "
            "so") {
    auto x = sliding_series{};
    for (auto t = 0; t < 64; ++t)
      add(x, t, t, 16);
    CHECK(x.size() == 16);
    CHECK(x.cell_width() == 4);
    auto whole = x.average(3, 63, nothing_forgotten);
    CHECK(whole.exact);
    CHECK(whole.count == 60);
    CHECK(whole.mean == 33.5);
    auto cut = x.average(4, 63, nothing_forgotten);
    CHECK(!cut.exact);
    CHECK(cut.resolution == 4);
    CHECK(cut.count == doctest::Approx(59));
    auto inside = x.average(8, 10, nothing_forgotten);
    CHECK(!inside.exact);
    CHECK(inside.count == doctest::Approx(2));
    CHECK(inside.mean == 9.5);
  }

  TEST_CASE("the last cell ends with the last reading") {
    auto x = sliding_series{};
    for (auto t = 0; t <= 32; ++t)
      add(x, t, 1, 16);
    CHECK(x.cell_width() == 4);
    CHECK(x.average(-1, 32, nothing_forgotten).exact);
    CHECK(x.average(-1, 32, nothing_forgotten).count == 33);
    CHECK(x.average(32, 40, nothing_forgotten).exact);
    CHECK(x.average(32, 40, nothing_forgotten).count == 0);
    add(x, 34, 1, 16);
    CHECK(!x.average(-1, 32, nothing_forgotten).exact);
  }

  TEST_CASE("what is forgotten makes room before cells get wider") {
    auto x = sliding_series{};
    for (auto t = 0; t < 1000; ++t)
      add(x, t, t, 16, t - 16);
    CHECK(x.is_raw());
    CHECK(x.size() <= 16);
    add(x, 1000, 0, 16, 1000 - 17);
    CHECK(!x.is_raw());
  }

  TEST_CASE("a series that was forgotten starts again as fine as at first") {
    auto x = sliding_series{};
    for (auto t = 0; t < 1000; ++t)
      add(x, t, t, 16);
    CHECK(x.cell_width() > 1);
    add(x, 2000, 7, 16, 999);
    CHECK(x.is_raw());
    CHECK(x.size() == 1);
    CHECK(x.average(0, 3000, 999).mean == 7.0);
  }

  TEST_CASE("an integer that no double holds is not rounded") {
    auto x = sliding_series{};
    constexpr auto odd = (int64_t{1} << 53) + 1;
    add(x, 1, odd, 16);
    add(x, 2, -odd + 1, 16);
    add(x, 3, 0, 16);
    CHECK(x.average(0, 2, nothing_forgotten).mean == 0.5);
    CHECK(x.average(0, 3, nothing_forgotten).exact);
  }

  TEST_CASE("readings whose sum leaves the doubles still have a mean") {
    auto x = sliding_series{};
    constexpr auto most = std::numeric_limits<double>::max();
    for (auto t = 1; t <= 3; ++t)
      x.add(t, number::of(most), 0, 16);
    auto answer = x.average(0, 3, 0);
    CHECK(!answer.overflow);
    CHECK(answer.mean == most);
    x.add(4, number::of(1e-308), 0, 16);
    CHECK(x.average(3, 4, 0).mean == 1e-308);
  }

  TEST_CASE("a mean of the greatest double is never beyond it") {
    CHECK(rc::check([] {
      constexpr auto most = std::numeric_limits<double>::max();
      auto x = sliding_series{};
      auto width = time_ms{1} << *rc::gen::inRange(2, 8);
      auto rest = *rc::gen::inRange<time_ms>(0, width);
      // The first two share a cell of that width; all others have their own.
      for (auto time : {time_ms{1}, width / 2 + 1})
        x.add(time, number::of(0.5), 0, 6);
      for (auto i = 1; i <= 5; ++i)
        x.add(i * width + rest, number::of(most), 0, 6);
      RC_ASSERT(x.cell_width() == width);
      auto from = *rc::gen::inRange<time_ms>(width - 1, 5 * width);
      auto at = *rc::gen::inRange<time_ms>(from, 6 * width);
      auto answer = x.average(from, at, 0);
      RC_ASSERT(!answer.overflow);
      RC_ASSERT(std::isfinite(answer.mean));
    }));
  }

  TEST_CASE("a cell whose sum left the doubles has none, and others do") {
    auto x = sliding_series{};
    x.add(1, number::of(int64_t{1} << 60), 0, 16);
    x.add(5, number::of(1.5e308), 0, 16);
    x.add(5, number::of(1.5e308), 0, 16);
    auto answer = x.average(0, 5, 0);
    CHECK(answer.overflow);
    CHECK(answer.mean == 0.0);
    CHECK(answer.count == 3);
    CHECK(!x.average(0, 4, 0).overflow);
  }

  TEST_CASE("times at the ends of int64 are as good as any") {
    constexpr auto least = std::numeric_limits<time_ms>::min();
    constexpr auto most = std::numeric_limits<time_ms>::max();
    auto x = sliding_series{};
    auto count = 0;
    for (auto t : {least + 1, time_ms{-1}, time_ms{0}, most - 1, most}) {
      add(x, t, 2, 2);
      auto answer = x.average(least, most, least);
      CHECK(answer.count == doctest::Approx(++count));
      CHECK(answer.mean == doctest::Approx(2));
    }
    CHECK(x.size() == 2);
    auto half = x.average(0, most, least);
    CHECK(!half.exact);
    CHECK(half.count == doctest::Approx(3));
  }

  TEST_CASE("pruning at any moments changes neither answers nor what follows") {
    CHECK(rc::check([] {
      constexpr auto retention = time_ms{60};
      auto cells_max = *rc::gen::inRange(2u, 12u);
      auto pruned = sliding_series{};
      auto plain = sliding_series{};
      auto clock = time_ms{0};
      for (auto& x : *steps(any_number())) {
        if (*rc::gen::arbitrary<bool>())
          pruned.prune(clock - retention
                       + *rc::gen::inRange<time_ms>(0, x.pause + 1));
        clock += x.pause;
        auto floor = clock - retention;
        auto time = clock - x.behind + 50;
        if (time > floor) {
          pruned.add(time, x.value, floor, cells_max);
          plain.add(time, x.value, floor, cells_max);
        }
        if (plain.expired(floor))
          continue;
        RC_ASSERT(pruned.digest(floor) == plain.digest(floor));
      }
    }));
  }

  TEST_CASE("a pruned series gives its memory back") {
    auto x = sliding_series{};
    for (auto t = 0; t < 1000; ++t)
      add(x, t, t, 1024);
    CHECK(x.heap_bytes() >= 16'000);
    x.prune(989);
    CHECK(x.size() == 10);
    CHECK(x.heap_bytes() < 400);
    CHECK(x.average(0, 1000, 989).count == 10);
    x.prune(999);
    CHECK(x.heap_bytes() == 0);
    CHECK(x.size() == 0);
  }
} // TEST_SUITE
