#include "input/reader.hpp"

#include "input/file_stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace weir {

namespace {

/// Bounds of a file's share of the memory for buffers; see `buffers_bytes_max`.
constexpr auto buffer_bytes_min = size_t{16} << 10;
constexpr auto buffer_bytes_max = size_t{256} << 10;

/// simdjson counts bytes of a document in 32 bits; this leaves room.
constexpr auto line_bytes_limit = size_t{1} << 30;

class file_reader : public reader {
public:
  file_reader(const std::vector<std::string>& paths, reader_options options)
    : options_(std::move(options)) {
    auto share = options_.buffers_bytes_max / paths.size();
    auto bytes = std::clamp(share, buffer_bytes_min, buffer_bytes_max);
    for (auto i = size_t{0}; i < paths.size(); ++i) {
      auto stream = file_stream::open(paths[i], i, options_, bytes);
      if (!stream) {
        failures_.push_back(std::move(stream.error()));
        continue;
      }
      auto size = (*stream)->source().bytes_total();
      sizes_known_ &= size.has_value();
      bytes_total_ += size.value_or(0);
      unread_.push_back(streams_.size());
      streams_.push_back(std::move(*stream));
    }
  }

  step next(std::chrono::milliseconds timeout) override {
    auto wait = patience{timeout};
    if (streams_.size() == 1 && failures_.empty())
      return next_of_one(wait);
    if (!failures_.empty()) {
      error_ = std::move(failures_.front());
      failures_.pop_front();
      return step::file_failed;
    }
    return next_of_many(wait);
  }

  uint64_t bytes_read() const override {
    auto res = bytes_read_;
    for (const auto& x : streams_)
      res += x ? x->source().bytes_read() : 0;
    return res;
  }

  uint64_t bytes_total() const override {
    return sizes_known_ ? bytes_total_ : 0;
  }

private:
  /// The next record of a stream that is known.
  struct head {
    time_ms time;
    size_t stream;
  };

  /// Order of a heap whose top is the earliest.
  static bool is_after(const head& x, const head& y) {
    return x.time != y.time ? x.time > y.time : x.stream > y.stream;
  }

  step next_of_one(patience& wait) {
    auto& x = *streams_.front();
    auto found = x.next(wait, bad_, error_);
    if (found == step::record)
      current_ = x.current();
    return found;
  }

  step next_of_many(patience& wait) {
    while (!unread_.empty()) {
      auto i = unread_.front();
      auto found = streams_[i]->next(wait, bad_, error_);
      if (found == step::idle || found == step::bad)
        return found;
      unread_.pop_front();
      if (found == step::record) {
        heads_.push_back({streams_[i]->current().time, i});
        std::push_heap(heads_.begin(), heads_.end(), is_after);
        continue;
      }
      bytes_read_ += streams_[i]->source().bytes_read();
      streams_[i].reset(); // Its descriptor and buffer may be needed.
      if (found == step::file_failed)
        return found;
    }
    if (heads_.empty())
      return step::end;
    std::pop_heap(heads_.begin(), heads_.end(), is_after);
    auto i = heads_.back().stream;
    heads_.pop_back();
    current_ = streams_[i]->current();
    unread_.push_back(i);
    return step::record;
  }

  reader_options options_;
  std::vector<std::unique_ptr<file_stream>> streams_;
  /// Files that could not be opened, still to be reported.
  std::deque<failure> failures_;
  /// Streams whose next record is to be found before any is chosen.
  std::deque<size_t> unread_;
  std::vector<head> heads_;
  /// Of streams that have ended.
  uint64_t bytes_read_ = 0;
  uint64_t bytes_total_ = 0;
  bool sizes_known_ = true;
};

result<void> check(const std::vector<std::string>& paths,
                   const reader_options& options) {
  if (paths.empty())
    return fail(ec::invalid_argument,
                "no input files are named; - is standard input");
  if (paths.size() > options.files_max)
    return fail(ec::limit_reached,
                fmt::format("{} files are named, but at most {} are read at "
                            "once; read them in several runs",
                            paths.size(), options.files_max));
  if (std::count(paths.begin(), paths.end(), "-") > 1)
    return fail(ec::invalid_argument, "standard input is named twice");
  if (options.line_bytes_max == 0 || options.line_bytes_max > line_bytes_limit)
    return fail(ec::invalid_argument,
                fmt::format("the longest line must be 1 to {} bytes, not {}",
                            line_bytes_limit, options.line_bytes_max));
  if (options.metrics_per_sample_max == 0)
    return fail(ec::invalid_argument, "a sample must have room for a metric");
  return {};
}

} // namespace

result<std::unique_ptr<reader>> reader::open(std::vector<std::string> paths,
                                             reader_options options) {
  if (auto fine = check(paths, options); !fine)
    return tl::unexpected<failure>(std::move(fine.error()));
  return std::make_unique<file_reader>(paths, std::move(options));
}

} // namespace weir
