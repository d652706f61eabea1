#include "cluster/log.hpp"

#include <xxhash.h>

namespace weir {

uint64_t entry_crc(const log_entry& x) {
  auto head = std::string{};
  auto out = byte_writer{head};
  out.fixed(x.shard);
  out.fixed(x.index);
  out.fixed(x.epoch);
  out.fixed(static_cast<uint8_t>(x.kind));
  out.fixed(x.producer.high);
  out.fixed(x.producer.low);
  out.fixed(x.session);
  out.fixed(x.after);
  out.fixed(x.position);
  out.string(x.envelope);
  out.fixed(static_cast<uint64_t>(x.block.size()));
  auto seed = XXH3_64bits(head.data(), head.size());
  return XXH3_64bits_withSeed(x.block.data(), x.block.size(), seed);
}

uint64_t chain_after(uint64_t previous, uint64_t crc) {
  uint64_t both[] = {previous, crc};
  return XXH3_64bits(both, sizeof(both));
}

} // namespace weir
