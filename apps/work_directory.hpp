#pragma once

#include "storage/file.hpp"

#include <string>

namespace weir {

/// A directory in the making: it has the suffix ".partial" until it is whole,
/// and goes with the object if it never is. One that was left by a killed
/// process goes first; one that a process is working on is refused.
class work_directory {
public:
  /// Fails with `conflict` if there is something at `path`.
  static result<work_directory> create(const std::string& path);

  work_directory(work_directory&&) = default;
  work_directory& operator=(work_directory&&) = delete;

  /// Removes what was not kept.
  ~work_directory();

  /// Where to put the files.
  const std::string& path() const {
    return partial_;
  }

  /// Where they will be.
  const std::string& target() const {
    return target_;
  }

  /// The files, which are synced, get their place at once, and for good.
  result<void> keep();

private:
  work_directory(std::string target, std::string partial, file_handle lock)
    : target_(std::move(target)),
      partial_(std::move(partial)),
      lock_(std::move(lock)) {
    // nop
  }

  std::string target_;
  std::string partial_;
  /// Of the directory itself.
  file_handle lock_;
};

} // namespace weir
