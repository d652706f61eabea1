#include "config/toml_file.hpp"

#include "test/config/config_file.hpp"

#include <rapidcheck.h>

using namespace weir;
using weir::test::config_file;

namespace {

/// The errors of a file, one per line.
std::string errors_of(std::string_view content) {
  auto file = config_file{content};
  auto res = std::string{};
  for (auto& x : read_toml_file(file.path()).errors)
    res += file.short_text(x) + '\n';
  return res;
}

settings settings_of(std::string_view content) {
  auto file = config_file{content};
  auto contents = read_toml_file(file.path());
  for (auto& x : contents.errors)
    FAIL(x);
  auto res = settings{};
  for (auto& x : contents.entries)
    x.what->set(res, x.value);
  return res;
}

} // namespace

TEST_SUITE("config/toml_file") {
  TEST_CASE("options stand at the top or in the section of their scope") {
    auto x = settings_of("window = '5s'\n"
                         "linger = '7ms'\n"
                         "[cluster]\n"
                         "clock = 'wall'\n"
                         "[process]\n"
                         "listen = '[::1]:1234'\n");
    CHECK(x.cluster.window == 5000);
    CHECK(x.cluster.clock == clock_mode::wall);
    CHECK(x.process.linger == 7);
    CHECK(x.process.listen == endpoint{"::1", 1234});
  }

  TEST_CASE("counts, bytes and durations may be plain integers") {
    auto x = settings_of("window = 5_000\n"
                         "cells-max = 16\n"
                         "shards = '8'\n"
                         "frame-bytes-max = 0x20000\n");
    CHECK(x.cluster.window == 5000);
    CHECK(x.cluster.cells_max == 16);
    CHECK(x.cluster.shards == 8);
    CHECK(x.process.frame_bytes_max == 131'072);
  }

  TEST_CASE("what may be off is off by that word, in quotes") {
    CHECK(!settings_of("rollup-every = 'off'\n").cluster.rollup_every);
    CHECK(settings_of("rollup-every = '5m'\n").cluster.rollup_every == 300'000);
    CHECK(errors_of("rollup-every = false\n")
          == "weir.toml:1:16: rollup-every: takes at least 1ms, or off, not a "
             "boolean\n");
  }

  TEST_CASE("an empty file sets nothing") {
    CHECK(to_pairs(settings_of("").cluster) == to_pairs(cluster_settings{}));
    CHECK(errors_of("# nothing\n[cluster]\n").empty());
  }

  TEST_CASE("an unknown key is told with its place and the near name") {
    CHECK(errors_of("# first line\n  windwo = '5s'\n")
          == "weir.toml:2:3: `windwo` is not an option. Did you mean "
             "`window`?\n");
    CHECK(errors_of("cells_max = 5\n")
          == "weir.toml:1:1: `cells_max` is not an option. Did you mean "
             "`cells-max`?\n");
    CHECK(errors_of("[cluster]\nfrobnicate = 1\n")
          == "weir.toml:2:1: `frobnicate` is not an option.\n");
  }

  TEST_CASE("a wrong type or value is told with the value's place") {
    CHECK(errors_of("cells-max = 2.5\n")
          == "weir.toml:1:13: cells-max: takes 2 to 1000000 cells, not a "
             "number with a point\n");
    CHECK(errors_of("clock = true\n")
          == "weir.toml:1:9: clock: takes event or wall, not a boolean\n");
    CHECK(errors_of("data = 5\n")
          == "weir.toml:1:8: data: takes a directory, not an integer\n");
    CHECK(errors_of("window = [5]\n")
          == "weir.toml:1:10: window: takes at least 1ms, not a list\n");
    CHECK(errors_of("window = 1979-05-27\n")
          == "weir.toml:1:10: window: takes at least 1ms, not a date or "
             "time\n");
    CHECK(errors_of("[window]\n")
          == "weir.toml:1:1: window: takes at least 1ms, not a table\n");
    CHECK(errors_of("cells-max = -1\n")
          == "weir.toml:1:13: cells-max: -1 is out of range; it takes 2 to "
             "1000000 cells\n");
    CHECK(errors_of("window = '5'\nlateness = -5\n")
            .find("weir.toml:2:12: lateness: ")
          == 0);
  }

  TEST_CASE("sections are known, tables, and hold their own options") {
    CHECK(errors_of("[clutser]\nx = 1\n")
          == "weir.toml:1:2: [clutser] is not a section; write [cluster] or "
             "[process]\n");
    CHECK(errors_of("process = 5\n")
          == "weir.toml:1:1: `process` is a section: write [process], and its "
             "options below it\n");
    CHECK(errors_of("[process]\nwindow = '5s'\n")
          == "weir.toml:2:1: `window` belongs under [cluster]\n");
  }

  TEST_CASE("an option stands once") {
    CHECK(errors_of("window = '5s'\n[cluster]\nwindow = '6s'\n")
          == "weir.toml:1:1: `window` stands at weir.toml:3:1 too; keep one of "
             "them\n");
    CHECK(errors_of("window = 1\nwindow = 2\n").find("weir.toml:2:") == 0);
  }

  TEST_CASE("all errors are told, from top to bottom") {
    CHECK(errors_of("zzz = 1\n"
                    "cells-max = 0\n"
                    "aaa = 1\n"
                    "[process]\n"
                    "bbb = 1\n")
          == "weir.toml:1:1: `zzz` is not an option.\n"
             "weir.toml:2:13: cells-max: 0 is out of range; it takes 2 to "
             "1000000 cells\n"
             "weir.toml:3:1: `aaa` is not an option.\n"
             "weir.toml:5:1: `bbb` is not an option.\n");
  }

  TEST_CASE("a syntax error has its place") {
    CHECK(errors_of("shards = 1\nwindow = \n").find("weir.toml:2:10: ") == 0);
    CHECK(errors_of("window = '\xff'\n").find("weir.toml:1:") == 0);
  }

  TEST_CASE("a file that cannot be read is an error") {
    auto text = [](const std::string& path) {
      auto res = read_toml_file(path).errors;
      REQUIRE(res.size() == 1);
      return res.front();
    };
    CHECK(text("/nonexistent/weir.toml")
          == "/nonexistent/weir.toml: cannot be opened: No such file or "
             "directory");
    CHECK(text("/tmp") == "/tmp: cannot be read: Is a directory");
    CHECK(text("/dev/zero").find("/dev/zero: is larger than 65536 bytes") == 0);
  }

  TEST_CASE("keys nest no deeper than can be taken apart") {
    auto dotted = [](size_t n) {
      auto res = std::string{"# Two lines.\n"};
      for (; n > 0; --n)
        res += "a.";
      return res + "b = 1\n";
    };
    CHECK(errors_of(dotted(config_line_dots_max))
          == "weir.toml:2:1: [a] is not a section; write [cluster] or "
             "[process]\n");
    CHECK(errors_of(dotted(config_line_dots_max + 1))
          == "weir.toml:2:1: has more than 64 dots, and so is no option\n");
    CHECK(errors_of(dotted(30'000)).find("weir.toml:2:1: has more than") == 0);
  }

  TEST_CASE("any bytes are options or errors") {
    CHECK(rc::check([](const std::string& content) {
      auto file = config_file{content};
      auto res = read_toml_file(file.path());
      RC_ASSERT(res.entries.empty());
    }));
  }

} // TEST_SUITE
