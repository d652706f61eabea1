#include "test/simulate/run.hpp"

#include <doctest/doctest.h>

using namespace weir::test;

TEST_SUITE("cluster/failover") {
  TEST_CASE("whatever happens to nodes, disks and messages, what was "
            "acknowledged is counted once") {
    // Seeds that once failed; weir-simulate tries others.
    for (auto seed : {106u, 149u, 862u, 163067633u}) {
      INFO("seed " << seed);
      CHECK(run(seed).broken == "");
    }
  }

  TEST_CASE("a seed is the same story each time") {
    auto x = run(106, trace::mode::all);
    CHECK(x.failovers > 0);
    CHECK(x.committed > 0);
    CHECK(x.story.size() > 1'000);
    CHECK(x.story == run(106, trace::mode::all).story);
  }
} // TEST_SUITE
