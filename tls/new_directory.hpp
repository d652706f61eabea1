#pragma once

#include "windows/failure.hpp"

#include <initializer_list>
#include <string>
#include <string_view>

namespace weir {

struct new_file {
  std::string_view name;
  std::string_view content;
};

/// Makes `directory` with these files, readable by their owner alone, all at
/// once: whoever finds it finds it whole, after a crash, too. Missing parents
/// are made. Fails with `ec::conflict` if something other than an empty
/// directory is there.
result<void> write_new_directory(const std::string& directory,
                                 std::initializer_list<new_file> files);

} // namespace weir
