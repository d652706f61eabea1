#pragma once

#include "config/resolve.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
} // namespace CLI

namespace weir {

/// Options of the configuration table as flags of a command. A copy shares
/// what was parsed, so a runner may keep one.
class option_flags {
public:
  /// Declares `--config FILE` on `app`, which must live until it has parsed.
  explicit option_flags(CLI::App& app);

  /// Declares all options of a scope: `--window`, `--cells-max`, ...
  option_flags& all(option_scope scope);

  /// Declares these options and no others: a query needs `join` and `timeout`.
  /// @pre Each is the name of an option.
  option_flags& only(const std::vector<std::string_view>& names);

  /// Call after parsing. Every option there is gets its value, whether it was
  /// declared or not, from flags, environment, file and defaults. Warnings go
  /// to stderr. `given_cluster_settings()` of the result tells what a
  /// coordinator was told from what is default.
  result<resolved> resolve() const;

private:
  struct state {
    std::optional<std::string> file;
    std::vector<std::pair<std::string, std::string>> flags;
  };

  void declare(const option& x);

  CLI::App* app_;
  std::shared_ptr<state> state_;
};

} // namespace weir
