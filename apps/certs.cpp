#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "tls/inspect.hpp"
#include "tls/issue.hpp"
#include "tls/new_directory.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ctime>
#include <memory>

namespace weir {

namespace {

struct arguments {
  std::string directory;
  std::string name;
  std::string out;
  int days = 0;
  bool json = false;
};

std::string path_in(const std::string& directory, std::string_view name) {
  return fmt::format("{}/{}", directory, name);
}

void declare_days(CLI::App& app, arguments& opts, int days) {
  opts.days = days;
  app.add_option("--days", opts.days, "Days until it expires.")
    ->type_name("DAYS")
    ->capture_default_str();
}

/// What was made, and until when it is good.
result<exit_code> tell(const arguments& opts, const std::string& directory,
                       std::string_view file) {
  auto path = path_in(directory, file);
  auto made = read_certificates(path);
  if (!made)
    return tl::unexpected(made.error());
  auto until = utc_text(facts_of(*made->front()).valid_until);
  if (opts.json)
    print_json({{"directory", directory}, {"valid_until", until}});
  else
    print_line(fmt::format("{} is valid until {}", path, until));
  return exit_code::ok;
}

result<exit_code> run_init(const arguments& opts) {
  auto made = make_authority(opts.name, opts.days, std::time(nullptr));
  if (!made)
    return tl::unexpected(made.error());
  auto done
    = write_new_directory(opts.directory, {{tls_ca_file, made->certificate},
                                           {tls_ca_key_file, made->key}});
  if (!done)
    return tl::unexpected(done.error());
  auto code = tell(opts, opts.directory, tls_ca_file);
  if (code && !opts.json)
    print_line(fmt::format("keep {} to yourself: whoever has it can join the "
                           "cluster",
                           path_in(opts.directory, tls_ca_key_file)));
  return code;
}

runner declare_init(CLI::App& app) {
  auto opts = std::make_shared<arguments>();
  opts->name = "weir-ca";
  app.add_option("--dir", opts->directory, "The CA's directory, to be made.")
    ->type_name("DIR")
    ->required();
  app.add_option("--name", opts->name, "What the CA is called.")
    ->type_name("NAME")
    ->capture_default_str();
  declare_days(app, *opts, ca_days_default);
  app.add_flag("--json", opts->json, "One JSON object.");
  return [opts]() -> result<exit_code> {
    return run_init(*opts);
  };
}

result<exit_code> run_add(const arguments& opts) {
  auto made = issue_certificate(opts.directory, opts.name, opts.days,
                                std::time(nullptr));
  if (!made)
    return tl::unexpected(made.error());
  auto out = opts.out.empty() ? path_in(opts.directory, opts.name) : opts.out;
  auto done
    = write_new_directory(out, {{tls_ca_file, made->authority},
                                {tls_certificate_file, made->certificate},
                                {tls_key_file, made->key}});
  if (!done)
    return tl::unexpected(done.error());
  return tell(opts, out, tls_certificate_file);
}

runner declare_add(CLI::App& app) {
  auto opts = std::make_shared<arguments>();
  app
    .add_option("NAME", opts->name,
                "Whose certificate it is: a node, a producer, a person.")
    ->type_name("")
    ->required();
  app.add_option("--dir", opts->directory, "The CA's directory.")
    ->type_name("DIR")
    ->required();
  app
    .add_option("--out", opts->out,
                "The directory to be made, for --tls-dir; NAME in the CA's "
                "directory if not given.")
    ->type_name("DIR");
  declare_days(app, *opts, certificate_days_default);
  app.add_flag("--json", opts->json, "One JSON object.");
  return [opts]() -> result<exit_code> {
    return run_add(*opts);
  };
}

void show_json(const tls_inspection& x) {
  auto certificates = nlohmann::ordered_json::array();
  for (auto& [file, facts] : x.certificates)
    certificates.push_back({{"file", file},
                            {"subject", facts.subject},
                            {"issuer", facts.issuer},
                            {"valid_from", utc_text(facts.valid_from)},
                            {"valid_until", utc_text(facts.valid_until)},
                            {"authority", facts.authority}});
  print_json({{"certificates", certificates},
              {"problems", x.problems},
              {"warnings", x.warnings}});
}

void show_people(const tls_inspection& x) {
  auto table = text_table{
    {{"FILE"}, {"SUBJECT"}, {"ISSUER"}, {"VALID FROM"}, {"VALID UNTIL"}}};
  for (auto& [file, facts] : x.certificates)
    table.row({file, facts.subject, facts.issuer, utc_text(facts.valid_from),
               utc_text(facts.valid_until)});
  if (!x.certificates.empty())
    print(table.str());
  for (auto& text : x.problems)
    complain(text);
  for (auto& text : x.warnings)
    complain("warning: " + text);
}

runner declare_show(CLI::App& app) {
  auto opts = std::make_shared<arguments>();
  app
    .add_option("DIR", opts->directory,
                "A directory for --tls-dir, or that of a CA.")
    ->type_name("")
    ->required();
  app.add_flag("--json", opts->json, "One JSON object.");
  return [opts]() -> result<exit_code> {
    auto found = inspect_certificates(opts->directory, std::time(nullptr));
    if (opts->json)
      show_json(found);
    else
      show_people(found);
    return found.problems.empty() ? exit_code::ok : exit_code::usage;
  };
}

command init_command() {
  return {"init",
          "Make a private CA, whose certificates a cluster's processes trust",
          {"weir certs init --dir ca", "weir certs init --dir ca --days 730"},
          declare_init,
          {}};
}

command add_command() {
  return {"add",
          "Make a certificate and its key, for the --tls-dir of a process",
          {"weir certs add n1 --dir ca --out /etc/weir/tls",
           "weir certs add import --dir ca --days 30"},
          declare_add,
          {}};
}

command show_command() {
  return {"show",
          "Show certificates, how long they are valid, and what is wrong",
          {"weir certs show /etc/weir/tls", "weir certs show ca --json"},
          declare_show,
          {}};
}

} // namespace

command certs_command() {
  return {"certs",
          "Make and show the certificates with which processes trust each "
          "other",
          {"weir certs init --dir ca", "weir certs add n1 --dir ca --out n1",
           "weir serve --tls-dir n1"},
          nullptr,
          {init_command(), add_command(), show_command()}};
}

} // namespace weir
