#include "windows/time_text.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>

using namespace weir;

namespace {

constexpr auto greatest = std::numeric_limits<time_ms>::max();

/// The duration, or -1.
time_ms duration(std::string_view text) {
  return parse_duration(text).value_or(-1);
}

/// The time at now = 10,000,000 ms, or -1.
time_ms time_at(std::string_view text) {
  return parse_time(text, 10'000'000).value_or(-1);
}

std::string complaint(std::string_view text) {
  auto res = parse_duration(text);
  return res ? "none" : res.error().text;
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_SUITE("windows/time_text") {
  TEST_CASE("durations read as people write them") {
    CHECK(duration("0") == 0);
    CHECK(duration("250") == 250);
    CHECK(duration("250ms") == 250);
    CHECK(duration("60s") == 60'000);
    CHECK(duration("5m") == 300'000);
    CHECK(duration("2h") == 7'200'000);
    CHECK(duration("7d") == 604'800'000);
    CHECK(duration("3w") == 1'814'400'000);
    CHECK(duration("1y") == 31'536'000'000);
    CHECK(duration("1h30m") == 5'400'000);
    CHECK(duration("1y1w1d1h1m1s1ms") == 32'230'861'001);
    CHECK(duration("1.5s") == 1500);
    CHECK(duration("0.001s") == 1);
    CHECK(duration("2.0") == 2);
    CHECK(duration("0.5h0.5m") == 1'830'000);
    CHECK(duration("0.00000625d") == 540);
    CHECK(duration("9223372036854775807") == greatest);
  }

  TEST_CASE("what is no duration is refused with the reason") {
    CHECK(has(complaint(""), "empty"));
    CHECK(has(complaint("-5s"), "negative"));
    CHECK(has(complaint("s"), "expected a number"));
    CHECK(has(complaint("5 s"), "expected a unit"));
    CHECK(has(complaint("5S"), "expected a unit"));
    CHECK(has(complaint("1h30"), "expected a unit"));
    CHECK(has(complaint("5min"), "no unit"));
    CHECK(has(complaint("30m1h"), "out of order"));
    CHECK(has(complaint("1m1m"), "out of order"));
    CHECK(has(complaint("1.5"), "whole number"));
    CHECK(has(complaint("1.0005s"), "whole number"));
    CHECK(has(complaint("1.s"), "digits after the point"));
    CHECK(has(complaint("0.1234567890123456789s"), "whole number"));
    CHECK(has(complaint("9223372036854775808"), "too long"));
    CHECK(has(complaint("300000000y"), "too long"));
    CHECK(has(complaint("9223372036854775807ms1ms"), "out of order"));
    CHECK(has(complaint("106751991167d9223372036854775807ms"), "too long"));
    CHECK(has(complaint(std::string(5000, '9')), "\"..."));
  }

  TEST_CASE("durations are written in the greatest units that fit") {
    CHECK(format_duration(0) == "0s");
    CHECK(format_duration(250) == "250ms");
    CHECK(format_duration(60'000) == "1m");
    CHECK(format_duration(5'400'000) == "1h30m");
    CHECK(format_duration(90'061'001) == "1d1h1m1s1ms");
    CHECK(format_duration(-1500) == "-1s500ms");
    CHECK(has(format_duration(std::numeric_limits<time_ms>::min()), "-"));
  }

  TEST_CASE("a duration that is written reads the same") {
    CHECK(rc::check("round trip", [] {
      auto shift = *rc::gen::inRange(0, 63);
      auto x = *rc::gen::inRange<time_ms>(0, greatest) >> shift;
      RC_ASSERT(parse_duration(format_duration(x)).value_or(-1) == x);
    }));
    CHECK(duration(format_duration(greatest)) == greatest);
  }

  TEST_CASE("times read as milliseconds, as ISO 8601 and relative to now") {
    CHECK(time_at("1678886400000") == 1'678'886'400'000);
    CHECK(time_at("0") == 0);
    CHECK(time_at("2023-03-15T13:20:00Z") == 1'678'886'400'000);
    CHECK(time_at("2023-03-15 13:20:00") == 1'678'886'400'000);
    CHECK(time_at("2023-03-15T13:20") == 1'678'886'400'000);
    CHECK(time_at("2023-03-15T13:20:00+02:00") == 1'678'879'200'000);
    CHECK(time_at("2023-03-15T13:20:00-0530") == 1'678'906'200'000);
    CHECK(time_at("2023-03-15T13:20:00+02") == 1'678'879'200'000);
    CHECK(time_at("2023-03-15T13:20:00.1Z") == 1'678'886'400'100);
    CHECK(time_at("2023-03-15T13:20:00.12399999") == 1'678'886'400'123);
    CHECK(time_at("2023-03-15") == 1'678'838'400'000);
    CHECK(time_at("2024-02-29") == 1'709'164'800'000);
    CHECK(time_at("2000-02-29") == 951'782'400'000);
    CHECK(time_at("9999-12-31T23:59:59.999Z") == time_max);
    CHECK(time_at("1970-01-01T01:00:00+01:00") == 0);
    CHECK(time_at("now") == 10'000'000);
    CHECK(time_at("now-5m") == 9'700'000);
    CHECK(time_at("now+1h30m") == 15'400'000);
  }

  TEST_CASE("what is no time is refused") {
    for (auto text : {"",
                      "yesterday",
                      "2023-",
                      "2023-3-15",
                      "2023-13-01",
                      "2023-00-01",
                      "2023-02-29",
                      "2100-02-29",
                      "2023-04-31",
                      "2023-01-00",
                      "2023-03-15T24:00:00",
                      "2023-03-15T13:60:00",
                      "2023-03-15T13:20:60Z",
                      "2023-03-15T13",
                      "2023-03-15T13:20:00.",
                      "2023-03-15T13:20:00+2",
                      "2023-03-15T13:20:00+02:",
                      "2023-03-15T13:20:00 Z",
                      "2023-03-15T13:20:00Zx",
                      "2023-03-15Z",
                      "2023-03-15x",
                      "-1",
                      "253402300800000",
                      "99999999999999999999",
                      "1969-12-31",
                      "9999-12-31T23:59:59-00:01",
                      "1970-01-01T00:00:00+00:01",
                      "now5m",
                      "now-",
                      "now-3h",
                      "now--5m",
                      "now+9223372036854775807",
                      "nowhere",
                      "12:00:00",
                      "2023-03-15T13:20:00+24:00"}) {
      INFO(std::string{text});
      auto res = parse_time(text, 10'000'000);
      REQUIRE(!res);
      CHECK(res.error().code == ec::invalid_argument);
      CHECK(has(res.error().text, " is not a "));
    }
  }

  TEST_CASE("a time that is written reads the same") {
    CHECK(format_time(1'678'886'400'000) == "2023-03-15T13:20:00.000Z");
    CHECK(format_time(time_min) == "1970-01-01T00:00:00.000Z");
    CHECK(format_time(time_max) == "9999-12-31T23:59:59.999Z");
    CHECK(format_time(-1) == "-1");
    CHECK(rc::check("round trip", [] {
      auto x = *rc::gen::inRange<time_ms>(time_min, time_max + 1);
      RC_ASSERT(parse_time(format_time(x), 0).value_or(-1) == x);
    }));
  }

  TEST_CASE("every day of the calendar follows the one before") {
    auto day = time_ms{0};
    for (auto year = 1970; year < 2410; ++year)
      for (auto month = 1; month <= 12; ++month)
        for (auto mday = 1; mday <= 31; ++mday) {
          char buf[32];
          std::snprintf(buf, sizeof(buf), "%04d-%02d-%02d", year, month, mday);
          auto res = parse_iso_time(buf);
          if (!res) {
            REQUIRE(mday > 28);
            continue;
          }
          REQUIRE(*res == day * 86'400'000);
          ++day;
        }
    CHECK(day == 160'707);
  }

} // TEST_SUITE
