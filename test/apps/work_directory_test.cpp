#include "apps/work_directory.hpp"

#include "test/storage/support.hpp"

using namespace weir;
using namespace weir::test;

TEST_SUITE("apps/work_directory") {
  TEST_CASE("it has its name only once it is kept") {
    auto dir = temporary_directory{};
    {
      auto aut = must(work_directory::create(dir.file("a")));
      put_bytes(aut.path() + "/x", "content");
      CHECK_FALSE(fs::exists(dir.file("a")));
      must(aut.keep());
    }
    CHECK(bytes_of(dir.file("a/x")) == "content");
    fs::remove(dir.file("a/x"));
    CHECK(fs::is_empty(dir.file("a")));
    CHECK_FALSE(fs::exists(dir.file("a.partial")));
  }

  TEST_CASE("what is not kept is gone") {
    auto dir = temporary_directory{};
    {
      auto aut = must(work_directory::create(dir.file("a")));
      put_bytes(aut.path() + "/x", "content");
    }
    CHECK(fs::is_empty(dir.path()));
  }

  TEST_CASE("what is there is never overwritten") {
    auto dir = temporary_directory{};
    put_bytes(dir.file("a"), "");
    CHECK(work_directory::create(dir.file("a")).error().code == ec::conflict);
    fs::create_directory(dir.file("b"));
    CHECK(work_directory::create(dir.file("b/")).error().code == ec::conflict);
    auto late = must(work_directory::create(dir.file("c")));
    fs::create_directory(dir.file("c"));
    put_bytes(dir.file("c/x"), "");
    CHECK(late.keep().error().code == ec::conflict);
  }

  TEST_CASE("one that a process works on is refused, one that was left goes") {
    auto dir = temporary_directory{};
    {
      auto killed = must(work_directory::create(dir.file("a")));
      put_bytes(killed.path() + "/x", "left");
      fs::copy(killed.path(), dir.file("left"));
    }
    fs::rename(dir.file("left"), dir.file("a.partial"));
    auto aut = must(work_directory::create(dir.file("a")));
    CHECK_FALSE(fs::exists(aut.path() + "/x"));
    CHECK(work_directory::create(dir.file("a")).error().code == ec::in_use);
  }

  TEST_CASE("one that somebody else has named so is left alone") {
    auto dir = temporary_directory{};
    fs::create_directory(dir.file("a.partial"));
    put_bytes(dir.file("a.partial/x"), "mine");
    CHECK(work_directory::create(dir.file("a")).error().code == ec::conflict);
    CHECK(bytes_of(dir.file("a.partial/x")) == "mine");
  }
}
