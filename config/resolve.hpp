#pragma once

#include "config/option.hpp"
#include "config/settings.hpp"
#include "windows/failure.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Where the value of each option comes from: in rising order the default, the
// TOML file, the environment, and the flags.

namespace weir {

/// An option in force.
struct resolved_option {
  const option* what = nullptr;
  /// As `format_value` writes it; empty when it has no value.
  std::string text;
  /// Such as "default", "file weir.toml:3:1", "environment WEIR_WINDOW" or
  /// "flag --window".
  std::string origin;
  /// Somebody said so: it is not the default.
  bool given = false;
};

struct config_sources {
  /// Path of the TOML file; unset: the one that WEIR_CONFIG names, if any.
  std::optional<std::string> file;
  /// Variables whose names begin with WEIR_. Empty ones count as not set.
  std::vector<std::pair<std::string, std::string>> environment;
  /// Names of options, without dashes, and what was given.
  std::vector<std::pair<std::string, std::string>> flags;
};

struct resolved {
  settings values;
  /// One for each row of `options()`, in that order.
  std::vector<resolved_option> options;
  /// Sentences about what was ignored.
  std::vector<std::string> warnings;

  /// @pre `name` is an option's.
  const resolved_option& at(std::string_view name) const;

  /// The cluster settings that were given, for a coordinator that holds
  /// others already.
  setting_pairs given_cluster_settings() const;
};

/// The variables of this process whose names begin with WEIR_.
std::vector<std::pair<std::string, std::string>> weir_environment();

/// Resolves every option. All that is wrong comes back as one failure
/// (`invalid_argument`), one sentence per line, each with its place:
/// "weir.toml:3:10: ...", "environment WEIR_WINDOW: ..." or "--window: ...".
result<resolved> resolve(const config_sources& sources);

} // namespace weir
