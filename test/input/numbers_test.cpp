#include "input/numbers.hpp"

#include "test/input/support.hpp"
#include "windows/int128.hpp"

#include <rapidcheck.h>

#include <cmath>
#include <limits>

using namespace weir;

namespace {

/// The number as text, or why it is none.
std::string json(std::string_view text) {
  auto x = number{};
  switch (parse_number(text, x)) {
    case number_status::ok:
      return test::to_text(x);
    case number_status::range:
      return "range";
    case number_status::syntax:
      break;
  }
  return "syntax";
}

std::string decimal(std::string_view text) {
  auto x = number{};
  switch (parse_decimal(text, x)) {
    case number_status::ok:
      return test::to_text(x);
    case number_status::range:
      return "range";
    case number_status::syntax:
      break;
  }
  return "syntax";
}

time_ms scaled(std::string_view text, time_unit unit) {
  return scale_time(text, unit).value_or(-1);
}

/// A number in JSON's grammar, of any length and exponent.
rc::Gen<std::string> any_number() {
  auto digits = [](int least, int most) {
    return rc::gen::mapcat(rc::gen::inRange(least, most + 1), [](int n) {
      return rc::gen::container<std::string>(static_cast<size_t>(n),
                                             rc::gen::inRange('0', ':'));
    });
  };
  return rc::gen::map(
    rc::gen::tuple(rc::gen::arbitrary<bool>(), digits(1, 25), digits(0, 25),
                   rc::gen::inRange(-400, 400), rc::gen::inRange(0, 4)),
    [](const std::tuple<bool, std::string, std::string, int, int>& x) {
      auto [negative, whole, fraction, exponent, form] = x;
      auto first = whole.find_first_not_of('0');
      whole = first == std::string::npos ? "0" : whole.substr(first);
      auto res = (negative ? "-" : "") + whole;
      if (!fraction.empty() && form != 0)
        res += "." + fraction;
      if (form >= 2)
        res += (form == 2 ? "e" : "E") + std::to_string(exponent / (4 - form));
      return res;
    });
}

} // namespace

TEST_SUITE("input/numbers") {
  TEST_CASE("integers stay integers while 64 bits hold them") {
    CHECK(json("0") == "0");
    CHECK(json("-0") == "0");
    CHECK(json("42") == "42");
    CHECK(json("9223372036854775807") == "9223372036854775807");
    CHECK(json("-9223372036854775808") == "-9223372036854775808");
    CHECK(json("9223372036854775808") == "9.2233720368547758e+18d");
    CHECK(json("-9223372036854775809") == "-9.2233720368547758e+18d");
    CHECK(json("100000000000000000000000") == "9.9999999999999992e+22d");
  }

  TEST_CASE("other numbers become the nearest double") {
    CHECK(json("21.337") == "21.337d");
    CHECK(json("1.0") == "1d");
    CHECK(json("1e2") == "100d");
    CHECK(json("1E+2") == "100d");
    CHECK(json("-0.0") == "-0d");
    CHECK(json("9007199254740993.0") == "9007199254740992d");
    CHECK(json("13055857739591493e1") == "1.3055857739591493e+17d");
    CHECK(json("1e23") == "9.9999999999999992e+22d");
    CHECK(json("4.9e-324") == "4.9406564584124654e-324d");
    CHECK(json("1.7976931348623157e308") == "1.7976931348623157e+308d");
  }

  TEST_CASE("a number too small for a double is zero, one too great is none") {
    CHECK(json("1e-400") == "0d");
    CHECK(json("-1e-400") == "-0d");
    CHECK(json("0.00001e-99999999999999999999") == "0d");
    CHECK(json("0e99999999999999999999") == "0d");
    CHECK(json("1e400") == "range");
    CHECK(json("-1.8e308") == "range");
    CHECK(json("1e99999999999999999999") == "range");
    // Where an exponent still fits, and what is added to it does not.
    CHECK(json("1e9223372036854775807") == "range");
    CHECK(json("0.1e-9223372036854775808") == "0d");
    CHECK(json(std::string(400, '9')) == "range");
    CHECK(json("0." + std::string(400, '0') + "1") == "0d");
    CHECK(json("0." + std::string(400, '0') + "1e500")
          == "9.9999999999999997e+98d");
  }

  TEST_CASE("what JSON does not call a number is none") {
    for (auto text :
         {"",    "-",     "+1",    ".5",  "5.",    "01",       "-01",  "1e",
          "1e+", "1.e5",  "0x10",  "NaN", "nan",   "Infinity", "-inf", "1 ",
          " 1",  "1,000", "1_000", "--1", "1.2.3", "1e5.0",    "1f"}) {
      INFO(std::string{text});
      CHECK(json(text) == "syntax");
    }
    using namespace std::string_view_literals;
    CHECK(json("1\0"sv) == "syntax");
  }

  TEST_CASE("numbers read as the C library reads them") {
    CHECK(rc::check("same double as strtod", [] {
      auto text = *any_number();
      auto x = number{};
      auto status = parse_number(text, x);
      auto expected = std::strtod(text.c_str(), nullptr);
      if (std::isinf(expected)) {
        RC_ASSERT(status == number_status::range);
        return;
      }
      RC_ASSERT(status == number_status::ok);
      RC_ASSERT(x.to_double() == expected);
    }));
    CHECK(rc::check("shortest and long forms of any double", [] {
      auto bits = *rc::gen::arbitrary<uint64_t>();
      auto expected = 0.0;
      std::memcpy(&expected, &bits, sizeof(bits));
      RC_PRE(std::isfinite(expected));
      char buf[64];
      std::snprintf(buf, sizeof(buf), "%.*e", *rc::gen::inRange(16, 30),
                    expected);
      auto x = number{};
      RC_ASSERT(parse_number(buf, x) == number_status::ok);
      RC_ASSERT(x.to_double() == expected);
    }));
  }

  TEST_CASE("CSV allows what spreadsheets write") {
    CHECK(decimal("+1") == "1");
    CHECK(decimal(".5") == "0.5d");
    CHECK(decimal("-.5") == "-0.5d");
    CHECK(decimal("5.") == "5d");
    CHECK(decimal("007") == "7");
    CHECK(decimal("-9223372036854775808") == "-9223372036854775808");
    CHECK(decimal("9223372036854775808") == "9.2233720368547758e+18d");
    CHECK(decimal("1e400") == "range");
    CHECK(decimal("1e-400") == "0d");
    for (auto text : {"", "-", "+", "+-1", ".", "nan", "inf", "-inf", "1e400e",
                      "1e-400e5", "0x10", "1,5", "1 2", "e5", "1e", "abc"}) {
      INFO(std::string{text});
      CHECK(decimal(text) == "syntax");
    }
  }

  TEST_CASE("times scale to milliseconds without rounding through a double") {
    CHECK(scaled("1678886400", time_unit::s) == 1'678'886'400'000);
    CHECK(scaled("1678886400.123", time_unit::s) == 1'678'886'400'123);
    CHECK(scaled("1678886400.1239999", time_unit::s) == 1'678'886'400'123);
    CHECK(scaled("1.678886400123e9", time_unit::s) == 1'678'886'400'123);
    CHECK(scaled("1678886400123.9", time_unit::ms) == 1'678'886'400'123);
    CHECK(scaled("1678886400123999", time_unit::us) == 1'678'886'400'123);
    CHECK(scaled("1678886400123999999", time_unit::ns) == 1'678'886'400'123);
    CHECK(scaled("0.0000001678886400123999999e25", time_unit::ns)
          == 1'678'886'400'123);
    CHECK(scaled("253402300799.9999", time_unit::s) == time_max);
    CHECK(scaled("0.9", time_unit::ms) == 0);
    CHECK(scaled("-0.0", time_unit::ms) == 0);
    CHECK(scaled("0e999999999999999999999", time_unit::ms) == 0);
    CHECK(scaled("1e-999999999999999999999", time_unit::ms) == 0);
    CHECK(scaled("1." + std::string(300, '9'), time_unit::ms) == 1);
    CHECK(scale_time(int64_t{1999}, time_unit::us) == 1);
    CHECK(scale_time(int64_t{0}, time_unit::ns) == 0);
  }

  TEST_CASE("times round towards the past, and before 1970 there are none") {
    CHECK(!scale_time(int64_t{-1}, time_unit::ns));
    CHECK(!scale_time("-0.0001", time_unit::ms));
    CHECK(!scale_time("-1e-400", time_unit::ms));
    CHECK(!scale_time("253402300800", time_unit::s));
    CHECK(!scale_time(int64_t{253'402'300'800'000}, time_unit::ms));
    CHECK(!scale_time(std::numeric_limits<int64_t>::max(), time_unit::s));
    CHECK(!scale_time(std::numeric_limits<int64_t>::min(), time_unit::s));
    CHECK(!scale_time(std::string(500, '9'), time_unit::ns));
    CHECK(!scale_time("1e99999999999999999999", time_unit::ns));
  }

  TEST_CASE("a time as text scales as the integer does") {
    CHECK(rc::check("same", [] {
      auto shift = *rc::gen::inRange(0, 63);
      auto x = *rc::gen::arbitrary<int64_t>() >> shift;
      auto unit = *rc::gen::element(time_unit::s, time_unit::ms, time_unit::us,
                                    time_unit::ns);
      RC_ASSERT(scale_time(std::to_string(x), unit) == scale_time(x, unit));
    }));
  }

} // TEST_SUITE
