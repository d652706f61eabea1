#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace weir {

/// Milliseconds since the UNIX epoch, as stamped by the source.
using time_ms = int64_t;

/// Timestamps outside of 1970-01-01 to 9999-12-31 are malformed.
constexpr time_ms time_min = 0;
constexpr time_ms time_max = 253'402'300'799'999;

/// Longest entity id or metric name, in bytes of UTF-8.
constexpr size_t name_bytes_max = 512;

/// The metric of an event, which has no name of its own.
constexpr std::string_view default_metric = "value";

/// A 64-bit integer, kept exact, or a finite double.
class number {
public:
  number() = default;

  static number of(int64_t x) {
    auto res = number{};
    res.bits_ = x;
    return res;
  }

  /// @pre `x` is finite.
  static number of(double x) {
    auto res = number{};
    std::memcpy(&res.bits_, &x, sizeof(x));
    res.is_double_ = true;
    return res;
  }

  bool is_double() const {
    return is_double_;
  }

  /// @pre `!is_double()`.
  int64_t as_integer() const {
    return bits_;
  }

  /// @pre `is_double()`.
  double as_double() const {
    auto x = 0.0;
    std::memcpy(&x, &bits_, sizeof(x));
    return x;
  }

  /// The nearest double.
  double to_double() const {
    return is_double_ ? as_double() : static_cast<double>(bits_);
  }

  friend bool operator==(const number& x, const number& y) {
    return x.bits_ == y.bits_ && x.is_double_ == y.is_double_;
  }

private:
  int64_t bits_ = 0;
  bool is_double_ = false;
};

/// One metric of a record.
struct field {
  std::string_view metric;
  number value;
};

/// One reading inside a batch: names are indexes into the batch's tables.
struct reading {
  uint32_t entity = 0;
  uint32_t metric = 0;
  time_ms time = 0;
  number value;
};

/// Readings of one shard with the names that they refer to. Names are views
/// into bytes that outlive the batch.
struct reading_batch {
  std::vector<std::string_view> entities;
  /// Same length as `entities`: the hash that chose the shard.
  std::vector<uint64_t> entity_hashes;
  std::vector<std::string_view> metrics;
  std::vector<reading> readings;

  void clear() {
    entities.clear();
    entity_hashes.clear();
    metrics.clear();
    readings.clear();
  }
};

} // namespace weir
