#pragma once

#include "apps/exit_codes.hpp"
#include "windows/failure.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What people and scripts read: results on stdout, sentences on stderr.

namespace weir {

/// Writes `text` to stdout, as it is. A failure is remembered for
/// `finish_stdout`, so that printing code need not look after each line.
void print(std::string_view text);

/// `print` with a line feed.
void print_line(std::string_view text);

/// One line of JSON. Bytes that aren't UTF-8 come out as U+FFFD.
void print_json(const nlohmann::ordered_json& x);

/// False once stdout takes no more (closed pipe, full disk): a command that
/// prints for long may stop early.
bool stdout_ok();

/// Flushes stdout and returns `code`; `failure` if any of it could not be
/// written, after a sentence on stderr, but quietly when the reader just went
/// away, as in `weir ... | head`.
exit_code finish_stdout(exit_code code);

/// Reports that code which writes to stdout by itself failed to, quietly when
/// the reader went away. `finish_stdout` says nothing more then.
exit_code report_stdout(const failure& x);

/// Each line of `text` to stderr, as "weir: line".
void complain(std::string_view text);

/// Prints the failure, and tells the exit code that goes with it.
exit_code report(const failure& x);

enum class align : uint8_t { left, right };

struct column {
  std::string title;
  align alignment = align::left;
};

/// Rows under titles, columns padded to their widest cell, two spaces between.
class text_table {
public:
  explicit text_table(std::vector<column> columns);

  /// @pre `cells` are as many as the columns.
  void row(std::vector<std::string> cells);

  /// All lines, the titles first, none with trailing spaces. Control characters
  /// in cells are shown as '?': names come from outside, and terminals obey.
  std::string str() const;

private:
  std::vector<column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Three digits and a decimal prefix: "999", "1.2 k", "34 M".
std::string human_count(double x);

/// Per second: "1.2 M/s".
std::string human_rate(double x);

/// With a binary prefix: "512 B", "1.5 KiB", "34 MiB".
std::string human_bytes(uint64_t x);

/// `text` in lines of at most `width` columns, broken at spaces.
std::string wrapped(std::string_view text, size_t width);

} // namespace weir
