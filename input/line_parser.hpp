#pragma once

#include "input/record.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

/// Bytes that must be readable behind a line; parsers look ahead in blocks.
/// The first is '\n' or '\r'.
constexpr size_t line_padding = 64;

/// Turns the lines of one file into records.
class line_parser {
public:
  virtual ~line_parser() = default;

  /// Sets entity, time and fields of `out`, whose views last until the next
  /// call, or returns false and the reason in `why`.
  /// @pre `line` is not blank, and `line_padding` bytes follow it.
  virtual bool parse(std::string_view line, record& out, std::string& why) = 0;
};

} // namespace weir
