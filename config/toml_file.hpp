#pragma once

#include "config/option.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace weir {

/// Longest configuration file. All options with a comment each are 4 KiB: what
/// passes this is some other file.
constexpr size_t config_bytes_max = 1 << 16;

/// Dots in a line of one. A dotted key nests as deep, and what the parser makes
/// of that is taken apart by recursion; options have no dots in their names,
/// and few in their values.
constexpr size_t config_line_dots_max = 64;

/// An option that a file sets.
struct file_entry {
  const option* what = nullptr;
  option_value value;
  /// Of the key: "path:line:column".
  std::string place;
};

struct file_contents {
  std::vector<file_entry> entries;
  /// Sentences that begin with "path:line:column: ", in the file's order. Just
  /// "path: " if it cannot be read.
  std::vector<std::string> errors;
};

/// Reads options at the top level or under `[cluster]` and `[process]`. Any
/// value may be a string; counts, bytes and durations (ms) also plain integers.
/// After a syntax error nothing else is looked at.
file_contents read_toml_file(const std::string& path);

} // namespace weir
