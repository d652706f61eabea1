#include "input/generate.hpp"

#include "input/random.hpp"
#include "test/input/support.hpp"

#include <rapidcheck.h>

#include <cmath>
#include <map>
#include <set>

using namespace weir;
using test::has;

namespace {

/// The stream as text.
std::string generated(const generate_options& options) {
  auto out = std::tmpfile();
  REQUIRE(out);
  auto done = generate(options, out);
  REQUIRE_MESSAGE(done, (done ? std::string{} : done.error().text));
  auto res = std::string(static_cast<size_t>(std::ftell(out)), '\0');
  std::rewind(out);
  REQUIRE(std::fread(res.data(), 1, res.size(), out) == res.size());
  std::fclose(out);
  return res;
}

std::string refused(const generate_options& options) {
  auto res = generate(options, stdout);
  REQUIRE(!res);
  CHECK(res.error().code == ec::invalid_argument);
  return res.error().text;
}

struct line {
  time_ms time;
  std::string entity;
  std::string raw;
};

/// What a reader makes of the stream; every line must be a record.
std::vector<line> lines_of(const generate_options& options) {
  auto dir = test::temp_dir{};
  auto in = reader::open({dir.file("a", generated(options))});
  REQUIRE(in);
  auto res = std::vector<line>{};
  while ((*in)->next(std::chrono::milliseconds{0}) == step::record) {
    const auto& x = (*in)->current();
    res.push_back({x.time, std::string{x.entity}, std::string{x.raw}});
  }
  REQUIRE(res.size() == options.events);
  return res;
}

time_ms greatest_lateness(const std::vector<line>& lines) {
  auto greatest = time_ms{0};
  auto res = time_ms{0};
  for (const auto& x : lines) {
    greatest = std::max(greatest, x.time);
    res = std::max(res, greatest - x.time);
  }
  return res;
}

} // namespace

TEST_SUITE("input/generate") {
  TEST_CASE("the same options give the same bytes, wherever and whenever") {
    auto options = generate_options{};
    options.events = 3;
    options.zipf = 1.1;
    options.disorder = 5000;
    options.duplicates = 0.3;
    CHECK(generated(options)
          == R"({"timestamp":1700000002167,"entity":"sensor-0000007",)"
             R"("value":15.838})"
             "\n"
             R"({"timestamp":1700000001186,"entity":"sensor-0000021",)"
             R"("value":1.947})"
             "\n"
             R"({"timestamp":1700000002981,"entity":"sensor-0000003",)"
             R"("value":4.603})"
             "\n");
    options.kind = "samples";
    CHECK(generated(options)
          == R"({"sensor_id":"sensor-0000007","timestamp":1700000002,)"
             R"("data":{"metric1":245,"metric2":750,"metric3":204}})"
             "\n"
             R"({"sensor_id":"sensor-0000021","timestamp":1700000001,)"
             R"("data":{"metric1":887,"metric2":756,"metric3":152}})"
             "\n"
             R"({"sensor_id":"sensor-0000003","timestamp":1700000003,)"
             R"("data":{"metric1":65,"metric2":97,"metric3":263}})"
             "\n");
    options.format = "csv";
    CHECK(generated(options)
          == R"(timestamp_s,sensor_id,metric1,metric2,metric3)"
             "\n"
             R"(1700000002,sensor-0000007,245,750,204)"
             "\n"
             R"(1700000001,sensor-0000021,887,756,152)"
             "\n"
             R"(1700000003,sensor-0000003,65,97,263)"
             "\n");
    options.kind = "events";
    CHECK(generated(options)
          == R"(timestamp_ms,entity,value)"
             "\n"
             R"(1700000002167,sensor-0000007,15.838)"
             "\n"
             R"(1700000001186,sensor-0000021,1.947)"
             "\n"
             R"(1700000002981,sensor-0000003,4.603)"
             "\n");
    options.events = 10'000;
    auto text = generated(options);
    CHECK(generated(options) == text);
    options.seed = 2;
    CHECK(generated(options) != text);
  }

  TEST_CASE("without disorder the times go on at the rate") {
    auto options = generate_options{};
    options.events = 10'001;
    options.rate = 400;
    auto lines = lines_of(options);
    CHECK(lines.front().time == options.start);
    CHECK(lines.back().time == options.start + 25'000);
    CHECK(greatest_lateness(lines) == 0);
  }

  TEST_CASE("disorder stays within its bound, and uses it") {
    for (auto kind : {"events", "samples"}) {
      auto options = generate_options{};
      options.kind = kind;
      options.events = 50'000;
      options.disorder = 7500;
      options.duplicates = 0.2;
      auto lateness = greatest_lateness(lines_of(options));
      CHECK(lateness <= 7500);
      CHECK(lateness >= 6900);
      options.disorder = 999;
      lateness = greatest_lateness(lines_of(options));
      CHECK(lateness == (options.kind == "events" ? lateness : 0));
      CHECK(lateness <= 999);
    }
  }

  TEST_CASE("so many lines are repeats, and repeats are equal") {
    auto options = generate_options{};
    options.events = 50'000;
    options.rate = 1e6;
    options.entities = 1'000'000;
    auto distinct = [&] {
      auto res = std::set<std::string>{};
      for (auto& x : lines_of(options))
        res.insert(x.raw);
      return res.size();
    };
    CHECK(distinct() == 50'000);
    options.duplicates = 0.25;
    auto repeats = 50'000 - static_cast<double>(distinct());
    CHECK(repeats == doctest::Approx(12'500).epsilon(0.05));
  }

  TEST_CASE("uniform entities all come about as often") {
    auto options = generate_options{};
    options.events = 100'000;
    options.entities = 10;
    auto counts = std::map<std::string, int>{};
    for (auto& x : lines_of(options))
      ++counts[x.entity];
    CHECK(counts.size() == 10);
    CHECK(counts.count("sensor-0000009") == 1);
    for (const auto& [entity, count] : counts)
      CHECK(count == doctest::Approx(10'000).epsilon(0.05));
  }

  TEST_CASE("Zipf's law holds for the ranks") {
    auto bits = random_bits{7};
    for (auto exponent : {0.5, 1.0, 1.5}) {
      auto law = zipf_law{1000, exponent};
      auto counts = std::vector<double>(1000);
      constexpr auto draws = 1'000'000;
      for (auto i = 0; i < draws; ++i)
        ++counts[law.draw(bits)];
      auto total = 0.0;
      for (auto i = 1; i <= 1000; ++i)
        total += std::pow(i, -exponent);
      for (auto rank : {1, 2, 3, 10, 100}) {
        auto expected = draws * std::pow(rank, -exponent) / total;
        auto tolerance = 5 * std::sqrt(expected);
        CAPTURE(rank);
        CHECK(std::abs(counts[static_cast<size_t>(rank - 1)] - expected)
              < tolerance);
      }
    }
    auto one = zipf_law{1, 1};
    CHECK(one.draw(bits) == 0);
  }

  TEST_CASE("samples have integer metrics and seconds, in both formats") {
    auto options = generate_options{};
    options.kind = "samples";
    options.events = 100;
    options.metrics = 2;
    auto dir = test::temp_dir{};
    auto ndjson = test::contents({dir.file("a", generated(options))});
    options.format = "csv";
    auto csv = test::contents({dir.file("b", generated(options))});
    CHECK(ndjson.size() == 100);
    CHECK(ndjson == csv);
    CHECK(has(ndjson[0], "@1700000000000 metric1="));
    CHECK(has(ndjson[0], " metric2="));
    CHECK(!has(ndjson[0], "d"));
  }

  TEST_CASE("options without meaning are refused") {
    auto with = [](auto change) {
      auto options = generate_options{};
      change(options);
      return refused(options);
    };
    using o = generate_options;
    CHECK(has(with([](o& x) {
                x.entities = 0;
              }),
              "entities must be"));
    CHECK(has(with([](o& x) {
                x.entities = 20'000'000;
              }),
              "entities must be"));
    CHECK(has(with([](o& x) {
                x.rate = 0;
              }),
              "rate must be"));
    CHECK(has(with([](o& x) {
                x.rate = std::nan("");
              }),
              "rate must be"));
    CHECK(has(with([](o& x) {
                x.zipf = -1;
              }),
              "exponent must be"));
    CHECK(has(with([](o& x) {
                x.duplicates = 1.5;
              }),
              "fraction"));
    CHECK(has(with([](o& x) {
                x.kind = "event";
              }),
              "kind must be"));
    CHECK(has(with([](o& x) {
                x.format = "json";
              }),
              "format must be"));
    CHECK(has(with([](o& x) {
                x.metrics = 257;
              }),
              "metrics must be"));
    CHECK(has(with([](o& x) {
                x.disorder = -1;
              }),
              "1970 to 9999"));
    CHECK(has(with([](o& x) {
                x.start = -1;
              }),
              "1970 to 9999"));
    CHECK(has(with([](o& x) {
                x.events = 1'000'000'000'000;
                x.rate = 0.001;
              }),
              "1970 to 9999"));
  }

  TEST_CASE("a full disk is an error") {
    auto out = std::fopen("/dev/full", "w");
    REQUIRE(out);
    auto done = generate(generate_options{}, out);
    std::fclose(out);
    REQUIRE(!done);
    CHECK(done.error().code == ec::disk_full);
    CHECK(has(done.error().text, "cannot write after byte 0: "));
  }

} // TEST_SUITE
