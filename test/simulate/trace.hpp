#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

namespace weir::test {

/// What has happened, a line an event. Off unless asked for: writing it down
/// takes longer than what happens.
class trace {
public:
  enum class mode { off, last, all };

  /// Events that are kept: some twenty exchanges between four nodes.
  static constexpr size_t kept_max = 100;

  explicit trace(mode how = mode::off) : mode_(how) {
    // nop
  }

  /// @param now the simulated time, in ms
  template <class... Ts>
  void add(int64_t now, fmt::format_string<Ts...> text, Ts&&... xs) {
    if (mode_ == mode::off)
      return;
    lines_.push_back(fmt::format("{:>8} ", now)
                     + fmt::vformat(text, fmt::make_format_args(xs...)));
    if (mode_ == mode::last && lines_.size() > kept_max)
      lines_.pop_front();
  }

  bool on() const {
    return mode_ != mode::off;
  }

  const std::deque<std::string>& lines() const {
    return lines_;
  }

private:
  mode mode_;
  std::deque<std::string> lines_;
};

} // namespace weir::test
