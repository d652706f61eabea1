#include "apps/option_flags.hpp"

#include "apps/output.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cassert>

namespace weir {

namespace {

std::string type_name(const option& x) {
  switch (x.kind) {
    case option_kind::duration:
      return x.off.empty() ? "DURATION" : fmt::format("DURATION|{}", x.off);
    case option_kind::count:
      return "COUNT";
    case option_kind::bytes:
      return "BYTES";
    case option_kind::word:
      return fmt::format("{}", fmt::join(x.words, "|"));
    case option_kind::address:
      return "HOST:PORT";
    case option_kind::text:
      break;
  }
  auto res = std::string{};
  for (auto c : x.unit)
    res += static_cast<char>(c - 'a' + 'A');
  return res;
}

std::string description(const option& x) {
  auto text = default_text(x);
  return fmt::format("{} Takes {}. Default: {} ({}).", x.help, range_text(x),
                     text.empty() ? x.unset : text, environment_variable(x));
}

} // namespace

option_flags::option_flags(CLI::App& app)
  : app_(&app), state_(std::make_shared<state>()) {
  auto set_file = [state = state_](const std::string& path) {
    state->file = path;
  };
  app
    .add_option_function<std::string>(
      "--config", set_file,
      "TOML file with options, over which environment and flags prevail "
      "(WEIR_CONFIG).")
    ->type_name("FILE");
}

option_flags& option_flags::all(option_scope scope) {
  for (auto& x : options())
    if (x.scope == scope)
      declare(x);
  return *this;
}

option_flags& option_flags::only(const std::vector<std::string_view>& names) {
  for (auto name : names) {
    auto x = find_option(name);
    assert(x != nullptr);
    declare(*x);
  }
  return *this;
}

result<resolved> option_flags::resolve() const {
  auto sources = config_sources{};
  sources.file = state_->file;
  sources.environment = weir_environment();
  sources.flags = state_->flags;
  auto res = weir::resolve(sources);
  if (res)
    for (auto& x : res->warnings)
      complain(x);
  return res;
}

void option_flags::declare(const option& x) {
  auto set = [state = state_, name = x.name](const std::string& text) {
    state->flags.emplace_back(name, text);
  };
  app_
    ->add_option_function<std::string>(fmt::format("--{}", x.name), set,
                                       description(x))
    ->type_name(type_name(x))
    ->group(x.scope == option_scope::cluster ? "Cluster settings"
                                             : "Process settings");
}

} // namespace weir
