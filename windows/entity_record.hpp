#pragma once

#include "windows/sliding_series.hpp"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>

namespace weir {

/// One entity of a shard in 32 bytes and one block on the heap, which holds the
/// series and then the id: a lookup costs two cache misses, not four.
class entity_record {
public:
  static constexpr size_t series_max = std::numeric_limits<uint16_t>::max();

  entity_record() = default;

  entity_record(const entity_record&) = delete;

  entity_record& operator=(const entity_record&) = delete;

  ~entity_record() {
    clear();
  }

  /// Takes an id; there are no series yet.
  /// @pre `!in_use()`.
  void assign(std::string_view id, uint64_t hash);

  /// Frees everything, but keeps the marks.
  void clear();

  bool in_use() const {
    return block_ != nullptr;
  }

  uint64_t hash() const {
    return hash_;
  }

  std::string_view id() const {
    return {block_ + capacity_ * sizeof(sliding_series), id_size_};
  }

  bool is(std::string_view id, uint64_t hash) const {
    return hash_ == hash && this->id() == id;
  }

  /// Time of the latest reading of any metric.
  time_ms last() const {
    return last_;
  }

  void set_last(time_ms time) {
    last_ = time;
  }

  sliding_series* begin() const {
    return reinterpret_cast<sliding_series*>(block_);
  }

  sliding_series* end() const {
    return begin() + count_;
  }

  size_t size() const {
    return count_;
  }

  sliding_series* find(uint32_t metric) const {
    for (auto& x : *this)
      if (x.metric() == metric)
        return &x;
    return nullptr;
  }

  /// @pre `size() < series_max`.
  sliding_series* add(uint32_t metric);

  /// Removes one; another takes its place.
  void remove(sliding_series* x);

  void reserve(size_t series);

  /// Fetches the id and the first series, which is where most searches end.
  void prefetch() const {
    __builtin_prefetch(block_);
    __builtin_prefetch(id().data() + id_size_);
  }

  /// Bytes on the heap, those of the series not included.
  size_t heap_bytes() const {
    return in_use() ? allocated(block_bytes(capacity_)) : 0;
  }

private:
  size_t block_bytes(size_t series) const {
    // One byte more, so that nobody has no block.
    return series * sizeof(sliding_series) + id_size_ + 1;
  }

  char* block_ = nullptr;
  uint64_t hash_ = 0;
  time_ms last_ = std::numeric_limits<time_ms>::min();
  uint16_t id_size_ = 0;
  uint16_t count_ = 0;
  uint16_t capacity_ = 0;

public:
  // Marks, at the end to fill the 32 bytes.

  /// In the table's list of entities to checkpoint in the next round.
  bool dirty = false;
  /// To be taken by the present round.
  bool pending = false;
};

} // namespace weir
