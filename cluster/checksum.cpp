#include "cluster/checksum.hpp"

#include <xxhash.h>

namespace weir {

uint64_t checksum(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

} // namespace weir
