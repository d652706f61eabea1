#include "test/windows/rollup_fixture.hpp"
#include "windows/window_partial.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <random>

using namespace weir;
using namespace weir::test;

namespace {

using list = std::vector<window_partial>;

std::string encoded(const list& xs) {
  auto res = std::string{};
  auto out = byte_writer{res};
  encode_windows(xs, out);
  return res;
}

window_partial window(window_bounds bounds, bool sealed,
                      std::map<std::string, std::vector<number>> metrics) {
  auto res = window_partial{};
  res.bounds = bounds;
  res.sealed = sealed;
  for (auto& x : metrics) {
    res.count += x.second.size();
    res.metrics.push_back({x.first, partial_of(x.second)});
  }
  return res;
}

number i(int64_t x) {
  return number::of(x);
}

/// Windows of 10 and of 15, so that some overlap, of up to three metrics.
list any_list() {
  auto found = std::map<std::pair<time_ms, time_ms>, window_partial>{};
  auto n = *rc::gen::inRange(0, 6);
  for (auto k = 0; k < n; ++k) {
    auto every = *rc::gen::element<time_ms>(10, 15);
    auto start = *rc::gen::inRange<time_ms>(-3, 4) * every;
    auto metrics = std::map<std::string, std::vector<number>>{};
    for (auto name : {"a", "b", "c"})
      if (*rc::gen::arbitrary<bool>())
        metrics[name] = *rc::gen::container<std::vector<number>>(any_number());
    found[{start + every, start}]
      = window({start, start + every}, *rc::gen::arbitrary<bool>(), metrics);
  }
  auto res = list{};
  for (auto& x : found)
    res.push_back(x.second);
  return res;
}

list merged(const list& x, const list& y) {
  auto res = x;
  merge(res, y);
  return res;
}

} // namespace

TEST_SUITE("windows/window_partial") {
  TEST_CASE("merging adds by window and metric") {
    auto x = list{window({0, 10}, true, {{"a", {i(1)}}, {"c", {i(2)}}}),
                  window({20, 30}, true, {{"a", {i(3)}}})};
    auto y = list{window({0, 10}, true, {{"b", {i(4)}}, {"c", {i(5), i(6)}}}),
                  window({10, 20}, true, {{"a", {i(7)}}}),
                  window({20, 30}, false, {})};
    CHECK(
      merged(x, y)
      == list{window({0, 10}, true,
                     {{"a", {i(1)}}, {"b", {i(4)}}, {"c", {i(2), i(5), i(6)}}}),
              window({10, 20}, true, {{"a", {i(7)}}}),
              window({20, 30}, false, {{"a", {i(3)}}})});
  }

  TEST_CASE("windows of other bounds are other windows") {
    auto x = list{window({0, 10}, true, {{"a", {i(1)}}})};
    auto y = list{window({0, 15}, true, {{"a", {i(2)}}})};
    CHECK(merged(y, x) == list{x[0], y[0]});
    CHECK(merged(x, y) == list{x[0], y[0]});
  }

  TEST_CASE("order and grouping of merges change no bit") {
    CHECK(rc::check([] {
      auto x = any_list();
      auto y = any_list();
      auto z = any_list();
      RC_ASSERT(encoded(merged(x, y)) == encoded(merged(y, x)));
      RC_ASSERT(encoded(merged(merged(x, y), z))
                == encoded(merged(x, merged(y, z))));
      RC_ASSERT(merged(x, {}) == x);
      RC_ASSERT(merged({}, x) == x);
    }));
  }

  TEST_CASE("a list survives its bytes") {
    CHECK(rc::check([] {
      auto xs = any_list();
      RC_ASSERT(decode_windows(encoded(xs)) == xs);
    }));
    auto extreme = list{window({window_plan::always, window_plan::forever},
                               false, {{"a", {i(1)}}})};
    CHECK(decode_windows(encoded(extreme)) == extreme);
  }

  TEST_CASE("a metric's name is there once") {
    auto name = std::string(100, 'n');
    auto xs = list{};
    for (auto k = 0; k < 10; ++k)
      xs.push_back(window({k, k + 1}, true, {{name, {i(1)}}}));
    auto bytes = encoded(xs);
    CHECK(bytes.find(name, bytes.find(name) + 1) == std::string::npos);
    CHECK(bytes.size() < 1000);
  }

  TEST_CASE("bytes of another version are refused by name") {
    auto bytes = encoded({});
    bytes[0] = 2;
    auto xs = decode_windows(bytes);
    REQUIRE(!xs);
    CHECK(xs.error().code == ec::version_mismatch);
  }

  TEST_CASE("a list that is too long is refused by name") {
    auto bytes = std::string{};
    auto out = byte_writer{bytes};
    out.fixed(uint8_t{1});
    out.varint(0);
    out.varint(list_windows_max + 1);
    CHECK(decode_windows(bytes).error().code == ec::limit_reached);
  }

  TEST_CASE("cut or flipped bytes are refused, or are another list") {
    CHECK(rc::check([] {
      auto bytes = encoded(any_list());
      for (auto n = size_t{0}; n < bytes.size(); ++n)
        RC_ASSERT(decode_windows(bytes.substr(0, n)).error().code
                  == ec::malformed);
      RC_ASSERT(!decode_windows(bytes + '\0'));
      auto at = *rc::gen::inRange<size_t>(0, bytes.size());
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << *rc::gen::inRange(0, 8)));
      if (auto xs = decode_windows(bytes)) {
        RC_ASSERT(decode_windows(encoded(*xs)) == *xs);
        merge(*xs, list{*xs});
      }
    }));
  }

  TEST_CASE("windows and metrics out of order are refused") {
    auto x = window({0, 10}, true, {{"a", {i(1)}}, {"b", {i(2)}}});
    auto y = window({10, 20}, true, {});
    CHECK(decode_windows(encoded({x, y})));
    CHECK(!decode_windows(encoded({y, x})));
    CHECK(!decode_windows(encoded({x, x})));
    std::swap(x.metrics[0], x.metrics[1]);
    CHECK(!decode_windows(encoded({x, y})));
  }
}
