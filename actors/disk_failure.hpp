#pragma once

#include "windows/failure.hpp"

#include <functional>

namespace weir {

/// Called, on its own thread, by whoever owns a database that takes nothing
/// more.
using on_disk_failure = std::function<void(const failure&)>;

} // namespace weir
