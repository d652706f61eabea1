#include "input/reader.hpp"

#include "test/fuzz/lines.hpp"
#include "test/fuzz/scratch_file.hpp"

#include <zlib.h>

// Input: options (one byte), and a file, plain or gzip.

using namespace weir;
using namespace weir::fuzz;

namespace {

constexpr auto good
  = std::string_view{"{\"timestamp\": 1700000000123, \"entity\": \"good\", "
                     "\"value\": 21.5}\n"};

std::string gzipped(std::string_view text) {
  auto out = z_stream{};
  // Stored: what is in it is the fuzzer's business, how it is packed zlib's.
  require(deflateInit2(&out, 0, Z_DEFLATED, 15 + 16, 1, Z_DEFAULT_STRATEGY)
            == Z_OK,
          "zlib begins");
  auto res = std::string(deflateBound(&out, text.size()), '\0');
  out.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  out.avail_in = static_cast<uInt>(text.size());
  out.next_out = reinterpret_cast<Bytef*>(res.data());
  out.avail_out = static_cast<uInt>(res.size());
  require(deflate(&out, Z_FINISH) == Z_STREAM_END, "zlib ends");
  res.resize(out.total_out);
  deflateEnd(&out);
  return res;
}

/// All that a reader gives.
std::vector<std::string> contents(std::string_view bytes,
                                  const reader_options& options) {
  auto file = scratch_file{bytes};
  auto in = reader::open({file.path()}, options);
  require(in.has_value(), "one file can be asked for");
  auto res = std::vector<std::string>{};
  for (auto line = uint64_t{0};;) {
    switch ((*in)->next(std::chrono::milliseconds{-1})) {
      case step::record:
        require_record((*in)->current(), options);
        require((*in)->current().line > line, "lines are counted");
        line = (*in)->current().line;
        res.push_back(to_text((*in)->current()));
        break;
      case step::bad:
        require((*in)->bad().line > line, "lines are counted");
        require(!(*in)->bad().reason.empty()
                  && (*in)->bad().raw.size() <= options.bad_bytes_max,
                "a bad line has a reason, and is cut");
        line = (*in)->bad().line;
        res.push_back("bad: " + (*in)->bad().reason);
        break;
      case step::idle:
        require(false, "a file is never idle");
        break;
      case step::file_failed:
        require(!(*in)->error().text.empty(), "a failure has a reason");
        res.push_back("failed");
        break;
      case step::end:
        return res;
    }
  }
}

} // namespace

WEIR_FUZZ_TARGET(reader) {
  if (bytes.empty())
    return;
  auto flags = static_cast<uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  auto options = reader_options{};
  options.line_bytes_max = flags % 64 + 80u;
  options.bad_bytes_max = 16;
  options.buffers_bytes_max = 1;
  if ((flags & 0x80) != 0)
    options.format = input_format::ndjson;
  auto all = contents(bytes, options);
  // Whatever comes after a good line, it is taken.
  auto after_good = contents(std::string{good} + std::string{bytes}, options);
  require(after_good.size() > 0 && after_good.front().substr(1, 4) == "good",
          "lines before a bad one are taken");
  if ((flags & 0x40) != 0 && bytes.substr(0, 1) != "\x1f")
    require(contents(gzipped(bytes), options) == all,
            "a gzip file holds the same");
}
