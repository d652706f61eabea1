#pragma once

#include "windows/big_number.hpp"
#include "windows/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>

namespace weir {

/// An exact sum of doubles, or of squares of doubles: a fixed-point number that
/// reaches from the square of the least double to 160 bits beyond that of the
/// greatest. After the small superaccumulator of Neal, "Fast exact summation
/// using small and large superaccumulators" (2015): digits of 32 bits in 64,
/// signed, whose carries wait for many additions. Only those places have memory
/// that were in use: a few for readings of like magnitude, none for no reading.
class double_accumulator {
public:
  double_accumulator() = default;

  double_accumulator(const double_accumulator& other);

  double_accumulator(double_accumulator&& other) noexcept;

  double_accumulator& operator=(double_accumulator other) noexcept;

  ~double_accumulator() = default;

  /// Nothing was ever added, not even a zero.
  bool untouched() const {
    return !touched_;
  }

  /// @pre `x` is finite.
  void add(double x);

  /// Adds x * x, exactly.
  /// @pre `x` is finite.
  void add_square(double x);

  void add(const double_accumulator& other);

  /// The sum so far.
  big_number value() const;

  /// Appends 1 byte if untouched, else 3 and 4 for each digit of the sum. Equal
  /// sums have equal bytes, whatever they were made of.
  void encode(byte_writer& out) const;

  /// Replaces the content by what `encode` wrote. Any bytes are safe.
  /// @returns false if no sum encodes to such bytes; it is untouched then.
  bool decode(byte_reader& in);

  /// Bytes on the heap, without the allocator's overhead.
  size_t heap_bytes() const {
    return size_ * sizeof(int64_t);
  }

private:
  /// Digit 0 counts 2^-2176: the square of the least double is 2^-2148.
  static constexpr int least_place = -68;

  /// 2^-2176 to 2^2208. A square of a double is below 2^2048.
  static constexpr uint32_t places = 137;

  /// Places that stored sums may have: whoever adds up stored ones has a carry
  /// of 64 bits left.
  static constexpr uint32_t places_stored = places - 2;

  /// Additions between carries. Each adds less than 2^32 to a digit, which has
  /// 63 bits, so that there is room for many more: two such sums can be added
  /// as they are. More would save nothing that can be measured.
  static constexpr uint32_t additions_max = 1u << 16;

  template <uint32_t N>
  void add_digits(bool negative, const uint32_t (&digits)[N], uint32_t first);

  void reach(uint32_t first, uint32_t last);

  void carry();

  // 16 bytes: a cell of a window has two of these.
  std::unique_ptr<int64_t[]> digits_;
  /// Place of digits_[0].
  uint8_t first_ = 0;
  uint8_t size_ = 0;
  bool touched_ = false;
  /// Since the last carry.
  uint32_t additions_ = 0;
};

} // namespace weir
