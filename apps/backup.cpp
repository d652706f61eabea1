#include "apps/backup_run.hpp"
#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "apps/with_client.hpp"
#include "apps/work_directory.hpp"
#include "windows/time_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace weir {

namespace {

struct arguments {
  std::string directory;
  bool json = false;
};

void show(const backup_manifest& x, const std::string& directory,
          bool as_json) {
  auto seconds = static_cast<double>(x.finished - x.started) / 1000;
  auto age = static_cast<double>(x.finished - x.moment) / 1000;
  if (as_json)
    return print_json({{"directory", directory},
                       {"cluster", x.cluster},
                       {"shards", x.shards.size()},
                       {"entries", x.entries()},
                       {"bytes", x.bytes()},
                       {"seconds", seconds},
                       {"moment_ms", x.moment},
                       {"behind_entries", x.behind},
                       {"behind_seconds", age}});
  print_line(fmt::format("{}: {} shards, {} log entries, {}, in {:.1f} s",
                         directory, x.shards.size(), x.entries(),
                         human_bytes(x.bytes()), seconds));
  print_line(fmt::format("it holds all that was acknowledged by {}, {:.1f} s "
                         "before it was finished; of later entries, {} are not "
                         "in it",
                         format_time(x.moment), age, x.behind));
}

result<exit_code> run(client& cluster, const process_settings& process,
                      const arguments& opts) {
  auto directory = work_directory::create(opts.directory);
  if (!directory)
    return tl::unexpected(directory.error());
  auto source = backup_source{cluster, process};
  auto manifest = backup_run{source, process, directory->path()}.run();
  if (!manifest)
    return tl::unexpected(manifest.error());
  // The last file: without it, nobody takes the others for a backup.
  auto done
    = replace_file(fmt::format("{}/{}", directory->path(), manifest_name),
                   manifest->to_text());
  if (done)
    done = directory->keep();
  if (!done)
    return tl::unexpected(done.error());
  show(*manifest, directory->target(), opts.json);
  return exit_code::ok;
}

runner declare(CLI::App& app) {
  app.description(
    "Copy a running cluster into a directory of this machine.\n\n"
    "Readings and questions go on meanwhile. The backup holds all that was\n"
    "acknowledged by a moment that is told in the end: every shard, the "
    "settings,\n"
    "producers' positions, and windows with their results. It is whole or not "
    "there:\n"
    "until it is complete its directory is called DIR.partial. `weir restore` "
    "makes\n"
    "a new cluster of it. Exit code 4: a shard is not served, or nobody "
    "answers.\n");
  auto opts = std::make_shared<arguments>();
  app
    .add_option("DIR", opts->directory,
                "The directory to make; it must not exist.")
    ->required()
    ->type_name("");
  app.add_flag("--json", opts->json, "What was written, as one JSON object.");
  return with_client(app, opts, run);
}

} // namespace

command backup_command() {
  return {"backup",
          "Copy a running cluster into a directory",
          {"weir backup /backup/weir-monday",
           "weir backup /backup/weir-monday --join 10.0.0.1:7411 --json"},
          declare,
          {}};
}

} // namespace weir
