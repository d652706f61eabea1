#pragma once

#include "input/line_parser.hpp"
#include "test/fuzz/fuzz.hpp"

#include <cmath>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace weir::fuzz {

/// A line with as many bytes behind it as parsers may look at, and not one
/// more.
class padded_line {
public:
  explicit padded_line(std::string_view text)
    : bytes_(new char[text.size() + line_padding]), size_(text.size()) {
    std::memset(bytes_.get(), '7', text.size() + line_padding);
    std::memcpy(bytes_.get(), text.data(), text.size());
    bytes_[text.size()] = '\n';
  }

  std::string_view view() const {
    return {bytes_.get(), size_};
  }

private:
  std::unique_ptr<char[]> bytes_;
  size_t size_;
};

/// What a splitter gives to a parser: no newline, and not blank.
inline bool is_line(std::string_view x) {
  return x.find('\n') == std::string_view::npos
         && x.find_first_not_of(" \t\r") != std::string_view::npos;
}

inline bool is_name(std::string_view x) {
  return !x.empty() && x.size() <= name_bytes_max;
}

/// What record.hpp promises.
inline void require_record(const record& x, const reader_options& options) {
  require(is_name(x.entity), "an entity has a name");
  require(x.time >= time_min && x.time <= time_max, "a time is in range");
  require(x.size > 0 && x.size <= options.metrics_per_sample_max,
          "a record has readings");
  auto names = std::set<std::string_view>{};
  for (auto& f : x) {
    require(is_name(f.metric), "a metric has a name");
    require(names.insert(f.metric).second, "no metric comes twice");
    require(!f.value.is_double() || std::isfinite(f.value.as_double()),
            "a value is finite");
  }
}

inline std::string to_text(const record& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.string(x.entity);
  out.zigzag(x.time);
  for (auto& f : x) {
    out.string(f.metric);
    out.fixed(f.value.is_double());
    if (f.value.is_double())
      out.fixed(f.value.as_double());
    else
      out.zigzag(f.value.as_integer());
  }
  return res;
}

inline time_unit unit_of(uint8_t x) {
  return static_cast<time_unit>(x % 4);
}

} // namespace weir::fuzz
