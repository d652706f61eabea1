#pragma once

#include "cluster/replica_effects.hpp"
#include "storage/config_columns.hpp"
#include "storage/row_crc.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>

// Inside of journal.hpp: how its structs become columns.

namespace weir::journal_rows {

/// Columns of the tables `entry` and `staged`.
constexpr auto entry_columns
  = "shard, idx, epoch, kind, producer, session, after, position, envelope,"
    " block, crc, chain, committed, committed_crc";

inline std::string insert_sql(std::string_view table) {
  return fmt::format("INSERT INTO {} ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                     " ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
                     table, entry_columns);
}

inline log_position position_of(const log_entry& x) {
  return {x.index, x.epoch, x.chain};
}

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
