#include "windows/sliding_series.hpp"

#include <cassert>
#include <cmath>

// A series on disk: shift (one byte, 0xff for readings as they came), number of
// items, then the items by time. A time is a zigzag for the first item, and
// then the varint distance from the item before.
//   reading: time, double
//   cell:    slot, count, double, double
// Cells are followed by the distance of the last reading from the start of the
// last cell.

namespace weir {

namespace {

/// Fewest bytes of an item: guards memory against a hostile number of items.
constexpr size_t reading_bytes_min = 1 + sizeof(double);
constexpr size_t cell_bytes_min = 2 + 2 * sizeof(double);

uint64_t distance(int64_t from, int64_t to) {
  return static_cast<uint64_t>(to) - static_cast<uint64_t>(from);
}

/// Adds a distance to `x`. Returns false if that passes `most`.
bool advance(int64_t& x, uint64_t by, int64_t most) {
  if (x > most || by > distance(x, most))
    return false;
  x = static_cast<int64_t>(static_cast<uint64_t>(x) + by);
  return true;
}

void write_time(byte_writer& out, bool first, int64_t previous, int64_t x) {
  if (first)
    out.zigzag(x);
  else
    out.varint(distance(previous, x));
}

bool read_time(byte_reader& in, bool first, int64_t& x, int64_t most) {
  if (!first)
    return advance(x, in.varint(), most);
  x = in.zigzag();
  return x <= most;
}

} // namespace

void sliding_series::encode(byte_writer& out, time_ms floor) const {
  auto first = forgotten_items(floor);
  assert(first < count_);
  out.fixed(static_cast<uint8_t>(shift_));
  out.varint(count_ - first);
  if (is_raw()) {
    auto x = items<raw_reading>();
    for (auto i = first; i < count_; ++i) {
      write_time(out, i == first, i > 0 ? x[i - 1].at : 0, x[i].at);
      out.fixed(x[i].value);
    }
    return;
  }
  auto x = items<cell>();
  for (auto i = first; i < count_; ++i) {
    write_time(out, i == first, i > 0 ? x[i - 1].at : 0, x[i].at);
    out.varint(x[i].count);
    out.fixed(x[i].sum.high());
    out.fixed(x[i].sum.low());
  }
  out.varint(distance(first_time_of(x[count_ - 1]), last_));
}

bool sliding_series::decode(byte_reader& in) {
  release();
  auto shift = in.fixed<uint8_t>();
  auto n = in.varint();
  if (!in.ok() || (shift > 63 && shift != raw) || n == 0 || n > cells_limit)
    return false;
  shift_ = shift;
  auto count = static_cast<size_t>(n);
  if (is_raw() ? decode_readings(in, count) : decode_cells(in, count))
    return true;
  release();
  return false;
}

bool sliding_series::decode_readings(byte_reader& in, size_t n) {
  if (n * reading_bytes_min > in.remaining())
    return false;
  reallocate<raw_reading>(n);
  auto x = items<raw_reading>();
  constexpr auto most = std::numeric_limits<int64_t>::max();
  auto at = int64_t{0};
  for (auto i = size_t{0}; i < n; ++i) {
    if (!read_time(in, i == 0, at, most))
      return false;
    x[i] = raw_reading{at, in.fixed<double>()};
    if (!in.ok() || !std::isfinite(x[i].value))
      return false;
    ++count_;
  }
  last_ = at;
  return true;
}

bool sliding_series::decode_cells(byte_reader& in, size_t n) {
  if (n * cell_bytes_min > in.remaining())
    return false;
  reallocate<cell>(n);
  auto x = items<cell>();
  constexpr auto limits = std::numeric_limits<int64_t>{};
  auto at = int64_t{0};
  for (auto i = size_t{0}; i < n; ++i) {
    if (!read_time(in, i == 0, at, limits.max() >> shift_)
        || at < limits.min() >> shift_ || (i > 0 && at == x[i - 1].at))
      return false;
    auto items_in_cell = in.varint();
    auto high = in.fixed<double>();
    auto low = in.fixed<double>();
    if (!in.ok() || items_in_cell == 0)
      return false;
    x[i] = cell{at, items_in_cell, {high, low}};
    ++count_;
  }
  auto last = first_time_of(x[n - 1]);
  if (!advance(last, in.varint(), last_time_of(x[n - 1])) || !in.ok())
    return false;
  last_ = last;
  return true;
}

} // namespace weir
