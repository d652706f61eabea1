#include "cluster/block.hpp"

#include "cluster/checksum.hpp"
#include "test/fuzz/fuzz.hpp"

// Input: a block without its checksum.

using namespace weir;
using namespace weir::fuzz;

namespace {

/// The same readings, as records of one field.
std::string rebuilt(const decoded_block& x) {
  auto builder = block_builder{};
  for (auto& r : x.batch.readings) {
    auto only = field{x.batch.metrics[r.metric], r.value};
    builder.add(x.batch.entities[r.entity], x.batch.entity_hashes[r.entity],
                r.time, &only, 1);
  }
  return builder.finish(x.header);
}

bool same(const block_header& x, const block_header& y) {
  return x.shard == y.shard && x.producer == y.producer
         && x.session == y.session && x.after == y.after
         && x.position == y.position;
}

void require_same(const decoded_block& x, const decoded_block& y) {
  require(same(x.header, y.header), "a block keeps its header");
  require(x.batch.readings.size() == y.batch.readings.size(),
          "a block keeps all readings");
  for (auto i = size_t{0}; i < x.batch.readings.size(); ++i) {
    auto& a = x.batch.readings[i];
    auto& b = y.batch.readings[i];
    require(x.batch.entities[a.entity] == y.batch.entities[b.entity]
              && x.batch.entity_hashes[a.entity]
                   == y.batch.entity_hashes[b.entity]
              && x.batch.metrics[a.metric] == y.batch.metrics[b.metric]
              && a.time == b.time && a.value == b.value,
            "a block keeps its readings");
  }
}

} // namespace

WEIR_FUZZ_TARGET(block) {
  constexpr auto shards = uint32_t{2};
  auto x = decoded_block{};
  // A wrong checksum, which hides all the rest.
  require(!decode_block(bytes, shards, x) || bytes.size() > sizeof(uint64_t),
          "a block has a checksum");
  auto block = std::string{bytes};
  byte_writer{block}.fixed(checksum(bytes));
  auto header = decode_block_header(block);
  auto decoded = decode_block(block, shards, x);
  if (!decoded)
    return;
  require(header && same(*header, x.header), "a block has one header");
  auto again = rebuilt(x);
  if (again.size() > block_bytes_limit)
    return;
  auto y = decoded_block{};
  require(decode_block(again, shards, y).has_value(), "what is built decodes");
  require_same(x, y);
}
