#include "cluster/verdict.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <random>

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto now = time_ms{1'000'000};

std::vector<reading> at(const std::vector<time_ms>& times) {
  auto res = std::vector<reading>{};
  for (auto t : times)
    res.push_back({0, 0, t, number::of(int64_t{1})});
  return res;
}

/// Forgets after 1000 ms, takes what is dated up to 500 ms ahead.
verdict_options options(bool wall_clock = false) {
  return {1000, 500, wall_clock};
}

std::vector<uint32_t> skipped(const std::vector<time_ms>& times,
                              shard_clock before = {},
                              bool wall_clock = false) {
  return decide(at(times), before, options(wall_clock), now).skip;
}

rc::Gen<std::vector<time_ms>> any_times() {
  return rc::gen::container<std::vector<time_ms>>(
    rc::gen::oneOf(rc::gen::inRange<time_ms>(now - 3000, now + 1000),
                   rc::gen::inRange<time_ms>(now - 3, now + 3),
                   rc::gen::element(time_ms{time_min}, time_ms{now}, now + 500,
                                    now + 501, time_ms{time_max})));
}

bool same(const shard_clock& x, const shard_clock& y) {
  return x.event_max == y.event_max && x.clock == y.clock;
}

bool same(const verdict_counts& x, const verdict_counts& y) {
  return x.accepted == y.accepted && x.late == y.late && x.future == y.future
         && x.refused == y.refused;
}

} // namespace

TEST_SUITE("cluster/verdict") {
  TEST_CASE("a reading is late from the clock less the retention on") {
    auto x
      = decide(at({5000, 4001, 4000, 3999, 5001, 4001}), {}, options(), now);
    CHECK(x.skip == std::vector<uint32_t>{2, 3, 5});
    CHECK(x.counts.accepted == 3);
    CHECK(x.counts.late == 3);
    CHECK(x.counts.future == 0);
    CHECK(x.clock.event_max == 5001);
    CHECK(x.clock.clock == 5001);
    CHECK(x.decided == now);
  }

  TEST_CASE("before the first reading nothing is late") {
    CHECK(skipped({0}).empty());
    CHECK(skipped({0, 1000, 1, 0}) == std::vector<uint32_t>{3});
  }

  TEST_CASE("a reading is of the future beyond the limit, not at it") {
    auto x
      = decide(at({now + 500, now + 501, time_max, now}), {}, options(), now);
    CHECK(x.skip == std::vector<uint32_t>{1, 2});
    CHECK(x.counts.future == 2);
    CHECK(x.counts.accepted == 2);
    CHECK(x.clock.event_max == now + 500);
  }

  TEST_CASE("a source whose clock runs ahead makes nobody late") {
    CHECK(skipped({now + 500, now - 999, now - 1000})
          == std::vector<uint32_t>{2});
  }

  TEST_CASE("the clock of other shards makes nothing late here") {
    auto before = shard_clock{5000, 900'000};
    auto x = decide(at({4001, 4000}), before, options(), now);
    CHECK(x.skip == std::vector<uint32_t>{1});
    CHECK(x.clock.clock == 900'000);
  }

  TEST_CASE("by the wall clock a reading is late whatever came before") {
    CHECK(skipped({now - 1000, now - 999, 5}, {}, true)
          == std::vector<uint32_t>{0, 2});
    auto x = decide(at({now - 999}), {}, options(true), now);
    CHECK(x.clock.clock == now);
    CHECK(x.clock.event_max == now - 999);
  }

  TEST_CASE("nothing accepted is no clock yet") {
    for (auto wall_clock : {false, true}) {
      auto x = decide(at({now + 501}), {}, options(wall_clock), now);
      CHECK(x.clock.event_max == -1);
      CHECK(x.clock.clock == -1);
    }
  }

  TEST_CASE("every reading gets one verdict, the one that its time and those "
            "before it demand") {
    CHECK(rc::check([] {
      auto times = *any_times();
      auto wall_clock = *rc::gen::arbitrary<bool>();
      auto x = decide(at(times), {}, options(wall_clock), now);
      auto expected = block_verdict{};
      auto max = time_ms{-1};
      for (auto i = uint32_t{0}; i < times.size(); ++i) {
        auto reference = wall_clock ? now : std::min(max, now);
        if (times[i] > now + 500) {
          ++expected.counts.future;
          expected.skip.push_back(i);
        } else if (reference != -1 && times[i] <= reference - 1000) {
          ++expected.counts.late;
          expected.skip.push_back(i);
        } else {
          ++expected.counts.accepted;
          max = std::max(max, times[i]);
        }
      }
      RC_ASSERT(x.skip == expected.skip);
      RC_ASSERT(same(x.counts, expected.counts));
      RC_ASSERT(x.counts.total() == times.size());
      RC_ASSERT(x.clock.event_max == max);
    }));
  }

  TEST_CASE("how readings are cut into blocks changes nothing") {
    CHECK(rc::check([] {
      auto times = *any_times();
      auto wall_clock = *rc::gen::arbitrary<bool>();
      auto before
        = *rc::gen::element(shard_clock{}, shard_clock{now - 1500, now - 1500},
                            shard_clock{now - 1500, now - 100});
      auto whole = decide(at(times), before, options(wall_clock), now);
      auto clock = before;
      auto counts = verdict_counts{};
      auto skip = std::vector<uint32_t>{};
      for (auto first = size_t{0}; first < times.size();) {
        auto n
          = std::min<size_t>(*rc::gen::inRange(1, 6), times.size() - first);
        auto begin = times.begin() + static_cast<ptrdiff_t>(first);
        auto part = decide(at({begin, begin + static_cast<ptrdiff_t>(n)}),
                           clock, options(wall_clock), now);
        clock = part.clock;
        counts += part.counts;
        for (auto i : part.skip)
          skip.push_back(static_cast<uint32_t>(first) + i);
        first += n;
      }
      RC_ASSERT(skip == whole.skip);
      RC_ASSERT(same(counts, whole.counts));
      if (!times.empty())
        RC_ASSERT(same(clock, whole.clock));
    }));
  }

  TEST_CASE("by the wall clock the order of arrival does not matter") {
    CHECK(rc::check([] {
      auto times = *any_times();
      auto one = decide(at(times), {}, options(true), now);
      std::shuffle(times.begin(), times.end(),
                   std::mt19937{*rc::gen::arbitrary<uint32_t>()});
      auto other = decide(at(times), {}, options(true), now);
      RC_ASSERT(same(one.counts, other.counts));
      RC_ASSERT(same(one.clock, other.clock));
    }));
  }

  TEST_CASE("the clock never passes the wall clock, and never goes back") {
    CHECK(rc::check([] {
      auto clock = shard_clock{};
      auto wall = now;
      auto highest = wall;
      for (auto n = *rc::gen::inRange(0, 20); n > 0; --n) {
        // Wall clocks are set back at times.
        wall += *rc::gen::inRange<time_ms>(-800, 2000);
        highest = std::max(highest, wall);
        auto times = *any_times();
        auto next
          = decide(at(times), clock, options(*rc::gen::arbitrary<bool>()), wall)
              .clock;
        RC_ASSERT(next.clock >= clock.clock);
        RC_ASSERT(next.event_max >= clock.event_max);
        RC_ASSERT(next.clock <= highest);
        clock = next;
      }
    }));
  }

  TEST_CASE("a verdict survives its encoding") {
    CHECK(rc::check([] {
      auto times = *any_times();
      auto x = decide(at(times), {}, options(*rc::gen::arbitrary<bool>()), now);
      auto y = decode_verdict(encode_verdict(x), times.size());
      RC_ASSERT(y.has_value());
      RC_ASSERT(y->skip == x.skip);
      RC_ASSERT(same(y->counts, x.counts));
      RC_ASSERT(same(y->clock, x.clock));
      RC_ASSERT(y->decided == x.decided);
      RC_ASSERT(!decode_verdict(encode_verdict(x), times.size() + 1));
    }));
  }

  TEST_CASE("a verdict that fits no block is refused") {
    auto encoded = [](verdict_counts counts, std::vector<uint32_t> skip) {
      auto x = block_verdict{};
      x.counts = counts;
      x.skip = std::move(skip);
      return encode_verdict(x);
    };
    CHECK(decode_verdict(encoded({1, 1, 0, 0}, {0}), 2).has_value());
    CHECK(decode_verdict(encoded({1, 1, 1, 0}, {1, 2}), 3).has_value());
    CHECK(code_of(decode_verdict(encoded({1, 1, 0, 0}, {2}), 2))
          == ec::damaged);
    CHECK(code_of(decode_verdict(encoded({1, 1, 1, 0}, {1, 1}), 3))
          == ec::damaged);
    CHECK(code_of(decode_verdict(encoded({1, 0, 0, 0}, {0}), 2))
          == ec::damaged);
    CHECK(code_of(decode_verdict(encoded({2, 1, 0, 0}, {0}), 2))
          == ec::damaged);
    // Counts whose sums wrap to what is right.
    CHECK(code_of(decode_verdict(encoded({1, UINT64_MAX, 2, 0}, {0}), 2))
          == ec::damaged);
    CHECK(code_of(decode_verdict(encoded({UINT64_MAX, 2, 1, 0}, {0, 1, 2}), 2))
          == ec::damaged);
    CHECK(code_of(decode_verdict("", 0)) == ec::damaged);
    // Times that no sum of times can be made of.
    auto timed = [](shard_clock clock, time_ms decided) {
      auto x = block_verdict{};
      x.clock = clock;
      x.decided = decided;
      return code_of(decode_verdict(encode_verdict(x), 0));
    };
    CHECK(timed({-1, time_max}, time_max) == ec::none);
    CHECK(timed({-1, INT64_MAX}, 0) == ec::damaged);
    CHECK(timed({INT64_MIN, 0}, 0) == ec::damaged);
    CHECK(timed({0, 0}, INT64_MAX) == ec::damaged);
  }

  TEST_CASE("any bytes decode to a verdict that fits its block, or not at "
            "all") {
    CHECK(rc::check([] {
      auto times = *any_times();
      auto bytes = encode_verdict(decide(at(times), {}, options(), now));
      auto changes = *rc::gen::inRange(1, 4);
      for (auto i = 0; i < changes; ++i)
        bytes[*rc::gen::inRange<size_t>(0, bytes.size())]
          = *rc::gen::arbitrary<char>();
      bytes.resize(*rc::gen::inRange<size_t>(0, bytes.size() + 1));
      auto x = decode_verdict(bytes, times.size());
      if (!x)
        return;
      RC_ASSERT(x->counts.total() == times.size());
      RC_ASSERT(x->counts.late + x->counts.future == x->skip.size());
      for (auto i = size_t{0}; i < x->skip.size(); ++i) {
        RC_ASSERT(x->skip[i] < times.size());
        RC_ASSERT(i == 0 || x->skip[i - 1] < x->skip[i]);
      }
    }));
  }

} // TEST_SUITE
