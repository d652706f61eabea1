#include "cluster/catalog_horizon.hpp"

#include "test/cluster/shard_fixture.hpp"

#include <doctest/doctest.h>

using namespace weir;
using namespace weir::test;

namespace {

/// A catalog that has sealed through 2000, whose windows are final through
/// 1000, with plan 1, settings 5, and ann's session 3.
catalog_horizon horizon() {
  auto windows = rollup_record{};
  windows.plan = window_plan::periodic(1000);
  windows.sealed_through = 2000;
  windows.final_through = 1000;
  auto record = producer_record{};
  record.id = ann;
  record.session = 3;
  return {windows, 5, {record}};
}

log_entry entry(entry_kind kind, std::string envelope = {}) {
  auto res = log_entry{};
  res.kind = kind;
  res.envelope = std::move(envelope);
  return res;
}

log_entry seal(time_ms through, bool single = false) {
  auto res = entry(entry_kind::seal);
  auto out = byte_writer{res.envelope};
  out.fixed(static_cast<uint8_t>(single));
  out.fixed(time_ms{0});
  out.fixed(through);
  return res;
}

log_entry release(time_ms through) {
  auto res = entry(entry_kind::release);
  byte_writer{res.envelope}.fixed(through);
  return res;
}

log_entry of_session(entry_kind kind, producer_id producer, uint64_t session) {
  auto res = entry(kind);
  res.producer = producer;
  res.session = session;
  return res;
}

} // namespace

TEST_SUITE("cluster/catalog_horizon") {
  TEST_CASE("a release of windows that are not final lies beyond") {
    CHECK(horizon().covers(release(1000)));
    CHECK_FALSE(horizon().covers(release(1001)));
  }

  TEST_CASE("a seal that was not stored lies beyond") {
    CHECK(horizon().covers(seal(2000)));
    CHECK_FALSE(horizon().covers(seal(2001)));
    // The plan that closes the window precedes it.
    CHECK(horizon().covers(seal(9000, true)));
  }

  TEST_CASE("a later plan, and later settings, lie beyond") {
    auto plan = window_plan::periodic(1000);
    auto bytes = std::string{};
    auto out = byte_writer{bytes};
    plan.encode(out);
    CHECK(horizon().covers(entry(entry_kind::plan, bytes)));
    must(plan.prepare(5000));
    auto next = std::string{};
    auto next_out = byte_writer{next};
    plan.encode(next_out);
    CHECK_FALSE(horizon().covers(entry(entry_kind::plan, next)));
    auto settings = shard_settings{};
    settings.version = 5;
    CHECK(horizon().covers(entry(entry_kind::settings, settings.encode())));
    settings.version = 6;
    CHECK_FALSE(
      horizon().covers(entry(entry_kind::settings, settings.encode())));
  }

  TEST_CASE("a session whose number may be given again lies beyond") {
    for (auto kind : {entry_kind::session, entry_kind::block}) {
      CHECK(horizon().covers(of_session(kind, ann, 3)));
      CHECK_FALSE(horizon().covers(of_session(kind, ann, 4)));
      CHECK_FALSE(horizon().covers(of_session(kind, {9, 2}, 1)));
      // Random ids are nobody else's.
      CHECK(horizon().covers(of_session(kind, stray, 1)));
    }
  }

  TEST_CASE("what depends on nothing in the catalog lies within") {
    CHECK(horizon().covers(entry(entry_kind::noop)));
    CHECK(horizon().covers(entry(entry_kind::clock)));
    CHECK(horizon().covers(entry(entry_kind::expire)));
  }
}
