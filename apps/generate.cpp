#include "input/generate.hpp"

#include "apps/cli.hpp"
#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "windows/time_text.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>

namespace weir {

namespace {

struct arguments {
  generate_options stream;
  std::string disorder;
  std::string start;
  /// Empty: stdout.
  std::string output;
};

time_ms wall_clock() {
  using namespace std::chrono;
  auto now = system_clock::now().time_since_epoch();
  return duration_cast<milliseconds>(now).count();
}

/// Puts an option's name before what was wrong with its text.
result<void> take(time_ms& x, const char* name, result<time_ms> parsed) {
  if (!parsed)
    return fail(parsed.error().code,
                fmt::format("{}: {}", name, parsed.error().text));
  x = *parsed;
  return {};
}

result<void> generate_file(const generate_options& x, const std::string& path) {
  auto failed = [&path](int error) {
    return fail(error == ENOSPC ? ec::disk_full : ec::io_error,
                fmt::format("{}: {}", path, std::strerror(error)));
  };
  auto out = std::fopen(path.c_str(), "wb");
  if (out == nullptr)
    return failed(errno);
  auto done = generate(x, out);
  if (std::fclose(out) != 0 && done)
    return failed(errno);
  if (!done)
    return fail(done.error().code,
                fmt::format("{}: {}", path, done.error().text));
  return {};
}

result<exit_code> run(arguments& x) {
  auto taken
    = take(x.stream.disorder, "--disorder", parse_duration(x.disorder));
  if (taken)
    taken = take(x.stream.start, "--start", parse_time(x.start, wall_clock()));
  if (!taken)
    return tl::unexpected(taken.error());
  auto done = x.output.empty() ? generate(x.stream, stdout)
                               : generate_file(x.stream, x.output);
  if (done)
    return exit_code::ok;
  if (!stdout_ok())
    return report_stdout(done.error());
  return tl::unexpected(done.error());
}

runner declare(CLI::App& app) {
  auto x = std::make_shared<arguments>();
  auto& stream = x->stream;
  x->disorder = format_duration(stream.disorder);
  x->start = format_time(stream.start);
  auto add = [&app](const char* name, auto& value, const char* type,
                    const char* help) {
    auto res = app.add_option(name, value, help);
    res->type_name(type)->capture_default_str();
    if constexpr (std::is_unsigned_v<std::decay_t<decltype(value)>>)
      res->check(refuse_negative);
  };
  add("--events", stream.events, "COUNT", "Lines, repeats included.");
  add("--entities", stream.entities, "COUNT",
      "How many entities the events are of.");
  add("--rate", stream.rate, "NUMBER", "Events per second of event time.");
  add("--zipf", stream.zipf, "NUMBER",
      "How unevenly entities come: the exponent of Zipf's law, 0 for all "
      "alike, 1 for few that come often and many that come rarely.");
  add("--disorder", x->disorder, "DURATION",
      "How far an event may be behind the greatest time before it.");
  add("--duplicates", stream.duplicates, "FRACTION",
      "Share of lines that repeat one of the last few, 0 to 1.");
  add("--seed", stream.seed, "NUMBER",
      "The same seed and options give the same bytes.");
  add("--start", x->start, "TIME",
      "Of the first event: ISO 8601, ms since the epoch, or `now-1h`.");
  add("--kind", stream.kind, "events|samples",
      "Events of one value with times in ms, or samples of several metrics "
      "with times in s.");
  add("--metrics", stream.metrics, "COUNT", "Metrics of a sample.");
  add("--format", stream.format, "ndjson|csv", "How a line is written.");
  app.add_option("--output", x->output, "File to write, instead of stdout.")
    ->type_name("FILE");
  return [x] {
    return run(*x);
  };
}

} // namespace

command generate_command() {
  return {"generate",
          "Write a synthetic stream, the same for the same seed",
          {"weir generate --events 1000000 --entities 1000 > events.ndjson",
           "weir generate --zipf 1 --disorder 10s --duplicates 0.01",
           "weir generate --kind samples --format csv --output samples.csv"},
          declare,
          {}};
}

} // namespace weir
