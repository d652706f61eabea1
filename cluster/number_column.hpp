#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace weir {

/// Numbers that are being written one after the other, in the alphabet of
/// `byte_writer`. That appends to a string, at the cost of a call a number;
/// this makes room for several at once.
class number_column {
public:
  size_t size() const {
    return size_;
  }

  /// Valid until the next write.
  std::string_view bytes() const {
    return {data_.data(), size_};
  }

  /// Keeps the memory.
  void clear() {
    size_ = 0;
  }

  void varint(uint64_t x) {
    auto start = room();
    auto pos = start;
    for (; x >= 0x80; x >>= 7)
      *pos++ = static_cast<char>(x | 0x80);
    *pos++ = static_cast<char>(x);
    size_ += static_cast<size_t>(pos - start);
  }

  void zigzag(int64_t x) {
    varint((static_cast<uint64_t>(x) << 1) ^ static_cast<uint64_t>(x >> 63));
  }

  void fixed(double x) {
    std::memcpy(room(), &x, sizeof(x));
    size_ += sizeof(x);
  }

private:
  /// A varint of 64 bits.
  static constexpr size_t number_bytes_max = 10;

  static constexpr size_t bytes_min = 64;

  char* room() {
    if (data_.size() - size_ < number_bytes_max)
      data_.resize(2 * data_.size() + bytes_min);
    return data_.data() + size_;
  }

  std::vector<char> data_;
  size_t size_ = 0;
};

} // namespace weir
