#include "cluster/log_outline.hpp"
#include "cluster/rebuild.hpp"

#include <doctest/doctest.h>

using namespace weir;

namespace {

using ends = std::vector<log_position>;

/// Entries 1 and 2 of epoch 1, 3 to 5 of epoch 4.
log_outline example() {
  auto res = log_outline{};
  for (auto i = uint64_t{1}; i <= 5; ++i)
    res.append({i, i < 3 ? uint64_t{1} : uint64_t{4}, 100 + i});
  return res;
}

entry_ptr noop(uint64_t index, uint64_t epoch, uint64_t previous_chain) {
  auto res = std::make_shared<log_entry>();
  res->index = index;
  res->epoch = epoch;
  res->crc = entry_crc(*res);
  res->chain = chain_after(previous_chain, res->crc);
  return res;
}

} // namespace

TEST_SUITE("cluster/log_outline") {
  TEST_CASE("it knows where each epoch ends") {
    auto x = example();
    CHECK(x.tail() == log_position{5, 4, 105});
    CHECK(*x.last_of(1) == log_position{2, 1, 102});
    CHECK(*x.last_of(4) == x.tail());
    CHECK(!x.last_of(3));
    CHECK(x.ends_after(2) == ends{{5, 4, 105}});
    CHECK(x.ends_after(1) == ends{{2, 1, 102}, {5, 4, 105}});
    CHECK(x.ends_after(5).empty());
    CHECK(*x.last_of(0) == log_position{});
  }

  TEST_CASE("what is cut off is forgotten, with its epoch") {
    auto x = example();
    x.cut({4, 4, 104});
    CHECK(x.tail() == log_position{4, 4, 104});
    x.cut({2, 1, 102});
    CHECK(!x.last_of(4));
    CHECK(x.tail() == log_position{2, 1, 102});
    x.append({3, 7, 9});
    CHECK(x.ends_after(0) == ends{{2, 1, 102}, {3, 7, 9}});
  }

  TEST_CASE("what is stored nowhere any more can't be agreed upon") {
    auto x = example();
    x.drop(3);
    CHECK(x.begin_index() == 3);
    CHECK(!x.last_of(1));
    CHECK(x.last_of(4));
    x.drop(99);
    CHECK(x.begin_index() == 5);
    x.drop(2);
    CHECK(x.begin_index() == 5);
  }
} // TEST_SUITE

TEST_SUITE("cluster/rebuild") {
  TEST_CASE("a new copy takes the old one's place when it holds as much: by "
            "epoch, then by index") {
    auto x = rebuild{1, {}, 1};
    REQUIRE(x.begin().has_value());
    CHECK(x.has_checkpoint()); // There is none, and all is in the log.
    auto first = noop(1, 2, 0);
    auto second = noop(2, 3, first->chain);
    CHECK(x.replaces({}));
    CHECK(!x.replaces({4, 2, 0}));
    x.merge({0, 4, {}, {}, {first}, 0});
    CHECK(!x.replaces({4, 2, 0}));
    x.merge({0, 4, {}, {1, 2, first->chain}, {second}, 0});
    CHECK(x.replaces({4, 2, 0}));
    CHECK(!x.replaces({4, 3, 0}));
    CHECK(x.install().entries.size() == 2);
  }

  TEST_CASE("a copy waits for all of its checkpoint") {
    auto begin = copy_begin{};
    begin.chunks = 2;
    auto x = rebuild{1, begin, 1};
    CHECK(!x.has_checkpoint());
    CHECK(!x.replaces({}));
    auto chunk = copy_chunk{};
    chunk.number = 1;
    auto added = x.add_chunk(chunk);
    REQUIRE(added.has_value());
    CHECK(!*added); // Not the next one.
  }
} // TEST_SUITE
