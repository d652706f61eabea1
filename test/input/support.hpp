#pragma once

#include "input/line_parser.hpp"
#include "input/reader.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

// The vocabulary of the tests of input: files that vanish, lines as parsers
// want them, and what a reader gave as text.

namespace weir::test {

/// A directory of its own for one test.
class temp_dir {
public:
  temp_dir() {
    auto name
      = (std::filesystem::temp_directory_path() / "weir-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }

  temp_dir(const temp_dir&) = delete;
  temp_dir& operator=(const temp_dir&) = delete;

  ~temp_dir() {
    std::filesystem::remove_all(path_);
  }

  std::string path(const std::string& name) const {
    return (path_ / name).string();
  }

  /// Writes a file and returns its path.
  std::string file(const std::string& name, const std::string& content) const {
    auto out = std::ofstream{path(name), std::ios::binary};
    out << content;
    return path(name);
  }

private:
  std::filesystem::path path_;
};

/// One gzip member.
inline std::string gzipped(const std::string& text) {
  auto out = z_stream{};
  REQUIRE(deflateInit2(&out, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY)
          == Z_OK);
  auto res = std::string(deflateBound(&out, text.size()), '\0');
  out.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  out.avail_in = static_cast<uInt>(text.size());
  out.next_out = reinterpret_cast<Bytef*>(res.data());
  out.avail_out = static_cast<uInt>(res.size());
  REQUIRE(deflate(&out, Z_FINISH) == Z_STREAM_END);
  res.resize(out.total_out);
  deflateEnd(&out);
  return res;
}

/// A line with what parsers may look at behind it.
class padded_line {
public:
  explicit padded_line(const std::string& text)
    : bytes_(text + "\n" + std::string(line_padding, '7')), size_(text.size()) {
    // nop
  }

  std::string_view view() const {
    return {bytes_.data(), size_};
  }

private:
  std::string bytes_;
  size_t size_;
};

inline std::string to_text(number x) {
  if (!x.is_double())
    return std::to_string(x.as_integer());
  char buf[40];
  std::snprintf(buf, sizeof(buf), "%.17gd", x.as_double());
  return buf;
}

/// "entity@time metric=value ..."; doubles end in d.
inline std::string to_text(const record& x) {
  auto res = std::string{x.entity} + "@" + std::to_string(x.time);
  for (const auto& f : x)
    res += " " + std::string{f.metric} + "=" + to_text(f.value);
  return res;
}

/// The record of one line, or "bad: " and the reason.
inline std::string parsed(line_parser& parser, const std::string& text) {
  auto line = padded_line{text};
  auto out = record{};
  auto why = std::string{};
  return parser.parse(line.view(), out, why) ? to_text(out) : "bad: " + why;
}

/// All that a reader gives: records, "bad N: reason" and "failed: text".
inline std::vector<std::string> contents(reader& in) {
  auto res = std::vector<std::string>{};
  for (;;) {
    switch (in.next(std::chrono::milliseconds{-1})) {
      case step::record:
        res.push_back(to_text(in.current()));
        break;
      case step::bad:
        res.push_back("bad " + std::to_string(in.bad().line) + ": "
                      + in.bad().reason);
        break;
      case step::idle:
        res.push_back("idle");
        break;
      case step::file_failed:
        res.push_back("failed: " + in.error().text);
        break;
      case step::end:
        return res;
    }
  }
}

inline std::vector<std::string> contents(std::vector<std::string> paths,
                                         reader_options options = {}) {
  auto in = reader::open(std::move(paths), std::move(options));
  REQUIRE(in);
  return contents(**in);
}

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace weir::test
