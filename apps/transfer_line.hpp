#pragma once

#include <chrono>
#include <string>

namespace weir {

/// What a long command is at, for people: a line on the terminal that is
/// written over and over; where standard error is none, a line now and then.
class transfer_line {
public:
  void show(const std::string& text);

  /// Leaves nothing of it on the terminal.
  void clear();

private:
  using clock = std::chrono::steady_clock;

  clock::time_point last_ = clock::now();
  bool shown_ = false;
};

} // namespace weir
