#include "input/byte_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

namespace weir {

namespace {

/// First bytes of every gzip member (RFC 1952).
constexpr auto gzip_magic_0 = '\x1f';
constexpr auto gzip_magic_1 = '\x8b';

/// zlib's window of 32 KiB, and gzip headers only.
constexpr auto gzip_window_bits = 15 + 16;

/// Compressed bytes read at once; one system call for about four times as much
/// output.
constexpr auto gzip_chunk_bytes = size_t{64} << 10;

std::string error_text(int code) {
  return std::generic_category().message(code);
}

tl::unexpected<failure> open_failed(const std::string& name, int code) {
  auto text = fmt::format("cannot open {}: {}", name, error_text(code));
  switch (code) {
    case ENOENT:
      return fail(ec::not_found, text + "; check the path");
    case EACCES:
      return fail(ec::io_error, text + "; check who may read it");
    case EMFILE:
    case ENFILE:
      return fail(ec::limit_reached,
                  text + "; raise the limit (ulimit -n) or read fewer at once");
    default:
      return fail(ec::io_error, std::move(text));
  }
}

} // namespace

int patience::left() {
  using namespace std::chrono;
  if (limit_ < milliseconds::zero())
    return -1;
  auto now = steady_clock::now();
  if (!deadline_)
    deadline_ = now + limit_;
  // Rounded up, so that the last wait does not turn into a busy loop.
  auto left = ceil<milliseconds>(*deadline_ - now).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, INT32_MAX));
}

/// State of the decompression. Input that is not used up yet is `in`'s.
struct byte_source::gunzip {
  z_stream in = {};
  char chunk[gzip_chunk_bytes];
  /// A member has ended, and nothing of a next one has come.
  bool between_members = false;

  ~gunzip() {
    inflateEnd(&in);
  }

  void refill(size_t bytes) {
    in.next_in = reinterpret_cast<Bytef*>(chunk);
    in.avail_in = static_cast<uInt>(bytes);
  }

  /// Some archivers pad to a block with zeros.
  void skip_padding() {
    while (in.avail_in > 0 && *in.next_in == 0) {
      ++in.next_in;
      --in.avail_in;
    }
  }
};

byte_source::byte_source(std::string name, int fd)
  : name_(std::move(name)), fd_(fd) {
  // nop
}

byte_source::~byte_source() {
  if (fd_ != STDIN_FILENO)
    ::close(fd_);
}

result<std::unique_ptr<byte_source>> byte_source::open(
  const std::string& path) {
  auto is_stdin = path == "-";
  auto name = is_stdin ? std::string{"standard input"} : path;
  auto fd = STDIN_FILENO;
  // Without O_NONBLOCK a named pipe without a writer would block right here.
  if (!is_stdin)
    fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return open_failed(name, errno);
  auto res = std::unique_ptr<byte_source>(new byte_source(name, fd));
  struct stat info;
  if (::fstat(fd, &info) != 0)
    return open_failed(name, errno);
  if (S_ISDIR(info.st_mode))
    return fail(ec::invalid_argument,
                fmt::format("cannot read {}: it is a directory; name the files "
                            "in it",
                            name));
  if (S_ISREG(info.st_mode))
    res->bytes_total_ = static_cast<uint64_t>(info.st_size);
  return res;
}

result<read_outcome> byte_source::read(char* out, size_t capacity,
                                       patience& wait) {
  if (gunzip_)
    return read_gzip(out, capacity, wait);
  return started_ ? read_raw(out, capacity, wait)
                  : read_start(out, capacity, wait);
}

result<read_outcome> byte_source::read_raw(char* out, size_t capacity,
                                           patience& wait) {
  if (!bytes_total_) { // Others than plain files may keep us waiting.
    auto request = pollfd{fd_, POLLIN, 0};
    auto ready = ::poll(&request, 1, wait.left());
    if (ready == 0 || (ready < 0 && errno == EINTR))
      return read_outcome{read_status::idle, 0};
  }
  auto got = ::read(fd_, out, capacity);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return read_outcome{read_status::idle, 0};
  if (got < 0)
    return fail(ec::io_error,
                fmt::format("cannot read {} after byte {}: {}", name_,
                            bytes_read_, error_text(errno)));
  bytes_read_ += static_cast<uint64_t>(got);
  if (got == 0)
    return read_outcome{};
  return read_outcome{read_status::data, static_cast<size_t>(got)};
}

/// Reads the first bytes and finds out whether they are gzip's.
result<read_outcome> byte_source::read_start(char* out, size_t capacity,
                                             patience& wait) {
  auto outcome = read_raw(out, std::min(capacity, gzip_chunk_bytes), wait);
  if (!outcome || outcome->status != read_status::data)
    return outcome;
  started_ = true;
  // A pipe may well give one byte only. No text of ours starts with this one,
  // so the second is left to the decompression to judge.
  if (out[0] != gzip_magic_0 || (outcome->bytes > 1 && out[1] != gzip_magic_1))
    return outcome;
  gunzip_ = std::make_unique<gunzip>();
  if (inflateInit2(&gunzip_->in, gzip_window_bits) != Z_OK)
    return fail(ec::limit_reached, "no memory for reading gzip data");
  std::memcpy(gunzip_->chunk, out, outcome->bytes);
  gunzip_->refill(outcome->bytes);
  return read_gzip(out, capacity, wait);
}

result<read_outcome> byte_source::read_gzip(char* out, size_t capacity,
                                            patience& wait) {
  auto& in = gunzip_->in;
  for (;;) {
    if (gunzip_->between_members)
      gunzip_->skip_padding();
    if (in.avail_in == 0) {
      auto outcome = read_raw(gunzip_->chunk, gzip_chunk_bytes, wait);
      if (!outcome || outcome->status == read_status::idle)
        return outcome;
      if (outcome->status == read_status::end)
        return gunzip_->between_members
                 ? outcome
                 : fail(ec::malformed,
                        fmt::format("{} ends in the middle of its gzip data, "
                                    "at byte {}; it may have been cut off "
                                    "while it was copied",
                                    name_, bytes_read_));
      gunzip_->refill(outcome->bytes);
      continue;
    }
    gunzip_->between_members = false;
    in.next_out = reinterpret_cast<Bytef*>(out);
    in.avail_out = static_cast<uInt>(capacity);
    auto status = inflate(&in, Z_NO_FLUSH);
    if (status == Z_STREAM_END) {
      inflateReset(&in);
      gunzip_->between_members = true;
    }
    // What precedes damage counts; the next call meets the damage again.
    if (auto bytes = capacity - in.avail_out; bytes > 0)
      return read_outcome{read_status::data, bytes};
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR)
      return fail(ec::malformed,
                  fmt::format("the gzip data of {} is damaged near byte {}: {}",
                              name_, bytes_read_ - in.avail_in,
                              in.msg ? in.msg : zError(status)));
  }
}

} // namespace weir
