#pragma once

#include "windows/partial.hpp"
#include "windows/window_plan.hpp"

#include <tsl/robin_map.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace weir {

/// One window of one shard: a partial for each metric that it has readings of.
class rollup_window {
public:
  struct cell {
    uint32_t metric = 0;
    partial total;
  };

  explicit rollup_window(window_bounds bounds = {}) : bounds_(bounds) {
    // nop
  }

  const window_bounds& bounds() const {
    return bounds_;
  }

  /// Readings in it.
  uint64_t count() const {
    return count_;
  }

  void set_count(uint64_t count) {
    count_ = count;
  }

  /// In order of their first reading.
  const std::vector<cell>& cells() const {
    return cells_;
  }

  /// The cell of `metric`, a number, or null.
  partial* find(uint32_t metric) {
    auto i = index_.find(metric);
    return i == index_.end() ? nullptr : &cells_[i->second].total;
  }

  /// @pre there is none. Cells move.
  partial* add(uint32_t metric) {
    index_.emplace(metric, static_cast<uint32_t>(cells_.size()));
    cells_.push_back({metric, {}});
    return &cells_.back().total;
  }

  /// Counts a reading that goes into `x`.
  void lift(partial& x, const number& value) {
    ++count_;
    x.lift(value);
  }

  /// Bytes on the heap, without the allocator's overhead.
  size_t heap_bytes() const;

private:
  window_bounds bounds_;
  uint64_t count_ = 0;
  std::vector<cell> cells_;
  tsl::robin_map<uint32_t, uint32_t> index_;
};

} // namespace weir
