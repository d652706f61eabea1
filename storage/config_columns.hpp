#pragma once

#include "cluster/config_store.hpp"
#include "storage/sqlite.hpp"

#include <string>
#include <string_view>
#include <vector>

// A shard's configuration as columns of a row: shard, epoch, primary, members,
// eligible, minimum of copies, in this order.

namespace weir::config_columns {

std::string encode(const std::vector<member>& xs);

std::string encode(const std::vector<node_disk>& xs);

/// Reads what `encode` wrote, and adds it. False if it is anything else.
bool decode(std::string_view bytes, std::vector<member>& xs);

bool decode(std::string_view bytes, std::vector<node_disk>& xs);

/// Reads columns 0 to 5. False if they are no configuration's; whether they
/// are what was written, the row's checksum tells.
bool decode(const row& x, shard_config& res);

} // namespace weir::config_columns
