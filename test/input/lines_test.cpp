#include "input/line_splitter.hpp"

#include "test/input/support.hpp"

#include <rapidcheck.h>

#include <algorithm>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weir;
using test::gzipped;
using test::has;

namespace {

constexpr auto now = std::chrono::milliseconds{0};

using lines = std::vector<std::string>;

/// Lines as "number: text", "number! text" for one that is too long.
lines split(const std::string& path, size_t buffer_bytes = 16,
            size_t line_bytes_max = 100) {
  auto source = byte_source::open(path);
  REQUIRE(source);
  auto in = line_splitter{std::move(*source), buffer_bytes, line_bytes_max};
  auto res = lines{};
  auto wait = patience{std::chrono::milliseconds{-1}};
  for (;;) {
    auto status = in.next(wait);
    auto number = std::to_string(in.number());
    if (status == line_status::line)
      res.push_back(number + ": " + std::string{in.line()});
    else if (status == line_status::too_long)
      res.push_back(
        number + "! " + std::string{in.line().substr(0, 5)}
        + (in.line().size() == line_bytes_max ? "" : " of wrong size"));
    else if (status == line_status::failed)
      res.push_back("failed: " + in.error().text);
    else
      return res;
  }
}

/// What `split` is meant to do, said in the simplest way.
lines naive_split(std::string text, size_t line_bytes_max) {
  auto res = lines{};
  if (!text.empty() && text.back() != '\n')
    text += '\n';
  for (auto number = 1; !text.empty(); ++number) {
    auto line = text.substr(0, text.find('\n'));
    text.erase(0, line.size() + 1);
    if (!line.empty() && line.back() == '\r')
      line.pop_back();
    if (line.size() > line_bytes_max)
      res.push_back(std::to_string(number) + "! "
                    + line.substr(0, std::min(line_bytes_max, size_t{5})));
    else if (line.find_first_not_of(" \t\r") != std::string::npos)
      res.push_back(std::to_string(number) + ": " + line);
  }
  return res;
}

/// All bytes of a file, read `capacity` at a time, or "failed: " and why
/// behind what came before.
std::string bytes_of(const std::string& path, size_t capacity = 1000) {
  auto source = byte_source::open(path);
  REQUIRE(source);
  auto wait = patience{std::chrono::milliseconds{-1}};
  auto res = std::string{};
  auto buffer = std::string(capacity, '\0');
  for (;;) {
    auto outcome = (*source)->read(buffer.data(), capacity, wait);
    if (!outcome)
      return res + "failed: " + outcome.error().text;
    if (outcome->status == read_status::end)
      return res;
    res.append(buffer, 0, outcome->bytes);
  }
}

std::string why_not_open(const std::string& path, ec code) {
  auto source = byte_source::open(path);
  REQUIRE(!source);
  CHECK(source.error().code == code);
  return source.error().text;
}

std::string numbers_up_to(int n) {
  auto res = std::string{};
  for (auto i = 0; i < n; ++i)
    res += std::to_string(i) + "\n";
  return res;
}

} // namespace

TEST_SUITE("input/line_splitter") {
  TEST_CASE_FIXTURE(test::temp_dir, "lines end in LF, CRLF or the file's end") {
    CHECK(split(file("a", "one\ntwo\r\nthree"))
          == lines{"1: one", "2: two", "3: three"});
    CHECK(split(file("b", "one\r")) == lines{"1: one"});
    CHECK(split(file("c", "a\rb\n")) == lines{"1: a\rb"});
    CHECK(split(file("d", "")) == lines{});
  }

  TEST_CASE_FIXTURE(test::temp_dir, "blank lines count but do not show") {
    CHECK(split(file("a", "\n\r\n \t\none\n\n\ntwo\n\n"))
          == lines{"4: one", "7: two"});
  }

  TEST_CASE_FIXTURE(test::temp_dir,
                    "a byte order mark at the start is dropped") {
    CHECK(split(file("a", "\xef\xbb\xbfone\n\xef\xbb\xbftwo\n"))
          == lines{"1: one", "2: \xef\xbb\xbftwo"});
    CHECK(split(file("b", "\xef\xbb\xbf\none\n")) == lines{"2: one"});
    CHECK(split(file("c", "\xef\xbb\xbf")) == lines{});
  }

  TEST_CASE_FIXTURE(test::temp_dir,
                    "a line that is too long costs itself only") {
    auto at_limit = std::string(100, 'x');
    for (auto buffer_bytes :
         {size_t{1}, size_t{16}, size_t{64}, size_t{4096}}) {
      CAPTURE(buffer_bytes);
      CHECK(split(file("a", "one\n" + at_limit + "\r\n" + at_limit + "x\nfour\n"
                              + std::string(5000, 'y') + "\nsix"),
                  buffer_bytes)
            == lines{"1: one", "2: " + at_limit, "3! xxxxx", "4: four",
                     "5! yyyyy", "6: six"});
      CHECK(split(file("b", "one\n" + std::string(5000, 'y')), buffer_bytes)
            == lines{"1: one", "2! yyyyy"});
    }
  }

  TEST_CASE_FIXTURE(test::temp_dir, "a line of a MiB goes through, one more "
                                    "byte does not") {
    auto mib = std::string(size_t{1} << 20, 'x');
    auto path = file("a", mib + "\n" + mib + "x\nthree\n");
    auto found = split(path, size_t{256} << 10, size_t{1} << 20);
    REQUIRE(found.size() == 3);
    CHECK(found[0] == "1: " + mib);
    CHECK(found[1] == "2! xxxxx");
    CHECK(found[2] == "3: three");
  }

  TEST_CASE_FIXTURE(test::temp_dir, "a line that a failure cut off is gone") {
    auto whole = gzipped("one\ntwo");
    auto found = split(file("a", whole.substr(0, whole.size() - 1)));
    REQUIRE(found.size() == 2);
    CHECK(found[0] == "1: one");
    CHECK(has(found[1], "failed: "));
  }

  TEST_CASE_FIXTURE(test::temp_dir, "any text splits as the naive way does") {
    CHECK(rc::check("same lines", [this] {
      auto text = *rc::gen::container<std::string>(
        rc::gen::elementOf(std::string{"\n\n\n\r\r  \tabcdefghij"}));
      auto buffer_bytes = *rc::gen::inRange<size_t>(1, 20);
      auto line_bytes_max = *rc::gen::inRange<size_t>(1, 12);
      RC_ASSERT(split(file("a", text), buffer_bytes, line_bytes_max)
                == naive_split(text, line_bytes_max));
    }));
  }

  TEST_CASE_FIXTURE(test::temp_dir, "a line that arrives in pieces is idle "
                                    "until its end comes") {
    REQUIRE(::mkfifo(path("pipe").c_str(), 0600) == 0);
    auto source = byte_source::open(path("pipe"));
    REQUIRE(source);
    auto in = line_splitter{std::move(*source), 16, 100};
    auto wait = patience{now};
    CHECK(in.next(wait) == line_status::idle); // Nobody writes yet.
    auto fd = ::open(path("pipe").c_str(), O_WRONLY);
    REQUIRE(fd >= 0);
    auto put = [&](std::string_view text) {
      REQUIRE(::write(fd, text.data(), text.size())
              == static_cast<ssize_t>(text.size()));
    };
    CHECK(in.next(wait) == line_status::idle);
    put("on");
    CHECK(in.next(wait) == line_status::idle);
    put("e and a half");
    CHECK(in.next(wait) == line_status::idle);
    put("\ntwo\nthr");
    REQUIRE(in.next(wait) == line_status::line);
    CHECK(in.line() == "one and a half");
    REQUIRE(in.next(wait) == line_status::line);
    CHECK(in.line() == "two");
    CHECK(in.next(wait) == line_status::idle);
    ::close(fd);
    REQUIRE(in.next(wait) == line_status::line);
    CHECK(in.line() == "thr");
    CHECK(in.next(wait) == line_status::end);
    CHECK(in.next(wait) == line_status::end);
  }

} // TEST_SUITE

TEST_SUITE("input/byte_source") {
  TEST_CASE_FIXTURE(test::temp_dir, "gzip is told by its first bytes, not by "
                                    "the name") {
    auto text = numbers_up_to(100'000);
    CHECK(bytes_of(file("a.txt", gzipped(text))) == text);
    CHECK(bytes_of(file("b.gz", text)) == text);
    CHECK(bytes_of(file("c", gzipped(text)), 1) == text);
    CHECK(bytes_of(file("d", gzipped(""))) == "");
    CHECK(bytes_of(file("e", "\x1f"))
          == "failed: " + path("e")
               + " ends in the middle of its gzip "
                 "data, at byte 1; it may have been "
                 "cut off while it was copied");
  }

  TEST_CASE_FIXTURE(test::temp_dir, "gzip members in a row are one text") {
    auto a = numbers_up_to(1000);
    auto b = numbers_up_to(50'000);
    CHECK(
      bytes_of(file("a", gzipped(a) + gzipped(b) + gzipped("") + gzipped(a)))
      == a + b + a);
    CHECK(bytes_of(file("b", gzipped(a) + std::string(100'000, '\0'))) == a);
  }

  TEST_CASE_FIXTURE(test::temp_dir, "gzip data that is cut off anywhere fails, "
                                    "and what came before counts") {
    auto text = numbers_up_to(100);
    auto whole = gzipped(text);
    for (auto n = size_t{1}; n < whole.size(); ++n) {
      CAPTURE(n);
      auto found = bytes_of(file("a", whole.substr(0, n)));
      auto end = found.find("failed: ");
      REQUIRE(end != std::string::npos);
      CHECK(text.substr(0, end) == found.substr(0, end));
      CHECK(has(found, "at byte " + std::to_string(n) + ";"));
    }
    auto found = bytes_of(file("b", gzipped(text) + whole.substr(0, 30)));
    CHECK(found.substr(0, text.size()) == text);
    CHECK(has(found, "failed: "));
  }

  TEST_CASE_FIXTURE(test::temp_dir, "gzip data that is damaged fails") {
    auto text = numbers_up_to(10'000);
    auto whole = gzipped(text);
    CHECK(rc::check("never different text without a failure", [&] {
      auto bytes = whole;
      auto at = *rc::gen::inRange<size_t>(2, bytes.size());
      auto flipped = 1 << *rc::gen::inRange(0, 8);
      bytes[at] = static_cast<char>(bytes[at] ^ flipped);
      auto found = bytes_of(file("a", bytes), 100);
      RC_ASSERT(found == text || has(found, "failed: "));
    }));
    auto found = bytes_of(file("b", whole + "garbage"));
    CHECK(has(found, "9999\nfailed: the gzip data of "));
    CHECK(has(found, "is damaged near byte"));
    whole[whole.size() - 6] ^= 1; // The checksum comes last but for the length.
    CHECK(has(bytes_of(file("c", whole)), "9999\nfailed: the gzip data of "));
  }

  TEST_CASE_FIXTURE(test::temp_dir,
                    "progress is counted in bytes of the file") {
    auto bytes = gzipped(numbers_up_to(1000));
    auto source = byte_source::open(file("a", bytes));
    REQUIRE(source);
    CHECK((*source)->bytes_total() == bytes.size());
    CHECK((*source)->bytes_read() == 0);
    char buffer[10'000];
    auto wait = patience{now};
    REQUIRE((*source)->read(buffer, sizeof(buffer), wait));
    CHECK((*source)->bytes_read() == bytes.size());
    REQUIRE(::mkfifo(path("pipe").c_str(), 0600) == 0);
    auto pipe = byte_source::open(path("pipe"));
    REQUIRE(pipe);
    CHECK(!(*pipe)->bytes_total());
  }

  TEST_CASE_FIXTURE(test::temp_dir, "what can't be opened is refused with the "
                                    "reason") {
    CHECK(why_not_open(path("absent"), ec::not_found)
          == "cannot open " + path("absent")
               + ": No such file or directory; check the path");
    CHECK(why_not_open(path(""), ec::invalid_argument)
          == "cannot read " + path("")
               + ": it is a directory; name the files in it");
    CHECK(why_not_open(file("a", "") + "/b", ec::io_error)
          == "cannot open " + path("a/b") + ": Not a directory");
    if (::geteuid() != 0) { // Nothing is closed to root.
      ::chmod(file("secret", "").c_str(), 0);
      CHECK(has(why_not_open(path("secret"), ec::io_error),
                "Permission denied; check who may read it"));
    }
  }

  TEST_CASE("a device that can't be read fails with the place") {
    // Reading the memory of the process at address 0 is an I/O error.
    CHECK(has(bytes_of("/proc/self/mem"),
              "failed: cannot read /proc/self/mem after byte 0: "));
  }

  TEST_CASE("patience is endless, or never grows") {
    CHECK(patience{std::chrono::milliseconds{-1}}.left() == -1);
    CHECK(patience{std::chrono::milliseconds{0}}.left() == 0);
    auto hour = patience{std::chrono::hours{1}};
    auto first = hour.left();
    CHECK(first == 3'600'000);
    CHECK(hour.left() <= first);
    CHECK(hour.left() > 3'000'000);
    CHECK(patience{std::chrono::hours{1'000'000}}.left() > 0);
  }

} // TEST_SUITE
