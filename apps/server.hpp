#pragma once

#include "apps/exit_codes.hpp"
#include "config/resolve.hpp"

namespace weir {

/// What a server process does.
enum class server_role : uint8_t {
  /// Coordinator and one node.
  both,
  coordinator,
  node,
};

/// Runs until SIGTERM or SIGINT. Prints one line on stdout when it is ready.
result<exit_code> run_server(server_role role, const resolved& options);

} // namespace weir
