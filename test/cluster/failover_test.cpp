#include "test/simulate/run.hpp"

#include <doctest/doctest.h>

using namespace weir::test;

TEST_SUITE("cluster/failover") {
  TEST_CASE("whatever happens to nodes, disks and messages, what was "
            "acknowledged is counted once") {
    // Seeds that once failed; weir-simulate tries them all, and others.
    for (auto seed : {19u, 124u, 167u, 662u}) {
      INFO("seed " << seed);
      CHECK(run(seed).broken == "");
    }
  }

  TEST_CASE("a seed is the same story each time") {
    auto x = run(167, trace::mode::all);
    CHECK(x.failovers > 0);
    CHECK(x.committed > 0);
    CHECK(x.story.size() > 1'000);
    CHECK(x.story == run(167, trace::mode::all).story);
  }
} // TEST_SUITE
