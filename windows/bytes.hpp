#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

// Little-endian fixed numbers, LEB128 varints and length-prefixed strings: the
// alphabet of every encoding of ours, on the wire and on disk.

namespace weir {

class byte_writer {
public:
  /// Appends to `out`.
  explicit byte_writer(std::string& out) : out_(out) {
    // nop
  }

  template <class T>
  void fixed(T x) {
    static_assert(std::is_arithmetic_v<T>);
    out_.append(reinterpret_cast<const char*>(&x), sizeof(x));
  }

  void varint(uint64_t x) {
    char buf[10];
    auto n = size_t{0};
    while (x >= 0x80) {
      buf[n++] = static_cast<char>(x | 0x80);
      x >>= 7;
    }
    buf[n++] = static_cast<char>(x);
    out_.append(buf, n);
  }

  void zigzag(int64_t x) {
    varint((static_cast<uint64_t>(x) << 1) ^ static_cast<uint64_t>(x >> 63));
  }

  void string(std::string_view x) {
    varint(x.size());
    out_.append(x);
  }

private:
  std::string& out_;
};

/// Reads what `byte_writer` wrote. Any bytes are safe: past the end, or on a
/// varint of more than 64 bits, it turns `!ok()` for good and yields zeros.
class byte_reader {
public:
  explicit byte_reader(std::string_view in)
    : pos_(in.data()), end_(in.data() + in.size()) {
    // nop
  }

  bool ok() const {
    return ok_;
  }

  size_t remaining() const {
    return static_cast<size_t>(end_ - pos_);
  }

  /// Everything was read, and nothing failed.
  bool done() const {
    return ok_ && pos_ == end_;
  }

  const char* position() const {
    return pos_;
  }

  void fail() {
    ok_ = false;
    pos_ = end_;
  }

  template <class T>
  T fixed() {
    static_assert(std::is_arithmetic_v<T>);
    auto x = T{};
    if (remaining() < sizeof(T)) {
      fail();
      return x;
    }
    std::memcpy(&x, pos_, sizeof(T));
    pos_ += sizeof(T);
    return x;
  }

  uint64_t varint() {
    if (pos_ != end_ && static_cast<uint8_t>(*pos_) < 0x80)
      return static_cast<uint8_t>(*pos_++);
    auto x = uint64_t{0};
    for (auto shift = 0; shift < 64; shift += 7) {
      if (pos_ == end_)
        break;
      auto byte = static_cast<uint8_t>(*pos_++);
      if (shift == 63 && byte > 1)
        break;
      x |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80)
        return x;
    }
    fail();
    return 0;
  }

  int64_t zigzag() {
    auto x = varint();
    return static_cast<int64_t>(x >> 1) ^ -static_cast<int64_t>(x & 1);
  }

  std::string_view bytes(size_t n) {
    if (remaining() < n) {
      fail();
      return {};
    }
    auto res = std::string_view{pos_, n};
    pos_ += n;
    return res;
  }

  std::string_view string() {
    auto n = varint();
    if (n > remaining()) {
      fail();
      return {};
    }
    return bytes(static_cast<size_t>(n));
  }

private:
  const char* pos_;
  const char* end_;
  bool ok_ = true;
};

} // namespace weir
