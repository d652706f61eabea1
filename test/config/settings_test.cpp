#include "config/option.hpp"
#include "config/settings.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>

using namespace weir;

namespace {

std::string error_of(const result<void>& x) {
  REQUIRE(!x);
  CHECK(x.error().code == ec::invalid_argument);
  return x.error().text;
}

/// Settings in which every field may differ from its default.
cluster_settings any_settings() {
  auto res = cluster_settings{};
  res.window = *rc::gen::inRange<time_ms>(1, 1'000'000'000);
  res.lateness = *rc::gen::inRange<time_ms>(0, 1'000'000'000);
  if (*rc::gen::arbitrary<bool>())
    res.retention = res.window + res.lateness
                    + *rc::gen::inRange<time_ms>(0, 1'000'000'000);
  res.cells_max = *rc::gen::inRange(2u, 1'000'001u);
  res.clock = *rc::gen::element(clock_mode::event, clock_mode::wall);
  res.future_limit = *rc::gen::inRange<time_ms>(0, 1'000'000'000);
  res.durability
    = *rc::gen::element(durability_mode::power, durability_mode::process);
  res.shards = *rc::gen::inRange(1u, 4097u);
  res.metrics_per_entity_max = *rc::gen::inRange(1u, 65'537u);
  res.entities_per_shard_max = *rc::gen::inRange(1u, 1'000'000'001u);
  res.producers_max = *rc::gen::inRange(1u, 10'000'001u);
  res.producer_expiry = *rc::gen::inRange<time_ms>(60'000, 1'000'000'000);
  res.rollup_every.reset();
  if (*rc::gen::arbitrary<bool>())
    res.rollup_every = *rc::gen::inRange<time_ms>(1, 1'000'000'000);
  if (*rc::gen::arbitrary<bool>())
    res.rollup_lateness = *rc::gen::inRange<time_ms>(0, 1'000'000'000);
  res.idle_after = *rc::gen::inRange<time_ms>(100, 1'000'000'000);
  res.rollup_keep = *rc::gen::inRange<time_ms>(60'000, 1'000'000'000);
  res.rollup_keep_windows = *rc::gen::inRange<uint64_t>(1, 1'000'000'001);
  res.rollup_metrics_max = *rc::gen::inRange(1u, 8'193u);
  res.rollup_cells_max = *rc::gen::inRange(res.rollup_metrics_max, 16'777'217u);
  res.sliding = *rc::gen::element(on_off::on, on_off::off);
  return res;
}

} // namespace

TEST_SUITE("config/settings") {
  TEST_CASE("the retention is window + lateness unless it is set") {
    auto x = cluster_settings{};
    x.window = 1000;
    x.lateness = 50;
    CHECK(x.effective_retention() == 1050);
    x.retention = 2000;
    CHECK(x.effective_retention() == 2000);
  }

  TEST_CASE("all fields survive the pairs that a coordinator stores") {
    CHECK(rc::check([] {
      auto x = any_settings();
      auto pairs = to_pairs(x);
      auto y = cluster_settings_from(pairs);
      RC_ASSERT(y.has_value());
      RC_ASSERT(y->window == x.window);
      RC_ASSERT(y->lateness == x.lateness);
      RC_ASSERT(y->retention == x.retention);
      RC_ASSERT(y->cells_max == x.cells_max);
      RC_ASSERT(y->clock == x.clock);
      RC_ASSERT(y->future_limit == x.future_limit);
      RC_ASSERT(y->durability == x.durability);
      RC_ASSERT(y->shards == x.shards);
      RC_ASSERT(y->metrics_per_entity_max == x.metrics_per_entity_max);
      RC_ASSERT(y->entities_per_shard_max == x.entities_per_shard_max);
      RC_ASSERT(y->producers_max == x.producers_max);
      RC_ASSERT(y->producer_expiry == x.producer_expiry);
      RC_ASSERT(y->rollup_every == x.rollup_every);
      RC_ASSERT(y->rollup_lateness == x.rollup_lateness);
      RC_ASSERT(y->idle_after == x.idle_after);
      RC_ASSERT(y->rollup_keep == x.rollup_keep);
      RC_ASSERT(y->rollup_keep_windows == x.rollup_keep_windows);
      RC_ASSERT(y->rollup_metrics_max == x.rollup_metrics_max);
      RC_ASSERT(y->rollup_cells_max == x.rollup_cells_max);
      RC_ASSERT(y->sliding == x.sliding);
      RC_ASSERT((to_pairs(*y) == pairs));
    }));
  }

  TEST_CASE("the pairs are what other versions have stored") {
    CHECK(to_pairs(cluster_settings{})
          == setting_pairs{{"window", "1m"},
                           {"lateness", "10s"},
                           {"retention", ""},
                           {"cells-max", "1024"},
                           {"clock", "event"},
                           {"future-limit", "5m"},
                           {"durability", "power"},
                           {"shards", "32"},
                           {"replicas", "2"},
                           {"min-copies", "1"},
                           {"metrics-per-entity-max", "64"},
                           {"entities-per-shard-max", "4000000"},
                           {"producers-max", "10000"},
                           {"producer-expiry", "7d"},
                           {"rollup-every", "1m"},
                           {"rollup-lateness", ""},
                           {"idle-after", "10s"},
                           {"rollup-keep", "400d"},
                           {"rollup-keep-windows", "1000000"},
                           {"rollup-metrics-max", "4096"},
                           {"rollup-cells-max", "262144"},
                           {"sliding", "on"}});
    auto off = cluster_settings{};
    off.rollup_every.reset();
    auto pairs = to_pairs(off);
    CHECK(std::count(pairs.begin(), pairs.end(),
                     setting_pairs::value_type{"rollup-every", "off"})
          == 1);
  }

  TEST_CASE("a setting of a newer peer is named and refused") {
    auto res = cluster_settings_from({{"window", "5s"}, {"colour", "blue"}});
    REQUIRE(!res);
    CHECK(res.error().code == ec::version_mismatch);
    CHECK(res.error().text.find("`colour`") != std::string::npos);
    // A process's option in a cluster's settings is just as unknown.
    CHECK(!cluster_settings_from({{"listen", "a:1"}}));
  }

  TEST_CASE("a setting that an older peer lacks has its default") {
    auto res = cluster_settings_from({{"window", "5s"}});
    REQUIRE(res.has_value());
    CHECK(res->window == 5000);
    CHECK(res->shards == 32);
  }

  TEST_CASE("pairs that do not go together are refused") {
    auto res = cluster_settings_from({{"retention", "5s"}});
    REQUIRE(!res);
    CHECK(res.error().code == ec::invalid_argument);
    res = cluster_settings_from({{"window", "soon"}});
    REQUIRE(!res);
    CHECK(res.error().text.find("window: \"soon\"") == 0);
  }

  TEST_CASE("one setting is assigned by its name") {
    auto x = cluster_settings{};
    REQUIRE(assign(x, "window", "5m"));
    CHECK(x.window == 300'000);
    REQUIRE(assign(x, "retention", "1h"));
    REQUIRE(assign(x, "retention", ""));
    CHECK(!x.retention);
    REQUIRE(assign(x, "rollup-every", "off"));
    CHECK(!x.rollup_every);
    REQUIRE(assign(x, "rollup-every", "1ms"));
    CHECK(x.rollup_every == 1);
    CHECK(error_of(assign(x, "windwo", "5m"))
          == "`windwo` is not a setting. Did you mean `window`?");
    CHECK(error_of(assign(x, "log-level", "info")).find("--log-level")
          != std::string::npos);
    CHECK(error_of(assign(x, "cells-max", "1")).find("cells-max: 1 is out")
          == 0);
    CHECK(x.window == 300'000);
  }

  TEST_CASE("a retention shorter than window + lateness is refused") {
    auto x = cluster_settings{};
    x.retention = 70'000;
    CHECK(validate(x));
    x.retention = 69'999;
    CHECK(error_of(validate(x))
          == "retention (1m9s999ms) must be at least window + lateness (1m + "
             "10s = 1m10s): raise it, or leave it out to have just that");
  }

  TEST_CASE("windows wait for late readings as long as sliding averages, "
            "unless it is set") {
    auto x = cluster_settings{};
    x.lateness = 7;
    CHECK(x.effective_rollup_lateness() == 7);
    x.rollup_lateness = 0;
    CHECK(x.effective_rollup_lateness() == 0);
  }

  TEST_CASE("a shard has room for the totals of one window at least") {
    auto x = cluster_settings{};
    x.rollup_cells_max = 4'096;
    CHECK(validate(x));
    x.rollup_cells_max = 4'095;
    CHECK(error_of(validate(x))
          == "rollup-cells-max (4095) must be at least rollup-metrics-max "
             "(4096), or not even one window fits");
  }

  TEST_CASE("what holds something is no smaller than it") {
    CHECK(validate(process_settings{}));
    auto x = process_settings{};
    x.block_bytes_max = x.frame_bytes_max;
    CHECK(validate(x));
    x.block_bytes_max += 1;
    CHECK(error_of(validate(x))
            .find("block-bytes-max (524289 bytes) must not "
                  "pass frame-bytes-max (524288 bytes)")
          == 0);
    x = {};
    x.frame_bytes_max = x.inflight_bytes_max + 1;
    CHECK(error_of(validate(x)).find("inflight-bytes-max")
          != std::string::npos);
    x = {};
    x.node_pending_bytes_max = x.frame_bytes_max - 1;
    CHECK(error_of(validate(x)).find("node-pending-bytes-max")
          != std::string::npos);
  }

  TEST_CASE("a node may miss a heartbeat and live") {
    auto x = process_settings{};
    x.failure_timeout = 2 * x.heartbeat;
    CHECK(validate(x));
    x.failure_timeout -= 1;
    CHECK(error_of(validate(x)).find("failure-timeout") == 0);
  }

  TEST_CASE("all violations are told at once") {
    auto x = process_settings{};
    x.block_bytes_max = x.frame_bytes_max + 1;
    x.failure_timeout = x.heartbeat;
    auto text = error_of(validate(x));
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  }

  TEST_CASE("the number of shards is fixed, and the window is not") {
    auto from = cluster_settings{};
    auto to = from;
    to.window = 5;
    CHECK(check_change(from, to));
    to.shards = 64;
    CHECK(error_of(check_change(from, to)).find("shards was fixed at 32") == 0);
    to = from;
    to.rollup_every.reset();
    CHECK(check_change(from, to));
    to.sliding = on_off::off;
    CHECK(error_of(check_change(from, to)).find("sliding was fixed at on")
          == 0);
  }

} // TEST_SUITE
