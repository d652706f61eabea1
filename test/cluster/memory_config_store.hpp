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

  result<bool> compare_and_set(uint32_t shard, uint64_t expected,
                               const shard_config& config) override {
    if (disk_full)
      return fail(ec::disk_full, "no space");
    if (config.shard != shard || config.epoch <= expected)
      return fail(ec::invalid_argument, "an epoch does not follow the last");
    auto present = configs.find(shard);
    auto epoch = present != configs.end() ? present->second.epoch : 0;
    if (epoch != expected)
      return false;
    configs[shard] = config;
    return true;
  }

  std::map<uint32_t, shard_config> configs;
  bool disk_full = false;
};

} // namespace weir::test
