#include "test/windows/sliding_fixture.hpp"
#include "windows/sliding_table.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto least = std::numeric_limits<time_ms>::min();
constexpr auto most = std::numeric_limits<time_ms>::max();

sliding_options forget_after(time_ms retention) {
  auto res = sliding_options{};
  res.retention = retention;
  return res;
}

/// A table that forgets after a second, with its clock at 10 s.
struct fixture {
  sliding_table table{forget_after(1000)};
  uint64_t index = 0;

  fixture() {
    table.advance(10'000);
  }

  size_t apply(const batch_of& batch, const std::vector<uint32_t>& skip = {}) {
    return table.apply(batch.get(), skip, ++index);
  }
};

} // namespace

TEST_SUITE("windows/sliding_table") {
  TEST_CASE_FIXTURE(fixture, "each metric of each entity has its own average") {
    apply(batch_of{}
            .add("a", "heat", 9'900, 1)
            .add("b", "heat", 9'910, 5)
            .add("a", "load", 9'920, 7)
            .add("a", "heat", 9'930, 2));
    auto heat = ask(table, "a", "heat", 10'000, 500);
    CHECK(heat.known_entity);
    CHECK(heat.known_metric);
    CHECK(heat.count == 2);
    CHECK(heat.average == 1.5);
    CHECK(heat.exact);
    CHECK(heat.complete);
    CHECK(heat.resolution == 1);
    CHECK(ask(table, "a", "load", 10'000, 500).average == 7.0);
    CHECK(ask(table, "b", "heat", 10'000, 500).average == 5.0);
    CHECK(table.entities() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "unknown and empty differ") {
    apply(batch_of{}.add("a", "heat", 9'900, 1));
    CHECK(!ask(table, "b", "heat", 10'000, 500).known_entity);
    auto no_metric = ask(table, "a", "load", 10'000, 500);
    CHECK(no_metric.known_entity);
    CHECK(!no_metric.known_metric);
    auto empty = ask(table, "a", "heat", 10'000, 50);
    CHECK(empty.known_metric);
    CHECK(empty.count == 0);
    CHECK(empty.average == 0.0);
    CHECK(empty.complete);
  }

  TEST_CASE_FIXTURE(fixture, "readings that a verdict skips leave no trace") {
    auto refused = apply(batch_of{}
                           .add("a", "heat", 9'900, 1)
                           .add("b", "heat", 9'900, 2)
                           .add("a", "load", 9'900, 3)
                           .add("a", "heat", 9'900, 4),
                         {1, 2});
    CHECK(refused == 0);
    CHECK(ask(table, "a", "heat", 10'000, 500).average == 2.5);
    CHECK(table.entities() == 1);
    CHECK(table.metrics_of("a", hash_of("a"), least)
          == std::vector<std::string>{"heat"});
  }

  TEST_CASE_FIXTURE(fixture, "an entity is unknown once its last reading is "
                             "forgotten") {
    apply(batch_of{}.add("a", "heat", 9'500, 1).add("a", "load", 9'700, 1));
    table.advance(10'499);
    CHECK(ask(table, "a", "heat", 10'499, 1000).known_metric);
    table.advance(10'500);
    CHECK(ask(table, "a", "heat", 10'500, 1000).known_entity);
    CHECK(!ask(table, "a", "heat", 10'500, 1000).known_metric);
    CHECK(table.metrics_of("a", hash_of("a"), least)
          == std::vector<std::string>{"load"});
    table.advance(10'700);
    CHECK(!ask(table, "a", "load", 10'700, 1000).known_entity);
    CHECK(table.metrics_of("a", hash_of("a"), least).empty());
  }

  TEST_CASE_FIXTURE(fixture, "a later clock than the table's forgets for the "
                             "asker only") {
    apply(batch_of{}.add("a", "heat", 9'500, 1));
    CHECK(!ask(table, "a", "heat", 10'500, 1000, 10'500).known_entity);
    CHECK(ask(table, "a", "heat", 10'499, 1000, 10'499).known_entity);
    CHECK(table.metrics_of("a", hash_of("a"), 10'500).empty());
    CHECK(ask(table, "a", "heat", 10'000, 1000).known_entity);
  }

  TEST_CASE_FIXTURE(fixture, "the clock never goes back") {
    table.advance(9'000);
    CHECK(table.clock() == 10'000);
    table.advance(least);
    CHECK(table.clock() == 10'000);
  }

  TEST_CASE_FIXTURE(fixture, "a reading that is forgotten already is not "
                             "taken") {
    CHECK(apply(batch_of{}.add("a", "heat", 9'000, 1)) == 0);
    CHECK(table.entities() == 0);
    apply(batch_of{}.add("a", "heat", 9'001, 1));
    CHECK(table.entities() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a window that reaches beyond the retention is "
                             "incomplete") {
    apply(batch_of{}.add("a", "heat", 9'500, 1));
    CHECK(ask(table, "a", "heat", 10'000, 1000).complete);
    CHECK(!ask(table, "a", "heat", 10'000, 1001).complete);
    CHECK(!ask(table, "a", "heat", 9'999, 1000).complete);
    CHECK(!ask(table, "a", "heat", 10'000, 1000, 10'001).complete);
    CHECK(ask(table, "nobody", "heat", 10'000, 1000).complete);
  }

  TEST_CASE_FIXTURE(fixture, "a window after the clock is answered too") {
    apply(batch_of{}.add("a", "heat", 12'000, 3));
    CHECK(ask(table, "a", "heat", 12'500, 1000).average == 3.0);
    CHECK(ask(table, "a", "heat", 20'000, 1000).count == 0);
  }

  TEST_CASE_FIXTURE(fixture, "no window is too hostile") {
    apply(batch_of{}.add("a", "heat", 9'500, 3));
    CHECK(ask(table, "a", "heat", most, most).count == 1);
    CHECK(ask(table, "a", "heat", least, most).count == 0);
    CHECK(ask(table, "a", "heat", most, least).count == 0);
    CHECK(ask(table, "a", "heat", least, least).count == 0);
    CHECK(!ask(table, "a", "heat", most, 1, most).known_entity);
    auto young = sliding_table{forget_after(most)};
    young.apply(batch_of{}.add("a", "heat", 5, 3).get(), {}, 1);
    CHECK(ask(young, "a", "heat", 5, most, least).count == 1);
  }

  TEST_CASE_FIXTURE(fixture, "two entities with one hash are two entities") {
    auto batch = batch_of{};
    for (auto i = 0; i < 20; ++i)
      batch.add("e" + std::to_string(i), "heat", 9'900, number::of(int64_t{i}),
                42);
    apply(batch);
    CHECK(table.entities() == 20);
    for (auto i = 0; i < 20; ++i)
      CHECK(
        table.average("e" + std::to_string(i), 42, "heat", 10'000, 500, least)
          .average
        == i);
    CHECK(!table.average("e20", 42, "heat", 10'000, 500, least).known_entity);
    CHECK(!table.average("e1", 43, "heat", 10'000, 500, least).known_entity);
  }

  TEST_CASE_FIXTURE(fixture, "an id that a batch names twice is one entity") {
    auto named = batch_of{};
    auto batch = named.add("a", "heat", 9'900, 1).get();
    batch.entities.push_back(batch.entities[0]);
    batch.entity_hashes.push_back(batch.entity_hashes[0]);
    batch.readings.push_back({1, 0, 9'950, number::of(int64_t{2})});
    table.apply(batch, {}, 1);
    CHECK(table.entities() == 1);
    CHECK(ask(table, "a", "heat", 10'000, 500).average == 1.5);
  }

  TEST_CASE_FIXTURE(fixture, "a sum out of range is reported") {
    for (auto time : {9'900, 9'901})
      apply(batch_of{}.add("a", "heat", time, number::of(1.5e308)));
    CHECK(ask(table, "a", "heat", 10'000, 500).average == 1.5e308);
    // An integer like this makes cells, and equal times share one.
    apply(batch_of{}.add("a", "heat", 9'902, int64_t{1} << 60));
    CHECK(!ask(table, "a", "heat", 10'000, 500).overflow);
    apply(batch_of{}.add("a", "heat", 9'900, number::of(1.5e308)));
    auto answer = ask(table, "a", "heat", 10'000, 500);
    CHECK(answer.overflow);
    CHECK(answer.average == 0.0);
    CHECK(answer.count == 4);
  }

  TEST_CASE_FIXTURE(fixture, "sweeping frees what is forgotten, and its memory "
                             "is used again") {
    auto fill = [&](time_ms time) {
      auto batch = batch_of{};
      for (auto e = 0; e < 500; ++e)
        for (auto i = 0; i < 10; ++i)
          batch.add("e" + std::to_string(e + time), "heat", time + i, i);
      apply(batch);
    };
    auto sweep_all = [&] {
      while (!table.sweep(100))
        ;
    };
    fill(10'000);
    auto full = table.bytes();
    table.advance(12'000);
    CHECK(table.entities() == 500);
    sweep_all();
    CHECK(table.entities() == 0);
    CHECK(table.bytes() < full / 2);
    for (auto round = 0; round < 20; ++round) {
      fill(12'000 + round * 2000);
      table.advance(12'000 + round * 2000 + 1999);
      sweep_all();
    }
    CHECK(table.entities() == 0);
    CHECK(table.bytes() < full / 2);
  }

  TEST_CASE_FIXTURE(fixture, "one sweep looks at no more places than it is "
                             "told") {
    auto batch = batch_of{};
    for (auto e = 0; e < 10; ++e)
      batch.add("e" + std::to_string(e), "heat", 10'000, 1);
    apply(batch);
    table.advance(20'000);
    CHECK(!table.sweep(4));
    CHECK(table.entities() == 6);
    CHECK(!table.sweep(4));
    CHECK(table.sweep(4));
    CHECK(table.entities() == 0);
  }

  TEST_CASE_FIXTURE(fixture, "what a shorter retention forgot, a longer one "
                             "does not bring back") {
    apply(batch_of{}
            .add("a", "heat", 9'500, 1)
            .add("a", "load", 9'900, 2)
            .add("b", "heat", 9'400, 1));
    table.configure(forget_after(200));
    CHECK(!ask(table, "b", "heat", 10'000, 800).known_entity);
    table.configure(forget_after(5000));
    CHECK(!ask(table, "b", "heat", 10'000, 800).known_entity);
    CHECK(!ask(table, "a", "heat", 10'000, 800).known_metric);
    CHECK(ask(table, "a", "load", 10'000, 200).complete);
    CHECK(!ask(table, "a", "load", 10'000, 201).complete);
    apply(batch_of{}.add("b", "heat", 9'300, 8));
    CHECK(ask(table, "b", "heat", 10'000, 800).average == 8.0);
  }

  TEST_CASE_FIXTURE(fixture, "a digest tells contents apart, and not the order "
                             "of arrival") {
    auto digest_of = [](const batch_of& batch) {
      auto x = sliding_table{forget_after(1000)};
      x.advance(10'000);
      x.apply(batch.get(), {}, 1);
      return x.digest();
    };
    auto digest_of_two = [&](std::string_view id, std::string_view metric,
                             time_ms time, int64_t value) {
      return digest_of(
        batch_of{}.add("a", "heat", 9'900, 1).add(id, metric, time, value));
    };
    auto digest = digest_of_two("b", "heat", 9'901, 2);
    CHECK(digest
          == digest_of(
            batch_of{}.add("b", "heat", 9'901, 2).add("a", "heat", 9'900, 1)));
    CHECK(digest != digest_of(batch_of{}.add("a", "heat", 9'900, 1)));
    CHECK(digest != digest_of_two("c", "heat", 9'901, 2));
    CHECK(digest != digest_of_two("b", "load", 9'901, 2));
    CHECK(digest != digest_of_two("b", "heat", 9'902, 2));
    CHECK(digest != digest_of_two("b", "heat", 9'901, 3));
  }

  TEST_CASE_FIXTURE(fixture, "a large batch goes where many small ones do") {
    CHECK(rc::check([] {
      auto large = sliding_table{forget_after(1000)};
      auto small = sliding_table{forget_after(1000)};
      auto batch = batch_of{};
      auto n = *rc::gen::inRange(1, 1500);
      for (auto i = 0; i < n; ++i) {
        auto id = "e" + std::to_string(i * i % 701);
        auto metric = "m" + std::to_string(i % 7);
        batch.add(id, metric, i % 97, i);
        small.apply(batch_of{}.add(id, metric, i % 97, i).get(), {}, 1);
      }
      large.apply(batch.get(), {}, 1);
      RC_ASSERT(large.entities() == small.entities());
      RC_ASSERT(large.digest() == small.digest());
    }));
  }
} // TEST_SUITE
