#include "storage/data_dir.hpp"

#include "storage/journal.hpp"
#include "test/storage/support.hpp"

#include <rapidcheck.h>

#include <set>

#include <sys/wait.h>
#include <unistd.h>

using namespace weir;
using namespace weir::test;

namespace {

struct fixture {
  temporary_directory parent;
  std::string path = parent.file("node");

  data_dir open(const std::string& name = "") const {
    return must(data_dir::open(path, name));
  }
};

} // namespace

TEST_SUITE("storage/data_dir") {
  TEST_CASE_FIXTURE(fixture, "a directory is made with its parents, and has an "
                             "identity of its own") {
    auto deep = parent.file("a/b/c");
    auto first = must(data_dir::open(deep, "one"));
    auto second = open("two");
    CHECK(first.fresh());
    CHECK(first.who().name == "one");
    CHECK(first.who().cluster == "");
    CHECK(first.who().node.size() == 32);
    CHECK(first.who().disk.size() == 32);
    CHECK(first.who().node != first.who().disk);
    CHECK(first.who().node != second.who().node);
    CHECK(first.who().disk != second.who().disk);
    CHECK(first.file("journal.db") == deep + "/journal.db");
  }

  TEST_CASE_FIXTURE(fixture, "every start is the same node in a new "
                             "incarnation") {
    auto first = open("river").who();
    auto last = first.incarnation;
    for (auto start = 2u; start < 5; ++start) {
      auto dir = open();
      auto expected = first;
      expected.incarnation = dir.who().incarnation;
      CHECK(dir.who() == expected);
      CHECK(!dir.fresh());
      CHECK(dir.who().incarnation > last);
      last = dir.who().incarnation;
    }
    CHECK(open("lake").who().name == "lake");
    CHECK(open().who().name == "lake");
  }

  TEST_CASE_FIXTURE(fixture, "an older copy of a directory lives a life that "
                             "the other one has not had") {
    open();
    auto who = must(parse_identity(bytes_of(path + "/identity")));
    // Whatever the clock said then, whatever it says now.
    for (auto last : {who.incarnation, uint64_t{1}, uint64_t{1} << 60}) {
      CAPTURE(last);
      who.incarnation = last;
      auto lives = std::set<uint64_t>{};
      for (auto i = 0; i < 5; ++i) {
        put_bytes(path + "/identity", to_text(who));
        lives.insert(open().who().incarnation);
      }
      CHECK(lives.size() == 5);
      CHECK(*lives.begin() > last);
    }
  }

  TEST_CASE_FIXTURE(fixture, "a directory belongs to one cluster") {
    {
      auto dir = open();
      must(dir.join("cluster-1"));
      must(dir.join("cluster-1"));
      auto other = dir.join("cluster-2");
      CHECK(code_of(other) == ec::wrong_cluster);
      CHECK(contains(text_of(other), "belongs to cluster cluster-1"));
    }
    auto dir = open();
    CHECK(dir.who().cluster == "cluster-1");
    CHECK(code_of(dir.join("cluster-2")) == ec::wrong_cluster);
  }

  TEST_CASE_FIXTURE(fixture, "a directory that lost its databases is another "
                             "disk") {
    auto before = open().who();
    {
      auto dir = open();
      must(dir.renew_disk());
      CHECK(dir.who().disk != before.disk);
    }
    auto after = open().who();
    CHECK(after.node == before.node);
    CHECK(after.disk != before.disk);
    CHECK(after.disk.size() == 32);
  }

  TEST_CASE_FIXTURE(fixture, "a directory in use is refused, with the process "
                             "that uses it") {
    auto held = open();
    auto other = data_dir::open(path, "");
    CHECK(code_of(other) == ec::in_use);
    CHECK(contains(text_of(other), "data directory " + path
                                     + " is in use by process "
                                     + std::to_string(::getpid())));
    auto first = held.who().incarnation;
    { auto moved = std::move(held); }
    CHECK(open().who().incarnation > first);
  }

  TEST_CASE_FIXTURE(fixture, "a killed process does not hold its directory") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    auto child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      auto held = data_dir::open(path, "");
      auto ok = held ? 'y' : 'n';
      if (::write(ends[1], &ok, 1) == 1)
        ::pause();
      ::_exit(0);
    }
    auto ok = 'n';
    REQUIRE(::read(ends[0], &ok, 1) == 1);
    CHECK(ok == 'y');
    auto other = data_dir::open(path, "");
    CHECK(contains(text_of(other), "process " + std::to_string(child)));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    ::close(ends[0]);
    ::close(ends[1]);
    CHECK(!open().fresh());
  }

  TEST_CASE_FIXTURE(fixture, "an identity is what was written, or an error, "
                             "never a new one") {
    auto who = open("river").who();
    auto file = path + "/identity";
    auto pristine = bytes_of(file);
    for (auto bit = 0u; bit < pristine.size() * 8; ++bit) {
      auto bytes = pristine;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      put_bytes(file, bytes);
      auto dir = data_dir::open(path, "");
      // A flipped digit of the format may look like one of the future.
      CHECK(
        (code_of(dir) == ec::damaged || code_of(dir) == ec::version_mismatch));
      CHECK(bytes_of(file) == bytes);
    }
    for (auto size = size_t{0}; size < pristine.size(); ++size) {
      put_bytes(file, pristine.substr(0, size));
      CHECK(code_of(data_dir::open(path, "")) == ec::damaged);
    }
    put_bytes(file, pristine + "\n");
    auto longer = data_dir::open(path, "");
    CHECK(code_of(longer) == ec::damaged);
    CHECK(contains(text_of(longer), file + ": is not what was written"));
    put_bytes(file, pristine);
    CHECK(open().who().node == who.node);
  }

  TEST_CASE("an identity survives being written") {
    CHECK(rc::check([] {
      auto word
        = rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '~'));
      auto x
        = identity{*word, *word, *word, *word, *rc::gen::arbitrary<uint64_t>()};
      RC_ASSERT(must(parse_identity(to_text(x))) == x);
    }));
  }

  TEST_CASE("the identity file is this text") {
    auto x = identity{"c1", "n1", "d1", "river one", 7};
    CHECK(to_text(x)
          == "format = 1\n"
             "cluster = c1\n"
             "node = n1\n"
             "disk = d1\n"
             "name = river one\n"
             "incarnation = 7\n"
             "checksum = 45c3b1cf2f95d3b1\n");
  }

  TEST_CASE("an identity of a later format is refused by name") {
    auto x = parse_identity("format = 2\nwhatever = comes then\n");
    CHECK(code_of(x) == ec::version_mismatch);
    CHECK(contains(text_of(x), "has format 2; this weir writes 1"));
  }

  TEST_CASE_FIXTURE(fixture, "a missing identity beside databases is not made "
                             "anew") {
    auto node = open().who().node;
    must(journal::open(path + "/journal.db", durability::power));
    fs::rename(path + "/identity", path + "/aside");
    auto dir = data_dir::open(path, "");
    CHECK(code_of(dir) == ec::damaged);
    CHECK(contains(text_of(dir), "is missing beside journal.db"));
    CHECK(!fs::exists(path + "/identity"));
    fs::rename(path + "/aside", path + "/identity");
    CHECK(open().who().node == node);
  }

  TEST_CASE_FIXTURE(fixture, "what a crash left of a new identity does no "
                             "harm") {
    auto before = open().who();
    put_bytes(path + "/identity.new", "format = 1\nclus");
    auto dir = open();
    CHECK(dir.who().node == before.node);
    CHECK(dir.who().incarnation > before.incarnation);
  }

  TEST_CASE_FIXTURE(fixture, "names that cannot stand in a line are refused") {
    CHECK(code_of(data_dir::open(path, "two\nlines")) == ec::invalid_argument);
    CHECK(code_of(data_dir::open(path, std::string(513, 'n')))
          == ec::invalid_argument);
    CHECK(!fs::exists(path));
    auto dir = open("zwölf µs = ok");
    CHECK(code_of(dir.join("tab\t")) == ec::invalid_argument);
  }

  TEST_CASE_FIXTURE(fixture, "a path that cannot be a directory is told with "
                             "advice") {
    put_bytes(path, "a file");
    auto file = data_dir::open(path, "");
    CHECK(code_of(file) == ec::io_error);
    CHECK(contains(text_of(file), "is not a directory"));
    auto below = data_dir::open(path + "/below", "");
    CHECK(code_of(below) == ec::io_error);
    CHECK(contains(text_of(below), "a part of that path is a file"));
  }

  TEST_CASE_FIXTURE(fixture, "a directory without permission is told with "
                             "advice") {
    fs::create_directory(path);
    fs::permissions(path, fs::perms::owner_read | fs::perms::owner_exec
                            | fs::perms::others_read | fs::perms::others_exec);
    fs::permissions(parent.path(),
                    fs::perms::owner_all | fs::perms::others_exec);
    // Root may write anywhere, so it is nobody for a while.
    auto user = ::geteuid();
    auto nobody = uid_t{65534};
    REQUIRE((user != 0 || ::seteuid(nobody) == 0));
    auto dir = data_dir::open(path, "");
    auto below = data_dir::open(path + "/below", "");
    REQUIRE((user != 0 || ::seteuid(user) == 0));
    for (auto& x : {dir.error(), below.error()}) {
      CHECK(x.code == ec::io_error);
      CHECK(contains(x.text, "check owner and mode"));
    }
    fs::permissions(path, fs::perms::owner_all);
  }

  TEST_CASE_FIXTURE(fixture, "full and read-only file systems are told with "
                             "advice, and cost nothing") {
    auto disk = small_disk{path, "64k"};
    if (!disk)
      return;
    auto dir = path + "/data";
    auto first = must(data_dir::open(dir, "")).who();
    put_bytes(path + "/ballast", "");
    {
      auto out = std::ofstream{path + "/ballast"};
      out << std::string(128 << 10, 'b');
    }
    auto full = data_dir::open(dir, "");
    CHECK(code_of(full) == ec::disk_full);
    CHECK(contains(text_of(full), "free some space"));
    fs::remove(path + "/ballast");
    auto second = must(data_dir::open(dir, "")).who();
    CHECK(second.node == first.node);
    disk.make_read_only();
    auto frozen = data_dir::open(dir, "");
    auto fresh = data_dir::open(path + "/other", "");
    CHECK(code_of(frozen) == ec::io_error);
    CHECK(contains(text_of(frozen), "mount it writable"));
    CHECK(code_of(fresh) == ec::io_error);
  }

} // TEST_SUITE
