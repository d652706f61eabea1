#include "windows/sliding_series.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

namespace weir {

namespace {

/// Steps back from the end before a binary search takes over: disorder is
/// slight as a rule, and the end is in the cache.
constexpr size_t linear_steps = 8;

/// Room for the first readings of a series: most sensors send more than one.
constexpr size_t capacity_first = 2;

/// A smaller room than this isn't worth an allocation to free some of it.
constexpr size_t capacity_worth_shrinking = 8;

/// Integers up to here are doubles, too.
constexpr auto double_integer_max = int64_t{1} << 53;

bool fits_double(const number& x) {
  return x.is_double()
         || (x.as_integer() >= -double_integer_max
             && x.as_integer() <= double_integer_max);
}

} // namespace

sliding_series::sliding_series(sliding_series&& other) noexcept
  : data_(std::exchange(other.data_, nullptr)),
    last_(other.last_),
    metric_(other.metric_),
    head_(other.head_),
    count_(std::exchange(other.count_, 0u)),
    capacity_(other.capacity_),
    shift_(other.shift_) {
  other.capacity_ = 0;
}

sliding_series& sliding_series::operator=(sliding_series&& other) noexcept {
  assert(this != &other);
  ::operator delete(data_);
  data_ = std::exchange(other.data_, nullptr);
  last_ = other.last_;
  metric_ = other.metric_;
  head_ = other.head_;
  count_ = std::exchange(other.count_, 0u);
  capacity_ = other.capacity_;
  other.capacity_ = 0;
  shift_ = other.shift_;
  return *this;
}

sliding_series::~sliding_series() {
  ::operator delete(data_);
}

void sliding_series::release() {
  *this = sliding_series{metric_};
}

time_ms sliding_series::cell_width() const {
  // 2^63 is no int64; two cells of such a width hold all of time.
  return is_raw()      ? 1
         : shift_ > 62 ? std::numeric_limits<time_ms>::max()
                       : time_ms{1} << shift_;
}

size_t sliding_series::bytes_of(size_t capacity, bool as_raw) {
  return allocated(capacity * (as_raw ? sizeof(raw_reading) : sizeof(cell)));
}

size_t sliding_series::heap_bytes() const {
  return bytes_of(capacity_, is_raw());
}

void sliding_series::prefetch() const {
  auto end = static_cast<size_t>(head_) + count_;
  auto bytes = end * (is_raw() ? sizeof(raw_reading) : sizeof(cell));
  // The last item tells where the next one goes; it may lie a line before.
  constexpr auto line = size_t{64};
  auto data = static_cast<const char*>(data_);
  __builtin_prefetch(data + bytes, 1);
  if (bytes >= line)
    __builtin_prefetch(data + bytes - sizeof(cell), 1);
}

int64_t sliding_series::first_time_of(const cell& x) const {
  return static_cast<int64_t>(static_cast<uint64_t>(x.at) << shift_);
}

int64_t sliding_series::last_time_of(const cell& x) const {
  auto rest = (uint64_t{1} << shift_) - 1;
  return static_cast<int64_t>((static_cast<uint64_t>(x.at) << shift_) | rest);
}

// -- storage -----------------------------------------------------------------

/// Where an item at `at` belongs: behind all that are not later.
template <class T>
size_t sliding_series::position_after(int64_t at) const {
  auto first = items<T>();
  auto i = size_t{count_};
  for (auto n = linear_steps; n > 0 && i > 0; --n, --i)
    if (first[i - 1].at <= at)
      return i;
  auto later = [](int64_t x, const T& y) {
    return x < y.at;
  };
  return static_cast<size_t>(std::upper_bound(first, first + i, at, later)
                             - first);
}

/// Number of leading items that are forgotten altogether.
template <class T>
size_t sliding_series::forgotten(time_ms floor) const {
  auto first = items<T>();
  auto gone = [this, floor](const T& x) {
    if constexpr (std::is_same_v<T, cell>)
      return last_time_of(x) <= floor;
    else
      return x.at <= floor;
  };
  return static_cast<size_t>(std::partition_point(first, first + count_, gone)
                             - first);
}

void sliding_series::drop_forgotten(time_ms floor) {
  assert(count_ > 0);
  // A search would touch many cache lines, mostly to find that nothing is.
  auto first
    = is_raw() ? items<raw_reading>()->at : last_time_of(*items<cell>());
  if (first > floor)
    return;
  auto n = forgotten_items(floor);
  head_ = static_cast<uint32_t>(head_ + n);
  count_ = static_cast<uint32_t>(count_ - n);
}

template <class T>
void sliding_series::reallocate(size_t capacity) {
  static_assert(std::is_trivially_copyable_v<T>);
  assert(capacity > 0 && capacity >= count_);
  auto data = ::operator new(capacity * sizeof(T));
  if (count_ > 0)
    std::memcpy(data, items<T>(), count_ * sizeof(T));
  ::operator delete(data_);
  data_ = data;
  head_ = 0;
  capacity_ = static_cast<uint32_t>(capacity) & capacity_limit;
}

template void sliding_series::reallocate<sliding_series::raw_reading>(
  size_t capacity);

template void sliding_series::reallocate<sliding_series::cell>(size_t capacity);

size_t sliding_series::forgotten_items(time_ms floor) const {
  return is_raw() ? forgotten<raw_reading>(floor) : forgotten<cell>(floor);
}

/// Makes room for one more item at the end. Sliding down only once a quarter of
/// the room is free keeps forgetting at amortised constant cost.
template <class T>
void sliding_series::make_room(time_ms floor) {
  if (head_ + count_ < capacity_)
    return;
  if (count_ > 0)
    drop_forgotten(floor);
  if (head_ > 0 && head_ >= capacity_ / 4) {
    std::memmove(data_, static_cast<void*>(items<T>()), count_ * sizeof(T));
    head_ = 0;
  } else {
    auto more = std::max<size_t>(capacity_first, capacity_ / 2u);
    reallocate<T>(std::min(capacity_limit, capacity_ + more));
  }
}

template <class T>
void sliding_series::insert(const T& x, time_ms floor) {
  make_room<T>(floor);
  auto i = position_after<T>(x.at);
  if (head_ > 0 && i < count_ / 2u) {
    auto first = items<T>();
    --head_;
    std::memmove(static_cast<void*>(first - 1), static_cast<void*>(first),
                 i * sizeof(T));
  } else {
    auto place = items<T>() + i;
    std::memmove(static_cast<void*>(place + 1), static_cast<void*>(place),
                 (count_ - i) * sizeof(T));
  }
  ++count_;
  items<T>()[i] = x;
}

// -- adding ------------------------------------------------------------------

ptrdiff_t sliding_series::add(time_ms time, const number& value, time_ms floor,
                              uint32_t cells_max) {
  assert(time > floor);
  assert(cells_max >= cells_least && cells_max <= cells_limit);
  auto was_raw = is_raw();
  auto capacity_before = capacity_;
  if (expired(floor) && count_ > 0) {
    if (is_raw())
      head_ = count_ = 0;
    else
      release();
  }
  if (is_raw() && count_ >= cells_max)
    drop_forgotten(floor);
  if (is_raw() && (count_ >= cells_max || !fits_double(value)))
    become_cells();
  if (is_raw())
    insert(raw_reading{time, value.to_double()}, floor);
  else
    add_to_cell(time, value, floor, cells_max);
  last_ = std::max(last_, time);
  if (capacity_ == capacity_before && is_raw() == was_raw)
    return 0;
  return static_cast<ptrdiff_t>(heap_bytes())
         - static_cast<ptrdiff_t>(bytes_of(capacity_before, was_raw));
}

void sliding_series::add_to_cell(time_ms time, const number& value,
                                 time_ms floor, uint32_t cells_max) {
  for (;;) {
    auto slot = time >> shift_;
    auto i = count_ <= cells_max ? position_after<cell>(slot) : 0;
    if (i > 0 && items<cell>()[i - 1].at == slot) {
      auto& x = items<cell>()[i - 1];
      x.sum.add(value);
      ++x.count;
      return;
    }
    if (count_ < cells_max) {
      auto x = cell{slot, 1, {}};
      x.sum.add(value);
      insert(x, floor);
      return;
    }
    // What is forgotten must be gone before its neighbours merge.
    auto before = count_;
    drop_forgotten(floor);
    if (count_ == before)
      coarsen();
  }
}

void sliding_series::become_cells() {
  auto old = std::move(*this);
  metric_ = old.metric_;
  last_ = old.last_;
  head_ = 0;
  shift_ = 0;
  auto room = old.count_ + std::max<size_t>(capacity_first, old.count_ / 4u);
  reallocate<cell>(room);
  auto to = items<cell>();
  for (auto i = size_t{0}; i < old.count_; ++i) {
    auto& x = old.items<raw_reading>()[i];
    if (count_ == 0 || to[count_ - 1].at != x.at)
      to[count_++] = cell{x.at, 0, {}};
    to[count_ - 1].sum.add(x.value);
    ++to[count_ - 1].count;
  }
}

void sliding_series::coarsen() {
  assert(shift_ < 63);
  ++shift_;
  auto x = items<cell>();
  auto n = uint32_t{0};
  for (auto i = size_t{0}; i < count_; ++i) {
    auto slot = x[i].at >> 1;
    if (n > 0 && x[n - 1].at == slot) {
      x[n - 1].count += x[i].count;
      x[n - 1].sum.add(x[i].sum);
    } else {
      x[n++] = cell{slot, x[i].count, x[i].sum};
    }
  }
  count_ = n;
}

void sliding_series::prune(time_ms floor) {
  if (expired(floor)) {
    release();
    return;
  }
  drop_forgotten(floor);
  if (capacity_ <= capacity_worth_shrinking || count_ >= capacity_ / 4)
    return;
  auto room = count_ + size_t{count_} / 2;
  if (is_raw())
    reallocate<raw_reading>(room);
  else
    reallocate<cell>(room);
}

// -- asking ------------------------------------------------------------------

/// The readings of a window, each times a scale.
struct sliding_series::window_sum {
  compensated_sum sum;
  double count = 0;
  bool overflow = false;
  bool exact = true;

  void add(const compensated_sum& x, double n) {
    sum.add(x);
    count += n;
    overflow = overflow || !x.is_finite();
  }
};

sliding_series::window_sum sliding_series::sum_readings(time_ms from,
                                                        time_ms at,
                                                        double scale) const {
  auto res = window_sum{};
  auto end = items<raw_reading>() + count_;
  auto i = items<raw_reading>() + forgotten<raw_reading>(from);
  for (; i != end && i->at <= at; ++i) {
    res.sum.add(i->value * scale);
    ++res.count;
  }
  return res;
}

sliding_series::window_sum sliding_series::sum_cells(time_ms from, time_ms at,
                                                     double scale) const {
  auto res = window_sum{};
  auto end = items<cell>() + count_;
  auto i = items<cell>() + forgotten<cell>(from);
  for (; i != end && i->at <= (at >> shift_); ++i) {
    auto first = first_time_of(*i);
    // Nothing in the last cell is later than the last reading.
    auto last = i + 1 == end ? last_ : last_time_of(*i);
    if (last <= from)
      break;
    auto n = static_cast<double>(i->count);
    if (first > from && last <= at) {
      res.add(i->sum.scaled(scale), n);
      continue;
    }
    // Doubles, because a hostile window is wider than an int64.
    auto low = static_cast<double>(first > from ? first : from + 1) - 1;
    auto high = static_cast<double>(std::min(last, at));
    auto width = static_cast<double>(last) - static_cast<double>(first) + 1;
    auto share = std::min(1.0, (high - low) / width);
    res.add(i->sum.scaled(scale * share), n * share);
    res.exact = false;
  }
  return res;
}

series_answer sliding_series::average(time_ms from, time_ms at,
                                      time_ms floor) const {
  auto res = series_answer{};
  from = std::max(from, floor);
  if (from >= at || expired(floor))
    return res;
  auto sum = [&](double scale) {
    return is_raw() ? sum_readings(from, at, scale)
                    : sum_cells(from, at, scale);
  };
  // As many finite sums as there can be, scaled by this, can't leave a double's
  // range; and a power of two rounds nothing.
  constexpr auto small = 0x1p-21;
  static_assert(small * 2 * cells_limit <= 1);
  auto total = sum(1);
  auto scale = total.sum.is_finite() || total.overflow ? 1 : small;
  if (scale < 1)
    total = sum(scale);
  res.count = total.count;
  res.exact = total.exact;
  res.resolution = total.exact ? 1 : cell_width();
  res.overflow = total.overflow;
  if (res.count > 0 && !res.overflow) {
    // Rounding may leave the range that the true mean is within.
    constexpr auto most = std::numeric_limits<double>::max();
    auto mean = total.sum.mean(total.count) / scale;
    res.mean = std::min(std::max(mean, -most), most);
  }
  return res;
}

uint64_t sliding_series::digest(time_ms floor) const {
  auto bytes = std::string{};
  auto out = byte_writer{bytes};
  encode(out, floor);
  auto hash = uint64_t{14695981039346656037u};
  for (auto x : bytes)
    hash = (hash ^ static_cast<uint8_t>(x)) * 1099511628211u;
  return hash;
}

} // namespace weir
