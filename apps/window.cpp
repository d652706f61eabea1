#include "actors/clock.hpp"
#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "apps/window_text.hpp"
#include "apps/with_client.hpp"
#include "windows/time_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <memory>
#include <thread>

namespace weir {

namespace {

/// How often commands look whether all shards have what they wait for.
constexpr auto wait_step = std::chrono::milliseconds{50};

result<time_ms> take_time(const char* name, const std::string& text) {
  auto res = parse_time(text, wall_clock());
  if (!res)
    return fail(res.error().code,
                fmt::format("{}: {}", name, res.error().text));
  return res;
}

bool is_behind(const window_holder& x) {
  return x.kind == window_holder::what::plan;
}

failure not_everywhere(window_list x) {
  auto& holders = x.held_by;
  holders.erase(std::remove_if(holders.begin(), holders.end(),
                               [](auto& y) {
                                 return !is_behind(y);
                               }),
                holders.end());
  auto text
    = std::string{"the change is made, and takes effect when all shards know "
                  "it"};
  for (auto& y : sentences(std::move(holders)))
    text += "; " + y;
  return {ec::timeout, std::move(text)};
}

/// Until each shard's log has version `version` of the windows, or a later one,
/// and no change of duration is under way.
result<window_list> wait_for_plan(client& cluster,
                                  const process_settings& process,
                                  uint64_t version) {
  auto deadline = std::chrono::steady_clock::now()
                  + std::chrono::milliseconds{process.timeout};
  for (;;) {
    auto list = cluster.ask<window_list>(get_windows{0, 0});
    if (!list)
      return list;
    auto& holders = list->held_by;
    if (list->version >= version && list->every_pending < 0
        && std::none_of(holders.begin(), holders.end(), is_behind))
      return list;
    if (std::chrono::steady_clock::now() >= deadline)
      return tl::unexpected(not_everywhere(std::move(*list)));
    std::this_thread::sleep_for(wait_step);
  }
}

// -- every

struct every_arguments {
  std::string every;
};

result<exit_code> run_every(client& cluster, const process_settings& process,
                            const every_arguments& opts) {
  auto every = time_ms{0};
  if (opts.every != "off") {
    auto parsed = parse_duration(opts.every);
    if (!parsed || *parsed <= 0)
      return fail(ec::invalid_argument,
                  fmt::format("{} is neither a duration such as 60s nor off",
                              opts.every));
    every = *parsed;
  }
  auto request = change_windows{};
  request.kind = change_windows::what::every;
  request.every = every;
  auto changed = cluster.ask<windows_changed>(request);
  if (!changed)
    return tl::unexpected(changed.error());
  auto list = wait_for_plan(cluster, process, changed->version);
  if (!list)
    return tl::unexpected(list.error());
  if (list->every != every)
    return fail(ec::conflict,
                fmt::format("the change was given up: there is no boundary "
                            "common to both durations before the year 10000, "
                            "or it was changed again; windows are {} now",
                            every_text(list->every)));
  auto since = list->every_from >= 0
                 ? "from " + format_time(list->every_from) + " on"
                 : "for all times";
  print_line(every > 0
               ? fmt::format("windows of {} {}", format_duration(every), since)
               : fmt::format("no windows {}, but those opened by hand", since));
  return exit_code::ok;
}

runner declare_every(CLI::App& app) {
  auto opts = std::make_shared<every_arguments>();
  app
    .add_option("DURATION", opts->every,
                "Length of a window, such as 60s; or off.")
    ->required()
    ->type_name("");
  return with_client(app, opts, run_every);
}

// -- open

struct open_arguments {
  std::string from;
  std::string to;
};

result<exit_code> run_open(client& cluster, const process_settings& process,
                           const open_arguments& opts) {
  auto from = take_time("--from", opts.from);
  if (!from)
    return tl::unexpected(from.error());
  auto to = take_time("--to", opts.to);
  if (!to)
    return tl::unexpected(to.error());
  auto changed = cluster.ask<windows_changed>(
    change_windows{change_windows::what::open, 0, *from, *to});
  if (!changed)
    return tl::unexpected(changed.error());
  auto list = wait_for_plan(cluster, process, changed->version);
  if (!list)
    return tl::unexpected(list.error());
  print_line(fmt::format("window {} is open: what comes from now on counts",
                         bounds_text(*from, *to)));
  return exit_code::ok;
}

runner declare_open(CLI::App& app) {
  auto opts = std::make_shared<open_arguments>();
  app.add_option("--from", opts->from, "First time of the window.")
    ->required()
    ->type_name("TIME");
  app.add_option("--to", opts->to, "First time after the window.")
    ->required()
    ->type_name("TIME");
  return with_client(app, opts, run_open);
}

// -- close

struct time_argument {
  std::string time;
};

void add_time(CLI::App& app, time_argument& opts) {
  app
    .add_option("TIME", opts.time,
                "A time inside the window: ISO 8601, ms since the epoch, or "
                "now-5m.")
    ->required()
    ->type_name("");
}

result<exit_code> run_close(client& cluster, const process_settings&,
                            const time_argument& opts) {
  auto time = take_time("TIME", opts.time);
  if (!time)
    return tl::unexpected(time.error());
  auto changed = cluster.ask<windows_changed>(
    change_windows{change_windows::what::close, 0, *time, *time});
  if (!changed)
    return tl::unexpected(changed.error());
  print_line(fmt::format("window {} is closed; it is final as soon as all "
                         "shards have sent their parts",
                         bounds_text(changed->start, changed->end)));
  return exit_code::ok;
}

runner declare_close(CLI::App& app) {
  auto opts = std::make_shared<time_argument>();
  add_time(app, *opts);
  return with_client(app, opts, run_close);
}

// -- list

struct list_arguments {
  bool json = false;
};

result<exit_code> run_list(client& cluster, const process_settings&,
                           const list_arguments& opts) {
  auto list = cluster.ask<window_list>(get_windows{});
  if (!list)
    return tl::unexpected(list.error());
  if (opts.json)
    print_json(to_json(*list));
  else
    print(to_text(*list));
  return exit_code::ok;
}

runner declare_list(CLI::App& app) {
  auto opts = std::make_shared<list_arguments>();
  app.add_flag("--json", opts->json, "Everything, as one JSON object.");
  return with_client(app, opts, run_list);
}

// -- why

result<exit_code> run_why(client& cluster, const process_settings&,
                          const time_argument& opts) {
  auto time = take_time("TIME", opts.time);
  if (!time)
    return tl::unexpected(time.error());
  auto found
    = cluster.ask<window_answers>(window_query{*time, *time + 1, {}, false});
  if (!found)
    return tl::unexpected(found.error());
  if (found->code != ec::none)
    return fail(found->code, found->text);
  if (found->windows.empty())
    return fail(ec::not_found,
                fmt::format("no window is announced for {}; see `weir window "
                            "list`",
                            format_time(*time)));
  auto list = cluster.ask<window_list>(get_windows{});
  if (!list)
    return tl::unexpected(list.error());
  for (auto& line : explain(found->windows.front(), *list))
    print_line(line);
  return exit_code::ok;
}

runner declare_why(CLI::App& app) {
  auto opts = std::make_shared<time_argument>();
  add_time(app, *opts);
  return with_client(app, opts, run_why);
}

} // namespace

command window_command() {
  auto res = command{};
  res.name = "window";
  res.help = "Announce windows over all entities, and see what they wait for";
  res.examples = {"weir window list"};
  res.group = {
    {"every",
     "Change the duration of windows, or switch them off",
     {"weir window every 5m", "weir window every off",
      "weir window every 1h --timeout 60s"},
     declare_every,
     {}},
    {"open",
     "Announce one window, where there are none of a fixed duration",
     {"weir window open --from 2024-05-01T06:00Z --to 2024-05-01T14:00Z",
      "weir window open --from now --to now+8h"},
     declare_open,
     {}},
    {"close",
     "Close a window by hand, and all before it if they have a duration",
     {"weir window close now", "weir window close 2024-05-01T06:00Z"},
     declare_close,
     {}},
    {"list",
     "Show windows, the watermark, and who holds it back",
     {"weir window list", "weir window list --json | jq .held_by"},
     declare_list,
     {}},
    {"why",
     "Tell why a window is not final yet",
     {"weir window why now-10m", "weir window why 2024-05-01T06:00Z"},
     declare_why,
     {}},
  };
  return res;
}

} // namespace weir
