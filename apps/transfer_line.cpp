#include "apps/transfer_line.hpp"

#include "apps/output.hpp"

#include <cstdio>

#include <unistd.h>

namespace weir {

namespace {

constexpr auto rewrite_every = std::chrono::milliseconds{200};

/// In a log: often enough to see that it goes on.
constexpr auto tell_every = std::chrono::seconds{10};

} // namespace

void transfer_line::show(const std::string& text) {
  auto terminal = isatty(STDERR_FILENO) == 1;
  auto now = clock::now();
  if (now - last_ < (terminal ? clock::duration{rewrite_every} : tell_every))
    return;
  last_ = now;
  if (!terminal)
    return complain(text);
  shown_ = true;
  std::fputs(("\r\x1b[K" + text).c_str(), stderr);
  std::fflush(stderr);
}

void transfer_line::clear() {
  if (!shown_)
    return;
  shown_ = false;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

} // namespace weir
