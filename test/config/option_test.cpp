#include "config/option.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <set>
#include <stdexcept>

using namespace weir;

namespace {

const option& named(std::string_view name) {
  auto res = find_option(name);
  REQUIRE(res != nullptr);
  return *res;
}

std::string error_of(std::string_view name, std::string_view text) {
  auto res = parse_value(named(name), text);
  REQUIRE_MESSAGE(!res, std::string{text});
  CHECK(res.error().code == ec::invalid_argument);
  return res.error().text;
}

option_value value_of(std::string_view name, std::string_view text) {
  auto res = parse_value(named(name), text);
  REQUIRE_MESSAGE(res.has_value(), std::string{text});
  return *res;
}

bool is_number(const option& x) {
  return x.kind == option_kind::duration || x.kind == option_kind::count
         || x.kind == option_kind::bytes;
}

/// Through the text and the field, and back.
option_value travelled(const option& x, const option_value& value) {
  auto parsed = parse_value(x, format_value(x, value));
  if (!parsed)
    throw std::runtime_error{parsed.error().text};
  auto all = settings{};
  x.set(all, *parsed);
  return x.get(all);
}

} // namespace

TEST_SUITE("config/option") {
  TEST_CASE("every option has a name of its own, a help and a valid default") {
    auto names = std::set<std::string_view>{};
    for (auto& x : options()) {
      CAPTURE(std::string{x.name});
      CHECK(names.insert(x.name).second);
      CHECK(x.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz-")
            == std::string_view::npos);
      CHECK(x.help.size() > 40);
      CHECK(x.help.back() == '.');
      auto text = default_text(x);
      CHECK(text.empty() == !x.unset.empty());
      auto value = parse_value(x, text);
      REQUIRE(value.has_value());
      CHECK(*value == x.get(settings{}));
    }
  }

  TEST_CASE("the ends of every range fit the option's field") {
    for (auto& x : options()) {
      if (!is_number(x))
        continue;
      CAPTURE(std::string{x.name});
      CHECK(x.min < x.max);
      for (auto limit : {x.min, x.max})
        CHECK(travelled(x, limit) == option_value{limit});
      CHECK(!parse_value(x, std::to_string(x.max + 1)));
      if (x.min > 0)
        CHECK(!parse_value(x, std::to_string(x.min - 1)));
    }
  }

  TEST_CASE("every word reaches the field that it names") {
    for (auto& x : options())
      for (auto i = size_t{0}; i < x.words.size(); ++i)
        CHECK(travelled(x, static_cast<int64_t>(i))
              == option_value{static_cast<int64_t>(i)});
    auto all = settings{};
    named("clock").set(all, value_of("clock", "wall"));
    CHECK(all.cluster.clock == clock_mode::wall);
    named("durability").set(all, value_of("durability", "process"));
    CHECK(all.cluster.durability == durability_mode::process);
    named("log-level").set(all, value_of("log-level", "error"));
    CHECK(all.process.log_level == log_severity::error);
    named("sliding").set(all, value_of("sliding", "off"));
    CHECK(all.cluster.sliding == on_off::off);
  }

  TEST_CASE("every number in range survives its text") {
    CHECK(rc::check([] {
      auto i = *rc::gen::inRange(size_t{0}, options().size());
      auto& x = options()[i];
      RC_PRE(is_number(x));
      auto n = *rc::gen::inRange(x.min, x.max);
      RC_ASSERT((travelled(x, n) == option_value{n}));
    }));
  }

  TEST_CASE("any text is a value in range or a sentence") {
    CHECK(rc::check([](const std::string& text) {
      for (auto& x : options()) {
        auto res = parse_value(x, text);
        if (!res)
          RC_ASSERT(!res.error().text.empty());
        else if (auto n = std::get_if<int64_t>(&*res); n && is_number(x))
          RC_ASSERT(*n >= x.min && *n <= x.max);
      }
    }));
  }

  TEST_CASE("bytes take binary prefixes") {
    CHECK(value_of("frame-bytes-max", "65536") == option_value{int64_t{65536}});
    CHECK(value_of("frame-bytes-max", "65536B")
          == option_value{int64_t{65536}});
    CHECK(value_of("frame-bytes-max", "64KiB") == option_value{int64_t{65536}});
    CHECK(value_of("frame-bytes-max", "2 MiB")
          == option_value{int64_t{2097152}});
    CHECK(format_value(named("frame-bytes-max"), int64_t{65536}) == "64KiB");
    CHECK(format_value(named("frame-bytes-max"), int64_t{65537}) == "65537B");
    for (auto text : {"64kb", "1M", "KiB", "1.5MiB", "1KiB1", " 1"})
      CHECK(error_of("frame-bytes-max", text).find("write it as 65536, 64KiB")
            != std::string::npos);
    CHECK(error_of("frame-bytes-max", "9223372036854775807KiB")
            .find("is not a number of bytes")
          != std::string::npos);
  }

  TEST_CASE("an error says what the option takes instead") {
    CHECK(error_of("cells-max", "1")
          == "1 is out of range; it takes 2 to 1000000 cells");
    CHECK(error_of("cells-max", "many") == "\"many\" is not a whole number");
    CHECK(error_of("cells-max", "99999999999999999999")
          == "\"99999999999999999999\" is not a whole number");
    CHECK(error_of("window", "0s")
          == "0s is out of range; it takes at least 1ms");
    CHECK(error_of("clock", "sun")
          == "\"sun\" is not one of its words: write event or wall");
    CHECK(error_of("window", "") == "needs a value: at least 1ms");
    CHECK(error_of("join", "here:0").find("has port 0") != std::string::npos);
    CHECK(error_of("data", "a\nb").find("control character")
          != std::string::npos);
  }

  TEST_CASE("an option that may go without takes an empty text") {
    CHECK(value_of("retention", "") == option_value{});
    CHECK(value_of("advertise", "") == option_value{});
    auto all = settings{};
    all.cluster.retention = 5;
    all.process.advertise = endpoint{"a", 1};
    all.process.log_file = "x";
    for (auto name : {"retention", "advertise", "log-file"})
      named(name).set(all, {});
    CHECK(!all.cluster.retention);
    CHECK(!all.process.advertise);
    CHECK(all.process.log_file.empty());
  }

  TEST_CASE("an option that may be off takes that word, and no empty text") {
    CHECK(value_of("rollup-every", "off") == option_value{});
    CHECK(value_of("rollup-every", "1ms") == option_value{int64_t{1}});
    CHECK(format_value(named("rollup-every"), {}) == "off");
    CHECK(range_text(named("rollup-every")) == "at least 1ms, or off");
    CHECK(error_of("rollup-every", "")
          == "needs a value: at least 1ms, or off");
    CHECK(error_of("rollup-every", "0s")
          == "0s is out of range; it takes at least 1ms, or off");
    CHECK(!parse_value(named("rollup-every"), "Off"));
    CHECK(!parse_value(named("lateness"), "off"));
    auto all = settings{};
    named("rollup-every").set(all, {});
    CHECK(!all.cluster.rollup_every);
    CHECK(named("rollup-every").get(all) == option_value{});
  }

  TEST_CASE("the environment has each option in capitals") {
    CHECK(environment_variable(named("cells-max")) == "WEIR_CELLS_MAX");
    CHECK(environment_variable(named("window")) == "WEIR_WINDOW");
  }

  TEST_CASE("a near name is suggested and a far one is not") {
    CHECK(did_you_mean("cells_max") == " Did you mean `cells-max`?");
    CHECK(did_you_mean("frobnicate").empty());
  }

} // TEST_SUITE
