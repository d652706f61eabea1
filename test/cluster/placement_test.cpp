#include "cluster/placement.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>

using namespace weir;

namespace {

using names = std::vector<std::string>;

/// Shards that all may move, by owner.
std::vector<placed_shard> owned_by(const names& owners) {
  auto res = std::vector<placed_shard>{};
  for (auto& x : owners)
    res.push_back({x, true});
  return res;
}

void carry_out(const std::vector<shard_move>& moves,
               std::vector<placed_shard>& shards) {
  for (auto& x : moves) {
    REQUIRE(shards[x.shard].owner == x.from);
    shards[x.shard].owner = x.to;
  }
}

std::map<std::string, size_t> loads(const names& nodes,
                                    const std::vector<placed_shard>& shards) {
  auto res = std::map<std::string, size_t>{};
  for (auto& x : nodes)
    res[x] = 0;
  for (auto& x : shards)
    if (res.count(x.owner) > 0)
      ++res[x.owner];
  return res;
}

size_t spread(const std::map<std::string, size_t>& loads) {
  auto [least, most]
    = std::minmax_element(loads.begin(), loads.end(), [](auto& x, auto& y) {
        return x.second < y.second;
      });
  return most->second - least->second;
}

/// The fewest shards that must change their node so that all nodes are within
/// one: those beyond a fair share, where the fullest nodes get the larger ones.
size_t fewest_moves(const names& nodes,
                    const std::vector<placed_shard>& shards) {
  auto counts = std::vector<size_t>{};
  for (auto& [name, n] : loads(nodes, shards))
    counts.push_back(n);
  std::sort(counts.rbegin(), counts.rend());
  auto homeless = static_cast<size_t>(
    std::count_if(shards.begin(), shards.end(), [](auto& x) {
      return x.owner.empty();
    }));
  auto total = std::accumulate(counts.begin(), counts.end(), homeless);
  auto res = homeless;
  for (auto i = size_t{0}; i < counts.size(); ++i) {
    auto share = total / counts.size() + (i < total % counts.size() ? 1 : 0);
    res += counts[i] > share ? counts[i] - share : 0;
  }
  return res;
}

} // namespace

TEST_SUITE("cluster/placement") {
  TEST_CASE("the first node gets everything") {
    auto shards = owned_by({"", "", ""});
    auto moves = place({"a"}, shards);
    CHECK(moves
          == std::vector<shard_move>{{0, "", "a"}, {1, "", "a"}, {2, "", "a"}});
    carry_out(moves, shards);
    CHECK(place({"a"}, shards).empty());
  }

  TEST_CASE("without nodes nothing moves") {
    CHECK(place({}, owned_by({"", "a"})).empty());
  }

  TEST_CASE("a node that joins gets its share, and nothing else moves") {
    auto shards = owned_by(names(9, "a"));
    auto moves = place({"a", "b"}, shards);
    CHECK(moves.size() == 4);
    for (auto& x : moves)
      CHECK(x.to == "b");
  }

  TEST_CASE("shards of a node that is away stay its own") {
    auto shards = owned_by({"a", "b", "b", "b", ""});
    CHECK(place({"a"}, shards) == std::vector<shard_move>{{4, "", "a"}});
  }

  TEST_CASE("shards that hold something never move, and others make up for "
            "them") {
    auto shards = owned_by({"a", "a", "a", "a", "a", "a", "b"});
    for (auto i : {0, 1, 2, 3})
      shards[static_cast<size_t>(i)].movable = false;
    auto moves = place({"a", "b", "c"}, shards);
    for (auto& x : moves)
      CHECK(x.shard >= 4);
    carry_out(moves, shards);
    CHECK(loads({"a", "b", "c"}, shards)
          == std::map<std::string, size_t>{{"a", 4}, {"b", 2}, {"c", 1}});
  }

  TEST_CASE("any change of the nodes ends in balance, by the fewest moves "
            "there are") {
    CHECK(rc::check([] {
      auto nodes = names{};
      auto shards = std::vector<placed_shard>(*rc::gen::inRange<size_t>(1, 65));
      for (auto change = *rc::gen::inRange(1, 40); change > 0; --change) {
        if (nodes.size() < 2 || *rc::gen::arbitrary<bool>()) {
          nodes.push_back("n" + std::to_string(change));
        } else {
          auto gone = nodes.begin()
                      + *rc::gen::inRange<ptrdiff_t>(
                        0, static_cast<ptrdiff_t>(nodes.size()));
          for (auto& x : shards)
            if (x.owner == *gone)
              x.owner.clear();
          nodes.erase(gone);
        }
        for (auto& x : shards)
          x.movable = !x.owner.empty();
        auto least = fewest_moves(nodes, shards);
        auto moves = place(nodes, shards);
        RC_ASSERT(moves.size() == least);
        carry_out(moves, shards);
        RC_ASSERT(spread(loads(nodes, shards)) <= 1u);
        RC_ASSERT(place(nodes, shards).empty());
      }
    }));
  }

  TEST_CASE("what is pinned stays, and the rest comes as near to balance as it "
            "can") {
    CHECK(rc::check([] {
      auto nodes = names{"a", "b", "c", "d"};
      nodes.resize(*rc::gen::inRange<size_t>(1, 5));
      auto shards = std::vector<placed_shard>(*rc::gen::inRange<size_t>(0, 40));
      for (auto& x : shards) {
        x.owner = std::string{*rc::gen::element("a", "a", "b", "c", "d", "")};
        x.movable = !x.owner.empty() && *rc::gen::arbitrary<bool>();
      }
      auto before = shards;
      auto moves = place(nodes, shards);
      carry_out(moves, shards);
      for (auto& x : moves)
        RC_ASSERT(before[x.shard].owner.empty() || before[x.shard].movable);
      for (auto i = size_t{0}; i < shards.size(); ++i)
        RC_ASSERT(!shards[i].owner.empty());
      // Whoever has two more than another has nothing to give.
      auto after = loads(nodes, shards);
      for (auto i = size_t{0}; i < shards.size(); ++i)
        if (after.count(shards[i].owner) > 0 && shards[i].movable)
          for (auto& [name, n] : after)
            RC_ASSERT(after[shards[i].owner] < n + 2);
    }));
  }

} // TEST_SUITE
