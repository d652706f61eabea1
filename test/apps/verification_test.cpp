#include "apps/verification.hpp"

#include "apps/status_text.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <algorithm>

using namespace weir;

namespace {

/// One shard on n1 and n2, whose log ends at `index`.
cluster_status status(uint64_t index = 7) {
  auto res = cluster_status{};
  res.settings.values = {{"replicas", "2"}};
  for (auto name : {"n1", "n2"}) {
    auto& node = res.nodes.emplace_back();
    node.name = name;
    node.state = "up";
  }
  auto& shard = res.shards.emplace_back();
  shard.primary = "n1";
  shard.backups = {"n2"};
  shard.target = {"n1", "n2"};
  shard.state = "serving";
  shard.index = index;
  shard.copies
    = {{"n1", "primary", index, index, {}}, {"n2", "backup", index, index, {}}};
  res.ledger.received = 10;
  res.ledger.accepted = 8;
  res.ledger.late = 2;
  res.rollup.in = 9;
  res.rollup.outside = 1;
  return res;
}

shard_check check(uint64_t index = 7) {
  auto res = shard_check{};
  res.epoch = 3;
  res.role = replica_role::backup;
  res.applied = {index, 3, 1'000 + index};
  res.end = res.applied;
  res.digest = 2'000 + index;
  res.ledger.accepted = 8;
  res.ledger.late = 2;
  res.rollup.in = 9;
  res.rollup.outside = 1;
  return res;
}

shard_check failed(ec code, const char* text) {
  auto res = shard_check{};
  res.code = code;
  res.text = text;
  return res;
}

bool has(const std::vector<std::string>& xs, const char* part) {
  return std::any_of(xs.begin(), xs.end(), [&](auto& x) {
    return x.find(part) != std::string::npos;
  });
}

} // namespace

TEST_SUITE("apps/verification") {
  TEST_CASE("two equal copies are all well") {
    auto all = verification{status()};
    CHECK(all.open() == std::vector<uint32_t>{0});
    all.add("n1", check());
    CHECK(all.open() == std::vector<uint32_t>{0});
    all.add("n2", check());
    CHECK(all.open().empty());
    auto found = all.conclude(status(), {});
    CHECK(found.wrong.empty());
    CHECK(found.unchecked.empty());
    CHECK(found.notes.empty());
    CHECK(all.copies() == 2);
  }

  TEST_CASE("copies are compared at equal entries, whenever each was there") {
    auto all = verification{status()};
    all.add("n1", check(7));
    all.add("n2", check(5));
    CHECK(all.open().size() == 1);
    all.add("n1", check(9));
    all.add("n2", check(7));
    CHECK(all.open().empty());
    auto found = all.conclude(status(9), {});
    CHECK(found.wrong.empty());
    CHECK(found.unchecked.empty());
    CHECK(has(found.notes, "not in total"));
  }

  TEST_CASE("equality passes on from copy to copy") {
    auto three = status();
    three.nodes.push_back(three.nodes.back());
    three.nodes.back().name = "n3";
    three.shards[0].backups.push_back("n3");
    auto all = verification{three};
    all.add("n1", check(7));
    all.add("n2", check(7));
    all.add("n2", check(8));
    CHECK(all.open().size() == 1);
    all.add("n3", check(8));
    CHECK(all.open().empty());
  }

  TEST_CASE("copies that differ are named") {
    auto all = verification{status()};
    all.add("n1", check());
    auto other = check();
    SUBCASE("in their state") {
      other.digest = 1;
      all.add("n2", other);
      CHECK(has(all.conclude(status(), {}).wrong,
                "shard 0 on nodes n1 and n2: the same log has made two states "
                "of it at entry 7"));
    }
    SUBCASE("in their logs") {
      other.applied.chain = 1;
      all.add("n2", other);
      CHECK(has(all.conclude(status(), {}).wrong,
                "shard 0 on nodes n1 and n2: two logs differ up to entry 7"));
    }
    SUBCASE("even where it is one node's, at two times") {
      other.digest = 1;
      all.add("n1", other);
      CHECK(has(all.conclude(status(), {}).wrong,
                "shard 0 on node n1 has changed without its log"));
    }
    // There is no use in asking again.
    CHECK(all.open().empty());
  }

  TEST_CASE("copies that never stand at the same entry have moved on") {
    auto all = verification{status()};
    all.add("n1", check(7));
    all.add("n2", check(6));
    auto found = all.conclude(status(), {});
    CHECK(found.wrong.empty());
    CHECK(has(found.unchecked, "shard 0: the copies on n1, n2 moved on"));
  }

  TEST_CASE("readings that no window accounts for are wrong") {
    auto all = verification{status()};
    auto less = check();
    less.rollup.outside = 0;
    all.add("n1", less);
    CHECK(has(all.conclude(status(), {}).wrong,
              "shard 0 on node n1: 10 readings were accepted or late, but "
              "windows over all entities account for 9"));
  }

  TEST_CASE("a ledger that does not add up is wrong") {
    auto all = verification{status()};
    all.add("n1", check());
    all.add("n2", check());
    auto after = status();
    SUBCASE("with the windows") {
      after.rollup.late = 1;
      CHECK(has(all.conclude(after, {}).wrong, "account for 11"));
    }
    SUBCASE("with the shards") {
      after.ledger.accepted = 9;
      after.ledger.late = 1;
      CHECK(has(all.conclude(after, {}).wrong,
                "the shards hold 8 accepted readings and 2 late ones, but the "
                "cluster's ledger has 9 and 1"));
    }
  }

  TEST_CASE("damage is wrong, and what passes was not checked") {
    auto all = verification{status()};
    all.add("n1", failed(ec::damaged, "entry 3 is not what was written"));
    CHECK(has(all.conclude(status(), {}).wrong,
              "shard 0 on node n1: entry 3 is not what was written"));
    auto busy = verification{status()};
    busy.add("n1", check());
    busy.add("n2", failed(ec::unavailable, "it loads its state"));
    auto found = busy.conclude(status(), {});
    CHECK(found.wrong.empty());
    CHECK(has(found.unchecked, "shard 0 on node n2: it loads its state"));
  }

  TEST_CASE("a node that can't be asked is named once") {
    auto all = verification{status()};
    all.add("n1", check());
    all.add_unreachable("n2", {ec::timeout, "it did not answer in time"});
    auto found = all.conclude(status(), {});
    CHECK(found.wrong.empty());
    CHECK(found.unchecked
          == std::vector<std::string>{
            "node n2 could not be asked: it did not answer in time"});
  }

  TEST_CASE("a copy that nobody counts on may be anything") {
    auto all = verification{status()};
    all.add("n1", check());
    all.add("n2", check());
    auto stray = check();
    stray.digest = 1;
    all.add("n3", stray);
    CHECK(all.conclude(status(), {}).wrong.empty());
  }

  TEST_CASE("a missing copy is wrong, but one node alone needs no other") {
    auto one = status();
    one.shards[0].backups.clear();
    one.shards[0].copies.pop_back();
    one.shards[0].target.pop_back();
    one.nodes[1].state = "down";
    auto all = verification{one};
    all.add("n1", check());
    CHECK(all.open().empty());
    CHECK(has(all.conclude(one, {}).wrong,
              "shard 0 has 1 of 2 copies: node n2 is down"));
    one.nodes.pop_back();
    auto found = all.conclude(one, {});
    CHECK(found.wrong.empty());
    CHECK(has(found.notes, "shard 0 has 1 of 2 copies: there is no other"));
  }

  TEST_CASE("a shard that is not served is wrong, and nobody is asked for it") {
    auto x = status();
    x.shards[0].state = "unavailable";
    x.shards[0].text = "its replicas n1 are down";
    auto all = verification{x};
    CHECK(all.open().empty());
    CHECK(has(all.conclude(x, {}).wrong,
              "shard 0 is unavailable: its replicas n1 are down"));
    // A failover passes.
    x.shards[0].state = "recovering";
    x.shards[0].text = "node n2 is taking it over";
    auto found = all.conclude(x, {});
    CHECK(found.wrong.empty());
    CHECK(has(found.unchecked, "node n2 is taking it over"));
  }

  TEST_CASE("a journal has to reach as far as what was durable") {
    auto x = check();
    x.journal_from = 3;
    x.journal_entries = 5;
    auto all = verification{status()};
    all.add("n1", x);
    all.add("n2", check());
    CHECK(all.conclude(status(), {}).wrong.empty());
    CHECK(all.journal_entries() == 5);
    x.journal_entries = 4;
    all.add("n2", x);
    CHECK(has(all.conclude(status(), {}).wrong,
              "shard 0 on node n2: its journal ends at entry 6, but entry 7 "
              "was durable"));
  }

  TEST_CASE("windows that lack a shard's part are wrong") {
    auto found = findings{};
    auto list = window_list{};
    check_windows(list, found);
    CHECK(found.wrong.empty());
    list.missing = {4, 5};
    auto& holder = list.held_by.emplace_back();
    holder.kind = window_holder::what::shard;
    holder.shard = 4;
    holder.node = "n1";
    list.held_by.emplace_back().producer = "slow";
    check_windows(list, found);
    CHECK(has(found.wrong, "shards 4 and 5 did not tell"));
    CHECK(found.notes.size() == 1);
    CHECK(has(found.notes, "shard 4"));
  }

  TEST_CASE("scripts see every copy") {
    auto all = verification{status()};
    all.add("n1", check());
    all.add("n2", failed(ec::unavailable, "it loads"));
    auto shards = all.to_json();
    REQUIRE(shards.size() == 1);
    CHECK(shards[0]["compared"] == false);
    CHECK(shards[0]["copies"][0]["applied"] == 7);
    CHECK(shards[0]["copies"][0]["digest"] == "00000000000007d7");
    CHECK(shards[0]["copies"][1]["trouble"] == "it loads");
    all.add("n2", check());
    CHECK(all.to_json()[0]["compared"] == true);
  }
}
