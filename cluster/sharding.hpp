#pragma once

#include "windows/int128.hpp"

#include <cstdint>
#include <string_view>

namespace weir {

/// XXH3-64 of an entity id: chooses the shard, and finds the entity in it.
uint64_t entity_hash(std::string_view entity);

/// Scales `hash` to [0, shards): each shard owns one contiguous hash range.
inline uint32_t shard_of(uint64_t hash, uint32_t shards) {
  return static_cast<uint32_t>((static_cast<uint128>(hash) * shards) >> 64);
}

} // namespace weir
