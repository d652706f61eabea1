#pragma once

#include "storage/catalog_types.hpp"

#include <string>
#include <string_view>
#include <vector>

// Inside of catalog.hpp: rows as they travel to a copy, without their keys.
// Reading one fails with `malformed`.

namespace weir::catalog_codec {

/// A disk that is gone, and since when that is known.
struct gone_row {
  node_disk disk;
  int64_t declared = 0;
};

/// The windows, without their results.
struct rollup_value {
  std::string record;
  uint64_t last_sequence = 0;
};

std::string encode(const cluster_record& x);
std::string encode(const setting_map& x);
std::string encode(const rollup_value& x);
std::string encode(const std::vector<gone_row>& x);
std::string encode(const node_record& x);
std::string encode(const shard_config& x);
std::string encode(const known_commit& x);
std::string encode(const producer_record& x);

/// Each reads all but what is the row's key.
result<void> decode(std::string_view bytes, cluster_record& x);
result<void> decode(std::string_view bytes, setting_map& x);
result<void> decode(std::string_view bytes, rollup_value& x);
result<void> decode(std::string_view bytes, std::vector<gone_row>& x);
result<void> decode(std::string_view bytes, node_record& x);
result<void> decode(std::string_view bytes, shard_config& x);
result<void> decode(std::string_view bytes, known_commit& x);
result<void> decode(std::string_view bytes, producer_record& x);

} // namespace weir::catalog_codec
