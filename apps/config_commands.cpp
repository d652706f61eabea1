#include "apps/client.hpp"
#include "apps/commands.hpp"
#include "apps/option_flags.hpp"
#include "apps/output.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>

namespace weir {

namespace {

/// Columns of an option's meaning, behind its indent.
constexpr size_t meaning_width = 76;

struct show_options {
  bool json = false;
  bool describe = false;
};

const char* scope_name(option_scope x) {
  return x == option_scope::cluster ? "cluster" : "process";
}

std::string value_or_meaning(const resolved_option& x) {
  return x.text.empty() ? fmt::format("({})", x.what->unset) : x.text;
}

void show_json(const resolved_option& x, bool describe) {
  auto text_or_null = [](const std::string& text) {
    return text.empty() ? nlohmann::ordered_json{}
                        : nlohmann::ordered_json(text);
  };
  auto res = nlohmann::ordered_json{{"option", x.what->name},
                                    {"scope", scope_name(x.what->scope)},
                                    {"value", text_or_null(x.text)},
                                    {"origin", x.origin}};
  if (describe) {
    res["default"] = text_or_null(default_text(*x.what));
    res["takes"] = range_text(*x.what);
    res["environment"] = environment_variable(*x.what);
    res["meaning"] = x.what->help;
  }
  print_json(res);
}

void show_description(const resolved_option& x) {
  print_line(
    fmt::format("{} = {}  [{}]", x.what->name, value_or_meaning(x), x.origin));
  auto text
    = fmt::format("{} Takes {}. A setting of the {}; in the "
                  "environment, {}.",
                  x.what->help, range_text(*x.what), scope_name(x.what->scope),
                  environment_variable(*x.what));
  auto lines = wrapped(text, meaning_width);
  for (auto pos = size_t{0}; pos != std::string::npos;) {
    auto end = lines.find('\n', pos);
    print_line("    " + lines.substr(pos, end - pos));
    pos = end == std::string::npos ? end : end + 1;
  }
}

void show_table(const resolved& all) {
  auto table = text_table{{{"OPTION"}, {"VALUE"}, {"SCOPE"}, {"ORIGIN"}}};
  for (auto& x : all.options)
    table.row({std::string{x.what->name}, value_or_meaning(x),
               scope_name(x.what->scope), x.origin});
  print(table.str());
}

runner declare_show(CLI::App& app) {
  auto opts = std::make_shared<show_options>();
  app.add_flag("--json", opts->json, "One JSON object per option.");
  app.add_flag("--describe", opts->describe,
               "Say what each option means and takes.");
  auto flags = option_flags{app};
  flags.all(option_scope::cluster).all(option_scope::process);
  return [opts, flags]() -> result<exit_code> {
    auto all = flags.resolve();
    if (!all)
      return tl::unexpected(all.error());
    if (opts->json)
      for (auto& x : all->options)
        show_json(x, opts->describe);
    else if (opts->describe)
      for (auto& x : all->options)
        show_description(x);
    else
      show_table(*all);
    return exit_code::ok;
  };
}

runner declare_check(CLI::App& app) {
  auto path = std::make_shared<std::string>();
  app.add_option("FILE", *path, "The TOML file to check.")
    ->required()
    ->type_name("");
  return [path]() -> result<exit_code> {
    auto sources = config_sources{};
    sources.file = *path;
    auto res = resolve(sources);
    if (res) {
      print_line(fmt::format("{}: ok", *path));
      return exit_code::ok;
    }
    // Without "weir: " before them, lines are what editors jump to.
    fmt::print(stderr, "{}\n", res.error().text);
    return exit_code::usage;
  };
}

/// "window=5m", or "window" and "5m", as names and texts.
result<setting_pairs> assignments(const std::vector<std::string>& words) {
  auto res = setting_pairs{};
  for (auto i = size_t{0}; i < words.size(); ++i) {
    auto pos = words[i].find('=');
    if (pos != std::string::npos) {
      res.emplace_back(words[i].substr(0, pos), words[i].substr(pos + 1));
    } else if (i + 1 < words.size()) {
      res.emplace_back(words[i], words[i + 1]);
      ++i;
    } else {
      return fail(
        ec::invalid_argument,
        fmt::format("{} has no value; write {}=VALUE", words[i], words[i]));
    }
  }
  return res;
}

runner declare_set(CLI::App& app) {
  auto words = std::make_shared<std::vector<std::string>>();
  app
    .add_option("NAME=VALUE", *words,
                "Settings of the cluster and their new values; or as flags.")
    ->type_name("");
  auto flags = option_flags{app};
  flags.all(option_scope::cluster).only({"join", "timeout", "tls-dir"});
  return [words, flags]() -> result<exit_code> {
    auto options = flags.resolve();
    if (!options)
      return tl::unexpected(options.error());
    auto pairs = assignments(*words);
    if (!pairs)
      return tl::unexpected(pairs.error());
    // What environment and file say is for those who create a cluster.
    for (auto& x : options->options)
      if (x.what->scope == option_scope::cluster
          && x.origin.rfind("flag ", 0) == 0)
        pairs->emplace_back(x.what->name, x.text);
    if (pairs->empty())
      return fail(ec::invalid_argument,
                  "nothing to set; write NAME=VALUE, such as window=5m");
    auto request = change_settings{std::move(*pairs)};
    auto cluster = client::connect(options->values.process);
    if (!cluster)
      return tl::unexpected(cluster.error());
    auto res = (*cluster)->ask<settings_text>(request);
    if (!res)
      return tl::unexpected(res.error());
    for (auto& [name, value] : res->values)
      for (auto& changed : request.values)
        if (changed.first == name)
          print_line(fmt::format("{} = {}", name, value));
    print_line(fmt::format("version {} of the cluster's settings is in force",
                           res->version));
    return exit_code::ok;
  };
}

} // namespace

command config_command() {
  auto res = command{};
  res.name = "config";
  res.help = "Show, check or change the configuration";
  res.examples = {"weir config show"};
  res.group = {
    {"show",
     "Print every option, its value, and where that comes from",
     {"weir config show", "weir config show --config weir.toml --describe",
      "WEIR_WINDOW=5m weir config show --json"},
     declare_show,
     {}},
    {"check",
     "Check a configuration file, and print all errors in it",
     {"weir config check weir.toml"},
     declare_check,
     {}},
    {"set",
     "Change settings of a running cluster",
     {"weir config set window=5m lateness=30s",
      "weir config set --retention 1h", "weir config set retention="},
     declare_set,
     {}},
  };
  return res;
}

} // namespace weir
