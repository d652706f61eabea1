#include "actors/descriptors.hpp"

#include <atomic>

#include <fcntl.h>
#include <unistd.h>

namespace weir {

namespace {

/// Above what a process opens by itself, below the usual `ulimit -n` of 1024.
constexpr int first_descriptor = 128;
constexpr int last_descriptor = 960;

std::atomic<int> next{first_descriptor};

} // namespace

int next_descriptor(int fd) {
  auto res = fcntl(fd, F_DUPFD_CLOEXEC, next.load());
  // None is left above `next`: begin again at the lower end.
  if (res < 0 || res > last_descriptor) {
    if (res >= 0)
      close(res);
    res = fcntl(fd, F_DUPFD_CLOEXEC, first_descriptor);
  }
  // Two threads at once may both set it, each to a number that is behind it.
  if (res >= 0)
    next = res + 1;
  return res;
}

} // namespace weir
