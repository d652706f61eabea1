#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace weir {

/// How far an ingest has come.
struct progress_view {
  uint64_t bytes = 0;
  /// 0: not known.
  uint64_t bytes_total = 0;
  uint64_t readings = 0;
  uint64_t acknowledged = 0;
  uint64_t refused = 0;
  /// What it waits for, if anything.
  std::string trouble;
};

/// A line on the terminal that is written over and over. Where standard error
/// is no terminal, only trouble is told, now and then.
class progress_line {
public:
  explicit progress_line(bool wanted);

  /// Whether it is time to show something.
  bool due() const;

  void show(const progress_view& x);

  /// Leaves nothing of it on the terminal.
  void clear();

private:
  using clock = std::chrono::steady_clock;

  bool terminal_;
  clock::time_point begun_ = clock::now();
  clock::time_point last_ = begun_;
  clock::time_point complained_{};
  std::string told_;
};

} // namespace weir
