#include "cluster/sharding.hpp"

#include <xxhash.h>

namespace weir {

uint64_t entity_hash(std::string_view entity) {
  return XXH3_64bits(entity.data(), entity.size());
}

} // namespace weir
