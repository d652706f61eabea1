#include "actors/process.hpp"

#include "messages/types.hpp"

#include <caf/atom.hpp>
#include <caf/io/middleman.hpp>

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dup_filter_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <ctime>
#include <filesystem>
#include <fstream>

#include <unistd.h>

namespace weir {

namespace {

/// Messages that an actor handles before another one gets its turn: a query
/// never waits for the whole queue of a busy shard.
constexpr size_t messages_per_turn = 5;

/// A line that follows itself is written again after this long: what is tried
/// many times a second, such as writing to a full disk, must not fill the log,
/// too.
constexpr auto same_line_after = std::chrono::seconds{10};

spdlog::level::level_enum to_level(log_severity x) {
  switch (x) {
    case log_severity::trace:
      return spdlog::level::trace;
    case log_severity::debug:
      return spdlog::level::debug;
    case log_severity::info:
      return spdlog::level::info;
    case log_severity::warning:
      return spdlog::level::warn;
    case log_severity::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

} // namespace

result<loaded_tls> load_tls(const process_settings& x) {
  if (x.tls_dir.empty())
    return loaded_tls{};
  auto identity = load_identity(x.tls_dir, std::time(nullptr));
  if (!identity)
    return tl::unexpected(std::move(identity.error()));
  auto context = tls_context::make(*identity);
  if (!context)
    return tl::unexpected(std::move(context.error()));
  return loaded_tls{std::move(*context), std::move(identity->warnings)};
}

system_config::system_config(tls_context_ptr tls) : tls_(std::move(tls)) {
  add_messages(*this);
  load<caf::io::middleman>();
  // Work stealing, the default, lets busy actors starve the others.
  set("scheduler.policy", caf::atom("sharing"));
  set("scheduler.max-throughput", messages_per_turn);
  set("logger.verbosity", caf::atom("quiet"));
  // A peer that vanished without a word, such as a machine that lost power. A
  // stopped process counts as such, and connects again when it goes on.
  set("middleman.heartbeat-interval",
      caf::timespan{std::chrono::milliseconds{500}});
  set("middleman.connection-timeout", caf::timespan{std::chrono::seconds{5}});
  // Threads that decode beside the I/O thread delay the news that a connection
  // has closed, which is when its successor suffers (docs/decisions/0009).
  set("middleman.workers", size_t{0});
}

tls_context_ptr tls_of(const caf::actor_system& system) {
  auto config = dynamic_cast<const system_config*>(&system.config());
  return config != nullptr ? config->tls() : nullptr;
}

caf::actor_system& start_system(tls_context_ptr tls) {
  static auto& config = *new system_config{std::move(tls)};
  static auto& instance = *new caf::actor_system{config};
  return instance;
}

result<void> start_logging(const process_settings& x) {
  try {
    auto out = spdlog::sink_ptr{};
    if (x.log_file.empty())
      out = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    else
      out = std::make_shared<spdlog::sinks::basic_file_sink_mt>(x.log_file);
    auto filter
      = std::make_shared<spdlog::sinks::dup_filter_sink_mt>(same_line_after);
    filter->add_sink(std::move(out));
    auto logger = std::make_shared<spdlog::logger>("weir", std::move(filter));
    logger->set_level(to_level(x.log_level));
    logger->flush_on(spdlog::level::info);
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %l: %v");
    spdlog::set_default_logger(std::move(logger));
    return {};
  } catch (const spdlog::spdlog_ex& err) {
    return fail(ec::io_error,
                fmt::format("the log can't be written: {}", err.what()));
  }
}

uint64_t resident_bytes() {
  auto in = std::ifstream{"/proc/self/statm"};
  auto total = uint64_t{0};
  auto resident = uint64_t{0};
  in >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t database_bytes(const std::string& path) {
  auto res = uint64_t{0};
  for (auto* suffix : {"", "-wal"}) {
    auto error = std::error_code{};
    auto size = std::filesystem::file_size(path + suffix, error);
    if (!error)
      res += size;
  }
  return res;
}

} // namespace weir
