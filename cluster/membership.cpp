#include "cluster/membership.hpp"

#include <algorithm>

namespace weir {

void membership::remember(cluster_node x) {
  x.up = false;
  auto id = x.self.node;
  nodes_[id] = std::move(x);
}

void membership::join(cluster_node x, int64_t now) {
  auto known = nodes_.find(x.self.node);
  if (known != nodes_.end()) {
    // A restart that was quicker than its detection is a death, too.
    if (known->second.up && !(known->second.self == x.self))
      died(known->second, now);
    x.draining = x.draining || known->second.draining;
  }
  x.up = true;
  x.last_seen = now;
  auto id = x.self.node;
  nodes_[id] = std::move(x);
}

void membership::lose(const std::string& node, int64_t now) {
  if (auto i = nodes_.find(node); i != nodes_.end() && i->second.up)
    died(i->second, now);
}

void membership::died(cluster_node& x, int64_t now) {
  x.up = false;
  auto& history = records_[x.self.node];
  history.deaths.push_back(now);
  while (now - history.deaths.front() > options_.flapping_window)
    history.deaths.pop_front();
  if (history.deaths.size() < options_.flapping_deaths) {
    history.penalty = 0;
    return;
  }
  history.penalty = std::clamp(2 * history.penalty, options_.backup_only_min,
                               options_.backup_only_max);
  history.backup_only_until = now + history.penalty;
}

bool membership::seen(const member& x, int64_t now) {
  auto i = nodes_.find(x.node);
  if (i == nodes_.end() || !(i->second.self == x))
    return false;
  i->second.up = true;
  i->second.last_seen = now;
  return true;
}

void membership::note_time(const std::string& node, int64_t wall) {
  if (auto i = nodes_.find(node); i != nodes_.end())
    i->second.seen_at = wall;
}

void membership::excuse(int64_t now) {
  auto passed = now - advanced_at_.value_or(now);
  advanced_at_ = now;
  auto nobody = std::none_of(nodes_.begin(), nodes_.end(), [](auto& x) {
    return x.second.up;
  });
  auto counted = nobody ? 0 : std::min(passed, options_.step_max);
  for (auto& [id, x] : nodes_)
    x.last_seen = std::min(now, x.last_seen + (passed - counted));
}

void membership::advance(int64_t now) {
  excuse(now);
  for (auto& [id, x] : nodes_)
    if (x.up && now - x.last_seen >= options_.failure_timeout)
      died(x, now);
}

void membership::drain(const std::string& node, bool on) {
  if (auto i = nodes_.find(node); i != nodes_.end())
    i->second.draining = on;
}

void membership::forget(const std::string& node) {
  nodes_.erase(node);
  records_.erase(node);
}

const cluster_node* membership::find(const std::string& node) const {
  auto i = nodes_.find(node);
  return i != nodes_.end() ? &i->second : nullptr;
}

bool membership::is_up(const member& x) const {
  auto node = find(x.node);
  return node != nullptr && node->up && node->self == x;
}

bool membership::all_up() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [](auto& x) {
    return x.second.up;
  });
}

bool membership::is_up(const node_disk& x) const {
  auto node = find(x.node);
  return node != nullptr && node->up && node->self.disk == x.disk;
}

bool membership::backup_only(const std::string& node, int64_t now) const {
  auto i = records_.find(node);
  return i != records_.end() && now < i->second.backup_only_until;
}

} // namespace weir
