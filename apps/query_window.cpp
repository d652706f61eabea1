#include "actors/clock.hpp"
#include "apps/client.hpp"
#include "apps/commands.hpp"
#include "apps/option_flags.hpp"
#include "apps/output.hpp"
#include "apps/window_text.hpp"
#include "windows/time_text.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <set>

namespace weir {

namespace {

struct arguments {
  std::string time;
  std::string from;
  std::string to;
  std::string metric;
  bool partial = false;
  bool json = false;
};

result<time_ms> take_time(const char* name, const std::string& text) {
  auto res = parse_time(text, wall_clock());
  if (!res)
    return fail(res.error().code,
                fmt::format("{}: {}", name, res.error().text));
  return res;
}

/// Prints the answers to a query, page by page.
class printer {
public:
  printer(client& cluster, const arguments& opts)
    : cluster_(cluster), opts_(opts) {
    // nop
  }

  /// All windows that end after `from` and begin before `to`.
  result<exit_code> run(time_ms from, time_ms to);

private:
  result<void> show(const window_answers& x);
  result<void> tell_pending();

  client& cluster_;
  const arguments& opts_;
  size_t windows_ = 0;
  /// Windows without totals, as they are not final.
  size_t pending_ = 0;
  window_answer first_pending_;
  std::set<uint32_t> missing_;
};

result<void> printer::show(const window_answers& x) {
  auto table = std::vector<window_row>{};
  for (auto& window : x.windows) {
    auto rows = to_rows(window, opts_.metric, opts_.partial);
    if (!rows)
      return tl::unexpected(rows.error());
    if (!rows->front().total && pending_++ == 0)
      first_pending_ = window;
    if (opts_.json)
      for (auto& row : *rows)
        print_json(to_json(row));
    else
      table.insert(table.end(), rows->begin(), rows->end());
  }
  windows_ += x.windows.size();
  missing_.insert(x.missing.begin(), x.missing.end());
  // Of one window without totals the sentences say more.
  if (!table.empty() && (pending_ == 0 || windows_ > 1))
    print(to_table(table));
  return {};
}

/// Says why there are no totals, and what to do.
result<void> printer::tell_pending() {
  if (windows_ > 1) {
    print_line(fmt::format("{} of {} windows are not final yet: --partial "
                           "shows their totals so far, and `weir window why "
                           "{}` what the first of them waits for",
                           pending_, windows_,
                           format_time(first_pending_.start)));
    return {};
  }
  auto list = cluster_.ask<window_list>(get_windows{});
  if (!list)
    return tl::unexpected(list.error());
  for (auto& line : explain(first_pending_, *list))
    print_line(line);
  print_line("its totals are not final yet: --partial shows them so far");
  return {};
}

result<exit_code> printer::run(time_ms from, time_ms to) {
  auto next = from;
  for (auto more = true; more && stdout_ok();) {
    auto answers = cluster_.ask<window_answers>(
      window_query{next, to, opts_.metric, opts_.partial});
    if (!answers)
      return tl::unexpected(answers.error());
    if (answers->code == ec::not_found && windows_ > 0)
      break;
    if (answers->code != ec::none)
      return fail(answers->code, answers->text);
    if (auto done = show(*answers); !done)
      return tl::unexpected(done.error());
    more = answers->more;
    if (!more)
      break;
    auto last = answers->windows.empty() ? next : answers->windows.back().end;
    if (last <= next)
      return fail(ec::malformed,
                  fmt::format("the coordinator has more windows after {}, but "
                              "does not send them; run the same version of "
                              "weir everywhere",
                              format_time(next)));
    next = last;
  }
  if (windows_ == 0)
    return fail(ec::not_found, "no window is announced there; see `weir window "
                               "list`");
  if (pending_ > 0 && !opts_.json)
    if (auto done = tell_pending(); !done)
      return tl::unexpected(done.error());
  if (missing_.empty())
    return exit_code::ok;
  complain(fmt::format("{} did not answer: their readings are missing from "
                       "windows that are not final",
                       shards_text({missing_.begin(), missing_.end()})));
  return exit_code::unreachable;
}

result<exit_code> with_client(const option_flags& flags, const arguments& opts,
                              time_ms from, time_ms to) {
  auto options = flags.resolve();
  if (!options)
    return tl::unexpected(options.error());
  auto cluster = client::connect(options->values.process);
  if (!cluster)
    return tl::unexpected(cluster.error());
  return printer{**cluster, opts}.run(from, to);
}

option_flags add_common(CLI::App& app, arguments& opts) {
  app.add_option("--metric", opts.metric, "Only this metric.")
    ->type_name("NAME");
  app.add_flag("--partial", opts.partial,
               "Of a window that is not final the totals so far, too.");
  app.add_flag("--json", opts.json, "One JSON object a metric and window.");
  auto flags = option_flags{app};
  flags.only({"join", "timeout", "tls-dir"});
  return flags;
}

runner declare_window(CLI::App& app) {
  auto opts = std::make_shared<arguments>();
  app
    .add_option("TIME", opts->time,
                "A time inside the window: ISO 8601, ms since the epoch, or "
                "now-5m.")
    ->required()
    ->type_name("");
  auto flags = add_common(app, *opts);
  return [opts, flags]() -> result<exit_code> {
    auto time = take_time("TIME", opts->time);
    if (!time)
      return tl::unexpected(time.error());
    return with_client(flags, *opts, *time, *time + 1);
  };
}

runner declare_windows(CLI::App& app) {
  auto opts = std::make_shared<arguments>();
  app.add_option("--from", opts->from, "Windows that end after this.")
    ->required()
    ->type_name("TIME");
  app.add_option("--to", opts->to, "Windows that begin before this.")
    ->required()
    ->type_name("TIME");
  auto flags = add_common(app, *opts);
  return [opts, flags]() -> result<exit_code> {
    auto from = take_time("--from", opts->from);
    if (!from)
      return tl::unexpected(from.error());
    auto to = take_time("--to", opts->to);
    if (!to)
      return tl::unexpected(to.error());
    if (*from >= *to)
      return fail(ec::invalid_argument, "--from must be before --to");
    return with_client(flags, *opts, *from, *to);
  };
}

} // namespace

command query_window_command() {
  return {"window",
          "The totals of a window over all entities",
          {"weir query window now-10m",
           "weir query window 2024-05-01T06:00Z --metric temperature --json",
           "weir query window now --partial"},
          declare_window,
          {}};
}

command query_windows_command() {
  return {"windows",
          "The totals of all windows of a time",
          {"weir query windows --from now-1d --to now --metric temperature",
           "weir query windows --from 2024-05-01 --to 2024-06-01 --json"},
          declare_windows,
          {}};
}

} // namespace weir
