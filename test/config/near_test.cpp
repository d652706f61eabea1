#include "config/near.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>

using namespace weir;

namespace {

const auto words
  = std::vector<std::string_view>{"window", "lateness", "retention", "shards"};

} // namespace

TEST_SUITE("config/near") {
  TEST_CASE("a letter more, less, other or swapped is forgiven") {
    CHECK(nearest("windoww", words) == "window");
    CHECK(nearest("widow", words) == "window");
    CHECK(nearest("wimdow", words) == "window");
    CHECK(nearest("widnow", words) == "window");
    CHECK(nearest("WINDOW", words) == "window");
  }

  TEST_CASE("a swap counts as one mistake, not two") {
    CHECK(nearest("ab", {"ba"}) == "ba");
    CHECK(!nearest("ab", {"cd"}));
  }

  TEST_CASE("a third of the word may be wrong and no more") {
    CHECK(nearest("wandaw", words) == "window");
    CHECK(!nearest("wandaa", words));
    CHECK(!nearest("", words));
    CHECK(!nearest(std::string(10'000, 'w'), words));
  }

  TEST_CASE("the nearest wins, and the first of equals") {
    CHECK(nearest("shard", {"sharks", "shards"}) == "shards");
    CHECK(nearest("cat", {"bat", "rat"}) == "bat");
  }

  TEST_CASE("as many letters are counted as are wrong") {
    CHECK(rc::check([] {
      auto word = *rc::gen::container<std::string>(rc::gen::inRange('a', 'd'));
      if (word.size() > 12)
        word.resize(12);
      auto other = word;
      auto edits = *rc::gen::inRange<size_t>(0, 6);
      for (auto i = size_t{0}; i < edits && 3 * i < other.size(); ++i)
        other[3 * i] = 'X';
      auto done = std::min(edits, (word.size() + 2) / 3);
      auto found = nearest(other, {word}).has_value();
      RC_ASSERT(found == (done <= std::max(size_t{1}, other.size() / 3)));
    }));
  }

  TEST_CASE("a word is nearest to itself") {
    CHECK(rc::check([](const std::vector<std::string>& all) {
      auto views = std::vector<std::string_view>{all.begin(), all.end()};
      for (auto& x : all)
        if (x.size() <= 64)
          RC_ASSERT(nearest(x, views).has_value());
    }));
  }

} // TEST_SUITE
