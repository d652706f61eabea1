#include "cluster/balance.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <numeric>

namespace weir {

namespace {

constexpr size_t nowhere = SIZE_MAX;

/// Between what and what a node's share may be.
struct share {
  size_t least = 0;
  size_t most = 0;
};

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
      fresh_(present.size(), std::vector<bool>(nodes.size(), true)),
      sets_(present.size()),
      primaries_(present.size(), nowhere),
      held_(nodes.size()),
      led_(nodes.size()) {
    auto index = std::map<std::string, size_t>{};
    for (auto i = size_t{0}; i < nodes.size(); ++i)
      index[nodes[i].id] = i;
    for (auto s = size_t{0}; s < present.size(); ++s)
      for (auto& id : present[s])
        if (auto i = index.find(id); i != index.end() && !has(s, i->second)) {
          if (&id == &present[s].front())
            lead(s, i->second);
          put(s, i->second);
          fresh_[s][i->second] = false;
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
    trim();
    settle_targets();
    for (auto s = size_t{0}; s < sets_.size(); ++s)
      while (sets_[s].size() < copies_)
        add_replica(s);
    move_replicas();
    for (auto s = size_t{0}; s < sets_.size(); ++s)
      if (primaries_[s] == nowhere)
        choose_primary(s);
    move_primaries();
    return names();
  }

private:
  // -- the present state

  bool has(size_t s, size_t node) const {
    return std::find(sets_[s].begin(), sets_[s].end(), node) != sets_[s].end();
  }

  void put(size_t s, size_t node) {
    sets_[s].push_back(node);
    held_[node].push_back(s);
  }

  void take(size_t s, size_t node) {
    auto& set = sets_[s];
    set.erase(std::find(set.begin(), set.end(), node));
    auto& held = held_[node];
    held.erase(std::find(held.begin(), held.end(), s));
  }

  void lead(size_t s, size_t node) {
    if (primaries_[s] != nowhere)
      --led_[primaries_[s]];
    primaries_[s] = node;
    ++led_[node];
  }

  bool leads_too_much(size_t node) const {
    return led_[node] > primary_shares_[node].most;
  }

  bool could_lead_more(size_t node) const {
    return led_[node] < primary_shares_[node].most;
  }

  // -- replica sets

  /// There may be more replicas than are wanted.
  void trim() {
    for (auto s = size_t{0}; s < sets_.size(); ++s)
      while (sets_[s].size() > copies_) {
        auto surplus = nowhere;
        for (auto i : sets_[s])
          if (i != primaries_[s]
              && (surplus == nowhere
                  || held_[i].size() > held_[surplus].size()))
            surplus = i;
        take(s, surplus);
      }
  }

  /// The larger shares go to those that hold most: then the fewest move.
  void settle_targets() {
    targets_.clear();
    auto rest = sets_.size() * copies_;
    auto larger = std::vector<size_t>{};
    for (auto i = size_t{0}; i < nodes_.size(); ++i) {
      targets_.push_back(replica_shares_[i].least);
      rest -= std::min(rest, targets_[i]);
      if (replica_shares_[i].most > targets_[i])
        larger.push_back(i);
    }
    std::stable_sort(larger.begin(), larger.end(), [this](auto x, auto y) {
      return held_[x].size() + targets_[y] > held_[y].size() + targets_[x];
    });
    for (auto i : larger)
      if (rest > 0) {
        ++targets_[i];
        --rest;
      }
  }

  /// A node that may have the larger share, and does not use it.
  size_t lender() const {
    for (auto i = size_t{0}; i < nodes_.size(); ++i)
      if (targets_[i] > replica_shares_[i].least
          && held_[i].size() < targets_[i])
        return i;
    return nowhere;
  }

  bool has_room(size_t node) const {
    return held_[node].size() < targets_[node]
           || (held_[node].size() < replica_shares_[node].most
               && lender() != nowhere);
  }

  void make_room(size_t node) {
    if (held_[node].size() < targets_[node])
      return;
    --targets_[lender()];
    ++targets_[node];
  }

  /// A cheapest path of moves from one of `starts` to a node with room, each
  /// step a replica of one node that the next one lacks. A replica that was
  /// just placed has not been copied yet: to place it elsewhere costs nothing.
  struct step {
    size_t from = nowhere;
    size_t shard = nowhere;
  };

  size_t search(const std::vector<size_t>& starts, std::vector<step>& steps) {
    steps.assign(nodes_.size(), {});
    auto costs = std::vector<size_t>(nodes_.size(), nowhere);
    auto queue = std::deque<size_t>(starts.begin(), starts.end());
    for (auto i : starts)
      costs[i] = 0;
    auto best = nowhere;
    while (!queue.empty()) {
      auto from = queue.front();
      queue.pop_front();
      if (has_room(from) && (best == nowhere || costs[from] < costs[best]))
        best = from;
      for (auto s : held_[from])
        for (auto to = size_t{0}; to < nodes_.size(); ++to) {
          auto cost = costs[from] + (fresh_[s][from] ? 0 : 1);
          if (cost >= costs[to] || has(s, to))
            continue;
          costs[to] = cost;
          steps[to] = {from, s};
          if (fresh_[s][from])
            queue.push_front(to);
          else
            queue.push_back(to);
        }
    }
    return best;
  }

  /// @returns where the path began
  size_t walk(size_t to, const std::vector<step>& steps) {
    make_room(to);
    while (steps[to].from != nowhere) {
      auto [from, s] = steps[to];
      move(s, from, to);
      to = from;
    }
    return to;
  }

  void move(size_t s, size_t from, size_t to) {
    take(s, from);
    put(s, to);
    if (primaries_[s] == from)
      lead(s, to);
  }

  void add_replica(size_t s) {
    auto best = nowhere;
    for (auto i = size_t{0}; i < nodes_.size(); ++i)
      if (!has(s, i) && has_room(i)
          && (best == nowhere || room(i) > room(best)))
        best = i;
    if (best != nowhere)
      make_room(best);
    if (best == nowhere) {
      auto starts = std::vector<size_t>{};
      for (auto i = size_t{0}; i < nodes_.size(); ++i)
        if (!has(s, i))
          starts.push_back(i);
      auto steps = std::vector<step>{};
      auto end = search(starts, steps);
      best = end == nowhere ? starts.front() : walk(end, steps);
    }
    put(s, best);
  }

  size_t room(size_t node) const {
    return targets_[node] - std::min(targets_[node], held_[node].size());
  }

  void move_replicas() {
    for (;;) {
      auto to = nowhere;
      auto full = std::vector<size_t>{};
      for (auto i = size_t{0}; i < nodes_.size(); ++i) {
        if (held_[i].size() > targets_[i])
          full.push_back(i);
        if (room(i) > 0 && (to == nowhere || room(i) > room(to)))
          to = i;
      }
      if (full.empty() || to == nowhere)
        return;
      if (auto [from, s] = replica_to_move(full, to); from != nowhere) {
        auto relieves = relieves_primary(s, to);
        move(s, from, to);
        if (relieves)
          lead(s, to);
        continue;
      }
      auto steps = std::vector<step>{};
      auto end = search(full, steps);
      if (end == nowhere)
        return; // Weights that no placement can follow.
      walk(end, steps);
    }
  }

  /// The role could move along with a copy, and should.
  bool relieves_primary(size_t s, size_t to) const {
    auto primary = primaries_[s];
    return primary != nowhere && leads_too_much(primary) && could_lead_more(to);
  }

  /// The replica whose move serves the primaries best.
  step replica_to_move(const std::vector<size_t>& full, size_t to) const {
    auto best = step{};
    auto best_score = size_t{0};
    for (auto from : full)
      for (auto s : held_[from]) {
        if (has(s, to))
          continue;
        auto primary = primaries_[s];
        // Who leads most too much comes first; then whoever has most too much.
        auto score = 1 + held_[from].size() - targets_[from];
        if (relieves_primary(s, to))
          score += (led_[primary] - primary_shares_[primary].most + 1)
                   * (sets_.size() + 1) * 2;
        else if (primary != from)
          score += sets_.size() + 1;
        if (score > best_score) {
          best = {from, s};
          best_score = score;
        }
      }
    return best;
  }

  // -- primaries

  /// A path of roles handed over, from `from` to a node that `wanted` names;
  /// nothing changes if there is none.
  template <class Wanted>
  bool hand_over(std::vector<size_t> starts, Wanted wanted, size_t* first) {
    auto steps = std::vector<step>(nodes_.size());
    auto seen = std::vector<bool>(nodes_.size());
    auto queue = std::deque<size_t>(starts.begin(), starts.end());
    for (auto i : starts)
      seen[i] = true;
    while (!queue.empty()) {
      auto at = queue.front();
      queue.pop_front();
      if (wanted(at)) {
        while (steps[at].from != nowhere) {
          lead(steps[at].shard, at);
          at = steps[at].from;
        }
        *first = at;
        return true;
      }
      for (auto s : held_[at])
        if (primaries_[s] == at)
          for (auto to : sets_[s])
            if (!seen[to]) {
              seen[to] = true;
              steps[to] = {at, s};
              queue.push_back(to);
            }
    }
    return false;
  }

  void choose_primary(size_t s) {
    auto first = sets_[s].front();
    auto in_need = [this](size_t i) {
      return led_[i] < primary_shares_[i].least;
    };
    auto has_place = [this](size_t i) {
      return could_lead_more(i);
    };
    // One of its own nodes, if any has a place: nobody else's role moves.
    auto own = sets_[s];
    auto place = std::find_if(own.begin(), own.end(), in_need);
    if (place == own.end())
      place = std::find_if(own.begin(), own.end(), has_place);
    if (place != own.end())
      first = *place;
    else
      hand_over(own, has_place, &first);
    lead(s, first);
  }

  void move_primaries() {
    auto in_need = [this](size_t i) {
      return led_[i] < primary_shares_[i].least;
    };
    auto has_place = [this](size_t i) {
      return could_lead_more(i);
    };
    auto first = nowhere;
    for (auto i = size_t{0}; i < nodes_.size(); ++i)
      while (leads_too_much(i)
             && (hand_over({i}, in_need, &first)
                 || hand_over({i}, has_place, &first)))
        ;
    for (auto again = true; again;) {
      again = false;
      auto rich = std::vector<size_t>{};
      for (auto i = size_t{0}; i < nodes_.size(); ++i)
        if (led_[i] > primary_shares_[i].least)
          rich.push_back(i);
      again = hand_over(rich, in_need, &first);
    }
  }

  std::vector<shard_placement> names() const {
    auto res = std::vector<shard_placement>(sets_.size());
    for (auto s = size_t{0}; s < sets_.size(); ++s) {
      res[s].push_back(nodes_[primaries_[s]].id);
      for (auto i : sets_[s])
        if (i != primaries_[s])
          res[s].push_back(nodes_[i].id);
    }
    return res;
  }

  const std::vector<placeable_node>& nodes_;
  size_t copies_;
  /// By shard and node: it did not hold that before.
  std::vector<std::vector<bool>> fresh_;
  /// By shard: the nodes that hold it, and the one that leads.
  std::vector<std::vector<size_t>> sets_;
  std::vector<size_t> primaries_;
  /// By node: the shards that it holds, and how many of them it leads.
  std::vector<std::vector<size_t>> held_;
  std::vector<size_t> led_;
  std::vector<share> replica_shares_;
  std::vector<share> primary_shares_;
  std::vector<size_t> targets_;
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
