#pragma once

#include "cluster/config_store.hpp"

#include <map>

namespace weir::test {

/// A config store that forgets nothing and fails when told to.
class memory_config_store : public config_store {
public:
  result<std::optional<shard_config>> get(uint32_t shard) override {
    auto i = configs.find(shard);
    if (i == configs.end())
      return std::nullopt;
    return i->second;
  }

  result<std::vector<shard_config>> get_all() override {
    auto res = std::vector<shard_config>{};
    for (auto& [shard, x] : configs)
      res.push_back(x);
    return res;
  }

  result<std::vector<bool>> change(
    const std::vector<config_change>& xs) override {
    if (disk_full)
      return fail(ec::disk_full, "no space");
    for (auto& x : xs)
      if (x.next.epoch <= x.expected)
        return fail(ec::invalid_argument, "an epoch does not follow the last");
    ++commits;
    auto res = std::vector<bool>{};
    for (auto& x : xs) {
      auto present = configs.find(x.next.shard);
      auto epoch = present != configs.end() ? present->second.epoch : 0;
      res.push_back(epoch == x.expected);
      if (res.back())
        configs[x.next.shard] = x.next;
    }
    return res;
  }

  std::map<uint32_t, shard_config> configs;
  bool disk_full = false;
  size_t commits = 0;
};

} // namespace weir::test
