#include "cluster/configurations.hpp"

#include <algorithm>

// Where the copies of a shard shall be, and what its nodes are told.

namespace weir {

namespace {

template <class T>
bool contains(const std::vector<T>& xs, const T& x) {
  return std::find(xs.begin(), xs.end(), x) != xs.end();
}

} // namespace

void configurations::place(int64_t now) {
  auto nodes = std::vector<placeable_node>{};
  for (auto& [id, x] : nodes_.all()) {
    auto away = !x.up && now - x.last_seen >= options_.replace_after;
    auto gone = nodes_.is_gone({id, x.self.disk});
    if (!away && !gone && !x.draining)
      nodes.push_back({id, x.weight, nodes_.backup_only(id, now)});
  }
  if (nodes == placed_for_ && options_.replicas == placed_replicas_)
    return;
  auto present = std::vector<shard_placement>{};
  for (auto& x : shards_)
    present.push_back(x.target);
  auto next = balance(nodes, std::move(present), options_.replicas);
  placed_for_ = std::move(nodes);
  placed_replicas_ = options_.replicas;
  for (auto i = size_t{0}; i < shards_.size(); ++i)
    if (!next[i].empty())
      shards_[i].target = std::move(next[i]);
}

replica_goals configurations::goals_of(
  const entry& x, int64_t now, std::map<std::string, uint32_t>& moves) const {
  auto res = replica_goals{};
  auto& config = x.config;
  auto in_place = size_t{0};
  auto valid = [&](const std::string& id) {
    return std::any_of(config.members.begin(), config.members.end(),
                       [&](auto& m) {
                         return m.node == id && is_valid(x, m);
                       });
  };
  auto led = valid(config.primary);
  // What is made of nothing takes no time, and a new cluster is all of that.
  auto leader = find_report(config.shard, config.primary);
  auto is_empty = leader != nullptr && leader->empty;
  auto has_time = [&](const std::string& id) {
    return is_empty || moves[id] < options_.moves_per_node;
  };
  auto members = std::vector<std::string>{};
  for (auto& m : config.members)
    members.push_back(m.node);
  for (auto& id : x.target) {
    auto node = nodes_.find(id);
    auto report = find_report(config.shard, id);
    auto failed = report != nullptr && report->failed;
    if (valid(id)) {
      ++in_place;
    } else if (node != nullptr && node->up && (failed || !led)) {
      // Nothing moves, so that others need not wait for it. But a primary has
      // to know that a member lives another life.
      if (contains(members, id))
        res.learners.push_back(node->self);
    } else if (node != nullptr && node->up && has_time(id)
               && has_time(config.primary)) {
      if (!is_empty) {
        ++moves[id];
        ++moves[config.primary];
      }
      res.learners.push_back(node->self);
    }
  }
  if (in_place < x.target.size())
    return res;
  auto& first = x.target.front();
  if (first != config.primary) {
    // One that has died too often lately leads only where nobody else can.
    if (!nodes_.backup_only(first, now)
        || nodes_.backup_only(config.primary, now))
      res.successor = first;
    return res;
  }
  for (auto& m : config.members)
    if (!contains(x.target, m.node))
      res.surplus.push_back(m.node);
  return res;
}

bool configurations::is_wanted(const entry& x, const std::string& node) const {
  auto counts = [&](auto& y) {
    return y.node == node;
  };
  auto& members = x.config.members;
  auto& eligible = x.config.eligible;
  return std::any_of(members.begin(), members.end(), counts)
         || std::any_of(eligible.begin(), eligible.end(), counts)
         || contains(x.target, node);
}

/// Nothing is missing any more: other copies may go.
bool configurations::is_complete(const entry& x) const {
  auto& config = x.config;
  auto primary = find_report(config.shard, config.primary);
  return primary != nullptr && primary->epoch == config.epoch
         && primary->serving && config.eligible.empty()
         && config.members.size() >= x.target.size();
}

/// A copy that was begun, and then is not wanted, could have become a member of
/// the epoch in which it was begun: only in a later one may it go.
std::optional<shard_config> configurations::call_off(const entry& x) const {
  if (!is_complete(x) || !(x.told == replica_goals{}))
    return {};
  auto begun = [&](auto& y) {
    auto& [id, report] = y;
    auto node = nodes_.find(id);
    return node != nullptr && node->up && report.role == replica_role::learner
           && report.promised == x.config.epoch && !is_wanted(x, id);
  };
  if (std::none_of(x.reports.begin(), x.reports.end(), begun))
    return {};
  auto next = x.config;
  next.epoch = next_epoch(x);
  return next;
}

void configurations::tell(int64_t now, std::vector<instruction>& out) {
  auto moves = std::map<std::string, uint32_t>{};
  for (auto& x : shards_) {
    auto& config = x.config;
    if (config.epoch == 0)
      continue;
    auto goals = goals_of(x, now, moves);
    auto concerned = std::vector<std::string>{};
    auto add = [&](const std::string& id) {
      if (!contains(concerned, id))
        concerned.push_back(id);
    };
    for (auto& m : config.members)
      add(m.node);
    for (auto& m : goals.learners)
      add(m.node);
    for (auto& [id, report] : x.reports)
      add(id);
    for (auto& id : concerned) {
      auto node = nodes_.find(id);
      if (node == nullptr || !node->up)
        continue;
      auto report = find_report(config.shard, id);
      // One that is of no use waits to hear that nobody counts on it.
      auto is_new
        = report == nullptr || report->epoch < config.epoch || report->failed;
      auto leads = id == config.primary;
      auto wishes = leads ? goals : replica_goals{};
      // What is wanted of a primary is repeated until it is so.
      if (is_new || (leads && !(wishes == replica_goals{} && x.told == wishes)))
        out.push_back({id, announcement{config, wishes}});
      if (leads)
        x.told = wishes;
      if (!is_new && !is_wanted(x, id) && is_complete(x))
        out.push_back({id, drop_copy{config.shard, config.epoch}});
    }
  }
}

} // namespace weir
