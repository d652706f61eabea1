#include "cluster/placement.hpp"

#include <algorithm>
#include <map>

namespace weir {

namespace {

struct node_load {
  size_t owned = 0;
  /// Shards that it could hand on, the last one first.
  std::vector<uint32_t> movable;
};

} // namespace

std::vector<shard_move> place(const std::vector<std::string>& nodes,
                              const std::vector<placed_shard>& shards) {
  auto res = std::vector<shard_move>{};
  if (nodes.empty())
    return res;
  auto loads = std::map<std::string, node_load>{};
  for (auto& id : nodes)
    loads[id];
  auto homeless = std::vector<uint32_t>{};
  for (auto shard = uint32_t{0}; shard < shards.size(); ++shard) {
    auto& x = shards[shard];
    if (x.owner.empty()) {
      homeless.push_back(shard);
    } else if (auto i = loads.find(x.owner); i != loads.end()) {
      ++i->second.owned;
      if (x.movable)
        i->second.movable.push_back(shard);
    }
  }
  auto by_load = [](auto& x, auto& y) {
    return x.second.owned < y.second.owned;
  };
  for (auto shard : homeless) {
    auto least = std::min_element(loads.begin(), loads.end(), by_load);
    ++least->second.owned;
    res.push_back({shard, {}, least->first});
  }
  for (;;) {
    auto least = std::min_element(loads.begin(), loads.end(), by_load);
    // The fullest of those that have something to give.
    auto most = loads.end();
    for (auto i = loads.begin(); i != loads.end(); ++i)
      if (!i->second.movable.empty()
          && (most == loads.end() || most->second.owned < i->second.owned))
        most = i;
    if (most == loads.end() || most->second.owned < least->second.owned + 2)
      return res;
    res.push_back({most->second.movable.back(), most->first, least->first});
    most->second.movable.pop_back();
    --most->second.owned;
    ++least->second.owned;
  }
}

} // namespace weir
