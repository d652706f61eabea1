#pragma once

#include "apps/cli.hpp"

#include <vector>

namespace weir {

// Each defined in the file of its name.
command serve_command();
command coordinator_command();
command node_command();
command ingest_command();
command query_command();
command window_command();
command tail_command();
command status_command();
command verify_command();
command backup_command();
command restore_command();
command drain_command();
command rebalance_command();
command admin_command();
command config_command();
command certs_command();
command generate_command();
command version_command();

// Of the group `query`.
command query_window_command();
command query_windows_command();

// Of the group `admin`.
runner declare_rebuild_coordinator(CLI::App& app);

/// Name and version, as `weir version` prints them.
const char* program_version();

/// Every command, in the order of the help.
const std::vector<command>& commands();

} // namespace weir
