#pragma once

#include "cluster/replica_effects.hpp"
#include "storage/config_columns.hpp"
#include "storage/row_crc.hpp"

#include <fmt/format.h>

// Inside of journal.hpp: how its structs become columns.

namespace weir::journal_rows {

/// Checksum of what was known to be committed when an entry was written. Where
/// nothing was known it is 0, as in all rows of schema 1.
inline uint64_t committed_crc(const log_entry& x, uint64_t committed) {
  return committed == 0 ? 0 : row_crc(x.shard, x.index, x.chain, committed);
}

inline uint64_t crc_of(const replica_record& x) {
  auto& config = x.config;
  return row_crc(config.shard, config.epoch, config.primary,
                 config_columns::encode(config.members),
                 config_columns::encode(config.eligible), config.min_copies,
                 x.promised);
}

inline tl::unexpected<failure> damaged(const std::string& path, uint32_t shard,
                                       const std::string& how) {
  return fail(ec::damaged, fmt::format("{}: shard {}: {}; restore the data "
                                       "directory from a copy",
                                       path, shard, how));
}

} // namespace weir::journal_rows
