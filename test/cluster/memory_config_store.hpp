#pragma once

#include "cluster/config_store.hpp"

#include <doctest/doctest.h>

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
    CHECK(config.shard == shard);
    CHECK(config.epoch > expected);
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
