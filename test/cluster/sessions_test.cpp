#include "cluster/sessions.hpp"

#include <doctest/doctest.h>

#include <map>

using namespace weir;

namespace {

/// A registry over a store that can be full, and that survives it.
struct fixture {
  std::map<producer_id, producer_record> stored;
  bool full = false;
  size_t saves = 0;

  session_registry registry{make()};

  session_registry make() {
    return session_registry{
      [this](const std::vector<producer_record>& put,
             const std::vector<producer_id>& removed) -> result<void> {
        if (full)
          return fail(ec::disk_full, "no room");
        ++saves;
        for (auto& x : put)
          stored[x.id] = x;
        for (auto& id : removed)
          stored.erase(id);
        return {};
      }};
  }

  /// As after a restart of the coordinator.
  void restart() {
    auto all = std::vector<producer_record>{};
    for (auto& [id, x] : stored)
      all.push_back(x);
    registry = make();
    registry.load(all);
  }

  producer_record open(producer_id id, const std::string& name = "") {
    auto res = registry.open(id, name, now);
    REQUIRE(res);
    return *res;
  }

  result<void> report(producer_id id, uint64_t session, uint64_t prefix,
                      uint64_t malformed, bool ended = false) {
    auto x = report_session{};
    x.producer = id;
    x.session = session;
    x.prefix = prefix;
    x.malformed = malformed;
    x.duplicate = 2 * malformed;
    x.ended = ended;
    return registry.report(x, now);
  }

  const producer_id alice = named_producer("alice");
  const producer_id nobody = random_producer(7, 8);
  time_ms now = 1000;
};

} // namespace

TEST_SUITE("cluster/sessions") {
  TEST_CASE("names and chance make ids of different kinds") {
    CHECK(named_producer("a") == named_producer("a"));
    CHECK(named_producer("a") != named_producer("b"));
    CHECK(!is_random(named_producer("a")));
    CHECK(is_random(random_producer(2, 4)));
  }

  TEST_CASE_FIXTURE(fixture, "each run of a producer has a greater session, "
                             "whatever is restarted") {
    CHECK(open(alice, "alice").session == 1);
    CHECK(open(alice, "alice").session == 2);
    restart();
    CHECK(open(alice, "alice").session == 3);
  }

  TEST_CASE_FIXTURE(fixture, "a new run learns how far the last one came") {
    open(alice, "alice");
    REQUIRE(report(alice, 1, 40, 0));
    restart();
    CHECK(open(alice, "alice").prefix == 40);
  }

  TEST_CASE_FIXTURE(fixture, "an elder session is refused") {
    open(alice, "alice");
    open(alice, "alice");
    auto res = report(alice, 1, 40, 0);
    REQUIRE(!res);
    CHECK(res.error().code == ec::stale_session);
    CHECK(open(alice, "alice").prefix == 0);
  }

  TEST_CASE_FIXTURE(fixture, "counts of a session replace each other, those of "
                             "sessions add up") {
    open(alice, "alice");
    REQUIRE(report(alice, 1, 10, 3));
    REQUIRE(report(alice, 1, 20, 5));
    REQUIRE(report(alice, 1, 20, 5)); // The answer got lost.
    open(alice, "alice");
    REQUIRE(report(alice, 2, 30, 1));
    CHECK(registry.malformed() == 6);
    CHECK(registry.duplicate() == 12);
    restart();
    CHECK(registry.malformed() == 6);
  }

  TEST_CASE_FIXTURE(fixture, "what a random producer reported stays, it itself "
                             "doesn't") {
    open(nobody);
    REQUIRE(report(nobody, 1, 10, 3));
    REQUIRE(report(nobody, 1, 20, 4, true));
    REQUIRE(report(nobody, 1, 20, 4, true)); // The answer got lost.
    CHECK(registry.producers().empty());
    CHECK(registry.malformed() == 4);
    CHECK(stored.size() == 1);
    restart();
    CHECK(registry.producers().empty());
    CHECK(registry.malformed() == 4);
  }

  TEST_CASE_FIXTURE(fixture, "a random producer with nothing to report leaves "
                             "no trace") {
    open(nobody);
    REQUIRE(report(nobody, 1, 10, 0));
    CHECK(stored.empty());
  }

  TEST_CASE_FIXTURE(fixture, "a random producer that never came back is "
                             "forgotten, with its counts kept") {
    open(nobody);
    open(alice, "alice");
    REQUIRE(report(nobody, 1, 10, 3));
    REQUIRE(registry.expire(now + 99, 100));
    CHECK(registry.producers().size() == 2);
    REQUIRE(registry.expire(now + 100, 100));
    CHECK(registry.producers().size() == 1);
    CHECK(registry.producers().count(alice) == 1);
    CHECK(registry.malformed() == 3);
  }

  TEST_CASE_FIXTURE(fixture, "signs of life are heard, and not written down") {
    open(alice, "alice");
    open(nobody);
    REQUIRE(report(alice, 1, 40, 0));
    REQUIRE(report(nobody, 1, 40, 2));
    auto n = saves;
    now += 5'000;
    REQUIRE(report(alice, 1, 40, 0));
    REQUIRE(report(nobody, 1, 40, 2));
    CHECK(saves == n);
    CHECK(registry.producers().at(alice).updated == now);
    REQUIRE(registry.expire(now + 99, 100));
    CHECK(registry.producers().count(nobody) == 1);
    REQUIRE(report(alice, 1, 41, 0));
    REQUIRE(report(nobody, 1, 41, 3));
    CHECK(saves == n + 2);
  }

  TEST_CASE_FIXTURE(fixture, "what could not be saved has not happened") {
    open(alice, "alice");
    full = true;
    CHECK(!report(alice, 1, 40, 3));
    CHECK(!registry.open(alice, "alice", now));
    full = false;
    CHECK(registry.malformed() == 0);
    CHECK(open(alice, "alice").session == 2);
  }

  TEST_CASE_FIXTURE(fixture, "a session that was opened before a restart goes "
                             "on reporting") {
    restart();
    REQUIRE(report(nobody, 1, 10, 2));
    CHECK(registry.malformed() == 2);
  }

} // TEST_SUITE
