#include "cluster/assignment.hpp"

#include <algorithm>

namespace weir {

namespace {

constexpr int64_t never = assignment_task::never;

class assigner {
public:
  assigner(const assignment_task& task, assignment start)
    : task_(task),
      nodes_(task.shares.size()),
      units_(std::move(start)),
      had_(nodes_),
      offers_(nodes_ * nodes_),
      edges_((nodes_ + 1) * (nodes_ + 1)) {
    for (auto s = size_t{0}; s < units_.size(); ++s)
      for (auto from : units_[s]) {
        ++had_[from];
        for (auto to = size_t{0}; to < nodes_; ++to)
          if (is_possible(s, from, to))
            offers(from, to).push_back(offer_of(s, from, to));
      }
    for (auto& xs : offers_)
      std::make_heap(xs.begin(), xs.end(), is_worse);
    // More than all units cost together: a share that is kept is worth any
    // move.
    auto all = size_t{1};
    for (auto& xs : units_)
      all += xs.size();
    beyond_ = task.cost_max * static_cast<int64_t>(all) + 1;
  }

  assignment run() {
    do
      look();
    while (cancel());
    return std::move(units_);
  }

private:
  /// A unit of `shard` could go from one node to another one.
  struct edge {
    int64_t cost = never;
    size_t shard = 0;
  };

  static bool is_worse(const edge& x, const edge& y) {
    return x.cost != y.cost ? x.cost > y.cost : x.shard > y.shard;
  }

  edge offer_of(size_t s, size_t from, size_t to) const {
    return {task_.costs[s][to] - task_.costs[s][from], s};
  }

  /// All that could go, as a heap, and some that no longer can: what is at the
  /// top is looked at again.
  std::vector<edge>& offers(size_t from, size_t to) {
    return offers_[from * nodes_ + to];
  }

  /// Every node, and one more vertex, from which a unit comes too much and to
  /// which one goes that is gone.
  size_t outside() const {
    return nodes_;
  }

  edge& between(size_t from, size_t to) {
    return edges_[from * (nodes_ + 1) + to];
  }

  bool is_possible(size_t s, size_t from, size_t to) const {
    return has(s, from) && !has(s, to) && task_.costs[s][to] != never;
  }

  edge cheapest(size_t from, size_t to) {
    auto& xs = offers(from, to);
    while (!xs.empty() && !is_possible(xs.front().shard, from, to)) {
      std::pop_heap(xs.begin(), xs.end(), is_worse);
      xs.pop_back();
    }
    return xs.empty() ? edge{} : xs.front();
  }

  void offer(size_t s, size_t from, size_t to) {
    if (!is_possible(s, from, to))
      return;
    auto& xs = offers(from, to);
    xs.push_back(offer_of(s, from, to));
    std::push_heap(xs.begin(), xs.end(), is_worse);
  }

  void look() {
    for (auto from = size_t{0}; from < nodes_; ++from)
      for (auto to = size_t{0}; to < nodes_; ++to)
        between(from, to) = cheapest(from, to);
    for (auto i = size_t{0}; i < nodes_; ++i) {
      auto [least, most] = task_.shares[i];
      between(outside(), i).cost = had_[i] > most    ? -beyond_
                                   : had_[i] > least ? 0
                                                     : beyond_;
      between(i, outside()).cost = had_[i] < least  ? -beyond_
                                   : had_[i] < most ? 0
                                                    : beyond_;
    }
  }

  bool has(size_t s, size_t node) const {
    auto& xs = units_[s];
    return std::find(xs.begin(), xs.end(), node) != xs.end();
  }

  /// Bellman and Ford: distances that still shrink after as many rounds as
  /// there are vertices go around a cycle.
  bool cancel() {
    auto vertices = nodes_ + 1;
    auto costs = std::vector<int64_t>(vertices);
    auto before = std::vector<size_t>(vertices, vertices);
    auto last = vertices;
    for (auto round = size_t{0}; round < vertices; ++round) {
      last = vertices;
      for (auto from = size_t{0}; from < vertices; ++from)
        for (auto to = size_t{0}; to < vertices; ++to)
          if (auto cost = between(from, to).cost;
              cost != never && costs[from] + cost < costs[to]) {
            costs[to] = costs[from] + cost;
            before[to] = from;
            last = to;
          }
      if (last == vertices)
        return false;
    }
    // That far back, it is on the cycle.
    for (auto i = size_t{0}; i < vertices; ++i)
      last = before[last];
    auto to = last;
    do {
      auto from = before[to];
      if (from != outside() && to != outside())
        move(between(from, to).shard, from, to);
      to = from;
    } while (to != last);
    return true;
  }

  void move(size_t s, size_t from, size_t to) {
    auto& xs = units_[s];
    *std::find(xs.begin(), xs.end(), from) = to;
    --had_[from];
    ++had_[to];
    for (auto i = size_t{0}; i < nodes_; ++i)
      offer(s, to, i);
    for (auto other : xs)
      if (other != to)
        offer(s, other, from);
  }

  const assignment_task& task_;
  size_t nodes_;
  assignment units_;
  std::vector<size_t> had_;
  int64_t beyond_ = 0;
  /// By two nodes: from which and to which.
  std::vector<std::vector<edge>> offers_;
  std::vector<edge> edges_;
};

} // namespace

assignment assign(const assignment_task& task, assignment start) {
  return assigner{task, std::move(start)}.run();
}

} // namespace weir
