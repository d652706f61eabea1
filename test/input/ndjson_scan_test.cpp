#include "input/ndjson_scan.hpp"

#include "input/ndjson.hpp"
#include "test/input/support.hpp"

#include <rapidcheck.h>

using namespace weir;
using test::has;

namespace {

/// What the scanner and, behind it, the full parser make of one line.
std::string read(const std::string& text) {
  auto parser = ndjson_parser{reader_options{}};
  return test::parsed(parser, text);
}

/// The same, by the scanner for plain lines alone.
ndjson_kind scanned(const std::string& text) {
  auto line = test::padded_line{text};
  auto out = draft{};
  return scan_ndjson(line.view(), reader_options{}.metrics_per_sample_max, out);
}

/// What the full parser alone makes of one line.
std::string read_slowly(const std::string& text) {
  auto parser = ndjson_parser{reader_options{}};
  auto line = test::padded_line{text};
  auto out = record{};
  auto why = std::string{};
  return parser.parse_any(line.view(), out, why) ? test::to_text(out)
                                                 : "bad: " + why;
}

/// Pieces of lines, whole members among them, so that random rows of them are
/// often nearly right.
const std::vector<std::string>& pieces() {
  static const auto res
    = std::vector<std::string>{"{",
                               "}",
                               "[",
                               "]",
                               ",",
                               ":",
                               " ",
                               "\t",
                               "\r",
                               "\"",
                               "\\",
                               "\\u0041",
                               "\\ud800",
                               "\\n",
                               "\x01",
                               "\x7f",
                               "\xc3\xa9",
                               "\xff",
                               "0",
                               "1",
                               "-1",
                               "1.5",
                               "1e400",
                               "1e-400",
                               "9223372036854775808",
                               "01",
                               "-",
                               "true",
                               "false",
                               "null",
                               "nul",
                               "{}",
                               "[]",
                               "[1,2]",
                               "\"\"",
                               "\"a\"",
                               "\"data\"",
                               "\"timestamp\":1000",
                               "\"timestamp\":\"2023-03-15\"",
                               "\"timestamp\":1.5",
                               "\"Timestamp\":7",
                               "\"timestamp\":-1",
                               "\"entity\":\"a\"",
                               "\"entity_id\":\"b\"",
                               "\"EntityID\":\"\xc3\xa9\"",
                               "\"sensor_id\":\"\"",
                               "\"entity\":7",
                               "\"value\":1",
                               "\"Value\":2.5",
                               "\"value\":\"1\"",
                               "\"value\":null",
                               "\"data\":{\"m\":1,\"n\":2.5}",
                               "\"data\":{}",
                               "\"data\":{\"m\":1,\"m\":2}",
                               "\"data\":{\"\":1}",
                               "\"data\":[1]",
                               "\"data\":{\"m\":{}}",
                               "\"x\":\"y\"",
                               "\"x\":[{\"y\":tru}]",
                               "\"x\":1e999",
                               "\"x\":{\"a\":[]}",
                               "\"x\":nul",
                               "\"t\\u0069mestamp\":3"};
  return res;
}

rc::Gen<std::string> any_line() {
  auto members = rc::gen::container<std::vector<std::string>>(
    rc::gen::elementOf(pieces()));
  auto joined = rc::gen::map(members, [](const std::vector<std::string>& x) {
    auto res = std::string{};
    for (const auto& piece : x)
      res += piece;
    return res;
  });
  auto listed = rc::gen::map(members, [](const std::vector<std::string>& x) {
    auto res = std::string{"{"};
    for (const auto& piece : x)
      res += (res.size() > 1 ? "," : "") + piece;
    return res + "}";
  });
  // A good event with a member more.
  auto complete
    = rc::gen::map(rc::gen::elementOf(pieces()), [](const std::string& x) {
        return R"({"timestamp":5,"entity":"e","value":3,)" + x + "}";
      });
  auto sample
    = rc::gen::map(rc::gen::elementOf(pieces()), [](const std::string& x) {
        return R"({"timestamp":5,"entity":"e","data":{"m":1,"n":2)" + x + "}}";
      });
  return rc::gen::oneOf(joined, listed, complete, sample);
}

} // namespace

TEST_SUITE("input/ndjson_scan") {
  TEST_CASE("the scanner takes plain lines, or else it would be of no use") {
    CHECK(scanned(R"({"timestamp":5,"entity":"a","value":21.337})")
          == ndjson_kind::event);
    CHECK(scanned("{\"entity\": \"\xc3\xa9\", \"timestamp\": \"2023-03-15\", "
                  "\"unit\": null, \"x\": \"y\", \"value\": -1e5}")
          == ndjson_kind::event);
    CHECK(scanned(R"({"sensor_id":"s","timestamp":1.5,"data":{"m":1,"n":2}})")
          == ndjson_kind::sample);
  }

  TEST_CASE("the scanner agrees with the full parser on any line") {
    auto good = 0;
    auto scans = 0;
    CHECK(rc::check("same result", [&] {
      for (const auto& line :
           *rc::gen::container<std::vector<std::string>>(20, any_line())) {
        if (line.find_first_not_of(" \t\r") == std::string::npos)
          continue;
        auto expected = read_slowly(line);
        good += !has(expected, "bad: ");
        scans += scanned(line) != ndjson_kind::none;
        RC_ASSERT(read(line) == expected);
      }
    }));
    // The property says nothing if no line is any good.
    CHECK(good > 20);
    CHECK(scans > 20);
  }

  TEST_CASE("the scanner agrees with the full parser on damaged lines") {
    const auto lines = std::vector<std::string>{
      R"({"timestamp":1700000000123,"entity":"sensor-0012345","value":21.337})",
      R"({"sensor_id":"s1","timestamp":1700000000,"data":{"m1":10,"m2":-2.5}})",
      "{\"timestamp\": \"2023-03-15T13:20:00Z\", \"entity\": \"caf\xc3\xa9\", "
      "\"value\": 1e3, \"x\": [1, {\"y\": null}], \"z\": true}"};
    const auto bytes = std::string{"{}[]\",:\\ \t\r0123456789.eE+-aent_"} + '\0'
                       + "\x01\x7f\x80\xc3\xa9\xff";
    auto damage = [&](std::string line) {
      auto at = *rc::gen::inRange<size_t>(0, line.size());
      switch (*rc::gen::inRange(0, 4)) {
        case 0:
          line[at] = *rc::gen::elementOf(bytes);
          break;
        case 1:
          line.insert(at, 1, *rc::gen::elementOf(bytes));
          break;
        case 2:
          line.erase(at, *rc::gen::inRange<size_t>(1, 6));
          break;
        default:
          line.insert(at, line.substr(*rc::gen::inRange<size_t>(0, at + 1),
                                      *rc::gen::inRange<size_t>(1, 20)));
      }
      return line;
    };
    CHECK(rc::check("same result", [&] {
      for (const auto& line : lines) {
        auto once = damage(line);
        RC_ASSERT(read(once) == read_slowly(once));
        auto twice = damage(once);
        RC_ASSERT(read(twice) == read_slowly(twice));
      }
    }));
  }

} // TEST_SUITE
