#include "cluster/config_recovery.hpp"

#include <doctest/doctest.h>

using namespace weir;

namespace {

const auto a = member{"a", "disk-a", 3};
const auto b = member{"b", "disk-b", 1};
const auto c = member{"c", "disk-c", 2};

node_disk disk_of(const member& x) {
  return {x.node, x.disk};
}

shard_config config(uint64_t epoch, const member& primary,
                    std::vector<member> members,
                    std::vector<node_disk> eligible = {}) {
  return {7, epoch, primary.node, std::move(members), std::move(eligible), 1};
}

config_witness knows(const member& who, const shard_config& x,
                     uint64_t promised = 0) {
  return {who, promised > 0 ? promised : x.epoch, x};
}

} // namespace

TEST_SUITE("cluster/config_recovery") {
  TEST_CASE("with all disks there, the newest configuration goes on under an "
            "epoch beyond all") {
    auto old = config(4, a, {a, b});
    auto last = config(5, b, {b, c}, {disk_of(a)});
    // A fence was promised; nobody was ever told of its outcome.
    auto x = recover_config(
      7, {old}, {knows(a, old), knows(b, last), knows(c, last, 9)}, {}, 1);
    CHECK(x.kept);
    CHECK_FALSE(x.at_risk);
    CHECK(x.config.epoch > 9 + 100);
    CHECK(x.config.primary == "b");
    CHECK(x.config.members == last.members);
    CHECK(x.config.eligible == last.eligible);
  }

  TEST_CASE("a copy may know a configuration that no node was told") {
    auto told = config(4, a, {a, b});
    auto stored = config(5, b, {b}, {disk_of(a)});
    auto x
      = recover_config(7, {stored}, {knows(a, told), knows(b, told)}, {}, 1);
    CHECK(x.kept);
    CHECK(x.config.primary == "b");
    CHECK(x.config.members == std::vector{b});
  }

  TEST_CASE("a shard that was never configured stays so") {
    auto none = shard_config{};
    none.shard = 7;
    auto x = recover_config(7, {}, {knows(a, none)}, {}, 1);
    CHECK(x.config.epoch == 0);
    CHECK_FALSE(x.at_risk);
    CHECK(recover_config(7, {}, {knows(a, none)}, {disk_of(b)}, 1).at_risk);
  }

  TEST_CASE("who was named and is missing may have been left alone: it is at "
            "risk, and the others elect") {
    auto last = config(5, a, {a, b}, {disk_of(c)});
    auto x = recover_config(7, {}, {knows(b, last), knows(c, last)},
                            {disk_of(a)}, 1);
    CHECK(x.at_risk);
    CHECK_FALSE(x.kept);
    CHECK(x.config.primary.empty());
    CHECK(x.config.members.empty());
    CHECK(x.config.eligible.size() == 3);
  }

  TEST_CASE("nothing is at risk if the missing could not acknowledge without "
            "one of those who are there") {
    auto last = config(5, a, {a, b, c});
    last.min_copies = 2;
    auto heard = std::vector{knows(b, last), knows(c, last)};
    CHECK_FALSE(recover_config(7, {}, heard, {disk_of(a)}, 2).at_risk);
    CHECK(recover_config(7, {}, heard, {disk_of(a)}, 1).at_risk);
    CHECK(recover_config(7, {}, {knows(c, last)}, {disk_of(a), disk_of(b)}, 2)
            .at_risk);
    last.min_copies = 1;
    CHECK(
      recover_config(7, {}, {knows(b, last), knows(c, last)}, {disk_of(a)}, 2)
        .at_risk);
  }

  TEST_CASE("a shard that does not concern the missing goes on as it was") {
    auto last = config(5, a, {a, b});
    auto heard = std::vector{knows(a, last), knows(b, last)};
    auto x = recover_config(7, {}, heard, {disk_of(c)}, 1);
    CHECK(x.kept);
    CHECK_FALSE(x.at_risk);
    // Its primary has started anew: what it proposed before is not known.
    heard[0].who.incarnation = 4;
    x = recover_config(7, {}, heard, {disk_of(c)}, 1);
    CHECK(x.kept);
    CHECK(x.at_risk);
  }

  TEST_CASE("a promise beyond all that is known was made to somebody: with one "
            "missing, all who made it may hold the most") {
    auto last = config(5, a, {a});
    auto x = recover_config(7, {}, {knows(a, last), knows(b, last, 6)},
                            {disk_of(c)}, 1);
    CHECK(x.at_risk);
    CHECK_FALSE(x.kept);
    CHECK(x.config.eligible == std::vector{disk_of(a), disk_of(b)});
    CHECK(x.config.epoch > 6);
  }
}
