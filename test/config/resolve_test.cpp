#include "config/resolve.hpp"

#include "test/config/config_file.hpp"

#include <cstdlib>

using namespace weir;
using weir::test::config_file;

namespace {

resolved resolved_of(const config_sources& sources) {
  auto res = resolve(sources);
  if (!res)
    FAIL(res.error().text);
  return *res;
}

std::string error_of(const config_sources& sources) {
  auto res = resolve(sources);
  REQUIRE(!res);
  CHECK(res.error().code == ec::invalid_argument);
  return res.error().text;
}

config_sources with_environment(std::string name, std::string text) {
  auto res = config_sources{};
  res.environment.emplace_back(std::move(name), std::move(text));
  return res;
}

config_sources with_flag(std::string name, std::string text) {
  auto res = config_sources{};
  res.flags.emplace_back(std::move(name), std::move(text));
  return res;
}

} // namespace

TEST_SUITE("config/resolve") {
  TEST_CASE("without any source every option has its default") {
    auto x = resolved_of({});
    REQUIRE(x.options.size() == options().size());
    for (auto i = size_t{0}; i < x.options.size(); ++i) {
      CHECK(x.options[i].what == &options()[i]);
      CHECK(x.options[i].text == default_text(options()[i]));
      CHECK(x.options[i].origin == "default");
      CHECK(!x.options[i].given);
    }
    CHECK(x.warnings.empty());
    CHECK(x.given_cluster_settings().empty());
  }

  TEST_CASE("flags prevail over environment over file over default") {
    auto file = config_file{"window = '2s'\n"
                            "lateness = '2s'\n"
                            "linger = '2ms'\n"};
    auto sources = config_sources{};
    sources.file = file.path();
    sources.environment = {{"WEIR_WINDOW", "3s"}, {"WEIR_LATENESS", "3s"}};
    sources.flags = {{"window", "4s"}};
    auto x = resolved_of(sources);
    CHECK(x.values.cluster.window == 4000);
    CHECK(x.at("window").origin == "flag --window");
    CHECK(x.values.cluster.lateness == 3000);
    CHECK(x.at("lateness").origin == "environment WEIR_LATENESS");
    CHECK(x.values.process.linger == 2);
    CHECK(file.short_text(x.at("linger").origin) == "file weir.toml:3:1");
    CHECK(x.values.process.heartbeat == 200);
    CHECK(x.at("heartbeat").origin == "default");
  }

  TEST_CASE("WEIR_CONFIG names the file unless a flag does") {
    auto one = config_file{"window = '1s'\n"};
    auto two = config_file{"window = '2s'\n"};
    auto sources = with_environment("WEIR_CONFIG", one.path());
    CHECK(resolved_of(sources).values.cluster.window == 1000);
    sources.file = two.path();
    CHECK(resolved_of(sources).values.cluster.window == 2000);
  }

  TEST_CASE("what was given is told from what is default, even if equal") {
    auto sources = with_environment("WEIR_SHARDS", "32");
    sources.flags = {{"window", "60s"}, {"linger", "1ms"}};
    auto x = resolved_of(sources);
    CHECK(x.at("shards").given);
    CHECK(!x.at("lateness").given);
    CHECK(x.given_cluster_settings()
          == setting_pairs{{"window", "1m"}, {"shards", "32"}});
  }

  TEST_CASE("a retention from below can be taken back") {
    auto file = config_file{"retention = '1h'\n"};
    auto sources = with_flag("retention", "");
    sources.file = file.path();
    auto x = resolved_of(sources);
    CHECK(!x.values.cluster.retention);
    CHECK(x.given_cluster_settings() == setting_pairs{{"retention", ""}});
  }

  TEST_CASE("the word off prevails over a duration from below") {
    auto sources = with_environment("WEIR_ROLLUP_EVERY", "5m");
    CHECK(resolved_of(sources).values.cluster.rollup_every == 300'000);
    sources.flags = {{"rollup-every", "off"}};
    auto x = resolved_of(sources);
    CHECK(!x.values.cluster.rollup_every);
    CHECK(x.given_cluster_settings() == setting_pairs{{"rollup-every", "off"}});
  }

  TEST_CASE("an empty variable counts as not set") {
    auto x = resolved_of(with_environment("WEIR_WINDOW", ""));
    CHECK(x.at("window").origin == "default");
  }

  TEST_CASE("an unknown variable is a warning") {
    auto x = resolved_of(with_environment("WEIR_WINDWO", "5s"));
    REQUIRE(x.warnings.size() == 1);
    CHECK(x.warnings[0]
          == "the environment variable WEIR_WINDWO names no option and was "
             "ignored. Did you mean WEIR_WINDOW?");
    x = resolved_of(with_environment("WEIR_FROBNICATE", "5s"));
    REQUIRE(x.warnings.size() == 1);
    CHECK(x.warnings[0].find("Did you mean") == std::string::npos);
  }

  TEST_CASE("an error names the source of the value") {
    CHECK(error_of(with_environment("WEIR_CELLS_MAX", "1"))
          == "environment WEIR_CELLS_MAX: 1 is out of range; it takes 2 to "
             "1000000 cells");
    CHECK(error_of(with_flag("clock", "sun"))
          == "--clock: \"sun\" is not one of its words: write event or wall");
    auto sources = config_sources{};
    sources.file = "/nonexistent/weir.toml";
    CHECK(error_of(sources).find("/nonexistent/weir.toml: cannot be opened")
          == 0);
  }

  TEST_CASE("a bad value is an error even where another source prevails") {
    auto sources = with_environment("WEIR_WINDOW", "soon");
    sources.flags = {{"window", "5s"}};
    CHECK(error_of(sources).find("environment WEIR_WINDOW: ") == 0);
  }

  TEST_CASE("the errors of all sources are told at once") {
    auto file = config_file{"zzz = 1\nyyy = 1\n"};
    auto sources = with_environment("WEIR_SHARDS", "0");
    sources.file = file.path();
    sources.flags = {{"window", "0s"}};
    CHECK(file.short_text(error_of(sources))
          == "weir.toml:1:1: `zzz` is not an option.\n"
             "weir.toml:2:1: `yyy` is not an option.\n"
             "environment WEIR_SHARDS: 0 is out of range; it takes 1 to 4096 "
             "shards\n"
             "--window: 0s is out of range; it takes at least 1ms");
  }

  TEST_CASE("options that do not go together are told with a place") {
    auto file = config_file{"lateness = '1h'\nretention = '5m'\n"};
    auto sources = config_sources{};
    sources.file = file.path();
    CHECK(file.short_text(error_of(sources))
          == "weir.toml:2:1: retention (5m) must be at least window + lateness "
             "(1m + 1h = 1h1m): raise it, or leave it out to have just that");
    CHECK(error_of(with_flag("heartbeat", "1500ms"))
            .find("--heartbeat: failure-timeout (2s) must be at least twice")
          == 0);
  }

  TEST_CASE("the environment of this process is read") {
    REQUIRE(setenv("WEIR_TEST_ONLY", "a=b", 1) == 0);
    auto found = false;
    for (auto& [name, text] : weir_environment()) {
      CHECK(name.find("WEIR_") == 0);
      found = found || (name == "WEIR_TEST_ONLY" && text == "a=b");
    }
    CHECK(found);
    unsetenv("WEIR_TEST_ONLY");
  }

} // TEST_SUITE
