#include "actors/clock.hpp"
#include "actors/query_host.hpp"
#include "apps/client.hpp"
#include "apps/commands.hpp"
#include "apps/option_flags.hpp"
#include "apps/output.hpp"
#include "windows/time_text.hpp"

#include <CLI/CLI.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <thread>

namespace weir {

namespace {

using json = nlohmann::ordered_json;

/// Questions of `--from` that travel at once: enough to hide the round trip,
/// few enough to print while reading.
constexpr size_t questions_at_once = 512;

/// A question is an id and a few numbers.
constexpr size_t question_bytes_max = 64 << 10;

struct arguments {
  std::vector<std::string> entities;
  std::string metric = std::string{default_metric};
  std::string window;
  std::string at;
  std::string from;
  std::string watch;
  bool json = false;
};

/// A line of `--from`, or why it is none.
struct question {
  average_request request;
  std::string error;
};

/// Not one that would be another number in 64 bits with a sign.
bool is_integer(const json& x) {
  return x.is_number_integer()
         && (!x.is_number_unsigned()
             || x.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX));
}

result<time_ms> duration_of(const json& x) {
  if (is_integer(x))
    return x.get<time_ms>();
  if (x.is_string())
    return parse_duration(x.get<std::string>());
  return fail(ec::invalid_argument, "not a duration");
}

result<time_ms> time_of(const json& x) {
  if (is_integer(x))
    return x.get<time_ms>();
  if (x.is_string())
    return parse_time(x.get<std::string>(), wall_clock());
  return fail(ec::invalid_argument, "not a time");
}

result<void> read_question(const std::string& line, average_request& out) {
  auto parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object())
    return fail(ec::malformed, "not a JSON object");
  auto entity = parsed.find("entity");
  if (entity == parsed.end() || !entity->is_string())
    return fail(ec::malformed, "no \"entity\"");
  out.entity = entity->get<std::string>();
  for (auto& [name, value] : parsed.items()) {
    // An absent value and null mean the same.
    if (name == "entity" || value.is_null())
      continue;
    if (name == "metric" && value.is_string()) {
      out.metric = value.get<std::string>();
    } else if (name == "window") {
      auto x = duration_of(value);
      if (!x || *x <= 0)
        return fail(ec::malformed, "\"window\" is not a duration");
      out.width = *x;
    } else if (name == "at") {
      auto x = time_of(value);
      if (!x)
        return fail(ec::malformed, "\"at\" is not a time");
      out.has_at = true;
      out.at = *x;
    } else {
      return fail(ec::malformed, fmt::format("\"{}\" is not understood", name));
    }
  }
  return {};
}

/// Nothing was heard of yet, so that there is no window. Every accepted time
/// is 1970 or later.
bool without_clock(const average_request& request, const average_answer& x) {
  return !request.has_at && x.end < 0;
}

json to_json(const average_request& request, const average_answer& x) {
  auto res = json{{"entity", request.entity}, {"metric", request.metric}};
  if (x.code != ec::none) {
    res["error"] = x.text;
    return res;
  }
  res["found"] = x.known_metric;
  res["count"] = x.count;
  res["average"] = x.count > 0 ? json(x.average) : json(nullptr);
  res["exact"] = x.exact;
  res["complete"] = x.complete;
  auto none = without_clock(request, x);
  res["window_start_ms"] = none ? json(nullptr) : json(x.start);
  res["window_end_ms"] = none ? json(nullptr) : json(x.end);
  res["resolution_ms"] = x.resolution;
  res["shard"] = x.shard;
  res["epoch"] = x.epoch;
  res["node"] = x.node;
  res["role"] = x.role;
  res["stale_ms"] = x.stale;
  return res;
}

std::string remarks(const average_answer& x) {
  auto res = std::string{};
  if (!x.exact)
    res += fmt::format("  to {} ms", x.resolution);
  if (!x.complete)
    res += "  (reaches before what is kept)";
  if (x.role != "primary")
    res
      += fmt::format("  ({}, up to {} old)", x.role, format_duration(x.stale));
  return res;
}

std::string to_line(const average_request& request, const average_answer& x) {
  auto who = request.metric == default_metric
               ? request.entity
               : fmt::format("{} {}", request.entity, request.metric);
  if (x.code != ec::none)
    return fmt::format("{}: {}", who, x.text);
  if (without_clock(request, x))
    return fmt::format("{}: no such entity; its shard has no clock yet, since "
                       "no reading has come",
                       who);
  if (!x.known_entity)
    return fmt::format("{}: no such entity", who);
  if (!x.known_metric)
    return fmt::format("{}: no such metric; it has {}", who,
                       fmt::join(x.metrics, ", "));
  auto window
    = fmt::format("({}, {}]", format_time(x.start), format_time(x.end));
  if (x.count == 0)
    return fmt::format("{}: no readings in {}{}", who, window, remarks(x));
  return fmt::format("{}: {} over {} readings in {}{}", who, x.average, x.count,
                     window, remarks(x));
}

/// Of several answers the worst decides: what can't be reached hides whether it
/// is there.
exit_code worse(exit_code x, exit_code y) {
  auto rank = [](exit_code z) {
    switch (z) {
      case exit_code::ok:
        return 0;
      case exit_code::not_found:
        return 1;
      case exit_code::some_rejected:
        return 2;
      case exit_code::unreachable:
        return 3;
      default:
        return 4;
    }
  };
  return rank(y) > rank(x) ? y : x;
}

exit_code code_of(const average_answer& x) {
  if (x.code != ec::none)
    return to_exit_code(x.code);
  return x.known_metric ? exit_code::ok : exit_code::not_found;
}

void show(const average_request& request, const average_answer& x,
          bool as_json) {
  if (as_json)
    print_json(to_json(request, x));
  else
    print_line(to_line(request, x));
}

/// Asks, and prints the answers in the order of the questions.
class asker {
public:
  asker(client& connection, const process_settings& process)
    : connection_(connection),
      timeout_(std::chrono::milliseconds{2 * process.timeout}) {
    auto context
      = query_context{process, connection.dialer(), connection.coordinator(),
                      connection.cluster()};
    actor_ = connection.system().spawn(query_host, std::move(context));
  }

  ~asker() {
    caf::anon_send_exit(actor_, caf::exit_reason::user_shutdown);
  }

  result<std::vector<average_answer>> ask(
    const std::vector<average_request>& xs) {
    auto res = connection_.ask<average_answers>(actor_, "the cluster",
                                                ask_averages{xs}, timeout_);
    if (!res)
      return tl::unexpected(res.error());
    return std::move(res->answers);
  }

private:
  client& connection_;
  std::chrono::milliseconds timeout_;
  query_actor actor_;
};

result<exit_code> ask_once(asker& cluster,
                           const std::vector<average_request>& requests,
                           bool as_json) {
  auto answers = cluster.ask(requests);
  if (!answers)
    return tl::unexpected(answers.error());
  auto code = exit_code::ok;
  for (auto i = size_t{0}; i < requests.size(); ++i) {
    show(requests[i], (*answers)[i], as_json);
    code = worse(code, code_of((*answers)[i]));
  }
  return code;
}

result<exit_code> answer(asker& cluster, std::vector<question>& questions,
                         bool as_json) {
  auto requests = std::vector<average_request>{};
  for (auto& x : questions)
    if (x.error.empty())
      requests.push_back(x.request);
  auto answers = cluster.ask(requests);
  if (!answers)
    return tl::unexpected(answers.error());
  auto code = exit_code::ok;
  auto next = answers->begin();
  for (auto& x : questions) {
    if (x.error.empty()) {
      show(x.request, *next, as_json);
      code = worse(code, code_of(*next++));
      continue;
    }
    if (as_json)
      print_json({{"error", x.error}});
    else
      print_line(x.error);
    code = worse(code, exit_code::some_rejected);
  }
  questions.clear();
  return code;
}

/// Like `std::getline`, but keeps no more of a line than it takes to see that
/// it is too long for a question: an input without newlines fills no memory.
bool next_line(std::istream& in, std::string& line) {
  line.clear();
  for (auto c = in.get(); c != EOF; c = in.get()) {
    if (c == '\n')
      return true;
    if (line.size() <= question_bytes_max)
      line += static_cast<char>(c);
  }
  return !line.empty();
}

/// One question a line; answered in order, many at a time.
result<exit_code> ask_all(asker& cluster, const arguments& opts,
                          const average_request& defaults) {
  std::ios::sync_with_stdio(false); // Else cin can't tell what is there.
  auto file = std::ifstream{};
  if (opts.from != "-") {
    file.open(opts.from);
    if (!file)
      return fail(ec::io_error, fmt::format("{}: can't be read", opts.from));
  }
  auto& in = opts.from == "-" ? std::cin : file;
  auto line = std::string{};
  auto name = opts.from == "-" ? "standard input" : opts.from;
  auto number = uint64_t{0};
  auto code = exit_code::ok;
  auto questions = std::vector<question>{};
  auto flush = [&]() -> result<void> {
    if (questions.empty())
      return {};
    auto res = answer(cluster, questions, opts.json);
    if (!res)
      return tl::unexpected(res.error());
    code = worse(code, *res);
    std::fflush(stdout);
    return {};
  };
  while (stdout_ok() && next_line(in, line)) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos)
      continue;
    auto x = question{defaults, {}};
    auto read = line.size() > question_bytes_max
                  ? fail(ec::malformed, "longer than a question may be")
                  : read_question(line, x.request);
    if (!read)
      x.error = fmt::format("{}:{}: {}", name, number, read.error().text);
    questions.push_back(std::move(x));
    // Answer at once what a person or a program waits for.
    if (questions.size() >= questions_at_once || in.rdbuf()->in_avail() <= 0)
      if (auto done = flush(); !done)
        return tl::unexpected(done.error());
  }
  if (auto done = flush(); !done)
    return tl::unexpected(done.error());
  if (in.bad())
    return fail(ec::io_error,
                fmt::format("{}: can't be read beyond line {}", name, number));
  return code;
}

result<average_request> defaults_of(const arguments& opts) {
  auto res = average_request{};
  res.metric = opts.metric;
  if (!opts.window.empty()) {
    auto width = parse_duration(opts.window);
    if (!width || *width <= 0)
      return fail(
        ec::invalid_argument,
        fmt::format("--window {} is not a duration such as 60s", opts.window));
    res.width = *width;
  }
  if (!opts.at.empty()) {
    auto at = parse_time(opts.at, wall_clock());
    if (!at)
      return fail(ec::invalid_argument,
                  fmt::format("--at: {}", at.error().text));
    res.has_at = true;
    res.at = *at;
  }
  return res;
}

result<exit_code> run(const arguments& opts, const process_settings& process) {
  auto defaults = defaults_of(opts);
  if (!defaults)
    return tl::unexpected(defaults.error());
  if (opts.entities.empty() == opts.from.empty())
    return fail(ec::invalid_argument,
                "name the entities, or give their questions with --from");
  auto pause = time_ms{0};
  if (!opts.watch.empty()) {
    auto x = parse_duration(opts.watch);
    if (!x || *x <= 0 || !opts.from.empty())
      return fail(ec::invalid_argument,
                  "--watch takes a duration such as 1s, and no --from");
    pause = *x;
  }
  auto connection = client::connect(process);
  if (!connection)
    return tl::unexpected(connection.error());
  auto cluster = asker{**connection, process};
  if (!opts.from.empty())
    return ask_all(cluster, opts, *defaults);
  auto requests = std::vector<average_request>{};
  for (auto& entity : opts.entities) {
    requests.push_back(*defaults);
    requests.back().entity = entity;
  }
  for (;;) {
    auto code = ask_once(cluster, requests, opts.json);
    if (pause == 0 || !code || !stdout_ok())
      return code;
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::milliseconds{pause});
  }
}

runner declare_average(CLI::App& app) {
  auto opts = std::make_shared<arguments>();
  app.add_option("ENTITY", opts->entities, "Ids of entities.")->type_name("");
  app.add_option("--metric", opts->metric, "Metric; events have one, value.")
    ->capture_default_str()
    ->type_name("NAME");
  app
    .add_option("--window", opts->window,
                "Width of the window; the cluster's, if not given.")
    ->type_name("DURATION");
  app
    .add_option("--at", opts->at,
                "End of the window: ISO 8601, ms since the epoch, or now-5m; "
                "the shard's clock, if not given.")
    ->type_name("TIME");
  app
    .add_option("--from", opts->from,
                "Questions, one JSON object a line, such as {\"entity\":\"a\","
                "\"window\":\"5m\",\"at\":1700000000000}; - for standard "
                "input.")
    ->type_name("FILE");
  app.add_option("--watch", opts->watch, "Ask again and again, this often.")
    ->type_name("DURATION");
  app.add_flag("--json", opts->json, "One JSON object an answer.");
  auto flags = option_flags{app};
  flags.only({"join", "timeout", "tls-dir"});
  return [opts, flags]() -> result<exit_code> {
    auto options = flags.resolve();
    if (!options)
      return tl::unexpected(options.error());
    return run(*opts, options->values.process);
  };
}

} // namespace

command query_command() {
  auto res = command{};
  res.name = "query";
  res.help = "Ask for averages of entities, and for totals over all of them";
  res.examples = {"weir query average sensor-0000001"};
  res.group = {{"average",
                "The average of an entity over a sliding window",
                {"weir query average sensor-1 sensor-2 --window 5m",
                 "weir query average sensor-1 --at now-1m --json",
                 "weir query average --from questions.ndjson --json",
                 "weir query average sensor-1 --watch 1s"},
                declare_average,
                {}},
               query_window_command(),
               query_windows_command()};
  return res;
}

} // namespace weir
