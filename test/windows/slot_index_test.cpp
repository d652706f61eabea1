#include "windows/metric_names.hpp"
#include "windows/slot_index.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <map>

using namespace weir;

TEST_SUITE("windows/slot_index") {
  TEST_CASE("an empty index finds nothing") {
    auto index = slot_index{};
    CHECK(index.candidate(1) == slot_index::none);
    index.prefetch(1);
    index.reserve(100);
    CHECK(index.candidate(1) == slot_index::none);
  }

  TEST_CASE("places with one hash are told apart by the caller") {
    auto index = slot_index{};
    for (auto place = 0u; place < 10; ++place)
      index.insert(7, place);
    for (auto place = 0u; place < 10; ++place)
      CHECK(index.find(7, [&](uint32_t x) {
        return x == place;
      }) == place);
    index.erase(7, 4);
    CHECK(index.find(7, [](uint32_t x) {
      return x == 4;
    }) == slot_index::none);
    CHECK(index.find(7, [](uint32_t x) {
      return x == 9;
    }) == 9);
    CHECK(index.size() == 9);
  }

  TEST_CASE("it holds what a map holds, through any insertions and erasures") {
    CHECK(rc::check([] {
      auto index = slot_index{};
      auto model = std::map<uint32_t, uint64_t>{};
      // Few hashes near the end of the buckets: long runs that wrap around.
      auto ops
        = *rc::gen::container<std::vector<std::pair<uint32_t, uint64_t>>>(
          rc::gen::pair(rc::gen::inRange(0u, 40u),
                        rc::gen::inRange(uint64_t{10}, uint64_t{18})));
      for (auto& [place, hash] : ops) {
        if (auto i = model.find(place); i != model.end()) {
          index.erase(i->second, place);
          model.erase(i);
        } else {
          index.insert(hash, place);
          model.emplace(place, hash);
        }
        RC_ASSERT(index.size() == model.size());
        for (auto p = 0u; p < 40; ++p) {
          auto i = model.find(p);
          auto h = i == model.end() ? hash : i->second;
          auto found = index.find(h, [&](uint32_t x) {
            return x == p;
          });
          RC_ASSERT(found == (i == model.end() ? slot_index::none : p));
        }
      }
    }));
  }
} // TEST_SUITE

TEST_SUITE("windows/metric_names") {
  TEST_CASE("a name keeps its number while somebody holds it") {
    auto names = metric_names{};
    auto load = names.acquire("load");
    CHECK(names.acquire("load") == load);
    CHECK(names.acquire("heat") != load);
    names.release(load);
    CHECK(names.name(load) == "load");
    CHECK(names.acquire("load") == load);
  }

  TEST_CASE("the number and the memory of an unheld name are used again") {
    auto names = metric_names{};
    auto first = names.acquire("load");
    auto bytes = names.heap_bytes();
    names.release(first);
    for (auto i = 0; i < 1000; ++i)
      names.release(names.acquire("n" + std::to_string(1000 + i)));
    CHECK(names.acquire("heat") == first);
    CHECK(names.numbers() == 1);
    CHECK(names.heap_bytes() == bytes);
  }
} // TEST_SUITE
