#include "apps/status_text.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace weir;

namespace {

/// 2023-11-14T22:13:20Z
constexpr time_ms now = 1'700'000'000'000;

node_status node(const char* name, const char* state) {
  auto res = node_status{};
  res.name = name;
  res.state = state;
  res.last_seen = now - 60'000;
  return res;
}

/// Its primary is on n1, its backup on n2.
shard_status shard(uint32_t id) {
  auto res = shard_status{};
  res.shard = id;
  res.primary = "n1";
  res.backups = {"n2"};
  res.target = {"n1", "n2"};
  res.copies = {{"n1", "primary", 5, 5, {}}, {"n2", "backup", 5, 4, {}}};
  res.state = "serving";
  return res;
}

/// Three of these shards.
cluster_status status() {
  auto res = cluster_status{};
  res.settings.values = {{"window", "1m"}, {"replicas", "2"}};
  res.nodes = {node("n1", "up"), node("n2", "up"), node("n3", "up")};
  res.shards = {shard(0), shard(1), shard(2)};
  return res;
}

std::vector<std::string> sentences(const cluster_status& x) {
  auto res = std::vector<std::string>{};
  for (auto& y : shortages(x))
    res.push_back(sentence(y));
  return res;
}

using texts = std::vector<std::string>;

} // namespace

TEST_SUITE("apps/status_text") {
  TEST_CASE("copies count that are members and have been heard of") {
    auto x = shard(0);
    CHECK(copies_of(x) == 2);
    x.copies[1].role = "learner";
    CHECK(copies_of(x) == 1);
    x.copies[1].role = "";
    CHECK(copies_of(x) == 1);
    x = shard(0);
    x.backups.clear();
    CHECK(copies_of(x) == 1);
  }

  TEST_CASE("shards are counted by state and copies, most of them first") {
    auto x = status();
    CHECK(copies_line(x) == "3 shards: 3 serving with 2 copies");
    x.shards[0].copies[1].role = "";
    CHECK(copies_line(x)
          == "3 shards: 2 serving with 2 copies, 1 serving with 1 copy");
  }

  TEST_CASE("shards with all of their copies lack nothing") {
    CHECK(shortages(status()).empty());
    auto one = status();
    one.settings.values = {};
    CHECK(copies_wanted(one) == 1);
    CHECK(copies_wanted(status()) == 2);
  }

  TEST_CASE("missing copies are told with their reason, equal ones together") {
    auto x = status();
    SUBCASE("a member is down") {
      x.nodes[1].state = "down";
      for (auto i : {0, 2})
        x.shards[static_cast<size_t>(i)].copies[1].role = "";
      CHECK(sentences(x)
            == texts{"shards 0 and 2 have 1 of 2 copies: node n2 is down"});
    }
    SUBCASE("a member catches up") {
      x.shards[1].copies[1].role = "learner";
      CHECK(sentences(x)
            == texts{"shard 1 has 1 of 2 copies: node n2 has to catch up"});
    }
    SUBCASE("a copy is under way, and another one waits for its turn") {
      for (auto& y : x.shards) {
        y.backups.clear();
        y.copies.pop_back();
        y.target = {"n1", "n3"};
      }
      x.moves = {{1, "n1", "n3", 10, 20, 100}};
      CHECK(sentences(x)
            == texts{"shards 0 and 2 have 1 of 2 copies: a copy is to be made "
                     "on node n3",
                     "shard 1 has 1 of 2 copies: it is being copied to node "
                     "n3"});
    }
    SUBCASE("nobody could hold another one") {
      x.nodes.resize(1);
      x.shards.resize(1);
      x.shards[0].backups.clear();
      x.shards[0].copies.pop_back();
      x.shards[0].target = {"n1"};
      CHECK(sentences(x)
            == texts{"shard 0 has 1 of 2 copies: there is no other node to "
                     "hold one; start one"});
      x.nodes.push_back(node("n2", "down"));
      CHECK(sentences(x)
            == texts{"shard 0 has 1 of 2 copies: node n2 is down, and there is "
                     "no other one to hold a copy"});
    }
  }

  TEST_CASE("a shard that is not served has a sentence of its own") {
    auto x = status();
    x.shards[1].state = "unavailable";
    x.shards[1].text = "its replicas n1, n2 are down";
    x.shards[1].copies = {};
    CHECK(shortages(x).empty());
    CHECK(to_text(x, false, now)
            .find("shard 1 is unavailable: its replicas n1, n2 are down\n")
          != std::string::npos);
  }

  TEST_CASE("a move has a pace and an end") {
    auto x = move_status{3, "n1", "n2", 1'000, 4'000, 500};
    CHECK(pace_of(x) == 2'000);
    CHECK(left_of(x) == 1'500);
    x.bytes = 5'000;
    CHECK(left_of(x) == 0);
    x.bytes = 0;
    CHECK(left_of(x) == -1);
    x.elapsed = 0;
    CHECK(pace_of(x) == 0);
  }

  TEST_CASE("moves are told in lines") {
    auto x = status();
    CHECK(to_text(x, false, now).find("MOVING") == std::string::npos);
    x.moves = {{3, "n1", "n2", 1'048'576, 3'145'728, 1'000}};
    CHECK(to_text(x, false, now)
            .find("shard 3  n1    n2  1.0 MiB  3.0 MiB  1.0 MiB/s    2s\n")
          != std::string::npos);
  }

  TEST_CASE("a node's state says since when, and when it may be stopped") {
    CHECK(state_text(node("n1", "up"), now) == "up");
    CHECK(state_text(node("n1", "draining"), now) == "draining");
    CHECK(state_text(node("n1", "drained"), now) == "drained: safe to stop");
    CHECK(state_text(node("n1", "down"), now) == "down since 22:12:20Z");
    CHECK(state_text(node("n1", "down"), now + 7'200'000)
          == "down since 2023-11-14");
    auto never = node("n1", "down");
    never.last_seen = 0;
    CHECK(state_text(never, now) == "down");
  }

  TEST_CASE("scripts see copies, targets and moves") {
    auto x = status();
    x.shards[0].copies[1].text = "its disk is full";
    x.nodes[1].state = "drained";
    x.moves = {{1, "n1", "n3", 10, 30, 1'000}};
    auto res = to_json(x);
    CHECK(res["nodes"][0]["safe_to_stop"] == false);
    CHECK(res["nodes"][1]["safe_to_stop"] == true);
    auto& first = res["shards"][0];
    CHECK(first["in_sync"] == 2);
    CHECK(first["target"].dump() == R"(["n1","n2"])");
    CHECK(first["copies"][1].dump()
          == R"({"node":"n2","role":"backup","member":true,"end":5,)"
             R"("applied":4,"trouble":"its disk is full"})");
    CHECK(res["moves"].dump()
          == R"([{"shard":1,"from":"n1","to":"n3","bytes":10,)"
             R"("bytes_in_all":30,"elapsed_ms":1000,"bytes_per_second":10,)"
             R"("left_ms":2000}])");
  }
}
