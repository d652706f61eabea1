#include "input/csv.hpp"

#include "test/input/support.hpp"

#include <rapidcheck.h>

using namespace weir;
using test::has;

namespace {

/// A parser for the lines under `header`.
struct table {
  explicit table(const std::string& header, const reader_options& options = {})
    : parser(make(header, options)) {
    // nop
  }

  std::string read(const std::string& line) {
    return test::parsed(*parser, line);
  }

  static std::unique_ptr<line_parser> make(const std::string& header,
                                           const reader_options& options) {
    auto res = csv_parser::make(header, options);
    REQUIRE_MESSAGE(res, (res ? std::string{} : res.error().text));
    return std::move(*res);
  }

  std::unique_ptr<line_parser> parser;
};

/// Why `header` can't be used.
std::string refused(const std::string& header,
                    const reader_options& options = {}) {
  auto res = csv_parser::make(header, options);
  if (res)
    return "not refused";
  CHECK(res.error().code == ec::malformed);
  return res.error().text;
}

std::vector<std::string> cells_of(const std::string& text) {
  auto line = test::padded_line{text};
  auto splitter = csv_splitter{};
  if (auto why = splitter.split(line.view()))
    return {"bad: " + *why};
  return {splitter.cells().begin(), splitter.cells().end()};
}

using cells = std::vector<std::string>;

} // namespace

TEST_SUITE("input/csv") {
  TEST_CASE("a value column makes events, whatever the order of columns") {
    auto t = table{"value,note,entity,timestamp"};
    CHECK(t.read("21.5,hello,s1,1700000000123")
          == "s1@1700000000123 value=21.5d");
    CHECK(t.read(" 7 , , s1 , 5 ") == "s1@5 value=7");
    CHECK(t.read("+.5,\"a, \"\"b\"\"\",\"s,1\",\"5\"") == "s,1@5 value=0.5d");
    CHECK(t.read("7,5,s1,2023-03-15T13:20:00Z") == "s1@1678886400000 value=7");
  }

  TEST_CASE("without a value column all columns of numbers are metrics") {
    auto t = table{"ts,sensor_id,temp,place,hum"};
    CHECK(t.read("1700000000,s1,21.5,attic,40")
          == "s1@1700000000000 temp=21.5d hum=40");
    CHECK(t.read("1700000000,s1,21.5,7,40")
          == "s1@1700000000000 temp=21.5d hum=40");
    CHECK(t.read("1700000000.25,s1,,,40") == "s1@1700000000250 hum=40");
    CHECK(has(t.read("1700000000,s1,,,"), "no readings"));
    CHECK(has(t.read("1700000000,s1,warm,,40"),
              R"(the "temp" is "warm", which is no number)"));
  }

  TEST_CASE("a column's first cell with anything in it decides its kind") {
    auto t = table{"ts,id,a,b,c"};
    CHECK(t.read("1,s,,2,") == "s@1000 b=2");
    CHECK(t.read("1,s,x,2,3") == "s@1000 b=2 c=3");
    CHECK(t.read("1,s,1,2,3") == "s@1000 b=2 c=3");
    CHECK(has(t.read("1,s,,2,y"), "no number"));
  }

  TEST_CASE("a column that starts with NaN is one of numbers all the same") {
    for (auto cell : {"nan", "NaN", "-inf", "Infinity", "1e999"}) {
      INFO(std::string{cell});
      auto t = table{"ts,id,a,b"};
      CHECK(has(t.read("1,s," + std::string{cell} + ",x"), "bad: the \"a\""));
      CHECK(t.read("1,s,5,6") == "s@1000 a=5");
    }
  }

  TEST_CASE("columns are found by their usual names") {
    for (auto time : {"timestamp", "Timestamp", "TIME", "ts", "date",
                      "DateTime", "event_time"}) {
      INFO(std::string{time});
      CHECK(table{std::string{time} + ",id,value"}.read("5,s,7")
            == "s@5 value=7");
    }
    for (auto entity : {"entity", "Entity_ID", "EntityID", "sensor_id",
                        "sensor", "device", "ID"}) {
      INFO(std::string{entity});
      CHECK(table{std::string{entity} + ",time,value"}.read("s,5,7")
            == "s@5 value=7");
    }
    // A better name wins over an earlier column.
    CHECK(table{"id,date,timestamp,entity,Value"}.read("1,2,5,s,7")
          == "s@5 value=7");
  }

  TEST_CASE("columns are found by the names that are asked for") {
    auto options = reader_options{};
    options.time_column = "when";
    options.entity_column = "who";
    options.value_column = "temp";
    auto t = table{"timestamp,entity,value,who,when,temp", options};
    CHECK(t.read("1,2,3,s,5,7") == "s@5 value=7");
    CHECK(has(t.read("1,2,3,s,5,warm"), "no number"));
    CHECK(has(t.read("1,2,3,s,5,"), "no readings"));
    CHECK(has(refused("timestamp,entity,value", options),
              R"(no column "when"; there are "timestamp", "entity", "value")"));
    options.time_column.clear();
    CHECK(has(refused("timestamp,entity,value", options), "no column \"who\""));
    options.entity_column.clear();
    CHECK(
      has(refused("timestamp,entity,value", options), "no column \"temp\""));
    options.value_column = "entity";
    CHECK(has(refused("timestamp,entity,value", options), "of their own"));
  }

  TEST_CASE("the name of the time column tells the unit, an option overrules") {
    CHECK(table{"time_s,id,value"}.read("5,s,7") == "s@5000 value=7");
    CHECK(table{"timestamp_us,id,value"}.read("5999,s,7") == "s@5 value=7");
    CHECK(table{"ts_NS,id,value"}.read("5999999,s,7") == "s@5 value=7");
    CHECK(table{"timestamp_ms,id,temp"}.read("5,s,7") == "s@5 temp=7");
    auto options = reader_options{};
    options.event_unit = time_unit::s;
    options.sample_unit = time_unit::ms;
    CHECK(table{"time_ms,id,value", options}.read("5,s,7") == "s@5000 value=7");
    CHECK(table{"time_s,id,temp", options}.read("5,s,7") == "s@5 temp=7");
  }

  TEST_CASE("a header that lacks a column says which ones there are") {
    CHECK(has(refused("a,b"),
              R"(for the time by any usual name; there are "a", "b")"));
    CHECK(has(refused("time,b"), "for the entity by any usual name"));
    CHECK(has(refused(""), "for the time"));
    CHECK(has(refused("time,id,a,b,a"),
              R"(two columns of the CSV header are called "a")"));
    CHECK(has(refused("time,id,\"a"), "in the CSV header, the quotes"));
    CHECK(has(refused("time,id,\xff"), "not UTF-8"));
    CHECK(has(refused("time,id," + std::string(513, 'x')), "513 bytes"));
    auto wide = std::string{"x0"};
    for (auto i = 1; i < 30; ++i)
      wide += ",x" + std::to_string(i);
    CHECK(has(refused(wide), "\"x19\" and 10 more"));
  }

  TEST_CASE("a column without a name is no metric") {
    CHECK(table{",time,id,a"}.read("0,5,s,7") == "s@5000 a=7");
  }

  TEST_CASE("a line with too few or too many columns is malformed") {
    auto t = table{"time,id,value"};
    CHECK(t.read("5,s") == "bad: it has 2 columns, the header 3");
    CHECK(t.read("5,s,7,") == "bad: it has 4 columns, the header 3");
    CHECK(t.read("5") == "bad: it has 1 columns, the header 3");
  }

  TEST_CASE("cells that make no sense make a line malformed") {
    auto t = table{"time,id,value"};
    CHECK(has(t.read("5,,7"), "the entity id is empty"));
    CHECK(has(t.read(",s,7"), "no ISO 8601 time"));
    CHECK(has(t.read("soon,s,7"), "no ISO 8601 time"));
    CHECK(has(t.read("-5,s,7"), "outside of the years"));
    CHECK(has(t.read("5,s,nan"), "no number"));
    CHECK(has(t.read("5,s,inf"), "no number"));
    CHECK(has(t.read("5,s,1e999"), "too great"));
    CHECK(has(t.read("5,\xff,7"), "not UTF-8"));
    CHECK(has(t.read("5," + std::string(513, 'x') + ",7"), "513 bytes"));
    CHECK(has(t.read("5,s,\"7"), "line breaks inside a cell"));
    CHECK(t.read("5,s,7") == "s@5 value=7");
  }

  TEST_CASE("a line has at most so many metrics") {
    auto options = reader_options{};
    options.metrics_per_sample_max = 2;
    auto t = table{"time,id,a,b,c", options};
    CHECK(t.read("5,s,1,2,") == "s@5000 a=1 b=2");
    CHECK(has(t.read("5,s,1,2,3"), "more than 2 metrics"));
  }

  TEST_CASE("quotes work as RFC 4180 says") {
    CHECK(cells_of("a,b,c") == cells{"a", "b", "c"});
    CHECK(cells_of("a,,c,") == cells{"a", "", "c", ""});
    CHECK(cells_of("\"a\",\"b,c\",\"d\"\"e\"") == cells{"a", "b,c", "d\"e"});
    CHECK(cells_of("\"\",\"\"\"\"") == cells{"", "\""});
    CHECK(cells_of("\" a \", b ") == cells{" a ", "b"});
    CHECK(has(cells_of("\"a").front(), "the quotes of column 1 do not end"));
    CHECK(has(cells_of("x,\"a\"b").front(), "column 2 goes on behind"));
    CHECK(has(cells_of("x,a\"b\"").front(), "column 2 has a quote inside"));
  }

  TEST_CASE("cells that are written with quotes read the same") {
    CHECK(rc::check("round trip", [] {
      auto any_cell = rc::gen::container<std::string>(
        rc::gen::elementOf(std::string{"ab1,\" \t.;\xc3\xa9"}));
      auto written = *rc::gen::nonEmpty(rc::gen::container<cells>(any_cell));
      auto line = std::string{};
      for (const auto& cell : written) {
        auto plain = cell.find_first_of("\", \t") == std::string::npos
                     && *rc::gen::arbitrary<bool>();
        auto quoted = std::string{"\""};
        for (auto c : cell)
          quoted += c == '"' ? "\"\"" : std::string(1, c);
        line += (&cell == written.data() ? "" : ",")
                + (plain ? cell : quoted + "\"");
      }
      RC_ASSERT(cells_of(line) == written);
    }));
  }

} // TEST_SUITE
