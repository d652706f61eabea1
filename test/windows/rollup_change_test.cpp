#include "test/windows/rollup_fixture.hpp"
#include "windows/rollup_table.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <random>

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto always = window_plan::always;
constexpr auto forever = window_plan::forever;

/// Shards of one cluster, and what a coordinator does to change their windows,
/// while readings of arbitrary times come to arbitrary shards in between.
class cluster {
public:
  cluster(window_plan plan, uint32_t seed)
    : random_(seed), plan_(std::move(plan)), shards_(1 + random_() % 4) {
    for (auto& x : shards_)
      ledger_ += x.table.set_plan(plan_, always);
  }

  bool chance(uint32_t one_in) {
    return random_() % one_in == 0;
  }

  void receive() {
    auto& one = shards_[random_() % shards_.size()];
    auto n = random_() % 6;
    auto batch = batch_of{};
    for (auto i = size_t{0}; i < n; ++i) {
      now_ += static_cast<time_ms>(random_() % 30);
      auto time = now_ - static_cast<time_ms>(random_() % 300);
      auto metric = random_() % 2 == 0 ? "heat" : "load";
      auto value = random_() % 4 == 0
                     ? number::of(static_cast<double>(random_()) * 0x1p-40)
                     : number::of(static_cast<int64_t>(random_()));
      batch.add("a", metric, time, value);
      ++received_;
      one.greatest = std::max(one.greatest, time);
      auto window = plan_.find(time);
      if (window && window->end <= sealed_)
        ++late_;
      else
        readings_.push_back({time, metric, value});
    }
    ledger_ += one.table.apply(batch.get(), {});
    if (chance(20))
      one.restart();
  }

  void seal() {
    sealed_ = std::max(sealed_, now_ - static_cast<time_ms>(random_() % 400));
    for (auto& x : shards_)
      x.table.seal(sealed_);
  }

  /// Windows of `every` ms from now on, or, by chance, not after all.
  void change(time_ms every) {
    if (!plan_.prepare(every))
      return;
    auto greatest = std::max(announce(), sealed_);
    for (auto i = random_() % 20; i > 0; --i)
      receive();
    if (chance(4))
      plan_.abandon();
    else
      RC_ASSERT(plan_.settle(greatest).has_value());
    announce();
  }

  /// Every reading is in the window that the plan says, and none in two.
  void check() {
    auto tables = std::vector<rollup_table>{};
    for (auto& x : shards_)
      tables.push_back(std::move(x.table));
    auto expected = naive_windows{};
    auto in = uint64_t{0};
    for (auto& x : readings_) {
      auto window = plan_.find(x.time);
      if (!window)
        continue;
      ++in;
      expected[{window->start, x.metric}].push_back(x.value);
    }
    RC_ASSERT(agree(all_windows(tables), expected, plan_));
    RC_ASSERT(ledger_.total() == received_);
    RC_ASSERT(ledger_.in == in);
    RC_ASSERT(ledger_.late == late_);
    RC_ASSERT(ledger_.refused == 0u);
    for (auto& x : tables)
      RC_ASSERT(x.windows_held()
                == x.windows(always, forever, false, 1 << 20).size());
  }

private:
  struct shard {
    rollup_table table;
    time_ms greatest = always;

    /// Through a checkpoint.
    void restart() {
      auto copy = decoded<rollup_table>(bytes_of(table));
      RC_ASSERT(copy.has_value());
      RC_ASSERT(copy->digest() == table.digest());
      table = std::move(*copy);
    }
  };

  struct kept_reading {
    time_ms time;
    std::string metric;
    number value;
  };

  /// Tells the shards of the plan, one after the other; readings go on.
  /// @returns the greatest time that any had seen when it heard of it.
  time_ms announce() {
    auto res = always;
    auto order = std::vector<size_t>(shards_.size());
    for (auto i = size_t{0}; i < order.size(); ++i)
      order[i] = i;
    std::shuffle(order.begin(), order.end(), random_);
    for (auto i : order) {
      for (auto n = random_() % 6; n > 0; --n)
        receive();
      ledger_ += shards_[i].table.set_plan(plan_, shards_[i].greatest);
      res = std::max(res, shards_[i].greatest);
    }
    return res;
  }

  std::mt19937 random_;
  window_plan plan_;
  std::vector<shard> shards_;
  time_ms now_ = 1000;
  time_ms sealed_ = always;
  uint64_t received_ = 0;
  uint64_t late_ = 0;
  std::vector<kept_reading> readings_;
  rollup_counts ledger_;
};

rollup_counts counts(uint64_t in, uint64_t late, uint64_t outside,
                     uint64_t refused) {
  return {in, late, outside, refused};
}

/// One shard, told of every version of a plan.
struct fixture {
  rollup_table table;
  window_plan plan;
  time_ms greatest = always;
  rollup_counts ledger;

  void tell() {
    ledger += table.set_plan(plan, greatest);
  }

  void at(time_ms time) {
    ledger += table.apply(batch_of{}.add("a", "m", time, 1).get(), {});
    greatest = std::max(greatest, time);
  }

  void start(time_ms every) {
    plan = window_plan::periodic(every);
    tell();
  }

  void prepare(time_ms every) {
    REQUIRE(plan.prepare(every));
    tell();
  }

  void settle() {
    REQUIRE(plan.settle(greatest));
    tell();
  }

  /// Start and count of each window.
  std::vector<std::pair<time_ms, uint64_t>> held() const {
    auto res = std::vector<std::pair<time_ms, uint64_t>>{};
    for (auto& x : table.windows(always, forever, false, 100))
      res.emplace_back(x.bounds.start, x.count);
    return res;
  }
};

using held_windows = std::vector<std::pair<time_ms, uint64_t>>;

} // namespace

TEST_SUITE("windows/rollup_change") {
  TEST_CASE_FIXTURE(fixture, "readings beyond the change move, others stay") {
    start(400);
    at(1100);
    prepare(600);
    for (auto time : {1050, 1150, 1200, 1850})
      at(time);
    CHECK(held() == held_windows{{800, 3}, {1200, 1}, {1600, 1}});
    CHECK(table.windows_held() == 6);
    REQUIRE(plan.settle(1100) == 1200);
    tell();
    CHECK(held() == held_windows{{800, 3}, {1200, 1}, {1800, 1}});
    CHECK(table.windows_held() == 3);
    CHECK(table.cells() == 3);
    CHECK(ledger == counts(5, 0, 0, 0));
  }

  TEST_CASE_FIXTURE(fixture,
                    "a change may begin right after the last reading") {
    start(400);
    at(1199);
    prepare(600);
    at(1200);
    REQUIRE(plan.settle(1199) == 1200);
    tell();
    CHECK(held() == held_windows{{800, 1}, {1200, 1}});
    CHECK(table.plan().find(1200) == window_bounds{1200, 1800});
  }

  TEST_CASE_FIXTURE(fixture, "what no change can reach is in one window") {
    start(400);
    at(1100);
    prepare(600);
    at(1100);
    CHECK(table.windows_held() == 1);
    at(1101);
    CHECK(table.windows_held() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "an abandoned change leaves no trace") {
    start(400);
    at(1100);
    prepare(600);
    at(1300);
    plan.abandon();
    tell();
    CHECK(held() == held_windows{{800, 1}, {1200, 1}});
    CHECK(table.windows_held() == 2);
    CHECK(table.cells() == 2);
    CHECK(ledger == counts(2, 0, 0, 0));
  }

  TEST_CASE_FIXTURE(fixture, "readings outside are inside when windows begin") {
    at(1500);
    prepare(1000);
    at(1600);
    at(2100);
    CHECK(ledger == counts(0, 0, 3, 0));
    CHECK(held().empty());
    REQUIRE(plan.settle(1500) == 2000);
    tell();
    CHECK(ledger == counts(1, 0, 2, 0));
    CHECK(held() == held_windows{{2000, 1}});
  }

  TEST_CASE_FIXTURE(fixture, "readings inside are outside when windows end") {
    start(1000);
    at(1500);
    prepare(0);
    at(1600);
    at(2100);
    CHECK(ledger == counts(3, 0, 0, 0));
    REQUIRE(plan.settle(1500) == 2000);
    tell();
    CHECK(ledger == counts(2, 0, 1, 0));
    CHECK(held() == held_windows{{1000, 2}});
    CHECK(table.cells() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "explicit windows and those to come don't mix") {
    REQUIRE(plan.open({0, 1000}));
    REQUIRE(plan.open({3000, 4000}));
    tell();
    at(500);
    prepare(1000);
    for (auto time : {600, 1500, 3500, 4500})
      at(time);
    CHECK(ledger == counts(3, 0, 2, 0));
    REQUIRE(plan.settle(500) == 4000);
    tell();
    CHECK(ledger == counts(4, 0, 1, 0));
    CHECK(held() == held_windows{{0, 2}, {3000, 1}, {4000, 1}});
    CHECK(table.windows_held() == 3);
  }

  TEST_CASE_FIXTURE(fixture, "a limit refuses a reading for both rules") {
    table.configure({10, 3});
    start(400);
    prepare(600);
    at(100);
    at(700);
    CHECK(ledger == counts(1, 0, 0, 1));
    CHECK(table.cells() == 2);
    // Its window to come has a cell; the one that holds has room.
    at(500);
    CHECK(ledger == counts(2, 0, 0, 1));
    CHECK(table.cells() == 3);
    // What has its cells needs no room, even if the limit has fallen.
    table.configure({10, 1});
    at(500);
    CHECK(ledger == counts(3, 0, 0, 1));
  }

  TEST_CASE_FIXTURE(fixture, "hearing of a change again does not restart it") {
    start(400);
    prepare(600);
    at(500);
    plan.abandon();
    REQUIRE(plan.prepare(600));
    tell();
    CHECK(table.windows_held() == 2);
    at(2000);
    REQUIRE(plan.settle(-1) == 0);
    tell();
    CHECK(held() == held_windows{{0, 1}, {1800, 1}});
  }

  TEST_CASE("a plan that knows nothing of a seal changes no sealed window") {
    auto table = rollup_table{};
    table.set_plan(window_plan::periodic(1000), always);
    auto at = [&](time_ms time) {
      return table.apply(batch_of{}.add("a", "m", time, 1).get(), {});
    };
    CHECK(at(1500) == counts(1, 0, 0, 0));
    table.seal(2000);
    auto other = window_plan{};
    REQUIRE(other.open({1000, 2500}));
    REQUIRE(other.open({2500, 4000}));
    REQUIRE(other.open({4000, 5000}));
    REQUIRE(other.close(2500));
    other.pass_over(10);
    table.set_plan(other, always);
    CHECK(at(2200) == counts(0, 1, 0, 0));
    CHECK(at(4000) == counts(1, 0, 0, 0));
    // Closed by hand, and then announced otherwise.
    auto third = window_plan{};
    REQUIRE(third.open({3000, 4500}));
    REQUIRE(third.close(3000));
    third.pass_over(20);
    table.set_plan(third, always);
    CHECK(table.is_sealed({3000, 4500}));
    CHECK(at(3100) == counts(0, 1, 0, 0));
    auto bytes = std::string{};
    auto out = byte_writer{bytes};
    table.encode(out);
    auto in = byte_reader{bytes};
    CHECK(rollup_table{}.decode(in));
    auto xs = table.windows(always, forever, false, 10);
    REQUIRE(xs.size() == 1);
    CHECK(xs[0].bounds == window_bounds{1000, 2000});
    CHECK(xs[0].count == 1);
    CHECK(xs[0].sealed);
  }

  TEST_CASE("a reading is in exactly one window, whatever changes meanwhile") {
    auto run = [] {
      auto every = *rc::gen::element<time_ms>(0, 60, 100, 1000);
      auto plan = every == 0 ? window_plan{} : window_plan::periodic(every);
      auto x = cluster{plan, *rc::gen::resize(rc::kNominalSize,
                                              rc::gen::arbitrary<uint32_t>())};
      auto steps = *rc::gen::inRange(1, 60);
      for (auto i = 0; i < steps; ++i) {
        x.receive();
        if (x.chance(10))
          x.seal();
        if (x.chance(8))
          x.change(*rc::gen::element<time_ms>(0, 1, 50, 75, 100, 240, 1000));
      }
      x.check();
    };
    CHECK(rc::check(run));
  }
}
