#include "storage/catalog.hpp"
#include "test/storage/faulty_disk.hpp"
#include "test/storage/support.hpp"

#include <rapidcheck.h>

#include <algorithm>
#include <chrono>
#include <sstream>

using namespace weir;
using namespace weir::test;

namespace {

using windows = std::vector<std::pair<time_ms, time_ms>>;

final_row result_of(time_ms start, time_ms end, std::string totals = "t") {
  return {0, start, end, 3, std::move(totals), end};
}

windows bounds_of(const std::vector<final_row>& xs) {
  auto res = windows{};
  for (auto& x : xs)
    res.emplace_back(x.start, x.end);
  return res;
}

struct fixture {
  temporary_directory dir;
  std::string path = dir.file("coordinator.db");
  std::optional<catalog> store{must(catalog::open(path))};

  void reopen() {
    store.reset();
    store.emplace(must(catalog::open(path)));
  }

  /// Windows [0, 10), [10, 20), ...
  void put_windows(int n) {
    auto all = std::vector<final_row>{};
    for (auto i = 0; i < n; ++i)
      all.push_back(result_of(10 * i, 10 * i + 10, std::to_string(i)));
    must(store->put_rollup("r", all));
  }

  /// Windows that end after `from` and begin before `to`.
  windows between(time_ms from, time_ms to, size_t limit = 100,
                  size_t bytes_max = 1000) {
    return bounds_of(must(store->finals(from, to, limit, bytes_max)));
  }

  std::vector<uint64_t> numbers_after(uint64_t sequence, size_t limit = 100,
                                      size_t bytes_max = 1000) {
    auto res = std::vector<uint64_t>{};
    for (auto& x : must(store->finals_after(sequence, limit, bytes_max)))
      res.push_back(x.sequence);
    return res;
  }
};

using numbers = std::vector<uint64_t>;

} // namespace

TEST_SUITE("storage/catalog_rollup") {
  TEST_CASE_FIXTURE(fixture, "a new catalog knows of no windows") {
    CHECK(!must(store->get_rollup()));
    CHECK(between(INT64_MIN, INT64_MAX).empty());
    CHECK(numbers_after(0).empty());
    CHECK(must(store->last_finals(5)).empty());
    CHECK(must(store->expire_finals(INT64_MAX, 0, 5)) == 0);
  }

  TEST_CASE_FIXTURE(fixture, "record and results are as they were put, after a "
                             "restart too") {
    auto totals = std::string("\0\xff\n", 3) + std::string(20'000, 'x');
    must(store->put_rollup("old", {}));
    must(store->put_rollup(
      std::string("a\0b", 3),
      {{77, -20, -10, UINT64_MAX, totals}, {77, 1'000, 2'000, 0, ""}}));
    reopen();
    CHECK(must(store->get_rollup()) == std::string("a\0b", 3));
    auto expected = std::vector<final_row>{{1, -20, -10, UINT64_MAX, totals},
                                           {2, 1'000, 2'000, 0, ""}};
    CHECK(must(store->finals(-15, 1'001, 9, 99'999)) == expected);
    CHECK(must(store->finals_after(0, 9, 99'999)) == expected);
  }

  TEST_CASE_FIXTURE(fixture, "a result never changes, and takes no second "
                             "number") {
    must(store->put_rollup("r", {result_of(0, 10, "first")}));
    must(store->put_rollup(
      "s", {result_of(0, 10, "second"), result_of(10, 20, "third")}));
    auto all = must(store->finals_after(0, 9, 999));
    REQUIRE(all.size() == 2);
    CHECK(all[0] == final_row{1, 0, 10, 3, "first", 10});
    CHECK(all[1] == final_row{2, 10, 20, 3, "third", 20});
    CHECK(must(store->get_rollup()) == "s");
  }

  TEST_CASE_FIXTURE(fixture, "windows are found by any time in them, and by no "
                             "other") {
    must(store->put_rollup(
      "r", {result_of(30, 40), result_of(-10, 0), result_of(0, 10)}));
    CHECK(between(0, 1) == windows{{0, 10}});
    CHECK(between(9, 10) == windows{{0, 10}});
    CHECK(between(-1, 0) == windows{{-10, 0}});
    CHECK(between(10, 30).empty());
    CHECK(between(10, 31) == windows{{30, 40}});
    CHECK(between(-1, 31) == windows{{-10, 0}, {0, 10}, {30, 40}});
    CHECK(between(40, INT64_MAX).empty());
    CHECK(between(INT64_MIN, -9) == windows{{-10, 0}});
    CHECK(between(5, 5) == windows{{0, 10}});
  }

  TEST_CASE_FIXTURE(fixture, "an answer ends at its limits, and has one result "
                             "at least") {
    must(store->put_rollup("r", {result_of(0, 10, "12345"),
                                 result_of(10, 20, "12345"),
                                 result_of(20, 30, "12345")}));
    CHECK(between(0, 99, 2) == windows{{0, 10}, {10, 20}});
    CHECK(between(0, 99, 9, 15).size() == 3);
    CHECK(between(0, 99, 9, 14).size() == 2);
    CHECK(between(0, 99, 9, 9).size() == 1);
    CHECK(between(0, 99, 9, 0).size() == 1);
    CHECK(numbers_after(0, 2) == numbers{1, 2});
    CHECK(numbers_after(0, 9, 11) == numbers{1, 2});
    CHECK(numbers_after(1, 9, 1) == numbers{2});
    CHECK(numbers_after(3).empty());
    CHECK(numbers_after(UINT64_MAX).empty());
  }

  TEST_CASE_FIXTURE(fixture, "the last windows come latest first, without "
                             "totals") {
    must(store->put_rollup(
      "r", {result_of(30, 40), result_of(10, 20), result_of(20, 30)}));
    CHECK(must(store->last_finals(2))
          == std::vector<final_row>{{1, 30, 40, 3, "", 40},
                                    {3, 20, 30, 3, "", 30}});
    CHECK(must(store->last_finals(SIZE_MAX)).size() == 3);
    CHECK(must(store->last_finals(0)).empty());
  }

  TEST_CASE_FIXTURE(fixture, "old results go, the first ones first, a few at a "
                             "time") {
    put_windows(10);
    CHECK(must(store->expire_finals(41, 100, 3)) == 3);
    CHECK(between(0, 100).front() == std::pair<time_ms, time_ms>{30, 40});
    CHECK(must(store->expire_finals(41, 100, 3)) == 1);
    CHECK(must(store->expire_finals(41, 100, 3)) == 0);
    CHECK(must(store->expire_finals(50, 100, 3)) == 0);
    CHECK(between(0, 100).size() == 6);
  }

  TEST_CASE_FIXTURE(fixture, "all but the last results go, as many as are "
                             "kept, whenever their windows were") {
    put_windows(4);
    CHECK(must(store->expire_finals(0, 3, 100)) == 1);
    must(store->put_rollup("r", {result_of(-20, -10), result_of(90, 100)}));
    must(store->put_rollup("r", {result_of(90, 100)}));
    CHECK(must(store->expire_finals(INT64_MIN, 3, 100)) == 2);
    CHECK(between(INT64_MIN, INT64_MAX)
          == windows{{-20, -10}, {30, 40}, {90, 100}});
    reopen();
    CHECK(must(store->expire_finals(INT64_MIN, 2, 100)) == 1);
    CHECK(must(store->expire_finals(INT64_MIN, 2, 100)) == 0);
    CHECK(must(store->expire_finals(INT64_MIN, 0, 100)) == 2);
  }

  TEST_CASE_FIXTURE(fixture, "up to when results were removed is known") {
    CHECK(must(store->removed_through()) == INT64_MIN);
    put_windows(10);
    CHECK(must(store->removed_through()) == INT64_MIN);
    CHECK(must(store->expire_finals(41, 100, 3)) == 3);
    CHECK(must(store->removed_through()) == 30);
    CHECK(must(store->expire_finals(INT64_MIN, 0, 100)) == 7);
    reopen();
    CHECK(must(store->removed_through()) == INT64_MAX);
    must(store->put_rollup("r", {result_of(200, 210)}));
    CHECK(must(store->removed_through()) == 200);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a number is never used again, whatever is removed "
                    "and restarted") {
    put_windows(3);
    CHECK(must(store->expire_finals(INT64_MAX, 0, 100)) == 3);
    reopen();
    must(store->put_rollup("r", {result_of(0, 10)}));
    CHECK(numbers_after(0) == numbers{4});
  }

  TEST_CASE_FIXTURE(fixture, "results are on the disk with their record, or "
                             "neither is") {
    store.reset();
    auto disk = faulty_disk{};
    auto self = must(catalog::open(path));
    must(self.put_rollup("first", {result_of(0, 10)}));
    CHECK(must(self.expire_finals(0, 9, 9)) == 0);
    disk.syncs = 0;
    must(self.put_rollup("second", {result_of(10, 20)}));
    CHECK(disk.syncs == 1);
    disk.fail_write = SQLITE_FULL;
    CHECK(code_of(self.put_rollup("third", {result_of(20, 30)}))
          == ec::disk_full);
    disk.fail_write = SQLITE_OK;
    CHECK(must(self.get_rollup()) == "second");
    CHECK(must(self.last_finals(9)).size() == 2);
    must(self.put_rollup("fourth", {result_of(30, 40)}));
    auto last = must(self.last_finals(1));
    REQUIRE(last.size() == 1);
    CHECK(last[0].sequence == 3);
    // Counted once: one of the three is too many.
    CHECK(must(self.expire_finals(0, 2, 9)) == 1);
  }

  TEST_CASE_FIXTURE(fixture, "expiring nothing writes nothing") {
    put_windows(3);
    store.reset();
    auto disk = faulty_disk{};
    auto self = must(catalog::open(path));
    CHECK(must(self.expire_finals(11, 3, 9)) == 1);
    disk.syncs = 0;
    CHECK(must(self.expire_finals(11, 3, 9)) == 0);
    CHECK(disk.syncs == 0);
    CHECK(must(self.expire_finals(21, 3, 9)) == 1);
    CHECK(disk.syncs == 1);
  }

  TEST_CASE_FIXTURE(fixture, "every changed column is found, with its window") {
    must(store->put_rollup("record", {result_of(1'000, 2'000, "totals")}));
    store.reset();
    auto pristine = bytes_of(path);
    auto columns = std::vector<std::pair<std::string, std::string>>{
      {"rollup", "record last_sequence crc"},
      {"final_window",
       "sequence starts ends readings stored totals_crc crc totals"}};
    for (auto& [table, names] : columns) {
      auto in = std::istringstream{names};
      for (auto column = std::string{}; in >> column;) {
        CAPTURE(column);
        put_bytes(path, pristine);
        run_sql(path, "UPDATE " + table + " SET " + column + " = CASE typeof("
                        + column + ") WHEN 'integer' THEN " + column
                        + " + 1 ELSE x'0011' END");
        auto self = must(catalog::open(path));
        if (table == "rollup") {
          CHECK(code_of(self.get_rollup()) == ec::damaged);
          CHECK(code_of(self.put_rollup("r", {})) == ec::damaged);
          CHECK(self.failed() == nullptr);
          continue;
        }
        auto found = self.finals(0, 9'999, 9, 999);
        CHECK(code_of(found) == ec::damaged);
        CHECK(contains(text_of(found), "result of window ["));
        CHECK(code_of(self.finals_after(0, 9, 999)) == ec::damaged);
        // Which does not read them.
        if (column != "totals")
          CHECK(code_of(self.last_finals(9)) == ec::damaged);
      }
    }
  }

  TEST_CASE("any windows are found as a list of them finds them") {
    CHECK(rc::check([] {
      auto self = fixture{};
      auto model = std::vector<final_row>{};
      auto next = uint64_t{1};
      auto slots
        = *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 20));
      for (auto slot : slots) {
        auto x = result_of(10 * slot, 10 * slot + 7, std::to_string(next));
        must(self.store->put_rollup("r", {x}));
        auto known = std::any_of(model.begin(), model.end(), [&](auto& y) {
          return y.start == x.start;
        });
        if (known)
          continue;
        x.sequence = next++;
        model.push_back(x);
      }
      auto from = *rc::gen::inRange<time_ms>(-5, 210);
      auto to = *rc::gen::inRange<time_ms>(-5, 210);
      auto after = *rc::gen::inRange<uint64_t>(0, 21);
      auto limit = *rc::gen::inRange(size_t{1}, size_t{21});
      auto expected = std::vector<final_row>{};
      for (auto& x : model)
        if (x.sequence > after && expected.size() < limit)
          expected.push_back(x);
      RC_ASSERT(must(self.store->finals_after(after, limit, 999)) == expected);
      expected.clear();
      std::sort(model.begin(), model.end(), [](auto& x, auto& y) {
        return x.start < y.start;
      });
      for (auto& x : model)
        if (x.end > from && x.start < to && expected.size() < limit)
          expected.push_back(x);
      RC_ASSERT(must(self.store->finals(from, to, limit, 999)) == expected);
    }));
  }

} // TEST_SUITE
