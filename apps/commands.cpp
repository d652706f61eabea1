#include "apps/commands.hpp"

namespace weir {

const std::vector<command>& commands() {
  static const auto instance = std::vector<command>{
    serve_command(),     coordinator_command(), node_command(),
    ingest_command(),    query_command(),       window_command(),
    tail_command(),      status_command(),      verify_command(),
    backup_command(),    restore_command(),     drain_command(),
    rebalance_command(), admin_command(),       config_command(),
    certs_command(),     generate_command(),    version_command(),
  };
  return instance;
}

} // namespace weir
