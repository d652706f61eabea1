#include "apps/window_text.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include <limits>

using namespace weir;

namespace {

/// 2023-11-14T22:13:00Z
constexpr time_ms start = 1'699'999'980'000;
constexpr time_ms minute = 60'000;

constexpr auto int64_max = std::numeric_limits<int64_t>::max();

partial totals(std::initializer_list<number> readings) {
  auto res = partial{};
  for (auto& x : readings)
    res.lift(x);
  return res;
}

metric_total wire(std::string metric, std::initializer_list<number> readings) {
  auto res = metric_total{std::move(metric), {}};
  auto out = byte_writer{res.total};
  totals(readings).encode(out);
  return res;
}

window_answer answer(window_state state) {
  auto res = window_answer{};
  res.start = start;
  res.end = start + minute;
  res.state = state;
  return res;
}

window_row row(std::optional<partial> total) {
  return {start, start + minute, window_state::final, "value",
          std::move(total)};
}

window_holder holder(window_holder::what kind) {
  auto res = window_holder{};
  res.kind = kind;
  return res;
}

std::string json_of(const window_row& x) {
  return to_json(x).dump();
}

} // namespace

TEST_SUITE("apps/window_text") {
  TEST_CASE("a window has a row for each metric") {
    auto x = answer(window_state::final);
    x.metrics = {wire("a", {number::of(int64_t{1})}),
                 wire("b", {number::of(0.5), number::of(1.5)})};
    auto rows = to_rows(x, {}, false);
    REQUIRE(rows);
    REQUIRE(rows->size() == 2);
    CHECK(rows->at(0).metric == "a");
    CHECK(rows->at(1).metric == "b");
    CHECK(rows->at(1).total == totals({number::of(1.5), number::of(0.5)}));
    CHECK(rows->at(1).end == start + minute);
  }

  TEST_CASE("a final window that nothing fell into has the totals of nothing") {
    auto rows = to_rows(answer(window_state::final), {}, false);
    REQUIRE(rows);
    CHECK(json_of(rows->at(0))
          == R"({"window_start_ms":1699999980000,)"
             R"("window_end_ms":1700000040000,"state":"final",)"
             R"("metric":null,"count":0,"sum":0,"min":null,"max":null,)"
             R"("average":null,"variance":null})");
  }

  TEST_CASE("a metric that nothing fell into is named") {
    auto rows = to_rows(answer(window_state::final), "rain", false);
    REQUIRE(rows);
    CHECK(rows->at(0).metric == "rain");
    CHECK(rows->at(0).total == partial{});
  }

  TEST_CASE("a window that is not final has totals for those who ask so far") {
    for (auto state : {window_state::open, window_state::complete}) {
      auto rows = to_rows(answer(state), {}, false);
      REQUIRE(rows);
      CHECK(to_json(rows->at(0))["state"] == state_name(state));
      CHECK(to_json(rows->at(0))["count"].is_null());
      CHECK(to_json(rows->at(0))["sum"].is_null());
      rows = to_rows(answer(state), {}, true);
      REQUIRE(rows);
      CHECK(to_json(rows->at(0))["count"] == 0);
    }
  }

  TEST_CASE("totals that do not decode are another version's") {
    auto good = wire("a", {number::of(int64_t{1})});
    for (auto& bytes : {good.total.substr(1), good.total + "x"}) {
      auto x = answer(window_state::final);
      x.metrics = {{"a", bytes}};
      auto rows = to_rows(x, {}, false);
      REQUIRE(!rows);
      CHECK(rows.error().code == ec::version_mismatch);
    }
  }

  TEST_CASE("a sum beyond int64 is a string of its digits") {
    auto most = number::of(int64_max);
    CHECK(to_json(row(totals({most})))["sum"] == int64_max);
    auto x = to_json(row(totals({most, most})));
    CHECK(x["sum"] == "18446744073709551614");
    CHECK(x["max"] == int64_max);
    auto least = number::of(std::numeric_limits<int64_t>::min());
    x = to_json(row(totals({least})));
    CHECK(x["sum"] == std::numeric_limits<int64_t>::min());
    x = to_json(row(totals({least, number::of(int64_t{-1})})));
    CHECK(x["sum"] == "-9223372036854775809");
  }

  TEST_CASE("a sum beyond all doubles says so") {
    auto x = row(totals({number::of(1e308), number::of(1e308)}));
    CHECK(to_json(x)["sum"] == "overflow");
    CHECK(to_json(x)["average"] == 1e308);
    CHECK(to_line(x).find("sum overflow") != std::string::npos);
  }

  TEST_CASE("people read integers in full, and doubles as short as can be") {
    CHECK(value_text(aggregate_value::of(int128{int64_max} * 2))
          == "18446744073709551614");
    CHECK(value_text(aggregate_value::of(0.1)) == "0.1");
    CHECK(value_text(aggregate_value::nothing()) == "-");
  }

  TEST_CASE("a line has a window's bounds, its metric and all aggregates") {
    auto x = row(totals({number::of(int64_t{1}), number::of(int64_t{3})}));
    CHECK(to_line(x)
          == "[2023-11-14T22:13:00.000Z, 2023-11-14T22:14:00.000Z) value: "
             "count 2, sum 4, min 1, max 3, average 2, variance 1");
    x.metric.clear();
    x.total = partial{};
    CHECK(to_line(x).find(") nothing: count 0, sum 0, min -")
          != std::string::npos);
  }

  TEST_CASE("a table has a column for each aggregate") {
    auto rows = std::vector<window_row>{
      row(totals({number::of(int64_t{1}), number::of(int64_t{3})})),
      row(std::nullopt)};
    rows[1].state = window_state::open;
    rows[1].metric.clear();
    CHECK(to_table(rows)
          == "START                     END                       STATE  "
             "METRIC  COUNT  SUM  MIN  MAX  AVERAGE  VARIANCE\n"
             "2023-11-14T22:13:00.000Z  2023-11-14T22:14:00.000Z  final  "
             "value       2    4    1    3        2         1\n"
             "2023-11-14T22:13:00.000Z  2023-11-14T22:14:00.000Z  open   "
             "-           -    -    -    -        -         -\n");
  }

  TEST_CASE("of many shards a few are named") {
    CHECK(shards_text({3}) == "shard 3");
    CHECK(shards_text({3, 7}) == "shards 3 and 7");
    CHECK(shards_text({1, 2, 3, 4}) == "shards 1, 2, 3 and 4");
    CHECK(shards_text({1, 2, 3, 4, 5, 6}) == "shards 1, 2, 3, 4 and others");
  }

  TEST_CASE("whoever holds windows up has a sentence") {
    auto x = holder(window_holder::what::producer);
    x.producer = "pump";
    CHECK(sentence(x) == "producer pump has not said yet how far it has come");
    x.time = start;
    CHECK(sentence(x)
          == "producer pump has come no further than 2023-11-14T22:13:00.000Z");
    x = holder(window_holder::what::shard);
    x.shard = 3;
    CHECK(sentence(x) == "shard 3 has not sent its part");
    x.node = "n2";
    x.text = "node n2 is down";
    CHECK(sentence(x)
          == "shard 3 on node n2 has not sent its part: node n2 is down");
    x.kind = window_holder::what::plan;
    CHECK(sentence(x)
          == "shard 3 on node n2 does not have the present windows yet: node "
             "n2 is down");
    x = holder(window_holder::what::clock);
    x.time = start;
    CHECK(sentence(x)
          == "the wall clock has to reach 2023-11-14T22:13:00.000Z");
  }

  TEST_CASE("shards with the same trouble share a sentence") {
    auto xs = std::vector<window_holder>{};
    for (auto shard : {3u, 4u, 7u}) {
      xs.push_back(holder(window_holder::what::shard));
      xs.back().shard = shard;
      xs.back().node = shard == 4 ? "n1" : "n2";
    }
    xs.push_back(holder(window_holder::what::nobody));
    xs.push_back(holder(window_holder::what::nobody));
    auto texts = sentences(xs);
    REQUIRE(texts.size() == 4);
    CHECK(texts[0] == "shards 3 and 7 on node n2 have not sent their parts");
    CHECK(texts[1] == "shard 4 on node n1 has not sent its part");
    CHECK(texts[2] == texts[3]);
    xs[2].kind = window_holder::what::plan;
    CHECK(sentences(xs).size() == 5);
    xs[2] = xs[0];
    xs[2].text = "the node is down";
    CHECK(sentences(xs).size() == 5);
  }

  TEST_CASE("a producer that is past a window does not hold it up") {
    auto list = window_list{};
    list.lateness = 10'000;
    list.watermark = start - 1;
    auto x = holder(window_holder::what::producer);
    x.producer = "slow";
    x.time = start + minute + list.lateness - 1;
    list.held_by = {x};
    auto open = answer(window_state::open);
    auto lines = explain(open, list);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find("is open: the watermark is 2023-11-14T22:12:59.999Z, "
                        "and it has to reach 2023-11-14T22:14:10.000Z")
          != std::string::npos);
    CHECK(lines[1].find("it waits because producer slow") == 0);
    ++list.held_by[0].time;
    CHECK(explain(open, list).size() == 1);
  }

  TEST_CASE("past its lateness a window waits for shards alone") {
    auto list = window_list{};
    list.lateness = 10'000;
    list.watermark = start + minute + list.lateness;
    auto complete = answer(window_state::complete);
    CHECK(explain(complete, list)[0].find("final when all shards")
          != std::string::npos);
    --list.watermark;
    CHECK(explain(complete, list)[0].find("late readings may come")
          != std::string::npos);
  }

  TEST_CASE("a final window waits for nobody") {
    auto list = window_list{};
    list.held_by = {holder(window_holder::what::nobody)};
    auto lines = explain(answer(window_state::final), list);
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].find("is final") != std::string::npos);
  }

  TEST_CASE("what is not known yet is null in a list") {
    auto list = window_list{};
    list.every = minute;
    list.every_from = list.final_through = before_time;
    auto open = answer(window_state::open);
    open.readings = 5;
    list.windows = {open};
    list.held_by = {holder(window_holder::what::nobody)};
    auto x = to_json(list);
    CHECK(x["every_ms"] == minute);
    CHECK(x["every_from_ms"].is_null());
    CHECK(x["watermark_ms"].is_null());
    CHECK(x["final_through_ms"].is_null());
    CHECK(x["windows"][0]["readings"] == 5);
    CHECK(x["windows"][0]["sequence"].is_null());
    CHECK(x["held_by"][0]["kind"] == "nobody");
    CHECK(x["held_by"][0]["shard"].is_null());
    auto text = to_text(list);
    CHECK(text.find("every 1m   lateness 0s   watermark not yet") == 0);
    CHECK(text.find("waits because\n  no producer") != std::string::npos);
  }

} // TEST_SUITE
