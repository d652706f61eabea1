#pragma once

#include "cluster/log.hpp"
#include "cluster/number_column.hpp"
#include "windows/failure.hpp"
#include "windows/reading.hpp"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

// A block: readings of one shard from one producer, encoded once by the
// producer; the same bytes travel, are journalled and are replicated. The
// layout is in docs/formats.md, and pinned by a golden test.

namespace weir {

/// Hard limits of one block. A sender's own, lower ones are options; these keep
/// a decoder's memory bounded whatever arrives.
constexpr size_t block_bytes_limit = 1 << 20;
constexpr size_t block_readings_limit = 1 << 16;

/// Who made a block and where it belongs in its producer's input.
struct block_header {
  uint32_t shard = 0;
  producer_id producer;
  uint64_t session = 0;
  /// Position of the producer's previous block for this shard; 0 at first.
  uint64_t after = 0;
  /// Number of the block's last record in the producer's input.
  uint64_t position = 0;
};

/// Collects records of one shard and encodes them.
class block_builder {
public:
  block_builder();

  /// Adds one record; its readings stay together.
  /// @param hash `entity_hash(entity)`
  /// @param n number of fields, at least 1
  void add(std::string_view entity, uint64_t hash, time_ms time,
           const field* fields, size_t n);

  size_t records() const {
    return records_;
  }

  size_t readings() const {
    return readings_;
  }

  /// Roughly the size of the encoded block.
  size_t bytes() const {
    return 64 + entity_names_.size() + metric_names_.size() + refs_.size()
           + times_.size() + shape_column_.size() + values_.size();
  }

  /// Encodes all records and starts over.
  /// @pre `records() > 0`
  std::string finish(const block_header& header);

private:
  struct shape_field {
    uint32_t metric;
    bool is_double;
  };

  /// Where a shape's fields lie in `shape_fields_`.
  struct shape {
    size_t first;
    size_t size;
  };

  uint32_t entity_ref(std::string_view entity, uint64_t hash);
  uint32_t metric_ref(std::string_view metric);
  uint32_t shape_ref(const field* fields, size_t n);
  bool matches(const shape& x, const field* fields, size_t n) const;

  // Open addressing over the block's entities: (generation, reference, upper
  // half of the hash) in one word, so that 32 builders stay in the cache and
  // starting over clears nothing.
  struct slot {
    uint16_t generation = 0;
    uint16_t ref = 0;
    uint32_t tag = 0;
  };

  void grow();

  std::vector<slot> slots_;
  uint16_t generation_ = 1;
  std::string entity_names_;
  std::vector<std::pair<uint32_t, uint32_t>> entities_; // Offset, size.
  std::vector<uint64_t> hashes_;
  std::string metric_names_;
  std::vector<std::string> metrics_;
  std::vector<shape_field> shape_fields_;
  std::vector<shape> shapes_;
  std::unordered_map<std::string, uint32_t> shape_index_;
  uint32_t last_shape_ = 0;
  size_t records_ = 0;
  size_t readings_ = 0;
  time_ms last_time_ = 0;
  number_column refs_;
  number_column times_;
  number_column shape_column_;
  number_column values_;
};

/// A decoded block: names are views into the block's bytes.
struct decoded_block {
  block_header header;
  reading_batch batch;
};

/// Reads the header alone.
result<block_header> decode_block_header(std::string_view bytes);

/// Decodes a whole block. Any bytes are safe: what is not a block that
/// `block_builder` could have made (checksum, limits, references, finite
/// numbers, times in range, every entity of the header's shard) is an error.
/// @param shards the cluster's number of shards, to check the entities by
/// @param out reused storage; unspecified after an error
result<void> decode_block(std::string_view bytes, uint32_t shards,
                          decoded_block& out);

} // namespace weir
