#include "input/ndjson.hpp"

#include "test/input/support.hpp"

using namespace weir;
using test::has;

namespace {

/// What a default parser makes of one line.
std::string read(const std::string& text, const reader_options& options = {}) {
  auto parser = ndjson_parser{options};
  return test::parsed(parser, text);
}

/// An event with `value` as it would stand in the line.
std::string event_of(const std::string& value) {
  return R"({"timestamp":1000,"entity":"a","value":)" + value + "}";
}

std::string event_at(const std::string& time) {
  return R"({"timestamp":)" + time + R"(,"entity":"a","value":1})";
}

} // namespace

TEST_SUITE("input/ndjson") {
  TEST_CASE("an event is a reading of the metric value") {
    CHECK(read(R"({"timestamp":1700000000123,"entity":"s","value":21.337})")
          == "s@1700000000123 value=21.337d");
    CHECK(read(R"({"Value":7,"Timestamp":5,"EntityID":"s"})") == "s@5 value=7");
    CHECK(read(R"({"value":7,"entity_id":"s","timestamp":5})")
          == "s@5 value=7");
    CHECK(read(R"({"value":7,"sensor_id":"s","timestamp":5})")
          == "s@5 value=7");
    CHECK(read("  { \"value\" : 7 ,\t\"entity\" : \"s\" , \"timestamp\" : 5 } ")
          == "s@5 value=7");
  }

  TEST_CASE("a sample holds many metrics, and its time is in seconds") {
    CHECK(read(R"({"sensor_id":"s","timestamp":1700000000,)"
               R"("data":{"metric1":10,"metric2":-3,"metric3":0.5}})")
          == "s@1700000000000 metric1=10 metric2=-3 metric3=0.5d");
    CHECK(read(R"({"data":{"m":1},"timestamp":1.5,"sensor_id":"s"})")
          == "s@1500 m=1");
  }

  TEST_CASE("one parser takes events and samples as they come") {
    auto parser = ndjson_parser{reader_options{}};
    for (auto i = 0; i < 3; ++i) {
      CHECK(test::parsed(parser, event_of("1")) == "a@1000 value=1");
      CHECK(test::parsed(parser,
                         R"({"entity":"s","timestamp":1,"data":{"m":1,"n":2}})")
            == "s@1000 m=1 n=2");
      CHECK(test::parsed(parser,
                         R"({"entity":"s","timestamp":1,"data":{"m":1,"o":2}})")
            == "s@1000 m=1 o=2");
    }
  }

  TEST_CASE("other members are ignored, whatever they are") {
    for (auto member :
         {R"("unit":"C")", R"("unit":null)", R"("ok":true)", R"("n":-1.5e3)",
          R"("n":1e999)", R"("tags":["a",{"b":[]},1,false])", R"("o":{})",
          R"("text":"a \"quoted\" one, \u00e9")", R"("Entity":1)",
          R"("DATA":[])", R"("":0)"}) {
      INFO(std::string{member});
      auto text = std::string{R"({"timestamp":5,)"} + member
                  + R"(,"entity":"s","value":7})";
      CHECK(read(text) == "s@5 value=7");
    }
  }

  TEST_CASE("escapes in names mean what they stand for") {
    CHECK(read(R"({"timestamp":5,"entity":"a\"b\u00e9\ud83d\ude00","value":1})")
          == "a\"b\xc3\xa9\xf0\x9f\x98\x80@5 value=1");
    CHECK(read(R"({"t\u0069mestamp":5,"entity":"s","value":1})")
          == "s@5 value=1");
    CHECK(read(R"({"timestamp":5,"entity":"s","data":{"a\tb":1,"c\/d":2}})")
          == "s@5000 a\tb=1 c/d=2");
  }

  TEST_CASE("names may be any UTF-8, and need to be UTF-8") {
    CHECK(read("{\"timestamp\":5,\"entity\":\"caf\xc3\xa9\",\"value\":1}")
          == "caf\xc3\xa9@5 value=1");
    CHECK(has(read("{\"timestamp\":5,\"entity\":\"caf\xe9\",\"value\":1}"),
              "bad: it is not JSON"));
    CHECK(has(read("{\"timestamp\":5,\"entity\":\"a\",\"value\":1,"
                   "\"x\":\"\xc3\"}"),
              "bad: it is not JSON"));
  }

  TEST_CASE("values are numbers, and nothing else") {
    CHECK(read(event_of("9223372036854775807"))
          == "a@1000 value=9223372036854775807");
    CHECK(read(event_of("9223372036854775808"))
          == "a@1000 value=9.2233720368547758e+18d");
    CHECK(read(event_of("-0.0")) == "a@1000 value=-0d");
    CHECK(has(read(event_of("1e400")), "too great for a double"));
    for (auto value : {"\"1\"", "null", "true", "NaN", "Infinity", "-Infinity",
                       "[1]", "{}", "01", "1.", ".5", "+1", "1e", "0x1"}) {
      INFO(std::string{value});
      CHECK(has(read(event_of(value)), "bad: the value is \""));
    }
    CHECK(has(read(event_of("")), "bad: "));
    CHECK(has(read(R"({"timestamp":5,"entity":"s","data":{"a":1,"b":"x"}})"),
              R"(bad: the metric "b" is ""x"", which is no number)"));
  }

  TEST_CASE("timestamps are numbers in the unit of the kind, or ISO 8601") {
    CHECK(read(event_at("1999.9")) == "a@1999 value=1");
    CHECK(read(event_at("1.7e12")) == "a@1700000000000 value=1");
    CHECK(read(event_at("\"2023-03-15T13:20:00+02:00\""))
          == "a@1678879200000 value=1");
    CHECK(read(R"({"sensor_id":"s","timestamp":"2023-03-15","data":{"m":1}})")
          == "s@1678838400000 m=1");
    auto options = reader_options{};
    options.event_unit = time_unit::ns;
    options.sample_unit = time_unit::us;
    CHECK(read(event_at("1700000000123456789"), options)
          == "a@1700000000123 value=1");
    CHECK(read(R"({"entity":"s","timestamp":1999,"data":{"m":1}})", options)
          == "s@1 m=1");
  }

  TEST_CASE("a timestamp that makes no sense is malformed") {
    CHECK(has(read(event_at("-1")), "outside of the years 1970 to 9999"));
    CHECK(has(read(event_at("-0.5")), "outside of the years"));
    CHECK(has(read(event_at("253402300800000")), "is it in another unit?"));
    CHECK(has(read(event_at("99999999999999999999")), "outside of the years"));
    CHECK(has(read(event_at("\"yesterday\"")), "no ISO 8601 time"));
    CHECK(has(read(event_at("\"1700000000000\"")), "no ISO 8601 time"));
    CHECK(has(read(event_at("\"now\"")), "no ISO 8601 time"));
    CHECK(has(read(event_at("null")), "the timestamp is"));
    CHECK(has(read(event_at("[]")), "the timestamp is"));
    CHECK(has(read(R"({"entity":"s","timestamp":1700000000000,)"
                   R"("data":{"m":1}})"),
              "in s is outside"));
  }

  TEST_CASE("a line that lacks something says what") {
    CHECK(has(read(R"({"entity":"a","value":1})"), "no timestamp"));
    CHECK(has(read(R"({"timestamp":5,"value":1})"), "names no entity"));
    CHECK(
      has(read(R"({"timestamp":5,"entity":"a"})"), "neither a value nor data"));
    CHECK(has(read("{}"), "neither a value nor data"));
    CHECK(
      has(read(R"({"timestamp":5,"entity":"a","data":{}})"), "no readings"));
    CHECK(has(read(R"({"timestamp":5,"entity":"a","data":[1]})"),
              "no object of metrics"));
  }

  TEST_CASE("a line that says something twice is malformed") {
    CHECK(has(read(R"({"timestamp":5,"entity":"a","value":1,"value":2})"),
              "more than one of value and data"));
    CHECK(has(read(R"({"timestamp":5,"entity":"a","value":1,"Value":1})"),
              "more than one of value and data"));
    CHECK(has(read(R"({"timestamp":5,"entity":"a","value":1,"data":{"m":1}})"),
              "more than one of value and data"));
    CHECK(has(read(R"({"timestamp":5,"Timestamp":5,"entity":"a","value":1})"),
              "two timestamps"));
    CHECK(has(read(R"({"timestamp":5,"entity":"","entity_id":"a","value":1})"),
              "its entity twice"));
    CHECK(has(read(R"({"timestamp":5,"entity":"a","data":{"m":1,"m":1}})"),
              R"(the metric "m" comes twice)"));
    CHECK(has(read(R"({"timestamp":5,"entity":"a","data":{"m":1,"\u006d":1}})"),
              R"(the metric "m" comes twice)"));
  }

  TEST_CASE("a metric that comes twice is noticed behind one that passed") {
    auto parser = ndjson_parser{reader_options{}};
    auto sample = [](const std::string& data) {
      return R"({"timestamp":5,"entity":"a","data":{)" + data + "}}";
    };
    CHECK(test::parsed(parser, sample(R"("m":1,"n":2)")) == "a@5000 m=1 n=2");
    CHECK(has(test::parsed(parser, sample(R"("m":1,"m":2)")), "comes twice"));
    CHECK(test::parsed(parser, sample(R"("m":1,"n":2)")) == "a@5000 m=1 n=2");
    CHECK(
      has(test::parsed(parser, sample(R"("m":1,"n":2,"m":3)")), "comes twice"));
  }

  TEST_CASE("names have limits") {
    auto named = [](const std::string& entity, const std::string& metric) {
      return read(R"({"timestamp":5,"entity":")" + entity + R"(","data":{")"
                  + metric + R"(":1,"n":1}})");
    };
    auto longest = std::string(name_bytes_max, 'x');
    CHECK(named(longest, longest) == longest + "@5000 " + longest + "=1 n=1");
    CHECK(has(named(longest + "x", "m"), "has 513 bytes; 512 are allowed"));
    CHECK(has(named("a", longest + "x"), "has 513 bytes; 512 are allowed"));
    CHECK(has(named("", "m"), "the entity id is empty"));
    CHECK(has(named("a", ""), "the name of a metric is empty"));
    CHECK(has(read(R"({"timestamp":5,"entity":7,"value":1})"), "no string"));
    CHECK(has(read(R"({"timestamp":5,"entity":null,"value":1})"), "no string"));
  }

  TEST_CASE("a sample has at most so many metrics") {
    auto sample = [](size_t n) {
      auto res = std::string{R"({"timestamp":5,"entity":"a","data":{)"};
      for (auto i = size_t{0}; i < n; ++i)
        res += (i ? ",\"m" : "\"m") + std::to_string(i) + "\":1";
      return res + "}}";
    };
    CHECK(has(read(sample(256)), "a@5000 m0=1 m1=1"));
    CHECK(read(sample(257)) == "bad: it has more than 256 metrics");
    auto options = reader_options{};
    options.metrics_per_sample_max = 2;
    CHECK(has(read(sample(2), options), "a@5000"));
    CHECK(has(read(sample(3), options), "more than 2 metrics"));
  }

  TEST_CASE("what is no JSON object is malformed") {
    for (auto text : {"[]", "7", "\"a\"", "null", "{", "}", "{]", "{\"a\"}",
                      "{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}", "{'a':1}",
                      "nonsense", "{\"a\":1 \"b\":2}", "{\"a\" 1}",
                      "// comment", "{\"a\":\"unclosed}"}) {
      INFO(std::string{text});
      CHECK(has(read(text), "bad: "));
    }
  }

  TEST_CASE("a good event with damage anywhere in its line is malformed") {
    auto good = event_of("1");
    for (auto tail : {"x", "{}", ",", "}", "]", "1", good.c_str()}) {
      INFO(std::string{tail});
      CHECK(has(read(good + tail), "bad: "));
    }
    for (auto member :
         {R"("x":nul)", R"("x":tru)", R"("x":[1 2])", R"("x":{"a":[1,]})",
          R"("x":"\q")", R"("x":"\ud800")", R"("x":01)", R"("x":[NaN])",
          R"("x")", R"("x":)", R"(x:1)"}) {
      INFO(std::string{member});
      CHECK(has(read(R"({"timestamp":5,"entity":"s","value":7,)"
                     + std::string{member} + "}"),
                "bad: "));
    }
    CHECK(has(read(R"({"timestamp":5,"entity":"s","value":7,"x":)"
                   + std::string(100, '[') + std::string(100, ']') + "}"),
              "nests deeper than 64"));
    for (auto c = '\0'; c < ' '; ++c) {
      CAPTURE(static_cast<int>(c));
      CHECK(has(read(R"({"timestamp":5,"entity":"a)" + std::string(1, c)
                     + R"(b","value":7})"),
                "bad: it is not JSON"));
    }
  }

} // TEST_SUITE
