#include "actors/clock.hpp"
#include "apps/cli.hpp"
#include "apps/commands.hpp"
#include "apps/option_flags.hpp"
#include "apps/output.hpp"
#include "apps/survivors.hpp"
#include "storage/data_dir.hpp"
#include "storage/file.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>

namespace weir {

namespace {

struct arguments {
  std::vector<std::string> addresses;
  std::vector<std::string> without;
  bool accept_loss = false;
  bool json = false;
};

/// A folder beside what is made, which goes with the object.
class scratch_folder {
public:
  explicit scratch_folder(std::string path) : path_(std::move(path)) {
    clear();
  }

  scratch_folder(const scratch_folder&) = delete;
  scratch_folder& operator=(const scratch_folder&) = delete;

  ~scratch_folder() {
    clear();
  }

  const std::string& path() const {
    return path_;
  }

private:
  void clear() const {
    auto ignored = std::error_code{};
    std::filesystem::remove_all(path_, ignored);
  }

  std::string path_;
};

/// Leaves no trace of a directory that this command made, unless it is kept.
class new_directory {
public:
  explicit new_directory(const data_dir& dir)
    : path_(dir.path()), fresh_(dir.fresh()) {
    // nop
  }

  new_directory(const new_directory&) = delete;
  new_directory& operator=(const new_directory&) = delete;

  ~new_directory() {
    if (!fresh_)
      return;
    auto ignored = std::error_code{};
    for (auto name : {"/identity", "/lock", ""}) // At last it is empty.
      std::filesystem::remove(path_ + name, ignored);
  }

  void keep() {
    fresh_ = false;
  }

private:
  std::string path_;
  bool fresh_;
};

nlohmann::ordered_json to_json(const survivors::visited& x) {
  auto res = nlohmann::ordered_json{{"address", x.address}};
  if (x.trouble.code != ec::none) {
    res["trouble"] = x.trouble.text;
    return res;
  }
  res["node"] = x.who.name;
  res["id"] = x.who.node;
  if (x.copy == nullptr)
    return res;
  auto& lineage = x.copy->lineage();
  res["generation"] = lineage.held.generation;
  res["start"] = lineage.held.start;
  res["change"] = lineage.held.count;
  res["last_sequence"] = lineage.last_sequence;
  return res;
}

std::string to_line(const survivors::visited& x) {
  if (x.trouble.code != ec::none)
    return fmt::format("nobody at {}: {}", x.address, x.trouble.text);
  auto head = fmt::format("node {} at {}", x.who.name, x.address);
  if (x.copy == nullptr)
    return head + " has no copy";
  auto& lineage = x.copy->lineage();
  return fmt::format(
    "{} has a copy of generation {}, start {}, change {}, with "
    "windows up to number {}",
    head, lineage.held.generation, lineage.held.start, lineage.held.count,
    lineage.last_sequence);
}

void tell(const survivors& found, const rebuilt_directory& x,
          const std::string& directory, bool json) {
  if (json) {
    auto nodes = nlohmann::ordered_json::array();
    for (auto& y : found.all())
      nodes.push_back(to_json(y));
    print_json({{"directory", directory},
                {"cluster", x.cluster},
                {"generation", x.generation},
                {"settings_version", x.settings_version},
                {"plan_version", x.plan_version},
                {"final_windows", x.finals},
                {"producers", x.producers},
                {"shards_kept", x.shards_kept},
                {"shards_electing", x.shards_electing},
                {"shards_unknown", x.shards_unknown},
                {"shards_at_risk", x.shards_at_risk},
                {"without", x.without},
                {"nodes", nodes}});
    return;
  }
  for (auto& y : found.all())
    print_line(to_line(y));
  print_line(
    fmt::format("{} is a coordinator's directory of cluster {} now, of "
                "generation {}:",
                directory, x.cluster, x.generation));
  print_line(fmt::format("  settings of version {}, windows of plan {}",
                         x.settings_version, x.plan_version));
  print_line(
    fmt::format("  {} final windows, {} producers", x.finals, x.producers));
  print_line(fmt::format("  {} shards as they were", x.shards_kept));
  auto list = [](const char* what, const std::vector<uint32_t>& shards) {
    if (!shards.empty())
      print_line(fmt::format("  {}: {}", what, fmt::join(shards, ", ")));
  };
  list("led by the longest log that is there", x.shards_electing);
  list("nothing is known of shards", x.shards_unknown);
  list("what was acknowledged last may be missing in shards", x.shards_at_risk);
  if (!x.without.empty())
    print_line(fmt::format("  the disks of {} are declared gone",
                           fmt::join(x.without, ", ")));
  print_line(fmt::format("now start it, where the nodes look for it: weir "
                         "coordinator --data {} --listen ADDRESS",
                         directory));
}

result<exit_code> rebuild(const arguments& opts,
                          const process_settings& process) {
  auto addresses = std::vector<endpoint>{};
  for (auto& text : opts.addresses) {
    auto where = parse_endpoint(text);
    if (!where)
      return tl::unexpected(std::move(where.error()));
    addresses.push_back(*where);
  }
  auto there = file_size(process.data + "/coordinator.db");
  if (!there)
    return tl::unexpected(std::move(there.error()));
  if (*there)
    return fail(
      ec::conflict,
      fmt::format("{} holds a coordinator.db: start `weir coordinator "
                  "--data {}`, or choose an empty directory",
                  process.data, process.data));
  auto net = client::start(process);
  if (!net)
    return tl::unexpected(std::move(net.error()));
  auto dir = data_dir::open(process.data, {});
  if (!dir)
    return tl::unexpected(std::move(dir.error()));
  auto made_here = new_directory{*dir};
  auto scratch = scratch_folder{dir->file("rebuild")};
  if (auto done = make_directories(scratch.path()); !done)
    return tl::unexpected(std::move(done.error()));
  auto path = dir->file("coordinator.db.new");
  for (auto* suffix : {"", "-wal"})
    if (auto done = remove_file(path + suffix); !done)
      return tl::unexpected(std::move(done.error()));
  auto found = survivors{**net, process, scratch.path()};
  if (auto done = found.find(addresses); !done)
    return tl::unexpected(std::move(done.error()));
  auto silent = [](auto& x) {
    return x.trouble.code != ec::none;
  };
  if (std::all_of(found.all().begin(), found.all().end(), silent)) {
    for (auto& x : found.all())
      complain(to_line(x));
    return fail(ec::unreachable, "no node has answered; start the nodes, and "
                                 "name the addresses that they print");
  }
  // Tried first: a node that has promised something follows no old coordinator
  // any more, even if nothing comes of this.
  auto generation = found.next_generation();
  auto attempt = [&](const std::string& at) -> result<rebuilt_directory> {
    auto parts = found.gather(generation);
    if (!parts)
      return tl::unexpected(std::move(parts.error()));
    auto target = catalog::open(at);
    if (!target)
      return tl::unexpected(std::move(target.error()));
    return parts->write(*target, opts.without, opts.accept_loss, wall_clock());
  };
  auto trial = attempt(scratch.path() + "/trial.db");
  if (!trial) {
    for (auto& x : found.all())
      if (x.trouble.code != ec::none)
        complain(to_line(x));
    return tl::unexpected(std::move(trial.error()));
  }
  if (auto done = found.fence(generation); !done)
    return tl::unexpected(std::move(done.error()));
  made_here.keep(); // The nodes know this generation.
  auto made = attempt(path);
  if (!made)
    return tl::unexpected(std::move(made.error()));
  if (auto done = dir->join(made->cluster); !done)
    return tl::unexpected(std::move(done.error()));
  // It was closed, so all of it is in the one file.
  if (auto done = rename_file(path, dir->file("coordinator.db")); !done)
    return tl::unexpected(std::move(done.error()));
  tell(found, *made, process.data, opts.json);
  return exit_code::ok;
}

} // namespace

runner declare_rebuild_coordinator(CLI::App& app) {
  app.description(
    "Make a coordinator's directory out of what nodes have copied of it.\n\n"
    "For when the old one is lost, with its disk or by mistake. Every node "
    "keeps a\n"
    "copy, and its journal knows who leads which shard. Start all nodes, name "
    "one of\n"
    "them, and an empty directory; the others are found by what it knows. "
    "Then start\n"
    "`weir coordinator` with that directory, at the old address, and all goes "
    "on.\n"
    "A coordinator that comes back with the old directory is not followed any "
    "more.\n\n"
    "Each node that was ever one of the cluster's, and was not removed, has "
    "to\n"
    "answer, for it may know what nobody else does. One that never will is "
    "given up\n"
    "with --without, as by `weir admin remove`. Put on record.\n");
  auto opts = std::make_shared<arguments>();
  app
    .add_option("HOST:PORT", opts->addresses,
                "HOST:PORT of a node; one is enough, if it is up.")
    ->required()
    ->type_name("");
  app
    .add_option("--without", opts->without,
                "A node, by name or id, that is lost with its disk. Can be "
                "given several times. Its process must not run any more.")
    ->type_name("NODE")
    ->expected(1)
    ->take_all();
  app.add_flag("--accept-loss", opts->accept_loss,
               "Go on, though what was acknowledged last may have been on "
               "those nodes alone, and is lost then.");
  app.add_flag("--json", opts->json, "Print one JSON object.");
  auto flags = option_flags{app};
  flags.only({"data", "timeout", "tls-dir"});
  return [opts, flags]() -> result<exit_code> {
    auto options = flags.resolve();
    if (!options)
      return tl::unexpected(options.error());
    return rebuild(*opts, options->values.process);
  };
}

} // namespace weir
