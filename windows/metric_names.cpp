#include "windows/metric_names.hpp"

namespace weir {

namespace {

/// Node of a map with a string and a number.
constexpr size_t node_bytes = 80;

} // namespace

uint32_t metric_names::acquire(std::string_view name) {
  auto i = ids_.find(name);
  if (i == ids_.end()) {
    auto id = static_cast<uint32_t>(entries_.size());
    if (free_.empty()) {
      entries_.emplace_back();
    } else {
      id = free_.back();
      free_.pop_back();
    }
    i = ids_.emplace(name, id).first;
    entries_[id].position = i;
    bytes_ += node_bytes + name.size();
  }
  retain(i->second);
  return i->second;
}

void metric_names::release(uint32_t id) {
  auto& x = entries_[id];
  if (--x.holders > 0)
    return;
  bytes_ -= node_bytes + x.position->first.size();
  ids_.erase(x.position);
  free_.push_back(id);
}

} // namespace weir
