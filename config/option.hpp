#pragma once

#include "config/settings.hpp"
#include "windows/failure.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// The table of options. An option is declared once, as one row: everything
// else (flags, file, environment, help, what the coordinator stores) follows.

namespace weir {

enum class option_kind : uint8_t {
  duration,
  count,
  bytes,
  word,
  text,
  address
};

enum class option_scope : uint8_t {
  /// Decides answers: given once, kept by the coordinator.
  cluster,
  /// Of one process.
  process,
};

/// No value; milliseconds, a count, bytes or the index of a word; text; or an
/// address.
using option_value
  = std::variant<std::monostate, int64_t, std::string, endpoint>;

struct option {
  /// As in the TOML file and, after two dashes, on the command line.
  std::string_view name;
  option_scope scope = option_scope::process;
  option_kind kind = option_kind::text;
  /// Of the number or the port, both inclusive.
  int64_t min = 0;
  int64_t max = 0;
  /// Of the kind `word`.
  std::vector<std::string_view> words;
  /// What is counted, in help and errors.
  std::string_view unit;
  /// Meaning, consequence, and the reason of the default.
  std::string_view help;
  /// What having no value means. Empty: it always has one.
  std::string_view unset;
  /// The word for having no value, such as "off". Empty: there is none, and an
  /// empty text has that meaning where `unset` is given.
  std::string_view off;
  /// Fixed when a cluster is created.
  bool fixed = false;

  option_value (*get)(const settings&) = nullptr;
  void (*set)(settings&, const option_value&) = nullptr;
};

/// All options: first the cluster's, then the process's.
const std::vector<option>& options();

/// Null when there is none of that name.
const option* find_option(std::string_view name);

/// The known name nearest to `name`, as " Did you mean `x`?"; empty when none
/// is near.
std::string did_you_mean(std::string_view name);

/// Such as WEIR_CELLS_MAX.
std::string environment_variable(const option& x);

/// The default as text; empty when it has none.
std::string default_text(const option& x);

/// What values it takes, such as "2 to 1000000 cells" or "event or wall".
std::string range_text(const option& x);

/// Parses and checks `text`. The error is a sentence without its subject: the
/// option, and where the text came from, are for the caller to add. An empty
/// text, or the word for it, is no value, where the option may go without.
result<option_value> parse_value(const option& x, std::string_view text);

/// The text that `parse_value` turns into the same value.
std::string format_value(const option& x, const option_value& value);

} // namespace weir
