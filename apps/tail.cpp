#include "apps/client.hpp"
#include "apps/commands.hpp"
#include "apps/option_flags.hpp"
#include "apps/output.hpp"
#include "apps/window_text.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <memory>
#include <optional>
#include <thread>

namespace weir {

namespace {

/// How long the coordinator may keep a question that has no answer yet, and so
/// how long after Ctrl-C it may take to end.
constexpr time_ms poll_wait = 1'000;

/// Between two attempts to reach a coordinator that is away.
constexpr auto retry_after = std::chrono::milliseconds{200};

std::atomic<bool> interrupted = false;

extern "C" void on_tail_interrupt(int) {
  interrupted = true;
}

struct arguments {
  std::optional<uint64_t> after;
  std::string metric;
  bool json = false;
  /// Windows; 0: without end.
  uint64_t count = 0;
};

/// One run of `weir tail`.
class tail_run {
public:
  tail_run(const arguments& opts, const process_settings& process)
    : opts_(opts), process_(process) {
    // nop
  }

  result<exit_code> run();

private:
  result<void> connect();
  result<window_answers> ask(time_ms wait);
  result<void> find_end();
  result<bool> show(const window_answers& x);

  const arguments& opts_;
  const process_settings& process_;
  std::unique_ptr<client> cluster_;
  std::string cluster_id_;
  /// Number of the last window that is behind us.
  uint64_t after_ = 0;
  uint64_t shown_ = 0;
  /// It was told that the coordinator is away.
  bool told_ = false;
};

/// Fails for good if there is another cluster now, whose numbers mean others.
result<void> tail_run::connect() {
  auto made = client::connect(process_);
  if (!made)
    return tl::unexpected(made.error());
  auto& id = (*made)->cluster();
  if (!cluster_id_.empty() && id != cluster_id_)
    return fail(ec::wrong_cluster,
                fmt::format("there is another cluster now, {} in place of {}; "
                            "start again without --after",
                            id, cluster_id_));
  cluster_id_ = id;
  cluster_ = std::move(*made);
  return {};
}

result<window_answers> tail_run::ask(time_ms wait) {
  auto timeout = std::chrono::milliseconds{wait + process_.timeout};
  auto res
    = cluster_->ask<window_answers>(cluster_->coordinator(), "the coordinator",
                                    follow_windows{after_, wait}, timeout);
  if (res && res->code != ec::none)
    return fail(res->code, res->text);
  return res;
}

/// Goes past all windows that are final already.
result<void> tail_run::find_end() {
  // The newest by time are most likely the last ones by number, and spare
  // reading all results that are kept.
  auto list = cluster_->ask<window_list>(get_windows{get_windows{}.finals, 0});
  if (!list)
    return tl::unexpected(list.error());
  for (auto& x : list->windows)
    after_ = std::max(after_, x.sequence);
  for (;;) {
    auto rest = ask(0);
    if (!rest)
      return tl::unexpected(rest.error());
    if (rest->windows.empty())
      return {};
    after_ = rest->windows.back().sequence;
  }
}

/// @returns whether that was enough
result<bool> tail_run::show(const window_answers& x) {
  for (auto& window : x.windows) {
    auto rows = to_rows(window, {}, false);
    if (!rows)
      return tl::unexpected(rows.error());
    auto& metric = opts_.metric;
    auto other = [&](const window_row& row) {
      return !metric.empty() && row.metric != metric;
    };
    rows->erase(std::remove_if(rows->begin(), rows->end(), other), rows->end());
    after_ = window.sequence;
    if (rows->empty())
      continue;
    for (auto& row : *rows) {
      if (!opts_.json) {
        print_line(to_line(row));
        continue;
      }
      auto line = nlohmann::ordered_json{{"sequence", window.sequence}};
      line.update(to_json(row));
      print_json(line);
    }
    if (++shown_ == opts_.count)
      break;
  }
  std::fflush(stdout);
  return opts_.count > 0 && shown_ >= opts_.count;
}

result<exit_code> tail_run::run() {
  if (auto done = connect(); !done)
    return tl::unexpected(done.error());
  if (opts_.after)
    after_ = *opts_.after;
  else if (auto done = find_end(); !done)
    return tl::unexpected(done.error());
  while (!interrupted && stdout_ok()) {
    auto trouble = std::optional<failure>{};
    if (!cluster_)
      if (auto done = connect(); !done)
        trouble = done.error();
    if (!trouble) {
      auto answers = ask(poll_wait);
      if (answers) {
        told_ = false;
        auto enough = show(*answers);
        if (!enough)
          return tl::unexpected(enough.error());
        if (*enough)
          break;
        continue;
      }
      trouble = answers.error();
    }
    if (to_exit_code(trouble->code) != exit_code::unreachable)
      return tl::unexpected(*trouble);
    if (!told_)
      complain(fmt::format("waiting: {}", trouble->text));
    told_ = true;
    cluster_.reset();
    std::this_thread::sleep_for(retry_after);
  }
  return exit_code::ok;
}

runner declare(CLI::App& app) {
  auto opts = std::make_shared<arguments>();
  app
    .add_option("--after", opts->after,
                "Begin after the window with this number, the `sequence` that "
                "--json prints; 0: with the first that is kept. Without it, "
                "from now on.")
    ->type_name("SEQUENCE")
    ->check(refuse_negative);
  app.add_option("--metric", opts->metric, "Only this metric.")
    ->type_name("NAME");
  app.add_flag("--json", opts->json, "One JSON object a metric and window.");
  app.add_option("--count", opts->count, "End after so many windows.")
    ->type_name("WINDOWS")
    ->check(refuse_negative);
  auto flags = option_flags{app};
  flags.only({"join", "timeout", "tls-dir"});
  return [opts, flags]() -> result<exit_code> {
    auto options = flags.resolve();
    if (!options)
      return tl::unexpected(options.error());
    std::signal(SIGINT, on_tail_interrupt);
    std::signal(SIGTERM, on_tail_interrupt);
    return tail_run{*opts, options->values.process}.run();
  };
}

} // namespace

command tail_command() {
  return {"tail",
          "Follow windows as they become final",
          {"weir tail", "weir tail --metric temperature --json",
           "weir tail --json --after 1234"},
          declare,
          {}};
}

} // namespace weir
