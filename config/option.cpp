#include "config/option.hpp"

#include "config/near.hpp"
#include "windows/time_text.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>
#include <utility>

namespace weir {

namespace {

struct byte_unit {
  std::string_view suffix;
  int64_t factor;
};

constexpr auto byte_units = std::array<byte_unit, 5>{{
  {"TiB", int64_t{1} << 40},
  {"GiB", int64_t{1} << 30},
  {"MiB", int64_t{1} << 20},
  {"KiB", int64_t{1} << 10},
  {"B", 1},
}};

/// The leading digits of `text`, which are taken off it. None, if there are
/// none or they pass 64 bits.
std::optional<int64_t> take_integer(std::string_view& text) {
  auto res = int64_t{0};
  auto end = text.data() + text.size();
  auto [ptr, err] = std::from_chars(text.data(), end, res);
  if (err != std::errc{})
    return std::nullopt;
  text.remove_prefix(static_cast<size_t>(ptr - text.data()));
  return res;
}

tl::unexpected<failure> complaint(std::string text) {
  return fail(ec::invalid_argument, std::move(text));
}

result<int64_t> parse_count(std::string_view text) {
  auto rest = text;
  auto res = take_integer(rest);
  if (!res || !rest.empty())
    return complaint(fmt::format("\"{}\" is not a whole number", text));
  return *res;
}

result<int64_t> parse_bytes(std::string_view text) {
  auto rest = text;
  auto res = take_integer(rest);
  while (!rest.empty() && rest.front() == ' ')
    rest.remove_prefix(1);
  auto factor = int64_t{rest.empty() ? 1 : 0};
  for (auto& unit : byte_units)
    if (rest == unit.suffix)
      factor = unit.factor;
  auto bytes = int64_t{0};
  if (!res || factor == 0 || __builtin_mul_overflow(*res, factor, &bytes))
    return complaint(fmt::format("\"{}\" is not a number of bytes; write it as "
                                 "65536, 64KiB, 8MiB or 1GiB",
                                 text));
  return bytes;
}

std::string format_bytes(int64_t x) {
  for (auto& unit : byte_units)
    if (x != 0 && x % unit.factor == 0)
      return fmt::format("{}{}", x / unit.factor, unit.suffix);
  return "0B";
}

result<int64_t> parse_word(const option& x, std::string_view text) {
  for (auto i = size_t{0}; i < x.words.size(); ++i)
    if (x.words[i] == text)
      return static_cast<int64_t>(i);
  return complaint(fmt::format("\"{}\" is not one of its words: write {}", text,
                               range_text(x)));
}

result<int64_t> parse_number(const option& x, std::string_view text) {
  switch (x.kind) {
    case option_kind::duration:
      return parse_duration(text);
    case option_kind::bytes:
      return parse_bytes(text);
    case option_kind::word:
      return parse_word(x, text);
    default:
      return parse_count(text);
  }
}

std::string format_number(const option& x, int64_t value) {
  switch (x.kind) {
    case option_kind::duration:
      return format_duration(value);
    case option_kind::bytes:
      return format_bytes(value);
    case option_kind::word:
      return std::string{x.words[static_cast<size_t>(value)]};
    default:
      return std::to_string(value);
  }
}

/// What values it takes, but for the word that stands for none.
std::string value_range_text(const option& x) {
  switch (x.kind) {
    case option_kind::word: {
      auto res = std::string{};
      for (auto i = size_t{0}; i < x.words.size(); ++i) {
        if (i > 0)
          res += i + 1 == x.words.size() ? " or " : ", ";
        res += x.words[i];
      }
      return res;
    }
    case option_kind::text:
      return fmt::format("a {}", x.unit);
    case option_kind::address:
      return "host:port";
    default: {
      auto min = format_number(x, x.min);
      if (x.kind == option_kind::duration && x.max == time_max)
        return fmt::format("at least {}", min);
      auto res = fmt::format("{} to {}", min, format_number(x, x.max));
      return x.unit.empty() ? res : fmt::format("{} {}", res, x.unit);
    }
  }
}

result<option_value> parse_address(const option& x, std::string_view text) {
  auto res = parse_endpoint(text);
  if (!res)
    return tl::unexpected(res.error());
  if (res->port < x.min)
    return complaint(fmt::format("\"{}\" has port 0, and nobody can connect "
                                 "there; name the port",
                                 text));
  return *res;
}

/// A NUL or a line feed would get lost on the way to a file name or a log.
bool has_control_characters(std::string_view text) {
  for (auto c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return true;
  return false;
}

} // namespace

std::string did_you_mean(std::string_view name) {
  auto names = std::vector<std::string_view>{};
  for (auto& x : options())
    names.push_back(x.name);
  auto res = nearest(name, names);
  return res ? fmt::format(" Did you mean `{}`?", *res) : std::string{};
}

std::string environment_variable(const option& x) {
  auto res = std::string{"WEIR_"};
  for (auto c : x.name)
    res += c == '-' ? '_' : static_cast<char>(c - 'a' + 'A');
  return res;
}

std::string default_text(const option& x) {
  return format_value(x, x.get(settings{}));
}

std::string range_text(const option& x) {
  auto res = value_range_text(x);
  return x.off.empty() ? res : fmt::format("{}, or {}", res, x.off);
}

result<option_value> parse_value(const option& x, std::string_view text) {
  if (text.empty()) {
    if (!x.unset.empty())
      return option_value{};
    return complaint(fmt::format("needs a value: {}", range_text(x)));
  }
  if (text == x.off)
    return option_value{};
  switch (x.kind) {
    case option_kind::text:
      if (has_control_characters(text))
        return complaint("has a control character in it; leave it out");
      return option_value{std::string{text}};
    case option_kind::address:
      return parse_address(x, text);
    default:
      break;
  }
  auto number = parse_number(x, text);
  if (!number)
    return tl::unexpected(number.error());
  if (x.kind != option_kind::word && (*number < x.min || *number > x.max))
    return complaint(
      fmt::format("{} is out of range; it takes {}", text, range_text(x)));
  return option_value{*number};
}

std::string format_value(const option& x, const option_value& value) {
  if (auto number = std::get_if<int64_t>(&value))
    return format_number(x, *number);
  if (auto text = std::get_if<std::string>(&value))
    return *text;
  if (auto address = std::get_if<endpoint>(&value))
    return to_string(*address);
  return std::string{x.off};
}

} // namespace weir
