#pragma once

#include "test/fuzz/fuzz.hpp"

#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

namespace weir::fuzz {

/// A file in memory, for what reads files by their path.
class scratch_file {
public:
  explicit scratch_file(std::string_view content)
    : fd_(::memfd_create("weir-fuzz", MFD_CLOEXEC)) {
    require(fd_ >= 0, "there is memory for a file");
    while (!content.empty()) {
      auto n = ::write(fd_, content.data(), content.size());
      require(n > 0, "a file in memory can be written");
      content.remove_prefix(static_cast<size_t>(n));
    }
  }

  scratch_file(const scratch_file&) = delete;

  scratch_file& operator=(const scratch_file&) = delete;

  ~scratch_file() {
    ::close(fd_);
  }

  std::string path() const {
    return "/proc/self/fd/" + std::to_string(fd_);
  }

private:
  int fd_;
};

} // namespace weir::fuzz
