#include "input/file_stream.hpp"

#include "input/csv.hpp"
#include "input/ndjson.hpp"

#include <fmt/format.h>

namespace weir {

namespace {

bool looks_like_ndjson(std::string_view line) {
  auto first = line.find_first_not_of(" \t");
  return first != std::string_view::npos && line[first] == '{';
}

} // namespace

file_stream::file_stream(std::string path, size_t index,
                         const reader_options& options,
                         std::unique_ptr<byte_source> source,
                         size_t buffer_bytes)
  : path_(std::move(path)),
    options_(options),
    lines_(std::move(source), buffer_bytes, options.line_bytes_max) {
  current_.file = index;
}

result<std::unique_ptr<file_stream>> file_stream::open(
  std::string path, size_t index, const reader_options& options,
  size_t buffer_bytes) {
  auto source = byte_source::open(path);
  if (!source)
    return tl::unexpected<failure>(std::move(source.error()));
  return std::unique_ptr<file_stream>(new file_stream(
    std::move(path), index, options, std::move(*source), buffer_bytes));
}

step file_stream::next(patience& wait, bad_record& bad, failure& error) {
  while (!stopped_) {
    switch (lines_.next(wait)) {
      case line_status::line:
        break;
      case line_status::too_long:
        return report(
          fmt::format("it has more than {} bytes", options_.line_bytes_max),
          bad);
      case line_status::idle:
        return step::idle;
      case line_status::end:
        stopped_ = true;
        return step::end;
      case line_status::failed: {
        auto why = lines_.error();
        why.text += fmt::format("; {} lines were read before", lines_.number());
        return stop(std::move(why), error);
      }
    }
    if (!parser_) {
      auto is_data = start(lines_.line());
      if (!is_data)
        return stop(std::move(is_data.error()), error);
      if (!*is_data)
        continue;
    }
    if (!parser_->parse(lines_.line(), current_, why_))
      return report(std::move(why_), bad);
    current_.raw = lines_.line();
    current_.line = lines_.number();
    return step::record;
  }
  return step::end;
}

result<bool> file_stream::start(std::string_view line) {
  auto format = options_.format;
  if (format == input_format::automatic)
    format = looks_like_ndjson(line) ? input_format::ndjson : input_format::csv;
  if (format == input_format::ndjson) {
    parser_ = std::make_unique<ndjson_parser>(options_);
    return true;
  }
  auto csv = csv_parser::make(line, options_);
  if (!csv)
    return fail(csv.error().code,
                fmt::format("cannot read {} at line {}: {}", path_,
                            lines_.number(), csv.error().text));
  parser_ = std::move(*csv);
  return false;
}

step file_stream::stop(failure why, failure& error) {
  stopped_ = true;
  error = std::move(why);
  return step::file_failed;
}

step file_stream::report(std::string why, bad_record& bad) {
  bad.file = path_;
  bad.line = lines_.number();
  bad.reason = std::move(why);
  bad.raw = lines_.line().substr(0, options_.bad_bytes_max);
  return step::bad;
}

} // namespace weir
