#include "input/line_splitter.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir {

namespace {

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

/// Bytes of a line that don't count for its length: a mark and "\r\n".
constexpr size_t uncounted_bytes = byte_order_mark.size() + 2;

bool is_blank(std::string_view line) {
  auto starts_with_text = !line.empty() && line.front() > ' ';
  return !starts_with_text
         && line.find_first_not_of(" \t\r") == std::string_view::npos;
}

} // namespace

line_splitter::line_splitter(std::unique_ptr<byte_source> source,
                             size_t buffer_bytes, size_t line_bytes_max)
  : source_(std::move(source)),
    line_bytes_max_(line_bytes_max),
    capacity_(std::max(buffer_bytes, size_t{1})),
    // Parsers look at the padding, so it must not be uninitialized.
    buffer_(new char[capacity_ + line_padding]()),
    begin_(buffer_.get()),
    scan_(begin_),
    end_(begin_) {
  // nop
}

line_status line_splitter::next(patience& wait) {
  for (;;) {
    auto rest = static_cast<size_t>(end_ - scan_);
    auto newline = static_cast<char*>(std::memchr(scan_, '\n', rest));
    if (!newline && at_end_ && begin_ != end_) {
      newline = end_++; // There is always room for it in the padding.
      *newline = '\n';
    }
    if (newline) {
      if (!take(newline))
        continue;
      if (line_.size() <= line_bytes_max_)
        return line_status::line;
      line_ = line_.substr(0, line_bytes_max_);
      return line_status::too_long;
    }
    if (at_end_)
      return line_status::end;
    scan_ = end_;
    if (skipping_) {
      begin_ = end_ = scan_ = buffer_.get();
    } else if (static_cast<size_t>(end_ - begin_)
               > line_bytes_max_ + uncounted_bytes) {
      start_line(end_);
      line_ = line_.substr(0, line_bytes_max_);
      begin_ = end_;
      skipping_ = true;
      return line_status::too_long;
    }
    auto status = fill(wait);
    if (status != line_status::line)
      return status;
  }
}

void line_splitter::start_line(const char* end) {
  ++number_;
  line_ = {begin_, static_cast<size_t>(end - begin_)};
  if (number_ == 1
      && line_.substr(0, byte_order_mark.size()) == byte_order_mark)
    line_.remove_prefix(byte_order_mark.size());
}

bool line_splitter::take(char* newline) {
  if (!skipping_)
    start_line(newline);
  begin_ = scan_ = newline + 1;
  if (std::exchange(skipping_, false))
    return false;
  if (!line_.empty() && line_.back() == '\r')
    line_.remove_suffix(1);
  return line_.size() > line_bytes_max_ || !is_blank(line_);
}

line_status line_splitter::fill(patience& wait) {
  auto kept = static_cast<size_t>(end_ - begin_);
  if (kept == capacity_) {
    auto larger
      = std::min(2 * capacity_, line_bytes_max_ + uncounted_bytes + 1);
    auto bigger = std::unique_ptr<char[]>(new char[larger + line_padding]());
    std::memcpy(bigger.get(), begin_, kept);
    buffer_ = std::move(bigger);
    capacity_ = larger;
  } else if (begin_ != buffer_.get()) {
    std::memmove(buffer_.get(), begin_, kept);
  }
  begin_ = buffer_.get();
  scan_ = end_ = begin_ + kept;
  auto outcome = source_->read(end_, capacity_ - kept, wait);
  if (!outcome) {
    error_ = std::move(outcome.error());
    at_end_ = true;
    begin_ = end_ = scan_;
    return line_status::failed;
  }
  switch (outcome->status) {
    case read_status::data:
      end_ += outcome->bytes;
      return line_status::line;
    case read_status::idle:
      return line_status::idle;
    case read_status::end:
      break;
  }
  at_end_ = true;
  return line_status::line;
}

} // namespace weir
