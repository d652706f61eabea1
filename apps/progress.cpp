#include "apps/progress.hpp"

#include "apps/output.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <unistd.h>

namespace weir {

namespace {

constexpr auto show_every = std::chrono::milliseconds{200};

/// The same trouble is told again after this long.
constexpr auto complain_every = std::chrono::seconds{10};

constexpr size_t bar_width = 20;

std::string bar(uint64_t done, uint64_t total) {
  auto share
    = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  auto full = static_cast<size_t>(share * bar_width);
  return fmt::format("[{}{}] {:3.0f} %  ", std::string(full, '#'),
                     std::string(bar_width - full, '.'), share * 100);
}

} // namespace

progress_line::progress_line(bool wanted)
  : terminal_(wanted && isatty(STDERR_FILENO) == 1) {
  // nop
}

bool progress_line::due() const {
  return clock::now() - last_ >= show_every;
}

void progress_line::show(const progress_view& x) {
  last_ = clock::now();
  if (!terminal_) {
    if (x.trouble.empty())
      return;
    if (x.trouble == told_ && last_ - complained_ < complain_every)
      return;
    complained_ = last_;
    told_ = x.trouble;
    complain("waiting: " + x.trouble);
    return;
  }
  auto seconds = std::chrono::duration<double>(last_ - begun_).count();
  auto line
    = fmt::format("\r\x1b[K{}{} readings  {}  {} acknowledged  {} "
                  "refused",
                  x.bytes_total > 0 ? bar(x.bytes, x.bytes_total) : "",
                  human_count(static_cast<double>(x.readings)),
                  human_rate(static_cast<double>(x.readings) / seconds),
                  human_count(static_cast<double>(x.acknowledged)), x.refused);
  if (!x.trouble.empty())
    line += "  waiting: " + x.trouble;
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

void progress_line::clear() {
  if (!terminal_)
    return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

} // namespace weir
