#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// Numbers for metric names, so that a series has 4 bytes instead of a name.
/// A name without holders gives its number back.
class metric_names {
public:
  /// The number of `name`, held once more.
  uint32_t acquire(std::string_view name);

  /// Holds a number once more.
  void retain(uint32_t id) {
    ++entries_[id].holders;
  }

  void release(uint32_t id);

  /// @pre somebody holds `id`.
  std::string_view name(uint32_t id) const {
    return entries_[id].position->first;
  }

  /// One past the greatest number so far.
  size_t numbers() const {
    return entries_.size();
  }

  /// Bytes on the heap, roughly.
  size_t heap_bytes() const {
    return bytes_ + entries_.capacity() * sizeof(entry);
  }

private:
  using map_type = std::map<std::string, uint32_t, std::less<>>;

  struct entry {
    map_type::iterator position;
    uint64_t holders = 0;
  };

  map_type ids_;
  std::vector<entry> entries_;
  std::vector<uint32_t> free_;
  size_t bytes_ = 0;
};

} // namespace weir
