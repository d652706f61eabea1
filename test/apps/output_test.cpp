#include "apps/output.hpp"

#include <doctest/doctest.h>

using namespace weir;

TEST_SUITE("apps/output") {
  TEST_CASE("counts have three digits at most, and a prefix") {
    CHECK(human_count(0) == "0");
    CHECK(human_count(999) == "999");
    CHECK(human_count(999.6) == "1.0 k");
    CHECK(human_count(1000) == "1.0 k");
    CHECK(human_count(1234) == "1.2 k");
    CHECK(human_count(9960) == "10 k");
    CHECK(human_count(34'400'000) == "34 M");
    CHECK(human_count(999'600) == "1.0 M");
    CHECK(human_count(4e21) == "4000 E");
    CHECK(human_rate(1'200'000) == "1.2 M/s");
  }

  TEST_CASE("bytes have binary prefixes") {
    CHECK(human_bytes(0) == "0 B");
    CHECK(human_bytes(1023) == "1023 B");
    CHECK(human_bytes(1024) == "1.0 KiB");
    CHECK(human_bytes(1536) == "1.5 KiB");
    CHECK(human_bytes(34 << 20) == "34 MiB");
    CHECK(human_bytes(1024 * 1024 - 1) == "1.0 MiB");
    CHECK(human_bytes(~uint64_t{0}) == "16 EiB");
  }

  TEST_CASE("columns are as wide as their widest cell") {
    auto aut = text_table{{{"NAME"}, {"COUNT", align::right}, {"NOTE"}}};
    aut.row({"a", "5", ""});
    aut.row({"longer", "1234567", "x"});
    CHECK(aut.str()
          == "NAME      COUNT  NOTE\n"
             "a             5\n"
             "longer  1234567  x\n");
  }

  TEST_CASE("a table counts characters, not bytes") {
    auto aut = text_table{{{"A"}, {"B"}}};
    aut.row({"\u00e4\u00f6", "1"});
    aut.row({"xyz", "2"});
    CHECK(aut.str() == "A    B\n\u00e4\u00f6   1\nxyz  2\n");
  }

  TEST_CASE("a name cannot command the terminal") {
    auto aut = text_table{{{"A"}}};
    aut.row({"\x1b[2J\n\x7f"});
    CHECK(aut.str() == "A\n?[2J??\n");
  }

  TEST_CASE("text is broken at spaces, and long words are left whole") {
    CHECK(wrapped("", 5) == "");
    CHECK(wrapped("aa bb cc", 5) == "aa bb\ncc");
    CHECK(wrapped("aa bb cc", 8) == "aa bb cc");
    CHECK(wrapped("a longest b", 3) == "a\nlongest\nb");
  }

} // TEST_SUITE
