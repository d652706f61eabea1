#include "actors/seal_merger.hpp"

#include <doctest/doctest.h>

using namespace weir;

namespace {

constexpr auto hour = time_ms{3'600'000};
constexpr auto range = seal_range{0, 100 * hour, false};

/// Windows of a millisecond, every second one, from `start` on.
shard_sealed part_of(uint32_t shard, time_ms start, size_t windows) {
  auto xs = std::vector<window_partial>{};
  for (auto i = size_t{0}; i < windows; ++i) {
    auto at = start + 2 * static_cast<time_ms>(i);
    xs.push_back({{at, at + 1}, true, 1, {{"m", {}}}});
  }
  return {shard, range, range.through,
          std::make_shared<const std::vector<window_partial>>(std::move(xs))};
}

struct fixture {
  seal_merger self;
  seal_merger::clock::time_point now;

  sealed_partials merged(const shard_sealed& x, const shard_sealed& y) {
    self.expect(range, {x.shard, y.shard}, now);
    self.take(x);
    CHECK(!self.finish(now));
    self.take(y);
    auto res = self.finish(now);
    REQUIRE(res);
    CHECK(res->shards == std::vector<uint32_t>{x.shard, y.shard});
    return std::move(*res);
  }

  static size_t windows_in(const sealed_partials& x) {
    auto res = decode_windows(x.windows);
    REQUIRE(res);
    REQUIRE(!res->empty());
    CHECK(res->back().bounds.end <= x.upto);
    return res->size();
  }
};

} // namespace

TEST_SUITE("actors/seal_merger") {
  TEST_CASE_FIXTURE(fixture, "what shards say goes as one, up to the end of "
                             "what was asked for") {
    auto found = merged(part_of(3, 0, 10), part_of(5, 0, 10));
    CHECK(windows_in(found) == 10);
    CHECK(found.upto == range.through);
  }

  TEST_CASE_FIXTURE(fixture, "windows that shards do not have in common go in "
                             "several messages") {
    // Those of one are between those of the other.
    auto found = merged(part_of(3, 0, 10'000), part_of(5, 1, 10'000));
    CHECK(windows_in(found) == seal_merger::cells_max);
    CHECK(found.upto == seal_merger::cells_max);
  }

  TEST_CASE_FIXTURE(fixture, "a window goes whole, however many metrics it "
                             "has") {
    auto metrics = std::vector<metric_partial>{};
    for (auto i = size_t{0}; i <= seal_merger::cells_max; ++i)
      metrics.push_back({std::to_string(1'000'000 + i), {}});
    auto big = shard_sealed{
      3, range, range.through,
      std::make_shared<const std::vector<window_partial>>(
        std::vector<window_partial>{{{0, 1}, true, 1, std::move(metrics)}})};
    auto found = merged(big, part_of(5, 2, 10));
    CHECK(windows_in(found) == 1);
    CHECK(found.upto == 1);
  }
}
