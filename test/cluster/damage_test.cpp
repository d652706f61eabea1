#include "test/cluster/records.hpp"
#include "test/simulate/world.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>

#include <algorithm>

// A copy that is not what was written: it takes no part until nobody counts on
// it, and then begins with nothing.

using namespace weir;
using namespace weir::test;

namespace {

struct fixture : world {
  fixture() {
    serve({"a", "b"});
    CHECK(send("a", 0, 3).code == ec::none);
    settle();
    CHECK(acked() == 3);
  }

  /// b comes back, and finds what it has damaged.
  void spoil_b() {
    crash("b");
    nodes.at("b").disk.corrupt(1);
    start("b");
    REQUIRE(at("b").report().failed);
  }

  void tell_b(const shard_config& x) {
    announce("b", announcement{x, {}});
  }

  /// The present one with other members.
  shard_config with(const std::vector<member>& members,
                    const std::vector<node_disk>& eligible, uint64_t epoch) {
    return {number, epoch, "a", members, eligible, 1};
  }

  bool is_anew() {
    return nodes.at("b").quarantined > 0;
  }
};

} // namespace

TEST_SUITE("cluster/damage") {
  TEST_CASE_FIXTURE(fixture, "a damaged copy stays while it is a member, in "
                             "whatever life, or its disk is eligible") {
    auto old = identity("b");
    spoil_b();
    auto b = identity("b");
    auto epoch = config().epoch;
    tell_b(with({identity("a"), old}, {}, epoch));
    CHECK(!is_anew());
    tell_b(with({identity("a"), b}, {}, epoch + 1));
    CHECK(!is_anew());
    tell_b(with({identity("a")}, {{b.node, b.disk}}, epoch + 2));
    CHECK(!is_anew());
    // Another disk of the same node is no concern of it.
    tell_b(with({identity("a")}, {{b.node, "another"}}, epoch + 3));
    CHECK(is_anew());
    CHECK(!at("b").report().failed);
    CHECK(at("b").report().end.index == 0);
  }

  TEST_CASE_FIXTURE(fixture, "news of the past does not make it expendable") {
    spoil_b();
    auto epoch = at("b").report().promised;
    tell_b(with({identity("a")}, {}, epoch - 1));
    CHECK(!is_anew());
    tell_b(with({identity("a")}, {}, epoch + 1));
    CHECK(is_anew());
    CHECK(at("b").report().promised == epoch + 1);
  }

  TEST_CASE_FIXTURE(fixture, "whoever follows in an epoch may be about to "
                             "become a member") {
    // b, a learner, has all that is committed; its primary may just have said
    // so to the coordinator.
    configure("a", {identity("a")});
    goals.learners = {identity("b")};
    announce();
    coordinator_up = false;
    tick(200);
    settle();
    at("b").fail_for_good({ec::damaged, "a row is not what was written"});
    auto epoch = config().epoch;
    at("b").announce({with({identity("a")}, {}, epoch), {}}, now);
    CHECK(!at("b").expendable());
    at("b").announce({with({identity("a")}, {}, epoch + 1), {}}, now);
    CHECK(at("b").expendable());
  }

  TEST_CASE_FIXTURE(fixture, "whoever had a part in the same life before is as "
                             "careful") {
    auto& b = at("b");
    b.assume_part();
    b.fail_for_good({ec::damaged, "a row is not what was written"});
    auto epoch = b.report().promised;
    b.announce({with({identity("a")}, {}, epoch), {}}, now);
    CHECK(!b.expendable());
    b.announce({with({identity("a")}, {}, epoch + 1), {}}, now);
    CHECK(b.expendable());
  }

  TEST_CASE_FIXTURE(fixture, "the copy is learned anew, and all is there") {
    spoil_b();
    configure("a", {identity("a")});
    goals.learners = {identity("b")};
    pass(3'000);
    CHECK(is_anew());
    CHECK(at("b").role() == replica_role::backup);
    CHECK(counted("b") == 3);
    CHECK(config().members.size() == 2);
  }

  TEST_CASE_FIXTURE(fixture,
                    "one that holds what it held is never expendable") {
    configure("a", {identity("a")});
    announce();
    CHECK(!at("b").expendable());
    tell_b(with({identity("a")}, {}, config().epoch + 5));
    CHECK(!at("b").expendable());
  }
}
