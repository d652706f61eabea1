#include "cluster/producers.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace weir;

namespace {

constexpr auto ann = producer_id{1, 2};
constexpr auto bob = producer_id{1, 3};
constexpr auto limit = size_t{2};

/// Knows one producer, in session 5, whose last record is number 30.
struct fixture {
  producer_table table;

  fixture() {
    table.enter(ann, 5, 30, 1000);
  }

  admission check(uint64_t session, uint64_t after, uint64_t position,
                  producer_id who = ann) const {
    return table.check(who, session, after, position, limit);
  }
};

std::string encoded(const producer_table& x) {
  auto res = std::string{};
  x.encode(byte_writer{res});
  return res;
}

producer_table any_table() {
  auto res = producer_table{};
  for (auto n = *rc::gen::inRange(0, 20); n > 0; --n) {
    auto id = producer_id{*rc::gen::arbitrary<uint64_t>(),
                          *rc::gen::arbitrary<uint64_t>()};
    auto& x = res.enter(id, *rc::gen::arbitrary<uint64_t>(),
                        *rc::gen::arbitrary<uint64_t>(),
                        *rc::gen::arbitrary<int64_t>());
    x.counts
      = {*rc::gen::arbitrary<uint64_t>(), *rc::gen::arbitrary<uint64_t>(),
         *rc::gen::arbitrary<uint64_t>(), *rc::gen::arbitrary<uint64_t>()};
  }
  return res;
}

} // namespace

TEST_SUITE("cluster/producers") {
  TEST_CASE_FIXTURE(fixture, "a block that follows the last one is fresh") {
    CHECK(check(5, 30, 31) == admission::fresh);
    CHECK(check(5, 30, 99) == admission::fresh);
  }

  TEST_CASE_FIXTURE(fixture, "what ends at or before the last record is a "
                             "duplicate, however it is cut") {
    CHECK(check(5, 20, 30) == admission::duplicate);
    CHECK(check(5, 0, 7) == admission::duplicate);
    CHECK(check(5, 29, 30) == admission::duplicate);
  }

  TEST_CASE_FIXTURE(fixture, "a block whose predecessor did not come leaves a "
                             "gap") {
    CHECK(check(5, 40, 50) == admission::gap);
    // Neither wholly old nor wholly new: a record is never split.
    CHECK(check(5, 20, 31) == admission::gap);
  }

  TEST_CASE_FIXTURE(fixture, "an older session is refused, a newer one goes "
                             "on") {
    CHECK(check(4, 30, 31) == admission::stale_session);
    CHECK(check(4, 0, 7) == admission::stale_session);
    CHECK(check(6, 30, 31) == admission::fresh);
    CHECK(check(6, 0, 7) == admission::duplicate);
  }

  TEST_CASE_FIXTURE(fixture, "a producer that nobody knows begins at 0") {
    CHECK(check(1, 0, 7, bob) == admission::fresh);
    CHECK(check(1, 7, 8, bob) == admission::unknown_producer);
    table.forget(ann);
    CHECK(check(5, 30, 31) == admission::unknown_producer);
  }

  TEST_CASE_FIXTURE(fixture, "a full table takes no producer but those that it "
                             "knows") {
    table.enter(bob, 1, 1, 0);
    CHECK(check(1, 0, 7, {9, 9}) == admission::too_many);
    CHECK(check(1, 1, 7, bob) == admission::fresh);
    table.forget(bob);
    CHECK(check(1, 0, 7, {9, 9}) == admission::fresh);
  }

  TEST_CASE_FIXTURE(fixture, "a new session counts from zero, and knows where "
                             "the last one ended") {
    table.enter(ann, 5, 40, 2000).counts.accepted = 9;
    CHECK(table.find(ann)->counts.accepted == 9);
    table.enter(ann, 6, 0, 1500);
    auto& x = *table.find(ann);
    CHECK(x.session == 6);
    CHECK(x.last == 40);
    CHECK(x.counts.accepted == 0);
    CHECK(x.heard == 2000);
  }

  TEST_CASE("a table survives its encoding") {
    CHECK(rc::check([] {
      auto x = any_table();
      auto bytes = encoded(x);
      auto y = producer_table{};
      y.enter(ann, 1, 1, 1); // Goes.
      auto in = byte_reader{bytes};
      RC_ASSERT(y.decode(in));
      RC_ASSERT(in.done());
      RC_ASSERT(encoded(y) == bytes);
      for (auto& [id, state] : x.all()) {
        auto found = y.find(id);
        RC_ASSERT(found != nullptr);
        RC_ASSERT(found->session == state.session);
        RC_ASSERT(found->last == state.last);
        RC_ASSERT(found->heard == state.heard);
        RC_ASSERT(found->counts.refused == state.counts.refused);
      }
    }));
  }

  TEST_CASE("a table that is cut short is refused") {
    CHECK(rc::check([] {
      auto bytes = encoded(any_table());
      auto n = *rc::gen::inRange<size_t>(0, bytes.size());
      auto x = producer_table{};
      auto in = byte_reader{std::string_view{bytes}.substr(0, n)};
      RC_ASSERT(!x.decode(in));
    }));
  }

  TEST_CASE("a count beyond the bytes costs no memory") {
    auto bytes = std::string{};
    byte_writer{bytes}.varint(UINT64_MAX);
    auto x = producer_table{};
    auto in = byte_reader{bytes};
    CHECK(!x.decode(in));
    CHECK(x.all().empty());
  }

} // TEST_SUITE
