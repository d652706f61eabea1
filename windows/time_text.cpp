#include "windows/time_text.hpp"

#include "windows/int128.hpp"

#include <array>
#include <cstdio>
#include <optional>

namespace weir {

namespace {

constexpr time_ms ms_per_second = 1000;
constexpr time_ms ms_per_minute = 60 * ms_per_second;
constexpr time_ms ms_per_hour = 60 * ms_per_minute;
constexpr time_ms ms_per_day = 24 * ms_per_hour;

struct unit {
  std::string_view name;
  time_ms ms;
};

/// Descending, as in a compound. "ms" is tried before "m" and "s" by taking
/// all letters as the name.
constexpr auto units = std::array<unit, 7>{{
  {"y", 365 * ms_per_day},
  {"w", 7 * ms_per_day},
  {"d", ms_per_day},
  {"h", ms_per_hour},
  {"m", ms_per_minute},
  {"s", ms_per_second},
  {"ms", 1},
}};

/// Years and weeks are read but not written: "30d" says more than "4w2d".
constexpr size_t first_written_unit = 2;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_letter(char c) {
  return c >= 'a' && c <= 'z';
}

/// Takes characters off the front of a text.
class cursor {
public:
  explicit cursor(std::string_view text) : text_(text) {
    // nop
  }

  bool done() const {
    return text_.empty();
  }

  bool take(char c) {
    if (text_.empty() || text_.front() != c)
      return false;
    text_.remove_prefix(1);
    return true;
  }

  template <class Predicate>
  std::string_view take_while(Predicate pred) {
    auto n = size_t{0};
    while (n < text_.size() && pred(text_[n]))
      ++n;
    auto res = text_.substr(0, n);
    text_.remove_prefix(n);
    return res;
  }

  /// Exactly `n` digits as a number.
  std::optional<int> digits(size_t n) {
    if (text_.size() < n)
      return std::nullopt;
    auto res = 0;
    for (auto i = size_t{0}; i < n; ++i) {
      if (!is_digit(text_[i]))
        return std::nullopt;
      res = res * 10 + (text_[i] - '0');
    }
    text_.remove_prefix(n);
    return res;
  }

private:
  std::string_view text_;
};

/// Longest text worth showing in a sentence.
constexpr size_t shown_bytes_max = 40;

std::string quoted(std::string_view text) {
  auto res = "\"" + std::string{text.substr(0, shown_bytes_max)} + "\"";
  if (text.size() > shown_bytes_max)
    res += "...";
  return res;
}

tl::unexpected<failure> not_a_duration(std::string_view text,
                                       const std::string& why) {
  return fail(ec::invalid_argument,
              quoted(text) + " is not a duration: " + why
                + "; write one like 250ms, 60s, 1h30m or 7d");
}

tl::unexpected<failure> not_a_time(std::string_view text,
                                   const std::string& why) {
  return fail(ec::invalid_argument, quoted(text) + " is not a time: " + why);
}

/// Digits as a number; nothing when it is beyond 64 bits.
std::optional<int64_t> to_integer(std::string_view digits) {
  auto res = int64_t{0};
  for (auto c : digits)
    if (__builtin_mul_overflow(res, 10, &res)
        || __builtin_add_overflow(res, c - '0', &res))
      return std::nullopt;
  return res;
}

/// Without its trailing zeros a fraction lacks the factor 2 or the factor 5,
/// and no unit has more than 2^10: a longer one is never whole.
constexpr size_t fraction_digits_max = 10;

/// `fraction` (digits after the point) of `scale`, if that is a whole number.
std::optional<int64_t> whole_part_of(std::string_view fraction, int64_t scale) {
  while (!fraction.empty() && fraction.back() == '0')
    fraction.remove_suffix(1);
  if (fraction.size() > fraction_digits_max)
    return std::nullopt;
  auto numerator = int128{0};
  auto denominator = int128{1};
  for (auto c : fraction) {
    numerator = numerator * 10 + (c - '0');
    denominator *= 10;
  }
  numerator *= scale;
  if (numerator % denominator != 0)
    return std::nullopt;
  return static_cast<int64_t>(numerator / denominator);
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, after Howard
/// Hinnant's "chrono-Compatible Low-Level Date Algorithms".
/// @pre `year` is not negative.
int64_t days_from_civil(int64_t year, int month, int day) {
  year -= month <= 2;
  auto era = (year >= 0 ? year : year - 399) / 400;
  auto year_of_era = year - era * 400;
  auto day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  auto day_of_era
    = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

struct civil {
  int year;
  int month;
  int day;
};

/// The inverse, for days not before 1970, from the same source.
civil civil_from_days(int64_t days) {
  days += 719'468;
  auto era = days / 146'097;
  auto day_of_era = days - era * 146'097;
  auto year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36'524
                      - day_of_era / 146'096)
                     / 365;
  auto day_of_year
    = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  auto shifted_month = (5 * day_of_year + 2) / 153;
  auto month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {static_cast<int>(year_of_era + era * 400 + (month <= 2)),
          static_cast<int>(month),
          static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1)};
}

int days_in_month(int year, int month) {
  if (month == 2)
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/// Why a part of a time does not read; null when it does.
using complaint = const char*;

complaint read_date(cursor& in, int64_t& days) {
  auto year = in.digits(4);
  if (!year || !in.take('-'))
    return "expected a date like 2023-03-15";
  auto month = in.digits(2);
  if (!month || !in.take('-'))
    return "expected a date like 2023-03-15";
  auto day = in.digits(2);
  if (!day)
    return "expected a date like 2023-03-15";
  if (*month < 1 || *month > 12)
    return "there are 12 months";
  if (*day < 1 || *day > days_in_month(*year, *month))
    return "that month has no such day";
  days = days_from_civil(*year, *month, *day);
  return nullptr;
}

complaint read_clock(cursor& in, int64_t& ms) {
  auto hour = in.digits(2);
  if (!hour || !in.take(':'))
    return "expected a time of day like 13:20:00";
  auto minute = in.digits(2);
  if (!minute)
    return "expected a time of day like 13:20:00";
  if (*hour > 23 || *minute > 59)
    return "the time of day ends at 23:59:59";
  ms = *hour * ms_per_hour + *minute * ms_per_minute;
  if (!in.take(':'))
    return nullptr;
  auto second = in.digits(2);
  if (!second)
    return "expected two digits of seconds";
  if (*second > 59) // Leap seconds have no place in time since the epoch.
    return "the time of day ends at 23:59:59";
  ms += *second * ms_per_second;
  if (!in.take('.') && !in.take(','))
    return nullptr;
  auto fraction = in.take_while(is_digit);
  if (fraction.empty())
    return "expected digits after the decimal point";
  for (auto i = size_t{0}, scale = size_t{100}; i < 3; ++i, scale /= 10)
    if (i < fraction.size())
      ms += (fraction[i] - '0') * static_cast<int64_t>(scale);
  return nullptr;
}

complaint read_offset(cursor& in, int64_t& ms) {
  ms = 0;
  if (in.done() || in.take('Z') || in.take('z'))
    return nullptr;
  auto sign = in.take('-') ? -1 : 1;
  if (sign == 1 && !in.take('+'))
    return "expected Z or an offset like +02:00 after the time of day";
  auto hour = in.digits(2);
  if (!hour)
    return "expected an offset like +02:00";
  auto minute = std::optional<int>{0};
  if (!in.done()) {
    in.take(':');
    minute = in.digits(2);
  }
  if (!minute || *hour > 23 || *minute > 59)
    return "expected an offset like +02:00";
  ms = sign * (*hour * ms_per_hour + *minute * ms_per_minute);
  return nullptr;
}

result<time_ms> check_range(std::string_view text, std::optional<time_ms> x) {
  if (!x || *x < time_min || *x > time_max)
    return not_a_time(text, "it lies outside of the years 1970 to 9999");
  return *x;
}

} // namespace

result<time_ms> parse_duration(std::string_view text) {
  if (text.empty())
    return not_a_duration(text, "it is empty");
  if (text.front() == '-')
    return not_a_duration(text, "it is negative");
  auto in = cursor{text};
  auto total = time_ms{0};
  auto next_unit = units.begin();
  while (!in.done()) {
    auto digits = in.take_while(is_digit);
    if (digits.empty())
      return not_a_duration(text, "expected a number");
    auto fraction = std::string_view{};
    if (in.take('.')) {
      fraction = in.take_while(is_digit);
      if (fraction.empty())
        return not_a_duration(text, "expected digits after the point");
    }
    auto name = in.take_while(is_letter);
    if (name.empty() && next_unit == units.begin() && in.done())
      name = "ms";
    if (name.empty())
      return not_a_duration(text, "expected a unit (y, w, d, h, m, s, ms)");
    while (next_unit != units.end() && next_unit->name != name)
      ++next_unit;
    if (next_unit == units.end())
      return not_a_duration(text, quoted(name)
                                    + " is no unit, or is out of order (y, w, "
                                      "d, h, m, s, ms)");
    auto part = whole_part_of(fraction, next_unit->ms);
    if (!part)
      return not_a_duration(text, "it is no whole number of milliseconds");
    auto whole = to_integer(digits);
    auto product = time_ms{0};
    if (!whole || __builtin_mul_overflow(*whole, next_unit->ms, &product)
        || __builtin_add_overflow(total, product, &total)
        || __builtin_add_overflow(total, *part, &total))
      return not_a_duration(text, "it is too long for 64 bits of milliseconds");
    ++next_unit;
  }
  return total;
}

std::string format_duration(time_ms x) {
  if (x == 0)
    return "0s";
  auto res = std::string{x < 0 ? "-" : ""};
  auto rest = x < 0 ? -static_cast<uint64_t>(x) : static_cast<uint64_t>(x);
  for (auto i = first_written_unit; i < units.size(); ++i) {
    auto scale = static_cast<uint64_t>(units[i].ms);
    if (rest >= scale)
      res += std::to_string(rest / scale) + std::string{units[i].name};
    rest %= scale;
  }
  return res;
}

result<time_ms> parse_iso_time(std::string_view text) {
  auto in = cursor{text};
  auto days = int64_t{0};
  auto clock = int64_t{0};
  auto offset = int64_t{0};
  auto why = read_date(in, days);
  if (!why && !in.done()) {
    if (in.take('T') || in.take('t') || in.take(' '))
      why = read_clock(in, clock);
    else
      why = "expected T and a time of day after the date";
    if (!why)
      why = read_offset(in, offset);
    if (!why && !in.done())
      why = "something follows it";
  }
  if (why)
    return not_a_time(text, why);
  return check_range(text, days * ms_per_day + clock - offset);
}

result<time_ms> parse_time(std::string_view text, time_ms now) {
  if (text.empty())
    return not_a_time(text, "it is empty");
  auto in = cursor{text};
  auto digits = in.take_while(is_digit);
  if (in.done())
    return check_range(text, to_integer(digits));
  if (text.substr(0, 3) != "now")
    return parse_iso_time(text);
  text.remove_prefix(3);
  if (text.empty())
    return now;
  if (text.front() != '-' && text.front() != '+')
    return not_a_time(text, "expected + or - and a duration after \"now\"");
  auto distance = parse_duration(text.substr(1));
  if (!distance)
    return distance;
  auto res = time_ms{0};
  auto overflow = text.front() == '-'
                    ? __builtin_sub_overflow(now, *distance, &res)
                    : __builtin_add_overflow(now, *distance, &res);
  return check_range(text, overflow ? std::nullopt : std::optional{res});
}

std::string format_time(time_ms x) {
  if (x < time_min || x > time_max)
    return std::to_string(x);
  auto date = civil_from_days(x / ms_per_day);
  auto clock = static_cast<int>(x % ms_per_day);
  char buf[80];
  std::snprintf(buf, sizeof(buf), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                date.year, date.month, date.day, clock / 3'600'000,
                clock / 60'000 % 60, clock / 1000 % 60, clock % 1000);
  return buf;
}

} // namespace weir
