#pragma once

#include "windows/big_number.hpp"
#include "windows/bytes.hpp"
#include "windows/double_accumulator.hpp"
#include "windows/int128.hpp"
#include "windows/reading.hpp"

#include <cstddef>
#include <cstdint>

namespace weir {

/// A sum of integers and finite doubles without any rounding, so that neither
/// order nor grouping can change it.
class exact_sum {
public:
  void add(int64_t x) {
    add(static_cast<int128>(x));
  }

  /// @pre the sum of all magnitudes is below 2^127: 2^63 readings of int64 are.
  ///      Beyond that, integers wrap.
  void add(int128 x) {
    integer_ = static_cast<int128>(static_cast<uint128>(integer_)
                                   + static_cast<uint128>(x));
  }

  /// @pre `x` is finite.
  void add(double x) {
    doubles_.add(x);
  }

  void add(const number& x) {
    if (x.is_double())
      add(x.as_double());
    else
      add(x.as_integer());
  }

  void add(const exact_sum& other) {
    add(other.integer_);
    if (!other.is_integer())
      doubles_.add(other.doubles_);
  }

  /// No double was added.
  bool is_integer() const {
    return doubles_.untouched();
  }

  /// The sum of the integers alone.
  int128 integer() const {
    return integer_;
  }

  /// The sum of all.
  big_number value() const {
    return big_number{integer_} + doubles_.value();
  }

  /// The double nearest to the sum of all, of two equally near ones the even. A
  /// zero is positive. An infinity if it `overflows`.
  double to_double() const;

  /// The sum is beyond the greatest double.
  bool overflows() const;

  /// Appends 16 bytes, and those of the doubles: 1 if there were none. The same
  /// numbers have the same bytes, whatever their order and grouping.
  void encode(byte_writer& out) const;

  /// Replaces the content by what `encode` wrote. Any bytes are safe.
  /// @returns false if no sum encodes to such bytes; it is zero then.
  bool decode(byte_reader& in);

  /// Bytes on the heap, without the allocator's overhead.
  size_t heap_bytes() const {
    return doubles_.heap_bytes();
  }

  /// Equal sums that are integers alike: 1 and 1.0 differ.
  friend bool operator==(const exact_sum& x, const exact_sum& y);

private:
  int128 integer_ = 0;
  double_accumulator doubles_;
};

} // namespace weir
