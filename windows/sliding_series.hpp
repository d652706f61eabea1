#pragma once

#include "windows/bytes.hpp"
#include "windows/compensated_sum.hpp"
#include "windows/reading.hpp"

#include <cstddef>
#include <cstdint>
#include <limits>

namespace weir {

/// What a series knows about one window.
struct series_answer {
  /// Not a whole number when a coarse cell on an edge counts by its overlap.
  double count = 0;
  /// 0 when `count` is 0, or when `overflow`.
  double mean = 0;
  /// A sum inside left the range of a double, and the mean is lost.
  bool overflow = false;
  /// No cell straddles an edge of the window.
  bool exact = true;
  /// Width of a cell in ms when not exact, else 1.
  time_ms resolution = 1;
};

/// The readings of one metric of one entity, as a window may ask for them.
///
/// Few readings are kept as they came, 16 bytes each, sorted by time. Those
/// that would pass `cells_max` become cells (slot, count, sum) of 2^k ms, at
/// k = 0 first, where only equal times share one. When cells would pass
/// `cells_max`, k grows and neighbours merge. Integers that a double can't
/// hold make cells at once, because a cell's sum does.
///
/// `floor` is the time through which readings are forgotten. Every call heeds
/// it before anything else, and it never falls from one call to the next, so
/// what is forgotten has no influence, whether or not it was freed already.
class sliding_series {
public:
  /// Most that `cells_max` may be: positions are 16 bits wide, and a third of
  /// the room may wait for expiry to free it.
  static constexpr uint32_t cells_limit = 1'000'000;

  /// Two cells are enough for all of int64, one below zero and one above.
  static constexpr uint32_t cells_least = 2;

  /// @param metric kept for the owner, no meaning in here.
  explicit sliding_series(uint32_t metric = 0)
    : metric_(metric), capacity_(0), shift_(raw) {
    // nop
  }

  sliding_series(sliding_series&& other) noexcept;

  sliding_series& operator=(sliding_series&& other) noexcept;

  ~sliding_series();

  uint32_t metric() const {
    return metric_;
  }

  /// Time of the latest reading, or the least int64 if there never was one.
  time_ms last() const {
    return last_;
  }

  bool expired(time_ms floor) const {
    return last_ <= floor;
  }

  /// Fetches the cache line that the next reading will probably touch.
  void prefetch() const;

  /// @returns by how much `heap_bytes` has changed.
  /// @pre `time > floor`, and `cells_max` in [cells_least, cells_limit].
  ptrdiff_t add(time_ms time, const number& value, time_ms floor,
                uint32_t cells_max);

  /// The window (from, at] without what is forgotten.
  series_answer average(time_ms from, time_ms at, time_ms floor) const;

  /// Frees what is forgotten, and room that is hardly used.
  void prune(time_ms floor);

  /// Readings or cells held, forgotten ones included.
  size_t size() const {
    return count_;
  }

  bool is_raw() const {
    return shift_ == raw;
  }

  /// Width of a cell in ms, 1 for readings as they came.
  time_ms cell_width() const;

  /// Bytes on the heap.
  size_t heap_bytes() const;

  /// Hash of all that is not forgotten.
  uint64_t digest(time_ms floor) const;

  /// Appends all that is not forgotten.
  /// @pre `!expired(floor)`.
  void encode(byte_writer& out, time_ms floor) const;

  /// Replaces the content by what `encode` wrote. Any bytes are safe.
  /// @returns false if no series encodes to such bytes; it is empty then.
  bool decode(byte_reader& in);

private:
  struct raw_reading {
    int64_t at;
    double value;
  };

  struct cell {
    /// Holds the times [at * 2^k, (at + 1) * 2^k).
    int64_t at;
    uint64_t count;
    compensated_sum sum;
  };

  struct window_sum;

  /// Stands for k while readings are kept as they came.
  static constexpr uint8_t raw = 0xff;

  /// What `capacity_` can say.
  static constexpr size_t capacity_limit = (1 << 24) - 1;

  static size_t bytes_of(size_t capacity, bool as_raw);

  template <class T>
  T* items() const {
    return static_cast<T*>(data_) + head_;
  }

  template <class T>
  size_t position_after(int64_t at) const;

  template <class T>
  void insert(const T& x, time_ms floor);

  template <class T>
  void make_room(time_ms floor);

  template <class T>
  void reallocate(size_t capacity);

  template <class T>
  size_t forgotten(time_ms floor) const;

  bool decode_readings(byte_reader& in, size_t n);

  bool decode_cells(byte_reader& in, size_t n);

  size_t forgotten_items(time_ms floor) const;

  /// First and last time that a cell's readings may have.
  int64_t first_time_of(const cell& x) const;

  int64_t last_time_of(const cell& x) const;

  window_sum sum_readings(time_ms from, time_ms at, double scale) const;

  window_sum sum_cells(time_ms from, time_ms at, double scale) const;

  void drop_forgotten(time_ms floor);

  void add_to_cell(time_ms time, const number& value, time_ms floor,
                   uint32_t cells_max);

  void become_cells();

  void coarsen();

  void release();

  // 32 bytes: a sensor has several of these, and there are millions of them.
  // Items are data_[head_, head_ + count_); those before were forgotten.
  void* data_ = nullptr;
  time_ms last_ = std::numeric_limits<time_ms>::min();
  uint32_t metric_ = 0;
  uint32_t head_ = 0;
  uint32_t count_ = 0;
  uint32_t capacity_ : 24;
  uint32_t shift_ : 8;
};

/// What an allocation of `n` bytes takes from the heap (glibc, x86-64).
constexpr size_t allocated(size_t n) {
  return n == 0 ? 0 : n < 24 ? 32 : (n + 8 + 15) / 16 * 16;
}

} // namespace weir
