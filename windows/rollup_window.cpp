#include "windows/rollup_window.hpp"

namespace weir {

size_t rollup_window::heap_bytes() const {
  using index_type = decltype(index_);
  // A bucket also has its distance from home.
  constexpr auto bucket_bytes = sizeof(index_type::value_type) + 4;
  auto res
    = cells_.capacity() * sizeof(cell) + index_.bucket_count() * bucket_bytes;
  for (auto& x : cells_)
    res += x.total.heap_bytes();
  return res;
}

} // namespace weir
