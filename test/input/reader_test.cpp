#include "input/reader.hpp"

#include "test/input/support.hpp"

#include <rapidcheck.h>

#include <algorithm>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weir;
using test::contents;
using test::gzipped;
using test::has;

namespace {

constexpr auto now = std::chrono::milliseconds{0};

using found = std::vector<std::string>;

std::string event(const std::string& entity, time_ms time) {
  return R"({"timestamp":)" + std::to_string(time) + R"(,"entity":")" + entity
         + R"(","value":1})" + "\n";
}

std::string events(const std::string& entity, std::vector<time_ms> times) {
  auto res = std::string{};
  for (auto time : times)
    res += event(entity, time);
  return res;
}

} // namespace

TEST_SUITE("input/reader") {
  TEST_CASE_FIXTURE(test::temp_dir, "the first line tells the format") {
    CHECK(contents({file("a", "\n \n  " + event("a", 5))})
          == found{"a@5 value=1"});
    CHECK(contents({file("b", "\xef\xbb\xbf\r\ntime,id,value\r\n5,s,7\r\n")})
          == found{"s@5 value=7"});
    CHECK(contents({file("c", gzipped("time,id,m\n5,s,7\n"))})
          == found{"s@5000 m=7"});
    CHECK(contents({file("d", "")}) == found{});
    CHECK(contents({file("e", "time,id,value\n")}) == found{});
  }

  TEST_CASE_FIXTURE(test::temp_dir, "a format that is asked for is used") {
    auto options = reader_options{};
    options.format = input_format::ndjson;
    auto lines
      = contents({file("a", "time,id,value\n" + event("a", 5))}, options);
    REQUIRE(lines.size() == 2);
    CHECK(has(lines[0], "bad 1: it is"));
    CHECK(lines[1] == "a@5 value=1");
    options.format = input_format::csv;
    lines = contents({file("b", event("a", 5))}, options);
    REQUIRE(lines.size() == 1);
    CHECK(
      has(lines[0], "failed: cannot read " + path("b")
                      + " at line 1: in the CSV header, column 1 has a quote"));
  }

  TEST_CASE_FIXTURE(test::temp_dir, "records and bad lines know their place") {
    auto first = file("a", event("a", 9));
    auto second = file("b", "\nnonsense,\n" + event("b", 5) + "\n{}\n");
    auto options = reader_options{};
    options.format = input_format::ndjson;
    options.bad_bytes_max = 4;
    auto opened = reader::open({first, second}, options);
    REQUIRE(opened);
    auto& in = **opened;
    REQUIRE(in.next(now) == step::bad);
    CHECK(in.bad().file == second);
    CHECK(in.bad().line == 2);
    CHECK(in.bad().raw == "nons");
    CHECK(in.bad().reason == "it is no JSON object");
    REQUIRE(in.next(now) == step::record);
    CHECK(in.current().file == 1);
    CHECK(in.current().line == 3);
    CHECK(std::string{in.current().raw} + "\n" == event("b", 5));
    REQUIRE(in.next(now) == step::bad);
    CHECK(in.bad().line == 5);
    CHECK(in.bad().raw == "{}");
    REQUIRE(in.next(now) == step::record);
    CHECK(in.current().file == 0);
    CHECK(in.current().line == 1);
    CHECK(in.next(now) == step::end);
    CHECK(in.next(now) == step::end);
  }

  TEST_CASE_FIXTURE(test::temp_dir, "files are merged by time, each in its own "
                                    "order") {
    auto a = file("a", events("a", {1, 4, 2, 9}));
    auto b = file("b", events("b", {3, 4}));
    auto c = file("c", "time,id,value\n4,c,7\n5,c,7\n");
    CHECK(contents({a, b, c})
          == found{"a@1 value=1", "b@3 value=1", "a@4 value=1", "a@2 value=1",
                   "b@4 value=1", "c@4 value=7", "c@5 value=7", "a@9 value=1"});
    CHECK(contents({c, b, a}).front() == "a@1 value=1");
  }

  TEST_CASE_FIXTURE(test::temp_dir, "merging keeps every record, and sorted "
                                    "files stay sorted") {
    CHECK(rc::check("merge", [this] {
      auto files = *rc::gen::resize(
        12,
        rc::gen::nonEmpty(rc::gen::container<std::vector<std::vector<time_ms>>>(
          rc::gen::container<std::vector<time_ms>>(
            rc::gen::inRange<time_ms>(0, 50)))));
      auto paths = std::vector<std::string>{};
      auto expected = std::vector<std::pair<time_ms, size_t>>{};
      for (auto i = size_t{0}; i < files.size(); ++i) {
        std::sort(files[i].begin(), files[i].end());
        paths.push_back(
          file(std::to_string(i), events(std::to_string(i), files[i])));
        for (auto time : files[i])
          expected.emplace_back(time, i);
      }
      std::sort(expected.begin(), expected.end());
      auto in = reader::open(paths);
      RC_ASSERT(in.has_value());
      for (const auto& [time, i] : expected) {
        RC_ASSERT((*in)->next(now) == step::record);
        RC_ASSERT((*in)->current().time == time);
        RC_ASSERT((*in)->current().file == i);
        RC_ASSERT((*in)->current().entity == std::to_string(i));
      }
      RC_ASSERT((*in)->next(now) == step::end);
      RC_ASSERT((*in)->bytes_read() == (*in)->bytes_total());
    }));
  }

  TEST_CASE_FIXTURE(test::temp_dir, "a file that can't be read leaves the "
                                    "others alone") {
    auto whole = gzipped(events("z", {1, 2, 3}));
    auto cut = file("cut", whole.substr(0, whole.size() - 1));
    auto good = file("good", events("a", {2, 9}));
    auto table = file("table", "when,who\n1,2\n");
    auto lines = contents({path("absent"), cut, good, table, path("")});
    REQUIRE(lines.size() == 9);
    CHECK(has(lines[0], "failed: cannot open " + path("absent")));
    CHECK(has(lines[1], "failed: cannot read " + path("")));
    CHECK(has(lines[2], "failed: cannot read " + path("table")
                          + " at line 1: the CSV header has no column for the "
                            "time by any usual name; there are \"when\", "
                            "\"who\""));
    CHECK(found(lines.begin() + 3, lines.begin() + 7)
          == found{"z@1 value=1", "z@2 value=1", "a@2 value=1", "z@3 value=1"});
    CHECK(has(lines[7], "failed: " + cut + " ends in the middle"));
    CHECK(has(lines[7], "; 3 lines were read before"));
    CHECK(lines[8] == "a@9 value=1");
  }

  TEST_CASE_FIXTURE(test::temp_dir, "a last line that a failure cut off is not "
                                    "taken for a whole one") {
    auto text
      = event("a", 5) + "{\"timestamp\":6,\"entity\":\"b\",\"value\":12}";
    auto in = gzipped(text + std::string(100'000, ' ') + "x");
    auto lines = contents({file("a", in.substr(0, in.size() - 20))});
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] == "a@5 value=1");
    CHECK(has(lines[1], "1 lines were read before"));
  }

  TEST_CASE_FIXTURE(test::temp_dir, "a line that is too long is bad, and the "
                                    "next one fine") {
    auto options = reader_options{};
    options.line_bytes_max = 60;
    auto lines
      = contents({file("a", event("a", 5) + event(std::string(500'000, 'x'), 6)
                              + event("b", 7))},
                 options);
    CHECK(lines
          == found{"a@5 value=1", "bad 2: it has more than 60 bytes",
                   "b@7 value=1"});
  }

  TEST_CASE_FIXTURE(test::temp_dir, "one bad line costs no other") {
    auto text = std::string{};
    auto expected = found{};
    for (auto i = 0; i < 20'000; ++i) {
      if (i % 7 == 3) {
        text += i % 2 ? "{\"timestamp\":5,\n" : event("a", i).insert(9, "\"");
        continue;
      }
      text += event("a", i);
      expected.push_back("a@" + std::to_string(i) + " value=1");
    }
    auto lines = contents({file("a", text)});
    CHECK(lines.size() == 20'000);
    lines.erase(std::remove_if(lines.begin(), lines.end(),
                               [](const std::string& x) {
                                 return x.compare(0, 4, "bad ") == 0;
                               }),
                lines.end());
    CHECK(lines == expected);
  }

  TEST_CASE_FIXTURE(test::temp_dir, "a slow pipe is idle, and holds the merge "
                                    "until it says its next time") {
    REQUIRE(::mkfifo(path("pipe").c_str(), 0600) == 0);
    auto opened = reader::open({file("a", events("a", {1, 9})), path("pipe")});
    REQUIRE(opened);
    auto& in = **opened;
    CHECK(in.bytes_total() == 0);
    CHECK(in.next(now) == step::idle);
    auto fd = ::open(path("pipe").c_str(), O_WRONLY);
    REQUIRE(fd >= 0);
    auto put = [&](const std::string& text) {
      REQUIRE(::write(fd, text.data(), text.size())
              == static_cast<ssize_t>(text.size()));
    };
    CHECK(in.next(now) == step::idle);
    put(event("p", 3).substr(0, 10));
    CHECK(in.next(now) == step::idle);
    put(event("p", 3).substr(10) + "oops\n");
    REQUIRE(in.next(now) == step::record);
    CHECK(in.current().entity == "a");
    REQUIRE(in.next(now) == step::record);
    CHECK(in.current().entity == "p");
    REQUIRE(in.next(now) == step::bad);
    CHECK(in.next(now) == step::idle);
    ::close(fd);
    REQUIRE(in.next(now) == step::record);
    CHECK(in.current().time == 9);
    CHECK(in.next(now) == step::end);
  }

  TEST_CASE_FIXTURE(test::temp_dir, "standard input is a file like others") {
    auto saved = ::dup(STDIN_FILENO);
    auto fd = ::open(file("a", gzipped(event("a", 5))).c_str(), O_RDONLY);
    REQUIRE(::dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    auto lines = contents({"-"});
    CHECK(::fcntl(STDIN_FILENO, F_GETFD) >= 0); // Not ours to close.
    ::dup2(saved, STDIN_FILENO);
    ::close(saved);
    ::close(fd);
    CHECK(lines == found{"a@5 value=1"});
  }

  TEST_CASE_FIXTURE(test::temp_dir,
                    "more files than descriptors fail by name") {
    // Reading on must be possible with those that did open.
    auto paths = std::vector<std::string>(40, file("a", event("a", 5)));
    struct rlimit_guard {
      rlimit_guard() {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &saved) == 0);
        auto lower = saved;
        lower.rlim_cur = 20;
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &lower) == 0);
      }
      ~rlimit_guard() {
        ::setrlimit(RLIMIT_NOFILE, &saved);
      }
      rlimit saved;
    };
    auto lines = found{};
    {
      auto guard = rlimit_guard{};
      lines = contents(paths);
    }
    CHECK(lines.size() == 40);
    CHECK(has(lines.front(), "raise the limit (ulimit -n)"));
    CHECK(lines.back() == "a@5 value=1");
  }

  TEST_CASE("requests without meaning are refused at once") {
    auto why
      = [](std::vector<std::string> paths, reader_options options, ec code) {
          auto res = reader::open(std::move(paths), std::move(options));
          REQUIRE(!res);
          CHECK(res.error().code == code);
          return res.error().text;
        };
    auto options = reader_options{};
    CHECK(has(why({}, options, ec::invalid_argument), "no input files"));
    CHECK(has(why({"-", "-"}, options, ec::invalid_argument), "named twice"));
    CHECK(
      has(why(std::vector<std::string>(1025, "x"), options, ec::limit_reached),
          "1025 files are named, but at most 1024"));
    options.line_bytes_max = 0;
    CHECK(has(why({"-"}, options, ec::invalid_argument), "longest line"));
    options = {};
    options.metrics_per_sample_max = 0;
    CHECK(has(why({"-"}, options, ec::invalid_argument), "room for a metric"));
  }

} // TEST_SUITE
