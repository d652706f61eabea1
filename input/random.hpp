#pragma once

#include "windows/int128.hpp"

#include <cstdint>
#include <vector>

// Random numbers that are the same on every machine and standard library.

namespace weir {

/// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
class random_bits {
public:
  explicit random_bits(uint64_t seed) : state_(seed) {
    // nop
  }

  uint64_t next() {
    auto x = state_ += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }

  /// In [0, bound), without a division; the bias is below bound / 2^64.
  uint64_t below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<uint128>(next()) * bound) >> 64);
  }

private:
  uint64_t state_;
};

/// Draws ranks by Zipf's law: rank i comes with a weight of 1 / (i + 1)^s. One
/// draw costs two random numbers and one look-up, after Walker's alias method
/// in Vose's form (1991), here in integers.
class zipf_law {
public:
  /// @pre 1 <= ranks <= 2^24, 0 <= exponent <= 10.
  zipf_law(uint32_t ranks, double exponent);

  uint32_t draw(random_bits& bits) const {
    auto i = static_cast<uint32_t>(bits.below(ranks_));
    if (slots_.empty())
      return i;
    const auto& x = slots_[i];
    return bits.below(slot_size) < x.share ? i : x.alias;
  }

private:
  static constexpr uint64_t slot_size = uint64_t{1} << 32;

  /// A slot is `share` of itself and else its alias.
  struct slot {
    uint64_t share;
    uint32_t alias;
  };

  uint32_t ranks_;
  /// Empty for the uniform law.
  std::vector<slot> slots_;
};

} // namespace weir
