#pragma once

#include "cluster/configurations.hpp"
#include "test/cluster/memory_config_store.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir::test {

/// A coordinator with nodes that say what they are told to say.
struct planned_cluster {
  memory_config_store store;
  configuration_options options;
  std::unique_ptr<configurations> self;
  std::map<std::string, member> lives;
  int64_t now = 10'000;
  std::vector<instruction> told;

  planned_cluster() {
    options.replicas = 2;
  }

  void found(uint32_t shards = 1) {
    self = std::make_unique<configurations>(store, shards, options);
    must(self->load(now));
  }

  void join(const std::string& id) {
    auto& x = lives[id];
    if (x.node.empty())
      x = {id, "disk-" + id, 0};
    ++x.incarnation;
    rejoin(id);
  }

  /// The same life again.
  void rejoin(const std::string& id) {
    self->nodes().join({lives[id], "name-" + id}, now);
  }

  /// `ms` later, as often as a coordinator does.
  void plan(int64_t ms = 0) {
    for (; ms > 300; ms -= 300)
      wait(300);
    wait(ms);
  }

  /// It stands still for `ms`.
  void wait(int64_t ms) {
    now += ms;
    told = must(self->plan(now));
  }

  /// What a replica of shard 0 says: its role follows from the configuration.
  replica_report report_of(const std::string& id, uint64_t index = 10) {
    auto& config = self->config(0);
    auto res = replica_report{};
    res.epoch = config.epoch;
    res.promised = config.epoch;
    res.empty = false;
    res.end = res.committed = {index, config.epoch, 77};
    for (auto& m : config.members)
      if (m == lives[id])
        res.role = replica_role::backup;
    if (config.primary == id) {
      res.role = replica_role::primary;
      res.serving = true;
    }
    return res;
  }

  void report(const std::string& id, uint64_t index = 10) {
    self->report(lives[id], {report_of(id, index)}, now);
  }

  void answer(const std::string& id, uint64_t epoch, log_position end) {
    self->report(fence_report{0, epoch, lives[id], end, {}});
  }

  template <class T>
  std::vector<T> told_to(const std::string& id) const {
    auto res = std::vector<T>{};
    for (auto& x : told)
      if (auto message = std::get_if<T>(&x.message);
          message != nullptr && x.node == id)
        res.push_back(*message);
    return res;
  }

  const shard_config& config() {
    return self->config(0);
  }

  /// a leads, b follows, and both say so.
  void settle() {
    found();
    join("a");
    join("b");
    plan();
    report("a");
    report("b");
    plan();
    REQUIRE(config().primary == "a");
    REQUIRE(config().members.size() == 2);
  }

  /// Both members come back as other processes.
  void restart_all() {
    settle();
    join("a");
    join("b");
  }
};

} // namespace weir::test
