#include "config/resolve.hpp"

#include "config/near.hpp"
#include "config/toml_file.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cstddef>

extern char** environ;

namespace weir {

namespace {

constexpr std::string_view prefix = "WEIR_";

/// Names the configuration file; not an option, as no file may name another.
constexpr std::string_view file_variable = "WEIR_CONFIG";

size_t index_of(const option& x) {
  return static_cast<size_t>(&x - options().data());
}

const option* find_variable(std::string_view name) {
  for (auto& x : options())
    if (environment_variable(x) == name)
      return &x;
  return nullptr;
}

std::string unknown_variable(std::string_view name) {
  auto known = std::vector<std::string>{std::string{file_variable}};
  for (auto& x : options())
    known.push_back(environment_variable(x));
  auto res = nearest(name, {known.begin(), known.end()});
  return fmt::format("the environment variable {} names no option and was "
                     "ignored.{}",
                     name, res ? fmt::format(" Did you mean {}?", *res) : "");
}

/// Lays one source over the other.
class resolver {
public:
  resolver() : places_(options().size()) {
    for (auto& x : options())
      out_.options.push_back({&x, default_text(x), "default", false});
  }

  void file(const std::string& path) {
    auto contents = read_toml_file(path);
    for (auto& x : contents.entries)
      set(*x.what, x.value, "file " + x.place, x.place);
    for (auto& x : contents.errors)
      errors_.push_back(std::move(x));
  }

  void variable(std::string_view name, std::string_view text) {
    if (name == file_variable || text.empty())
      return;
    auto origin = fmt::format("environment {}", name);
    if (auto what = find_variable(name))
      parse(*what, text, origin, origin);
    else
      out_.warnings.push_back(unknown_variable(name));
  }

  void flag(std::string_view name, std::string_view text) {
    auto what = find_option(name);
    assert(what != nullptr);
    auto place = fmt::format("--{}", name);
    parse(*what, text, "flag " + place, place);
  }

  result<resolved> finish() {
    // A value that failed to parse left its default behind, with which the
    // others need not agree.
    if (errors_.empty()) {
      combinations(violations(out_.values.cluster));
      combinations(violations(out_.values.process));
    }
    if (!errors_.empty())
      return fail(ec::invalid_argument,
                  fmt::format("{}", fmt::join(errors_, "\n")));
    return std::move(out_);
  }

private:
  void parse(const option& what, std::string_view text, std::string origin,
             std::string place) {
    auto value = parse_value(what, text);
    if (value)
      set(what, *value, std::move(origin), std::move(place));
    else
      errors_.push_back(fmt::format("{}: {}", place, value.error().text));
  }

  void set(const option& what, const option_value& value, std::string origin,
           std::string place) {
    what.set(out_.values, value);
    auto i = index_of(what);
    out_.options[i]
      = {&what, format_value(what, value), std::move(origin), true};
    places_[i] = std::move(place);
  }

  void combinations(const std::vector<violation>& all) {
    for (auto& x : all) {
      // Defaults agree, so one of the two was given.
      auto place = places_[index_of(*find_option(x.option))];
      if (place.empty())
        place = places_[index_of(*find_option(x.other))];
      errors_.push_back(fmt::format("{}: {}", place, x.text));
    }
  }

  resolved out_;
  /// Of each option's value; empty for a default.
  std::vector<std::string> places_;
  std::vector<std::string> errors_;
};

std::optional<std::string> file_of(const config_sources& sources) {
  if (sources.file)
    return sources.file;
  for (auto& [name, text] : sources.environment)
    if (name == file_variable && !text.empty())
      return text;
  return std::nullopt;
}

} // namespace

const resolved_option& resolved::at(std::string_view name) const {
  auto what = find_option(name);
  assert(what != nullptr);
  return options[index_of(*what)];
}

setting_pairs resolved::given_cluster_settings() const {
  auto res = setting_pairs{};
  for (auto& x : options)
    if (x.given && x.what->scope == option_scope::cluster)
      res.emplace_back(x.what->name, x.text);
  return res;
}

std::vector<std::pair<std::string, std::string>> weir_environment() {
  auto res = std::vector<std::pair<std::string, std::string>>{};
  for (auto x = environ; x != nullptr && *x != nullptr; ++x) {
    auto entry = std::string_view{*x};
    auto equals = entry.find('=');
    if (entry.substr(0, prefix.size()) == prefix
        && equals != std::string_view::npos)
      res.emplace_back(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return res;
}

result<resolved> resolve(const config_sources& sources) {
  auto all = resolver{};
  if (auto path = file_of(sources))
    all.file(*path);
  for (auto& [name, text] : sources.environment)
    all.variable(name, text);
  for (auto& [name, text] : sources.flags)
    all.flag(name, text);
  return all.finish();
}

} // namespace weir
