#include "apps/commands.hpp"
#include "apps/option_flags.hpp"
#include "apps/output.hpp"
#include "apps/restore_run.hpp"
#include "apps/work_directory.hpp"
#include "windows/time_text.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace weir {

namespace {

struct arguments {
  std::string directory;
  std::string name = "n1";
  bool apart = false;
  bool json = false;
};

/// How to start what was made.
std::vector<std::string> commands_for(const std::string& target,
                                      const arguments& opts) {
  if (!opts.apart)
    return {fmt::format("weir serve --data {}", target)};
  return {fmt::format("weir coordinator --data {}/coordinator", target),
          fmt::format("weir node --data {}/node", target)};
}

void show(const restored& x, const std::string& target, const arguments& opts) {
  auto start = commands_for(target, opts);
  if (opts.json)
    return print_json({{"directory", target},
                       {"cluster", x.cluster},
                       {"backup_of", x.from.cluster},
                       {"moment_ms", x.from.moment},
                       {"shards", x.from.shards.size()},
                       {"entries", x.from.entries()},
                       {"bytes", x.from.bytes()},
                       {"accepted", x.ledger.accepted},
                       {"settings_version", x.settings_version},
                       {"producers", x.producers},
                       {"final_windows", x.finals},
                       {"start", start}});
  print_line(fmt::format("{} holds a new cluster, {}, which goes on from {} as "
                         "of {}",
                         target, x.cluster, x.from.cluster,
                         format_time(x.from.moment)));
  print_line(fmt::format("{} shards with {} accepted readings, {} final "
                         "windows, {} producers, version {} of the settings",
                         x.from.shards.size(), x.ledger.accepted, x.finals,
                         x.producers, x.settings_version));
  print_line("start it with");
  for (auto& line : start)
    print_line("  " + line);
}

result<exit_code> run(const std::string& data, const arguments& opts) {
  auto directory = work_directory::create(data);
  if (!directory)
    return tl::unexpected(directory.error());
  auto& path = directory->path();
  auto to = opts.apart ? restore_paths{path + "/coordinator", path + "/node"}
                       : restore_paths{path, path};
  auto done = restore_run{opts.directory, to, opts.name}.run();
  if (!done)
    return tl::unexpected(done.error());
  if (auto kept = directory->keep(); !kept)
    return tl::unexpected(kept.error());
  show(*done, directory->target(), opts);
  return exit_code::ok;
}

runner declare(CLI::App& app) {
  app.description(
    "Make a new cluster of a backup.\n\n"
    "Reads the whole backup, with every checksum, and leaves it as it is. What "
    "it\n"
    "makes is another cluster, with an id of its own and one node that holds "
    "all\n"
    "shards: nodes of the old cluster are refused by it. Start it, and let "
    "other\n"
    "nodes join with empty directories: shards spread, and get their copies. "
    "No\n"
    "process is needed for it, and none is started.\n");
  auto opts = std::make_shared<arguments>();
  app
    .add_option("DIR", opts->directory, "A directory that `weir backup` made.")
    ->required()
    ->type_name("");
  app.add_option("--name", opts->name, "Name of the node (n1).")
    ->type_name("NAME");
  app.add_flag("--apart", opts->apart,
               "Two directories, DATA/coordinator and DATA/node, for `weir "
               "coordinator` and `weir node`; else one, for `weir serve`.");
  app.add_flag("--json", opts->json, "What was made, as one JSON object.");
  auto flags = option_flags{app};
  flags.only({"data"});
  return [opts, flags]() -> result<exit_code> {
    auto options = flags.resolve();
    if (!options)
      return tl::unexpected(options.error());
    return run(options->values.process.data, *opts);
  };
}

} // namespace

command restore_command() {
  return {"restore",
          "Make a new cluster of a backup",
          {"weir restore /backup/weir-monday --data /var/lib/weir",
           "weir restore /backup/weir-monday --data /tmp/trial --json"},
          declare,
          {}};
}

} // namespace weir
