#pragma once

#include "storage/catalog.hpp"
#include "storage/config_columns.hpp"
#include "storage/row_crc.hpp"

#include <fmt/format.h>

#include <cstdlib>

// Inside of catalog.hpp: how its structs become columns.

namespace weir::catalog_rows {

inline std::string key_of(const producer_id& x) {
  return fmt::format("{:016x}{:016x}", x.high, x.low);
}

/// The inverse of `key_of`; garbage yields an id that no checksum fits.
inline producer_id producer_of(const std::string& key) {
  auto half = [&](size_t at) {
    return key.size() == 32
             ? std::strtoull(key.substr(at, 16).c_str(), nullptr, 16)
             : 0;
  };
  return {half(0), half(16)};
}

inline tl::unexpected<failure> damaged(const std::string& path,
                                       std::string_view what,
                                       std::string_view key) {
  return fail(ec::damaged,
              fmt::format("{}: {} {}: its row is not what was written (its "
                          "checksum differs); restore the data directory from "
                          "a copy",
                          path, what, key));
}

inline uint64_t crc_of(const cluster_record& x) {
  return row_crc(x.id, x.created, x.format);
}

inline uint64_t crc_of(const node_record& x) {
  return row_crc(x.id, x.disk, x.name, x.address, x.incarnation, x.last_seen,
                 static_cast<uint8_t>(x.state));
}

inline uint64_t crc_of(const known_commit& x) {
  return row_crc(x.shard, x.epoch, x.index, x.chain);
}

inline uint64_t crc_of(const producer_record& x) {
  return row_crc(x.id.high, x.id.low, x.name, x.session, x.base, x.prefix,
                 x.digest, x.digest_at, x.earlier_malformed, x.malformed,
                 x.duplicate, x.earlier_duplicate, x.ended, x.updated);
}

inline uint64_t crc_of(const catalog_lineage& x) {
  return row_crc(x.held.generation, x.held.start, x.held.count, x.last_sequence,
                 x.final_through, x.promised);
}

inline uint64_t crc_of(const shard_config& x) {
  return row_crc(x.shard, x.epoch, x.primary, config_columns::encode(x.members),
                 config_columns::encode(x.eligible), x.min_copies);
}

/// Of all columns but the totals, which have `totals_crc`.
inline uint64_t crc_of(const final_row& x, uint64_t totals_crc) {
  return row_crc(x.sequence, x.start, x.end, x.readings, x.stored, totals_crc);
}

} // namespace weir::catalog_rows
