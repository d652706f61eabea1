#include "test/simulate/run.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

// weir-simulate: lets a cluster go through what its seeds say.

namespace {

using namespace weir::test;
using steady = std::chrono::steady_clock;

constexpr auto examples = R"(
Examples:
  weir-simulate --seeds 1..300               these seeds
  weir-simulate --seeds 1..1000000 --minutes 10
                                             as many of them as time allows
  weir-simulate --seeds 862..862 --trace     all that happens with one seed
  weir-simulate --seeds 1..300 --first test/simulate/regressions.txt
                                             those of a file before them

Exits with 1 at the first seed that breaks a rule, which it names with the last
events before; with 2 if it can't be meant.)";

/// Between two lines of progress.
constexpr auto progress_every = std::chrono::seconds{1};

struct seed_range {
  uint64_t first = 0;
  uint64_t last = 0;
};

std::optional<seed_range> parse_seeds(std::string_view text) {
  auto res = seed_range{};
  auto dots = text.find("..");
  if (dots == std::string_view::npos)
    return std::nullopt;
  auto number = [](std::string_view x, uint64_t& to) {
    auto [end, error] = std::from_chars(x.data(), x.data() + x.size(), to);
    return error == std::errc{} && end == x.data() + x.size();
  };
  if (!number(text.substr(0, dots), res.first)
      || !number(text.substr(dots + 2), res.last) || res.first > res.last)
    return std::nullopt;
  return res;
}

/// Seeds of a file: a number begins a line, the rest says what it is about.
std::optional<std::vector<uint64_t>> read_seeds(const std::string& path) {
  auto res = std::vector<uint64_t>{};
  auto file = std::ifstream{path};
  auto line = std::string{};
  for (auto n = 1; std::getline(file, line); ++n) {
    if (line.empty() || line.front() == '#')
      continue;
    auto seed = uint64_t{0};
    if (!(std::istringstream{line} >> seed)) {
      fmt::print(stderr, "{}:{}: a line begins with a seed, or with #\n", path,
                 n);
      return std::nullopt;
    }
    res.push_back(seed);
  }
  if (!file.eof()) {
    fmt::print(stderr, "{} can't be read\n", path);
    return std::nullopt;
  }
  return res;
}

void print_story(const outcome& x) {
  fmt::print("{:>8} event\n", "ms");
  for (auto& line : x.story)
    fmt::print("{}\n", line);
}

/// Tells of a seed that broke a rule.
void print_failure(const outcome& x, trace::mode how) {
  // Events are written down only now: the seed brings them back.
  auto again = run(x.seed, how);
  print_story(again);
  fmt::print("\nseed {} breaks a rule: {}\n", x.seed, x.broken);
  if (again.broken != x.broken)
    fmt::print("and another one when it is repeated: {}\n",
               again.broken.empty() ? "none" : again.broken);
}

/// What has been run so far.
struct tally {
  steady::time_point begin = steady::now();
  uint64_t seeds = 0;
  uint64_t failovers = 0;
  uint64_t committed = 0;
  uint64_t finals = 0;

  double seconds() const {
    return std::chrono::duration<double>(steady::now() - begin).count();
  }

  double pace() const {
    return static_cast<double>(seeds) / seconds();
  }
};

/// @returns whether no rule was broken
bool try_seed(uint64_t seed, bool all, tally& sum) {
  auto x = run(seed, all ? trace::mode::all : trace::mode::off);
  ++sum.seeds;
  sum.failovers += x.failovers;
  sum.committed += x.committed;
  sum.finals += x.finals;
  if (!x.broken.empty()) {
    print_failure(x, all ? trace::mode::all : trace::mode::last);
    return false;
  }
  if (all)
    print_story(x);
  return true;
}

int simulate(const std::vector<uint64_t>& before, const seed_range& seeds,
             double minutes, bool all) {
  auto sum = tally{};
  auto shown = sum.begin;
  auto tty = isatty(STDERR_FILENO) != 0;
  for (auto seed : before)
    if (!try_seed(seed, all, sum))
      return 1;
  auto last = seeds.first;
  for (auto seed = seeds.first;; ++seed) {
    last = seed;
    if (!try_seed(seed, all, sum))
      return 1;
    if (tty && steady::now() - shown >= progress_every) {
      shown = steady::now();
      fmt::print(stderr, "\r{} seeds, {:.0f}/s", sum.seeds, sum.pace());
    }
    if (seed == seeds.last || (minutes > 0 && sum.seconds() >= minutes * 60))
      break;
  }
  if (tty)
    fmt::print(stderr, "\r");
  fmt::print("{} seeds ({} to {}{}), {:.0f}/s, {} failovers, {} entries "
             "committed, {} windows final, no rule broken\n",
             sum.seeds, seeds.first, last,
             before.empty() ? "" : ", and those of before", sum.pace(),
             sum.failovers, sum.committed, sum.finals);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  auto app = CLI::App{"Simulates nodes, disks, a network and a coordinator "
                      "that all fail, and checks what replication promises."};
  auto text = std::string{};
  auto file = std::string{};
  auto minutes = 0.0;
  auto all = false;
  app.add_option("--seeds", text, "First and last seed, as in 1..300")
    ->required();
  app.add_option("--minutes", minutes, "Stop after so long")
    ->check(CLI::PositiveNumber);
  app.add_option("--first", file, "A file of seeds to try before them");
  app.add_flag("--trace", all, "Print everything that happens");
  app.footer(examples);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  auto seeds = parse_seeds(text);
  if (!seeds) {
    fmt::print(stderr, "--seeds {} is no range; write, say, 1..300\n", text);
    return 2;
  }
  auto before = std::optional{std::vector<uint64_t>{}};
  if (!file.empty())
    before = read_seeds(file);
  if (!before)
    return 2;
  return simulate(*before, *seeds, minutes, all);
}
