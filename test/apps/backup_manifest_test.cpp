#include "apps/backup_manifest.hpp"

#include "cluster/checksum.hpp"
#include "test/storage/support.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace weir;
using namespace weir::test;

namespace {

backup_manifest sample() {
  auto res = backup_manifest{};
  res.cluster = "ef2b90194e510f33aad28f836c774b53";
  res.program = "weir 1";
  res.wire = "weir/9";
  res.started = 1;
  res.moment = 2;
  res.finished = 3;
  res.behind = 4;
  res.files = {{"journal.db", {5, UINT64_MAX}}};
  res.shards = {{0, 1, 2, 3, 4, {5, 6, UINT64_MAX}, 1ull << 63},
                {1, 0, 0, 3, 4, {5, 6, 7}, 0}};
  return res;
}

/// The sample with `from` replaced, and the right checksum.
std::string sealed(std::string_view from, std::string_view to) {
  auto text = sample().to_text();
  text.replace(text.find(from), from.size(), to);
  auto all = nlohmann::ordered_json::parse(text);
  all.erase("checksum");
  all["checksum"] = fmt::format("{:016x}", checksum(all.dump()));
  return all.dump();
}

} // namespace

TEST_SUITE("apps/backup_manifest") {
  TEST_CASE("a manifest says what it was told") {
    auto aut = sample();
    auto found = must(backup_manifest::parse(aut.to_text()));
    CHECK(found.to_text() == aut.to_text());
    CHECK(found.cluster == aut.cluster);
    CHECK(found.files == aut.files);
    CHECK(found.shards == aut.shards);
    CHECK(found.entries() == 6);
    CHECK(found.bytes() == 5);
  }

  TEST_CASE("a manifest that was changed is refused") {
    auto text = sample().to_text();
    for (auto i = size_t{0}; i < text.size(); ++i) {
      auto other = text;
      other[i] ^= 1;
      auto found = backup_manifest::parse(other);
      // Spaces between the values say nothing.
      if (found)
        CHECK(found->to_text() == text);
    }
    CHECK_FALSE(backup_manifest::parse(text.substr(0, text.size() / 2)));
    CHECK_FALSE(backup_manifest::parse(""));
    CHECK_FALSE(backup_manifest::parse("[]"));
  }

  TEST_CASE("a manifest that nests deep is refused, and nothing recurses") {
    // It would have to be copied to find out its checksum.
    constexpr auto depth = 1'000'000;
    auto text = R"({"format": 1, "checksum": "0", "x": )"
                + std::string(depth, '[') + std::string(depth, ']') + "}";
    CHECK(backup_manifest::parse(text).error().code == ec::damaged);
  }

  TEST_CASE("a manifest of many names is refused before they are compared") {
    auto text = std::string{"{"};
    for (auto i = 0; i < 1'000'000; ++i)
      text += '"' + std::to_string(i) + "\": 0, ";
    text += R"("format": 1})";
    CHECK(backup_manifest::parse(text).error().code == ec::damaged);
  }

  TEST_CASE("a number that is none of ours is damage") {
    for (auto number : {"-1", "1e300", "4.5", "true", "\"4\""}) {
      auto text
        = sealed(R"("behind": 4)", fmt::format(R"("behind": {})", number));
      CHECK(backup_manifest::parse(text).error().code == ec::damaged);
    }
    CHECK(backup_manifest::parse(sealed(R"("behind": 4)", R"("behind": 5)")));
    auto shard = sealed(R"("shard": 1)", R"("shard": 4294967297)");
    CHECK(backup_manifest::parse(shard).error().code == ec::damaged);
  }

  TEST_CASE("a manifest of a later version is refused by name") {
    auto text = sample().to_text();
    text.replace(text.find("\"format\": 1"), 11, "\"format\": 2");
    CHECK(backup_manifest::parse(text).error().code == ec::version_mismatch);
  }
}
