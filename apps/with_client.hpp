#pragma once

#include "apps/cli.hpp"
#include "apps/client.hpp"
#include "apps/option_flags.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <string_view>
#include <vector>

namespace weir {

/// Options of every command that asks a coordinator.
inline const std::vector<std::string_view> client_options
  = {"join", "timeout", "tls-dir"};

/// A command that asks a coordinator: what it takes, and what it does with a
/// client once that is connected.
template <class Arguments>
runner with_client(CLI::App& app, std::shared_ptr<Arguments> opts,
                   result<exit_code> (*run)(client&, const process_settings&,
                                            const Arguments&)) {
  auto flags = option_flags{app};
  flags.only(client_options);
  return [opts, flags, run]() -> result<exit_code> {
    auto options = flags.resolve();
    if (!options)
      return tl::unexpected(options.error());
    auto& process = options->values.process;
    auto cluster = client::connect(process);
    if (!cluster)
      return tl::unexpected(cluster.error());
    return run(**cluster, process, *opts);
  };
}

} // namespace weir
