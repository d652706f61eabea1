#include "apps/output.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace weir {

namespace {

/// Of the first write to stdout that failed.
int stdout_errno = 0;

void remember_failure() {
  if (stdout_errno == 0)
    stdout_errno = errno;
}

/// Somebody has said so on stderr.
bool stdout_failure_told = false;

/// A pipe whose reader has closed it polls as an error. Asked rather than
/// remembered, since not all writes to stdout pass through here.
bool reader_is_gone() {
  auto x = pollfd{STDOUT_FILENO, POLLOUT, 0};
  return poll(&x, 1, 0) == 1 && (x.revents & POLLERR) != 0;
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// Columns on a terminal, if each code point takes one.
size_t width_of(std::string_view text) {
  auto is_first = [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  };
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), is_first));
}

std::string padded(const std::string& text, size_t width, align alignment) {
  auto gap = std::string(width - width_of(text), ' ');
  return alignment == align::left ? text + gap : gap + text;
}

std::string with_prefix(double x, double step,
                        const std::array<const char*, 7>& prefixes) {
  auto i = size_t{0};
  // At 999.5 three digits would round up to four.
  while (x >= step - 0.5 && i + 1 < prefixes.size()) {
    x /= step;
    ++i;
  }
  auto digits = i > 0 && x < 9.95 ? 1 : 0;
  return fmt::format("{:.{}f}{}", x, digits, prefixes[i]);
}

} // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
    remember_failure();
}

void print_line(std::string_view text) {
  print(text);
  print("\n");
}

void print_json(const nlohmann::ordered_json& x) {
  print_line(
    x.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

bool stdout_ok() {
  return std::ferror(stdout) == 0;
}

exit_code finish_stdout(exit_code code) {
  if (std::fflush(stdout) != 0)
    remember_failure();
  if (stdout_ok() && stdout_errno == 0)
    return code;
  if (stdout_failure_told)
    return exit_code::failure;
  auto why = fmt::format("could not write all of the output: {}",
                         std::strerror(stdout_errno));
  return report_stdout({ec::io_error, std::move(why)});
}

exit_code report_stdout(const failure& x) {
  stdout_failure_told = true;
  if (!reader_is_gone())
    complain(x.text);
  return exit_code::failure;
}

void complain(std::string_view text) {
  auto out = std::string{};
  for (auto rest = text; !rest.empty();) {
    auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    out += "weir: ";
    for (auto c : line)
      out += is_control(c) ? '?' : c;
    out += '\n';
  }
  // One write, so that lines of several processes do not mix.
  std::fwrite(out.data(), 1, out.size(), stderr);
}

exit_code report(const failure& x) {
  complain(x.text);
  return to_exit_code(x.code);
}

text_table::text_table(std::vector<column> columns)
  : columns_(std::move(columns)) {
  // nop
}

void text_table::row(std::vector<std::string> cells) {
  assert(cells.size() == columns_.size());
  for (auto& x : cells)
    std::replace_if(x.begin(), x.end(), is_control, '?');
  rows_.push_back(std::move(cells));
}

std::string text_table::str() const {
  auto titles = std::vector<std::string>{};
  auto widths = std::vector<size_t>{};
  for (auto& x : columns_) {
    titles.push_back(x.title);
    widths.push_back(width_of(x.title));
  }
  for (auto& cells : rows_)
    for (auto i = size_t{0}; i < cells.size(); ++i)
      widths[i] = std::max(widths[i], width_of(cells[i]));
  auto res = std::string{};
  auto add = [&](const std::vector<std::string>& cells) {
    auto line = std::string{};
    for (auto i = size_t{0}; i < cells.size(); ++i) {
      line += i > 0 ? "  " : "";
      line += padded(cells[i], widths[i], columns_[i].alignment);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    res += line + '\n';
  };
  add(titles);
  for (auto& cells : rows_)
    add(cells);
  return res;
}

std::string human_count(double x) {
  return with_prefix(x, 1000.0, {"", " k", " M", " G", " T", " P", " E"});
}

std::string human_rate(double x) {
  return human_count(x) + "/s";
}

std::string human_bytes(uint64_t x) {
  return with_prefix(static_cast<double>(x), 1024.0,
                     {" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"});
}

std::string wrapped(std::string_view text, size_t width) {
  auto res = std::string{};
  auto column = size_t{0};
  while (!text.empty()) {
    auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    auto length = width_of(word);
    if (column > 0 && column + 1 + length > width) {
      res += '\n';
      column = 0;
    } else if (column > 0) {
      res += ' ';
      ++column;
    }
    res += word;
    column += length;
  }
  return res;
}

} // namespace weir
