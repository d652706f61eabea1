#include "windows/double_accumulator.hpp"

#include "windows/int128.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

namespace weir {

namespace {

constexpr int digit_bits = 32;

constexpr int64_t digit_mask = 0xffffffff;

/// A top digit of more carries into a new place. Far from both the digits of a
/// double and the 63 bits there are.
constexpr int64_t top_digit_max = int64_t{1} << 40;

/// Stored: numbers keep their meaning.
enum class sign : uint8_t { none = 0, positive = 1, negative = 2 };

/// mantissa * 2^(position - 1074) is the magnitude.
struct double_parts {
  bool negative;
  uint64_t mantissa;
  uint32_t position;
};

double_parts parts_of(double x) {
  assert(std::isfinite(x));
  auto bits = uint64_t{0};
  std::memcpy(&bits, &x, sizeof(x));
  auto exponent = static_cast<uint32_t>(bits >> 52) & 0x7ff;
  auto mantissa = bits & ((uint64_t{1} << 52) - 1);
  if (exponent == 0)
    return {bits >> 63 != 0, mantissa, 0};
  return {bits >> 63 != 0, mantissa | uint64_t{1} << 52, exponent - 1};
}

} // namespace

double_accumulator::double_accumulator(const double_accumulator& other)
  : first_(other.first_),
    size_(other.size_),
    touched_(other.touched_),
    additions_(other.additions_) {
  if (size_ == 0)
    return;
  digits_ = std::make_unique<int64_t[]>(size_);
  std::copy_n(other.digits_.get(), size_, digits_.get());
}

double_accumulator::double_accumulator(double_accumulator&& other) noexcept
  : digits_(std::move(other.digits_)),
    first_(std::exchange(other.first_, uint8_t{0})),
    size_(std::exchange(other.size_, uint8_t{0})),
    touched_(std::exchange(other.touched_, false)),
    additions_(std::exchange(other.additions_, 0u)) {
  // nop
}

double_accumulator& double_accumulator::operator=(
  double_accumulator other) noexcept {
  digits_ = std::move(other.digits_);
  first_ = other.first_;
  size_ = other.size_;
  touched_ = other.touched_;
  additions_ = other.additions_;
  return *this;
}

void double_accumulator::add(double x) {
  touched_ = true;
  auto parts = parts_of(x);
  if (parts.mantissa == 0)
    return;
  constexpr auto offset = static_cast<uint32_t>(-least_place) * digit_bits;
  auto position = parts.position + offset - 1074;
  auto wide = static_cast<uint128>(parts.mantissa) << (position % digit_bits);
  const uint32_t digits[]
    = {static_cast<uint32_t>(wide), static_cast<uint32_t>(wide >> 32),
       static_cast<uint32_t>(wide >> 64)};
  add_digits<3>(parts.negative, digits, position / digit_bits);
}

void double_accumulator::add_square(double x) {
  touched_ = true;
  auto parts = parts_of(x);
  if (parts.mantissa == 0)
    return;
  constexpr auto offset = static_cast<uint32_t>(-least_place) * digit_bits;
  auto position = 2 * parts.position + offset - 2 * 1074;
  auto shift = position % digit_bits;
  auto wide = static_cast<uint128>(parts.mantissa) * parts.mantissa;
  // 106 bits and a shift of up to 31 don't fit in 128.
  auto low = wide << shift;
  auto high = shift == 0 ? uint128{0} : wide >> (128 - shift);
  const uint32_t digits[]
    = {static_cast<uint32_t>(low), static_cast<uint32_t>(low >> 32),
       static_cast<uint32_t>(low >> 64), static_cast<uint32_t>(low >> 96),
       static_cast<uint32_t>(high)};
  add_digits<5>(false, digits, position / digit_bits);
}

template <uint32_t N>
void double_accumulator::add_digits(bool negative, const uint32_t (&digits)[N],
                                    uint32_t first) {
  if (first < first_ || first + N > uint32_t{first_} + size_)
    reach(first, first + N);
  auto to = digits_.get() + (first - first_);
  // Minus one, and all bits of it, turn a digit into its negative.
  auto flip = negative ? int64_t{-1} : int64_t{0};
  for (auto i = uint32_t{0}; i < N; ++i)
    to[i] += (int64_t{digits[i]} ^ flip) - flip;
  if (++additions_ == additions_max)
    carry();
}

/// Makes place for the digits in [first, last).
void double_accumulator::reach(uint32_t first, uint32_t last) {
  if (size_ > 0) {
    first = std::min<uint32_t>(first, first_);
    last = std::max<uint32_t>(last, uint32_t{first_} + size_);
    if (last - first == size_)
      return;
  }
  assert(last <= places);
  auto digits = std::make_unique<int64_t[]>(last - first);
  if (size_ > 0)
    std::copy_n(digits_.get(), size_, digits.get() + (first_ - first));
  digits_ = std::move(digits);
  first_ = static_cast<uint8_t>(first);
  size_ = static_cast<uint8_t>(last - first);
}

/// Leaves all digits but the last in [0, 2^32), and that one small.
void double_accumulator::carry() {
  additions_ = 0;
  if (size_ == 0)
    return;
  auto carried = int64_t{0};
  auto top = size_t{size_} - 1;
  for (auto i = size_t{0}; i < top; ++i) {
    auto sum = digits_[i] + carried;
    digits_[i] = sum & digit_mask;
    carried = sum >> digit_bits;
  }
  digits_[top] += carried;
  auto last = uint32_t{first_} + size_;
  if (std::abs(digits_[top]) <= top_digit_max || last == places)
    return;
  carried = digits_[top] >> digit_bits;
  digits_[top] &= digit_mask;
  reach(first_, last + 1);
  digits_[top + 1] = carried;
}

void double_accumulator::add(const double_accumulator& other) {
  touched_ = touched_ || other.touched_;
  if (other.size_ == 0)
    return;
  reach(other.first_, uint32_t{other.first_} + other.size_);
  for (auto i = size_t{0}; i < other.size_; ++i)
    digits_[i + other.first_ - first_] += other.digits_[i];
  carry();
}

big_number double_accumulator::value() const {
  // Digits of 63 bits and what they carry reach two places further.
  auto digits = std::vector<int64_t>(digits_.get(), digits_.get() + size_);
  digits.resize(size_t{size_} + 2);
  auto carry_all = [&] {
    auto carried = int64_t{0};
    for (auto& x : digits) {
      auto sum = x + carried;
      x = sum & digit_mask;
      carried = sum >> digit_bits;
    }
    return carried < 0;
  };
  auto negative = carry_all();
  if (negative) {
    for (auto& x : digits)
      x = -x;
    carry_all();
  }
  auto res = std::vector<uint32_t>(digits.size());
  std::transform(digits.begin(), digits.end(), res.begin(), [](int64_t x) {
    return static_cast<uint32_t>(x);
  });
  return {negative, std::move(res), least_place + first_};
}

void double_accumulator::encode(byte_writer& out) const {
  if (untouched()) {
    out.fixed(static_cast<uint8_t>(sign::none));
    return;
  }
  auto sum = value();
  auto place = sum.is_zero() ? 0 : sum.first() - least_place;
  out.fixed(
    static_cast<uint8_t>(sum.is_negative() ? sign::negative : sign::positive));
  out.fixed(static_cast<uint8_t>(place));
  out.fixed(static_cast<uint8_t>(sum.digits().size()));
  for (auto x : sum.digits())
    out.fixed(x);
}

bool double_accumulator::decode(byte_reader& in) {
  *this = double_accumulator{};
  auto s = in.fixed<uint8_t>();
  if (s == static_cast<uint8_t>(sign::none))
    return in.ok();
  auto first = in.fixed<uint8_t>();
  auto n = in.fixed<uint8_t>();
  auto negative = s == static_cast<uint8_t>(sign::negative);
  if (!in.ok() || s > static_cast<uint8_t>(sign::negative)
      || uint32_t{first} + n > places_stored
      || (n == 0 && (negative || first != 0)))
    return false;
  auto digits = std::vector<uint32_t>(n);
  for (auto& x : digits)
    x = in.fixed<uint32_t>();
  // What has zeros at an end has a shorter form.
  if (!in.ok() || (n > 0 && (digits.front() == 0 || digits.back() == 0)))
    return false;
  touched_ = true;
  if (n == 0)
    return true;
  reach(first, uint32_t{first} + n);
  for (auto i = size_t{0}; i < n; ++i)
    digits_[i] = negative ? -int64_t{digits[i]} : int64_t{digits[i]};
  additions_ = 1;
  return true;
}

} // namespace weir
