#include "input/numbers.hpp"

#include "windows/int128.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <limits>

namespace weir {

namespace {

/// A mantissa of this many digits does not overflow 64 bits.
constexpr auto safe_digits = 19;

/// Integers up to here, and powers of ten up to 10^22, are doubles without
/// rounding; one operation on two such is rounded once, hence right. After
/// Clinger, "How to read floating point numbers accurately" (1990).
constexpr auto exact_mantissa_max = uint64_t{1} << 53;
constexpr auto exact_power_max = 22;
constexpr auto exact_powers = std::array<double, exact_power_max + 1>{
  {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}};

bool is_digit(char c) {
  return static_cast<unsigned char>(c - '0') < 10;
}

/// Whether a number that no double holds is smaller than all of them, judged
/// by the decimal place of its first digit that is not 0.
bool is_tiny(std::string_view text) {
  auto exponent = int64_t{0};
  auto e = text.find_first_of("eE");
  if (e != std::string_view::npos) {
    auto digits = text.substr(e + 1);
    if (digits.front() == '+')
      digits.remove_prefix(1);
    auto [end, error]
      = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
    if (error != std::errc{})
      return *digits.data() == '-';
    text = text.substr(0, e);
  }
  auto point = std::min(text.find('.'), text.size());
  auto first = text.find_first_of("123456789");
  assert(first != std::string_view::npos);
  return exponent < static_cast<int64_t>(first) - static_cast<int64_t>(point);
}

/// The nearest double of a text in the grammar of std::from_chars, whose
/// report of "out of range" covers both ends.
number_status to_double(std::string_view text, number& out) {
  auto x = 0.0;
  auto [end, error]
    = std::from_chars(text.data(), text.data() + text.size(), x);
  if (error == std::errc::invalid_argument || end != text.data() + text.size())
    return number_status::syntax;
  if (error == std::errc::result_out_of_range) {
    if (!is_tiny(text))
      return number_status::range;
    x = text.front() == '-' ? -0.0 : 0.0;
  }
  out = number::of(x);
  return number_status::ok;
}

struct scanned {
  const char* end;
  number_status status;
};

scanned scan(const char* text, number& out) {
  constexpr auto not_a_number = scanned{nullptr, number_status::syntax};
  auto p = text;
  auto negative = *p == '-';
  p += negative;
  auto mantissa = uint64_t{0};
  auto start = p;
  while (is_digit(*p))
    mantissa = mantissa * 10 + static_cast<uint64_t>(*p++ - '0');
  auto digits = p - start;
  if (digits == 0 || (digits > 1 && *start == '0'))
    return not_a_number;
  auto exponent = int64_t{0};
  auto is_integer = true;
  if (*p == '.') {
    is_integer = false;
    auto fraction = ++p;
    while (is_digit(*p))
      mantissa = mantissa * 10 + static_cast<uint64_t>(*p++ - '0');
    exponent = fraction - p;
    if (exponent == 0)
      return not_a_number;
    digits -= exponent;
  }
  if (*p == 'e' || *p == 'E') {
    is_integer = false;
    ++p;
    auto sign = *p == '-' ? -1 : 1;
    if (*p == '-' || *p == '+')
      ++p;
    if (!is_digit(*p))
      return not_a_number;
    auto written = int64_t{0};
    while (is_digit(*p)) {
      // Past any double's exponent the exact one does not matter any more.
      if (written < 1'000'000)
        written = written * 10 + (*p - '0');
      ++p;
    }
    exponent += sign * written;
  }
  if (digits <= safe_digits) {
    constexpr auto int_max
      = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (is_integer && mantissa <= int_max + (negative ? 1 : 0)) {
      out = number::of(static_cast<int64_t>(negative ? -mantissa : mantissa));
      return {p, number_status::ok};
    }
    if (mantissa <= exact_mantissa_max && exponent >= -exact_power_max
        && exponent <= exact_power_max) {
      auto x = static_cast<double>(mantissa);
      if (exponent < 0)
        x /= exact_powers[static_cast<size_t>(-exponent)];
      else
        x *= exact_powers[static_cast<size_t>(exponent)];
      out = number::of(negative ? -x : x);
      return {p, number_status::ok};
    }
  }
  auto token = std::string_view{text, static_cast<size_t>(p - text)};
  return {p, to_double(token, out)};
}

int power_to_ms(time_unit unit) {
  switch (unit) {
    case time_unit::s:
      return 3;
    case time_unit::ms:
      return 0;
    case time_unit::us:
      return -3;
    case time_unit::ns:
      return -6;
  }
  assert(false);
  return 0;
}

std::optional<time_ms> in_range(int128 x) {
  if (x < time_min || x > time_max)
    return std::nullopt;
  return static_cast<time_ms>(x);
}

/// @pre `y` is positive.
int64_t floor_div(int64_t x, int64_t y) {
  auto q = x / y;
  return q - (x % y < 0);
}

int128 power_of_ten(int64_t n) {
  auto res = int128{1};
  for (auto i = int64_t{0}; i < n; ++i)
    res *= 10;
  return res;
}

} // namespace

const char* scan_number(const char* text, number& out) {
  auto res = scan(text, out);
  return res.status == number_status::ok ? res.end : nullptr;
}

number_status parse_number(std::string_view text, number& out) {
  // The scanner wants a byte behind the number that can't belong to it.
  auto terminated = std::string{text};
  auto res = scan(terminated.c_str(), out);
  if (res.end != terminated.c_str() + terminated.size())
    return number_status::syntax;
  return res.status;
}

number_status parse_decimal(std::string_view text, number& out) {
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-')
      return number_status::syntax;
  }
  // Keeps out "nan" and "inf", which std::from_chars knows.
  auto is_plain = [](char c) {
    return is_digit(c) || c == '.' || c == '-' || c == '+' || c == 'e'
           || c == 'E';
  };
  if (text.empty() || !std::all_of(text.begin(), text.end(), is_plain))
    return number_status::syntax;
  auto x = int64_t{0};
  auto last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, x);
  if (error == std::errc{} && end == last) {
    out = number::of(x);
    return number_status::ok;
  }
  return to_double(text, out);
}

std::optional<time_ms> scale_time(int64_t x, time_unit unit) {
  switch (unit) {
    case time_unit::s:
      return in_range(int128{x} * 1000);
    case time_unit::ms:
      return in_range(x);
    case time_unit::us:
      return in_range(floor_div(x, 1000));
    case time_unit::ns:
      return in_range(floor_div(x, 1'000'000));
  }
  assert(false);
  return std::nullopt;
}

std::optional<time_ms> scale_time(std::string_view text, time_unit unit) {
  // Enough for nanoseconds since the epoch and a remainder; what is beyond is
  // cut off, as the remainder is.
  constexpr auto digits_max = 30;
  auto negative = text.front() == '-';
  auto mantissa = int128{0};
  auto digits = 0;
  auto exponent = int64_t{power_to_ms(unit)};
  auto after_point = false;
  auto p = text.begin();
  for (p += negative || *p == '+'; p != text.end(); ++p) {
    if (*p == '.') {
      after_point = true;
      continue;
    }
    if (!is_digit(*p))
      break;
    if (digits < digits_max) {
      mantissa = mantissa * 10 + (*p - '0');
      digits += mantissa != 0;
      exponent -= after_point;
    } else {
      exponent += !after_point;
    }
  }
  if (mantissa == 0)
    return scale_time(int64_t{0}, unit);
  if (negative)
    return std::nullopt;
  if (p != text.end()) {
    auto rest = text.substr(static_cast<size_t>(p - text.begin()) + 1);
    if (rest.front() == '+')
      rest.remove_prefix(1);
    auto written = int64_t{0};
    auto [end, error]
      = std::from_chars(rest.data(), rest.data() + rest.size(), written);
    if (error != std::errc{}
        || __builtin_add_overflow(exponent, written, &exponent))
      exponent = rest.front() == '-' ? -digits_max - 1 : digits_max;
  }
  if (exponent < -digits_max)
    return time_ms{0};
  // There is at least one digit, so 10^16 ms and more are out of range.
  if (exponent > 15 || digits + exponent > digits_max)
    return std::nullopt;
  return in_range(exponent >= 0 ? mantissa * power_of_ten(exponent)
                                : mantissa / power_of_ten(-exponent));
}

std::string_view to_string(time_unit unit) {
  switch (unit) {
    case time_unit::s:
      return "s";
    case time_unit::ms:
      return "ms";
    case time_unit::us:
      return "us";
    case time_unit::ns:
      return "ns";
  }
  assert(false);
  return "";
}

} // namespace weir
