#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "apps/status_text.hpp"
#include "apps/with_client.hpp"
#include "messages/cluster_wire.hpp"
#include "windows/time_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>

#include <unistd.h>

namespace weir {

namespace {

using clock = std::chrono::steady_clock;

/// How often it looks how far the node is.
constexpr auto look_every = std::chrono::milliseconds{200};

/// Without a terminal, how far it is comes as a line of its own, this often.
constexpr auto tell_every = std::chrono::seconds{10};

std::atomic<bool> interrupted = false;

extern "C" void on_drain_interrupt(int) {
  interrupted = true;
}

struct arguments {
  std::string node;
  bool undo = false;
  bool no_wait = false;
};

/// "6 primaries and 5 backups to go; 2 moves, 12 MiB of 40 MiB, 8s left"
std::string progress_text(const cluster_status& x, const node_status& node) {
  auto res = fmt::format("{} primaries and {} backups to go", node.primaries,
                         node.backups);
  auto sum = move_status{};
  auto left = time_ms{0};
  for (auto& move : x.moves) {
    sum.bytes += move.bytes;
    sum.bytes_in_all += move.bytes_in_all;
    left = std::max(left, left_of(move));
  }
  if (x.moves.empty())
    return res;
  return res
         + fmt::format("; under way: {} of {}, {} left", human_bytes(sum.bytes),
                       human_bytes(sum.bytes_in_all),
                       format_duration((left + 999) / 1'000 * 1'000));
}

/// One run of `weir drain`, after the coordinator has been told.
class drain_run {
public:
  drain_run(const arguments& opts, const process_settings& process,
            std::unique_ptr<client> cluster)
    : opts_(opts),
      process_(process),
      cluster_(std::move(cluster)),
      terminal_(isatty(STDERR_FILENO) == 1) {
    // nop
  }

  /// Until the node is empty, or can't become so.
  result<exit_code> wait();

private:
  result<cluster_status> look();
  void tell(const std::string& text);
  void clear();

  const arguments& opts_;
  const process_settings& process_;
  std::unique_ptr<client> cluster_;
  bool terminal_;
  std::string told_;
  clock::time_point told_at_{};
};

result<cluster_status> drain_run::look() {
  if (cluster_ == nullptr) {
    auto made = client::connect(process_);
    if (!made)
      return tl::unexpected(made.error());
    cluster_ = std::move(*made);
  }
  auto res = cluster_->ask<cluster_status>(get_status{});
  if (!res)
    cluster_.reset();
  return res;
}

void drain_run::tell(const std::string& text) {
  if (terminal_) {
    std::fputs(("\r\x1b[K" + text).c_str(), stderr);
    std::fflush(stderr);
  } else if (text != told_ && clock::now() - told_at_ >= tell_every) {
    complain(text);
    told_ = text;
    told_at_ = clock::now();
  }
}

void drain_run::clear() {
  if (!terminal_)
    return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

result<exit_code> drain_run::wait() {
  for (; !interrupted; std::this_thread::sleep_for(look_every)) {
    auto status = look();
    if (!status) {
      if (to_exit_code(status.error().code) != exit_code::unreachable)
        return tl::unexpected(status.error());
      tell("waiting: " + status.error().text);
      continue;
    }
    auto node = find_node(*status, opts_.node);
    if (node == nullptr || node->state == "up") {
      clear();
      return fail(ec::conflict,
                  fmt::format("node {} takes shards again: somebody has taken "
                              "the drain back",
                              opts_.node));
    }
    auto empty = node->state == "drained";
    if (node->state == "down") {
      // It may have been stopped when it was empty; else this is an error.
      auto again = cluster_->ask<operator_answer>(drain_node{opts_.node, true});
      if (!again) {
        clear();
        return tl::unexpected(again.error());
      }
      empty = true;
    }
    if (empty) {
      clear();
      print_line(
        fmt::format("node {} is empty: it is safe to stop it", opts_.node));
      for (auto& shortage : shortages(*status))
        print_line(sentence(shortage));
      return exit_code::ok;
    }
    tell(fmt::format("node {}: {}", opts_.node, progress_text(*status, *node)));
  }
  clear();
  complain(fmt::format("node {} is not empty yet, and goes on giving its "
                       "shards away; `weir drain {} --undo` takes that back",
                       opts_.node, opts_.node));
  return exit_code::failure;
}

result<exit_code> run(const arguments& opts, const process_settings& process) {
  auto cluster = client::connect(process);
  if (!cluster)
    return tl::unexpected(cluster.error());
  // From here on the drain goes on whatever happens to this process.
  std::signal(SIGINT, on_drain_interrupt);
  std::signal(SIGTERM, on_drain_interrupt);
  auto answer
    = (*cluster)->ask<operator_answer>(drain_node{opts.node, !opts.undo});
  if (!answer)
    return tl::unexpected(answer.error());
  print_line(answer->text);
  if (opts.undo || opts.no_wait)
    return exit_code::ok;
  std::fflush(stdout);
  return drain_run{opts, process, std::move(*cluster)}.wait();
}

runner declare(CLI::App& app) {
  app.description(
    "Empty a node before it is stopped for good.\n\n"
    "Its shards move to other nodes, a few at a time, while readings and\n"
    "questions go on, and no copy is given up before another one is complete.\n"
    "Waits until the node is empty; Ctrl-C ends the waiting, not the drain. A\n"
    "node that is just restarted need not be drained.\n");
  auto opts = std::make_shared<arguments>();
  app.add_option("NODE", opts->node, "Name of the node.")
    ->required()
    ->type_name("");
  auto undo = app.add_flag("--undo", opts->undo,
                           "Let the node take shards again, drained or not.");
  app
    .add_flag("--no-wait", opts->no_wait,
              "Return at once; `weir status` says when it is safe to stop it.")
    ->excludes(undo);
  auto flags = option_flags{app};
  flags.only(client_options);
  return [opts, flags]() -> result<exit_code> {
    auto options = flags.resolve();
    if (!options)
      return tl::unexpected(options.error());
    return run(*opts, options->values.process);
  };
}

} // namespace

command drain_command() {
  return {"drain",
          "Empty a node, and say when it is safe to stop it",
          {"weir drain n2", "weir drain n2 --no-wait", "weir drain n2 --undo"},
          declare,
          {}};
}

} // namespace weir
