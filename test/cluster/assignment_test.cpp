#include "cluster/assignment.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace weir;

namespace {

constexpr auto never = assignment_task::never;

struct price {
  size_t beyond = 0;
  int64_t cost = 0;

  friend bool operator<(const price& x, const price& y) {
    return x.beyond != y.beyond ? x.beyond < y.beyond : x.cost < y.cost;
  }

  friend bool operator==(const price& x, const price& y) {
    return x.beyond == y.beyond && x.cost == y.cost;
  }
};

price price_of(const assignment_task& task, const assignment& x) {
  auto res = price{};
  auto had = std::vector<size_t>(task.shares.size());
  for (auto s = size_t{0}; s < x.size(); ++s)
    for (auto i : x[s]) {
      REQUIRE(task.costs[s][i] != never);
      res.cost += task.costs[s][i];
      ++had[i];
    }
  for (auto i = size_t{0}; i < had.size(); ++i) {
    auto [least, most] = task.shares[i];
    res.beyond += had[i] > most ? had[i] - most : 0;
    res.beyond += had[i] < least ? least - had[i] : 0;
  }
  return res;
}

/// Tries everything, `units` of each shard, from shard `s` on.
price cheapest(const assignment_task& task, assignment& x, size_t s,
               size_t units = 1) {
  if (s == x.size())
    return price_of(task, x);
  auto res = price{SIZE_MAX, 0};
  auto nodes = task.shares.size();
  for (auto set = size_t{0}; set < size_t{1} << nodes; ++set) {
    x[s].clear();
    for (auto i = size_t{0}; i < nodes; ++i)
      if ((set >> i & 1) != 0 && task.costs[s][i] != never)
        x[s].push_back(i);
    if (x[s].size() == units)
      res = std::min(res, cheapest(task, x, s + 1, units));
  }
  return res;
}

/// With shares that begin below `least_max`.
assignment_task random_task(std::mt19937_64& random, size_t shards,
                            size_t nodes, uint64_t least_max) {
  auto res = assignment_task{};
  res.cost_max = 9;
  for (auto s = size_t{0}; s < shards; ++s) {
    auto& costs = res.costs.emplace_back();
    for (auto i = size_t{0}; i < nodes; ++i)
      costs.push_back(static_cast<int64_t>(random() % 10));
  }
  for (auto i = size_t{0}; i < nodes; ++i) {
    auto least = random() % least_max;
    res.shares.push_back({least, least + random() % 2});
  }
  return res;
}

} // namespace

TEST_SUITE("cluster/assignment") {
  TEST_CASE("units move by detours where the direct way is closed") {
    // Node 0 has one too many, which only node 1 takes, and node 1 gives one
    // on.
    auto task = assignment_task{};
    task.costs = {{0, 1, never}, {0, 1, never}, {never, 0, 1}};
    task.cost_max = 1;
    task.shares = {{1, 1}, {1, 1}, {1, 1}};
    auto x = assign(task, {{0}, {0}, {1}});
    CHECK(price_of(task, x) == price{0, 2});
    CHECK(x[2] == std::vector<size_t>{2});
  }

  TEST_CASE("the units of a shard stay on distinct nodes") {
    auto task = assignment_task{};
    task.costs = {{0, 0, 5}, {0, 0, 5}};
    task.cost_max = 5;
    task.shares = {{0, 2}, {0, 1}, {0, 2}};
    auto x = assign(task, {{0, 1}, {0, 1}});
    CHECK(price_of(task, x) == price{0, 5});
    for (auto& units : x)
      CHECK(units.front() != units.back());
  }

  TEST_CASE("of shares that can't be kept as much is kept as can be") {
    auto task = assignment_task{};
    task.costs = {{0, never}, {0, never}, {0, 3}};
    task.cost_max = 3;
    task.shares = {{0, 1}, {2, 2}};
    auto x = assign(task, {{0}, {0}, {0}});
    CHECK(price_of(task, x) == price{2, 3});
  }

  TEST_CASE("nothing is cheaper, wherever it begins") {
    auto random = std::mt19937_64{3};
    for (auto n = 0; n < 1'000; ++n) {
      auto shards = 1 + random() % 5;
      auto nodes = 2 + random() % 3;
      auto task = random_task(random, shards, nodes, 3);
      auto start = assignment(shards);
      for (auto s = size_t{0}; s < shards; ++s) {
        auto& costs = task.costs[s];
        for (auto& x : costs)
          if (random() % 4 == 0)
            x = never;
        start[s] = {random() % nodes};
        if (costs[start[s].front()] == never)
          costs[start[s].front()] = task.cost_max;
      }
      auto all = start;
      auto best = cheapest(task, all, 0);
      CHECK(price_of(task, assign(task, start)) == best);
    }
  }

  TEST_CASE("nothing is cheaper for shards of two units, either") {
    auto random = std::mt19937_64{4};
    for (auto n = 0; n < 1'000; ++n) {
      auto shards = 1 + random() % 4;
      auto nodes = 3 + random() % 2;
      auto task = random_task(random, shards, nodes, 4);
      auto start = assignment(shards);
      for (auto& xs : start) {
        auto first = random() % nodes;
        xs = {first, (first + 1 + random() % (nodes - 1)) % nodes};
      }
      auto all = start;
      auto best = cheapest(task, all, 0, 2);
      auto x = assign(task, start);
      CHECK(price_of(task, x) == best);
      for (auto& xs : x)
        CHECK((xs.size() == 2 && xs[0] != xs[1]));
    }
  }
} // TEST_SUITE
