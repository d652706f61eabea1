#include "cluster/balance.hpp"

#include "cluster/assignment.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

namespace weir {

namespace {

constexpr size_t nowhere = SIZE_MAX;

using share = assignment_task::share;

/// Even shares of `total` by weight, within one, none above its cap.
std::vector<share> shares_of(size_t total, const std::vector<size_t>& weights,
                             const std::vector<size_t>& caps) {
  auto res = std::vector<share>(weights.size());
  auto open = std::vector<size_t>(weights.size());
  std::iota(open.begin(), open.end(), size_t{0});
  for (auto again = true; again;) {
    again = false;
    auto weight = size_t{0};
    for (auto i : open)
      weight += weights[i];
    auto left = total;
    // Whoever would get more than fits leaves the rest to the others.
    for (auto i = open.begin(); i != open.end() && weight > 0;) {
      if (left * weights[*i] >= caps[*i] * weight) {
        res[*i] = {caps[*i], caps[*i]};
        total -= std::min(total, caps[*i]);
        i = open.erase(i);
        again = true;
      } else {
        res[*i].least = left * weights[*i] / weight;
        res[*i].most = res[*i].least + (left * weights[*i] % weight > 0);
        ++i;
      }
    }
  }
  return res;
}

class balancer {
public:
  balancer(const std::vector<placeable_node>& nodes,
           const std::vector<shard_placement>& present, uint32_t replicas)
    : nodes_(nodes),
      copies_(std::min<size_t>(replicas, nodes.size())),
      present_(present.size()),
      led_by_(present.size(), nowhere),
      held_(nodes.size()) {
    auto index = std::map<std::string, size_t>{};
    for (auto i = size_t{0}; i < nodes.size(); ++i)
      index[nodes[i].id] = i;
    for (auto s = size_t{0}; s < present.size(); ++s)
      for (auto& id : present[s])
        if (auto i = index.find(id); i != index.end() && !has(s, i->second)) {
          if (&id == &present[s].front())
            led_by_[s] = i->second;
          present_[s].push_back(i->second);
          ++held_[i->second];
        }
    auto weights = std::vector<size_t>{};
    auto leading = std::vector<size_t>{};
    for (auto& x : nodes) {
      weights.push_back(std::max(x.weight, 1u));
      leading.push_back(x.backup_only ? 0 : weights.back());
    }
    if (std::all_of(leading.begin(), leading.end(), [](auto x) {
          return x == 0;
        }))
      leading = weights;
    auto caps = std::vector<size_t>(nodes.size(), present.size());
    replica_shares_ = shares_of(present.size() * copies_, weights, caps);
    for (auto i = size_t{0}; i < caps.size(); ++i)
      caps[i] = replica_shares_[i].most;
    primary_shares_ = shares_of(present.size(), leading, caps);
  }

  std::vector<shard_placement> run() {
    auto primaries = choose_primaries();
    auto backups = choose_backups(primaries);
    auto res = std::vector<shard_placement>(present_.size());
    for (auto s = size_t{0}; s < res.size(); ++s) {
      res[s].push_back(nodes_[primaries[s].front()].id);
      for (auto i : backups[s])
        res[s].push_back(nodes_[i].id);
    }
    return res;
  }

private:
  bool has(size_t s, size_t node) const {
    auto& xs = present_[s];
    return std::find(xs.begin(), xs.end(), node) != xs.end();
  }

  /// To copy a shard is worse than to hand over all roles. Where the primary is
  /// gone, the role has to move and a copy has to be made anyway: then a node
  /// that has one is preferred, because it can lead at once. What remains is
  /// chosen so that the backups need not move: a new copy goes to where there
  /// are too few, or replaces one where there are too many.
  int64_t cost_of_leading(size_t s, size_t node, int64_t shards) const {
    auto handed_over = 2 * shards + 1;
    auto copied = handed_over * shards + 1;
    auto leader = led_by_[s];
    if (leader == node)
      return 0;
    if (has(s, node))
      return leader == nowhere ? 0 : handed_over;
    if (leader == nowhere)
      return held_[node] < replica_shares_[node].least ? 1 : 2;
    auto& there = present_[s];
    auto makes_room = std::any_of(there.begin(), there.end(), [this](size_t i) {
      return held_[i] > replica_shares_[i].most;
    });
    return handed_over + copied + (makes_room ? 0 : 1);
  }

  assignment choose_primaries() const {
    auto shards = static_cast<int64_t>(present_.size());
    auto task = assignment_task{};
    task.shares = primary_shares_;
    auto start = assignment(present_.size());
    auto led = std::vector<size_t>(nodes_.size());
    for (auto s = size_t{0}; s < present_.size(); ++s) {
      auto& costs = task.costs.emplace_back();
      for (auto i = size_t{0}; i < nodes_.size(); ++i) {
        costs.push_back(cost_of_leading(s, i, shards));
        task.cost_max = std::max(task.cost_max, costs.back());
      }
      if (auto leader = led_by_[s]; leader != nowhere) {
        start[s].push_back(leader);
        ++led[leader];
      }
    }
    for (auto s = size_t{0}; s < present_.size(); ++s) {
      if (led_by_[s] != nowhere)
        continue;
      auto rank = [&](size_t i) {
        auto [least, most] = primary_shares_[i];
        return std::tuple{led[i] >= most, led[i] >= least, task.costs[s][i],
                          led[i]};
      };
      auto best = size_t{0};
      for (auto i = size_t{1}; i < nodes_.size(); ++i)
        if (rank(i) < rank(best))
          best = i;
      start[s].push_back(best);
      ++led[best];
    }
    return assign(task, std::move(start));
  }

  assignment choose_backups(const assignment& primaries) const {
    auto task = assignment_task{};
    task.shares = replica_shares_;
    task.cost_max = 1;
    for (auto& xs : primaries) {
      auto& [least, most] = task.shares[xs.front()];
      least -= std::min<size_t>(least, 1);
      most -= std::min<size_t>(most, 1);
    }
    auto start = assignment(present_.size());
    auto held = std::vector<size_t>(nodes_.size());
    for (auto s = size_t{0}; s < present_.size(); ++s) {
      auto leader = primaries[s].front();
      auto& costs = task.costs.emplace_back(nodes_.size(), 1);
      costs[leader] = assignment_task::never;
      for (auto i : present_[s])
        if (i != leader) {
          costs[i] = 0;
          if (start[s].size() + 1 < copies_) {
            start[s].push_back(i);
            ++held[i];
          }
        }
    }
    add_backups(task, primaries, held, start);
    return assign(task, std::move(start));
  }

  /// Spread, so that those that fail over from one node go to many.
  void add_backups(const assignment_task& task, const assignment& primaries,
                   std::vector<size_t>& held, assignment& start) const {
    auto together = std::map<std::pair<size_t, size_t>, size_t>{};
    for (auto s = size_t{0}; s < start.size(); ++s)
      for (auto i : start[s])
        ++together[{primaries[s].front(), i}];
    for (auto s = size_t{0}; s < start.size(); ++s)
      while (start[s].size() + 1 < copies_) {
        auto leader = primaries[s].front();
        auto& xs = start[s];
        auto rank = [&](size_t i) {
          auto room = static_cast<int64_t>(task.shares[i].most)
                      - static_cast<int64_t>(held[i]);
          return std::tuple{-room, together[{leader, i}]};
        };
        auto best = nowhere;
        for (auto i = size_t{0}; i < nodes_.size(); ++i)
          if (i != leader && std::find(xs.begin(), xs.end(), i) == xs.end()
              && (best == nowhere || rank(i) < rank(best)))
            best = i;
        xs.push_back(best);
        ++held[best];
        ++together[{leader, best}];
      }
  }

  const std::vector<placeable_node>& nodes_;
  size_t copies_;
  /// By shard: the nodes that hold it, of those that there are, and the one
  /// that leads.
  assignment present_;
  std::vector<size_t> led_by_;
  /// By node: how many it holds of them.
  std::vector<size_t> held_;
  std::vector<share> replica_shares_;
  std::vector<share> primary_shares_;
};

} // namespace

std::vector<shard_placement> balance(const std::vector<placeable_node>& nodes,
                                     std::vector<shard_placement> present,
                                     uint32_t replicas) {
  if (nodes.empty() || replicas == 0)
    return std::vector<shard_placement>(present.size());
  return balancer{nodes, present, replicas}.run();
}

} // namespace weir
