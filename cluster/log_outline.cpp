#include "cluster/log_outline.hpp"

#include <algorithm>
#include <cassert>

namespace weir {

void log_outline::begin(const log_position& x) {
  begin_ = x.index;
  ends_ = {x};
}

void log_outline::append(const log_position& x) {
  assert(x.index == tail().index + 1 && x.epoch >= tail().epoch);
  if (x.epoch == tail().epoch)
    ends_.back() = x;
  else
    ends_.push_back(x);
}

void log_outline::cut(const log_position& x) {
  while (ends_.size() > 1 && ends_.back().epoch > x.epoch)
    ends_.pop_back();
  ends_.back() = x;
}

void log_outline::drop(uint64_t index) {
  begin_ = std::clamp(index, begin_, tail().index);
  auto kept = std::find_if(ends_.begin(), ends_.end() - 1, [this](auto& x) {
    return x.index >= begin_;
  });
  ends_.erase(ends_.begin(), kept);
}

std::optional<log_position> log_outline::last_of(uint64_t epoch) const {
  auto i = std::find_if(ends_.begin(), ends_.end(), [epoch](auto& x) {
    return x.epoch == epoch;
  });
  if (i == ends_.end())
    return std::nullopt;
  return *i;
}

std::vector<log_position> log_outline::ends_after(uint64_t index) const {
  auto first = std::find_if(ends_.begin(), ends_.end(), [index](auto& x) {
    return x.index > index;
  });
  return {first, ends_.end()};
}

} // namespace weir
