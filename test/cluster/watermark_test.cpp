#include "cluster/watermark.hpp"

#include <doctest/doctest.h>

using namespace weir;

namespace {

constexpr auto ann = producer_id{1, 2};
constexpr auto bob = producer_id{1, 4};

/// The wall clock, far beyond the times of readings.
constexpr auto now = time_ms{1'700'000'000'000};

struct fixture {
  watermark_keeper self;
  time_ms time = now;

  fixture() {
    self.configure(10'000, 300'000);
    self.load({}, now);
  }

  void report(producer_id id, time_ms greatest, bool idle = false) {
    self.report(id, {greatest, idle, false, -1}, time);
  }

  void end(producer_id id, time_ms greatest, time_ms flush_to = -1) {
    self.report(id, {greatest, false, true, flush_to}, time);
  }

  time_ms watermark() {
    self.advance(time);
    return self.record().watermark;
  }

  /// Time goes by in which the coordinator is awake.
  void pass(time_ms ms) {
    for (; ms > 0; ms -= 1000) {
      time += std::min<time_ms>(ms, 1000);
      self.advance(time);
    }
  }
};

} // namespace

TEST_SUITE("cluster/watermark") {
  TEST_CASE_FIXTURE(fixture, "it is the least of what live sessions reached") {
    CHECK(watermark() == -1);
    self.open(ann, time);
    self.open(bob, time);
    report(ann, 5'000);
    CHECK(watermark() == -1);
    REQUIRE(self.held_by());
    CHECK(self.held_by()->producer == bob);
    CHECK(self.held_by()->greatest == -1);
    report(bob, 3'000);
    CHECK(watermark() == 3'000);
    CHECK(self.held_by()->producer == bob);
    report(bob, 9'000);
    CHECK(watermark() == 5'000);
  }

  TEST_CASE_FIXTURE(fixture, "it never goes back") {
    report(ann, 5'000);
    CHECK(watermark() == 5'000);
    self.open(bob, time);
    report(bob, 2'000);
    CHECK(watermark() == 5'000);
    report(ann, 1'000);
    CHECK(watermark() == 5'000);
  }

  TEST_CASE_FIXTURE(fixture, "idle and ended sessions count with what they "
                             "reached, and hold nobody") {
    report(ann, 5'000);
    report(bob, 7'000, true);
    CHECK(watermark() == 5'000);
    report(ann, 6'000, true);
    CHECK(watermark() == 6'000);
    CHECK(!self.held_by());
    report(bob, 8'000);
    CHECK(watermark() == 8'000);
    end(bob, 8'500);
    CHECK(watermark() == 8'500);
    end(ann, 6'000);
    CHECK(watermark() == 8'500);
    pass(60'000);
    CHECK(watermark() == 8'500);
  }

  TEST_CASE_FIXTURE(fixture, "an idle session does not hold one that ends") {
    report(ann, 1'000, true);
    CHECK(watermark() == 1'000);
    self.open(bob, time);
    CHECK(watermark() == 1'000);
    end(bob, 5'000);
    CHECK(watermark() == 5'000);
    self.open(bob, time);
    // It has paused since it began.
    report(ann, -1, true);
    end(bob, 6'000);
    CHECK(watermark() == 6'000);
  }

  TEST_CASE_FIXTURE(fixture, "one that does not report lets go") {
    report(ann, 5'000);
    report(bob, 3'000);
    for (auto i = 0; i < 9; ++i) {
      pass(1'000);
      report(ann, 5'000 + i);
    }
    CHECK(watermark() == 3'000);
    pass(1'000);
    CHECK(watermark() == 5'008);
    report(bob, 3'001);
    CHECK(self.held_by()->producer == bob);
    CHECK(watermark() == 5'008);
  }

  TEST_CASE_FIXTURE(fixture, "times from the future are no progress") {
    report(ann, now + 300'001);
    CHECK(watermark() == -1);
    report(ann, 7);
    CHECK(watermark() == 7);
    report(ann, now + 300'000);
    CHECK(watermark() == now);
    time += 50;
    CHECK(watermark() == now + 50);
  }

  TEST_CASE_FIXTURE(fixture, "a flush raises it once nobody holds it") {
    report(ann, 4'000);
    report(bob, 5'000);
    end(bob, 5'000, 70'000);
    CHECK(watermark() == 4'000);
    end(ann, 4'000);
    CHECK(watermark() == 70'000);
    end(ann, 4'000, 60'000);
    CHECK(watermark() == 70'000);
  }

  TEST_CASE_FIXTURE(fixture, "a flush does not pass the wall clock") {
    end(ann, now, now + 60'000);
    CHECK(watermark() == now);
    pass(59'999);
    CHECK(watermark() == now + 59'999);
    pass(10'000);
    CHECK(watermark() == now + 60'000);
  }

  TEST_CASE_FIXTURE(fixture, "after a restart, sessions have time to come "
                             "back") {
    report(ann, 5'000);
    CHECK(watermark() == 5'000);
    auto next = fixture{};
    next.self.load(self.record(), now);
    next.end(bob, 9'000, 70'000);
    CHECK(next.watermark() == 5'000);
    next.pass(5'000);
    next.report(ann, 5'500);
    next.pass(5'000);
    // What ended meanwhile is not forgotten, but ann holds it.
    CHECK(next.watermark() == 5'500);
    next.pass(10'000);
    CHECK(next.watermark() == 70'000);
  }

  TEST_CASE_FIXTURE(fixture, "a restart without live sessions waits for "
                             "nobody") {
    end(ann, 5'000);
    CHECK(watermark() == 5'000);
    auto next = fixture{};
    next.self.load(self.record(), now);
    next.end(bob, 9'000);
    CHECK(next.watermark() == 9'000);
  }

  TEST_CASE_FIXTURE(fixture, "it advances however short the patience with "
                             "sessions is") {
    self.configure(100, 300'000);
    end(ann, 5'000, 70'000);
    time += 200;
    CHECK(watermark() == 70'000);
  }

  TEST_CASE_FIXTURE(fixture, "a clock that is set back makes nobody wait for "
                             "long") {
    report(ann, 5'000);
    CHECK(watermark() == 5'000);
    time += 60'000;
    CHECK(watermark() == 5'000);
    time -= 3'600'000;
    end(ann, 6'000);
    CHECK(watermark() == 5'000);
    pass(10'000);
    CHECK(watermark() == 6'000);
  }

  TEST_CASE_FIXTURE(fixture, "a coordinator that was stopped lets nobody go "
                             "for it") {
    report(ann, 5'000);
    report(bob, 3'000);
    CHECK(watermark() == 3'000);
    time += 60'000;
    CHECK(watermark() == 3'000);
    report(ann, 6'000);
    report(bob, 4'000);
    pass(9'999);
    CHECK(watermark() == 3'000);
    report(ann, 6'000);
    report(bob, 4'000);
    pass(1);
    CHECK(watermark() == 4'000);
  }
}
