#pragma once

#include <cstdint>
#include <tuple>

namespace weir {

/// A state of the coordinator's directory: one with a greater mark is newer.
struct catalog_mark {
  /// Counts the directories that were the cluster's: the first one is 1, and
  /// each one that was rebuilt after a loss is one more.
  uint64_t generation = 0;
  /// Counts the starts of a coordinator in that directory.
  uint64_t start = 0;
  /// Counts the changes since that start.
  uint64_t count = 0;

  friend bool operator==(const catalog_mark& x, const catalog_mark& y) {
    return x.tied() == y.tied();
  }

  friend bool operator!=(const catalog_mark& x, const catalog_mark& y) {
    return !(x == y);
  }

  friend bool operator<(const catalog_mark& x, const catalog_mark& y) {
    return x.tied() < y.tied();
  }

private:
  std::tuple<uint64_t, uint64_t, uint64_t> tied() const {
    return {generation, start, count};
  }
};

} // namespace weir
