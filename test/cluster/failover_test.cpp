#include "cluster/configurations.hpp"
#include "test/cluster/replica_world.hpp"

#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <string>

using namespace weir;
using namespace weir::test;

namespace {

/// Replicas, a coordinator and a producer, to which everything happens that one
/// seed says.
struct chaos : world {
  std::mt19937_64 random;
  std::unique_ptr<configurations> coordinator;
  configuration_options wishes;
  std::deque<instruction> instructions;
  /// The last record that the producer has sent, and that it will ever send.
  uint64_t sent = 0;
  uint64_t total = 60;
  bool quiet = false;
  std::vector<node_disk> lost;

  explicit chaos(uint64_t seed) : random(seed) {
    wishes.replicas = 1 + dice(3);
    wishes.replace_after = 3'000;
    options.part_bytes = 300;
    options.copy_timeout = 2'000;
    for (auto id : {"a", "b", "c", "d"})
      add(id);
    found();
  }

  uint32_t dice(uint32_t n) {
    return static_cast<uint32_t>(random() % n);
  }

  bool chance(uint32_t percent) {
    return !quiet && dice(100) < percent;
  }

  std::string any_node() {
    return std::string(1, "abcd"[dice(4)]);
  }

  /// A coordinator starts.
  void found() {
    coordinator = std::make_unique<configurations>(store, 1, wishes);
    must(coordinator->load(now));
    for (auto& [id, x] : nodes)
      if (x.up)
        coordinator->nodes().join({x.self, id}, now);
  }

  void beat(const std::string& id) {
    auto& x = nodes.at(id);
    if (!x.up || !passes("coordinator", id))
      return;
    auto known = coordinator->nodes().find(id);
    if (known == nullptr || !(known->self == x.self))
      coordinator->nodes().join({x.self, id}, now);
    auto copy = x.core->report();
    coordinator->report(x.self, {copy}, now);
  }

  void plan() {
    for (auto& x : must(coordinator->plan(now)))
      if (!chance(5))
        instructions.push_back(std::move(x));
  }

  void instruct(size_t i) {
    auto x = instructions[i];
    instructions.erase(instructions.begin() + static_cast<ptrdiff_t>(i));
    auto& node = nodes.at(x.node);
    if (!node.up || !passes("coordinator", x.node))
      return;
    if (auto news = std::get_if<announcement>(&x.message)) {
      node.core->announce(*news, now);
    } else if (auto asked = std::get_if<fence>(&x.message)) {
      node.core->promise(*asked);
    } else if (node.core->drop(std::get<drop_copy>(x.message))) {
      sync(x.node);
      auto record = node.disk.record;
      crash(x.node);
      node.disk = {};
      node.disk.record = record;
      --node.self.incarnation;
      start(x.node);
    }
    carry_out(x.node);
  }

  void answer_proposals() {
    auto x = std::move(to_coordinator.front());
    to_coordinator.pop_front();
    if (!passes("coordinator", x.from))
      return;
    if (auto answer = std::get_if<fence_report>(&x.message))
      return coordinator->report(*answer);
    auto answer = must(coordinator->propose(std::get<proposal>(x.message)));
    if (nodes.at(x.from).up && !chance(10)) {
      at(x.from).decide(answer, now);
      carry_out(x.from);
    }
  }

  void produce(const std::string& id) {
    if (!nodes.at(id).up)
      return;
    // It does not know what became of what it sent.
    if (dice(6) == 0)
      sent = acked();
    if (sent >= total)
      return;
    auto n = std::min<uint64_t>(1 + dice(3), total - sent);
    auto res = send(id, sent, n);
    if (res.code == ec::none)
      sent += n;
    else if (res.code == ec::sequence_gap || res.code == ec::not_found)
      sent = acked();
  }

  /// Another member's disk is what it was.
  bool may_lose(const std::string& id) {
    auto& members = config().members;
    return std::any_of(members.begin(), members.end(), [&](auto& m) {
      return m.node != id && nodes.at(m.node).self.disk == m.disk;
    });
  }

  void hurt() {
    auto id = any_node();
    auto& node = nodes.at(id);
    switch (dice(8)) {
      case 0:
      case 1:
        if (node.up)
          crash(id);
        break;
      case 2:
        if (config().epoch > 0 && may_lose(id)) {
          crash(id);
          lost.push_back({id, node.self.disk});
          wipe(id);
        }
        break;
      case 3:
        cut_off.insert({id, any_node()});
        break;
      case 4:
        cut_off.insert({"coordinator", id});
        break;
      case 5:
        cut_off.clear();
        break;
      case 6:
        node.disk.full = !node.disk.full;
        break;
      default:
        found();
        break;
    }
  }

  void checkpoint(const std::string& id) {
    auto& node = nodes.at(id);
    if (!node.up || node.core->state().applied().index == 0)
      return;
    sync(id);
    if (!node.up || node.disk.full)
      return;
    node.disk.save(node.core->state());
    auto upto = std::min(node.disk.saved->meta.from_index - 1,
                         node.core->log_needed_after());
    node.disk.truncate(upto);
    node.core->truncated(upto);
  }

  void step() {
    auto id = any_node();
    auto& node = nodes.at(id);
    switch (dice(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        if (network.empty())
          break;
        // Mostly in order, as a connection has it.
        if (auto i
            = chance(20) ? dice(static_cast<uint32_t>(network.size())) : 0u;
            chance(3))
          network.erase(network.begin() + i);
        else if (chance(3))
          deliver(letter{network[i]});
        else
          deliver(i);
        break;
      case 4:
      case 5:
        if (node.up && node.disk.waiting() > 0)
          sync_one(id);
        break;
      case 6:
        if (node.up && !node.local.empty()) {
          auto f = std::move(node.local.front());
          node.local.pop_front();
          f();
          carry_out(id);
        }
        break;
      case 7:
        if (!to_coordinator.empty())
          answer_proposals();
        break;
      case 8:
        if (!instructions.empty())
          instruct(chance(20) ? dice(static_cast<uint32_t>(instructions.size()))
                              : 0);
        break;
      case 9:
        tick(10 + dice(60));
        beat(id);
        plan();
        if (dice(2) == 0 && !node.up)
          start(id);
        break;
      case 10:
        produce(dice(3) == 0               ? id
                : config().primary.empty() ? id
                                           : config().primary);
        break;
      default:
        if (chance(6))
          hurt();
        if (chance(3))
          checkpoint(id);
        break;
    }
    check_committed();
  }

  std::string describe() {
    auto res = std::string{};
    auto add = [&](auto x) {
      res += std::to_string(x) + ' ';
    };
    res += "epoch, primary, members: ";
    add(config().epoch);
    res += config().primary;
    for (auto& m : config().members)
      res += ' ' + m.node + ':' + m.disk + ':' + std::to_string(m.incarnation);
    for (auto& disk : config().eligible)
      res += " (" + disk.disk + ')';
    for (auto& [id, node] : nodes) {
      auto report = node.core->report();
      res += '\n' + id + ": role, epoch, promised, committed, end, ledger: ";
      add(static_cast<int>(report.role));
      add(report.epoch);
      add(report.promised);
      add(report.committed.index);
      add(report.end.index);
      add(counted(id));
      res += report.text;
    }
    res += "\nsent, acknowledged: ";
    add(sent);
    add(acked());
    return res;
  }

  /// From here on all goes well.
  bool recover() {
    quiet = true;
    cut_off.clear();
    for (auto& disk : lost)
      coordinator->nodes().declare_gone(disk);
    for (auto& [id, x] : nodes) {
      x.disk.full = false;
      if (!x.up)
        start(id);
    }
    for (auto round = 0; round < 600; ++round) {
      for (auto& [id, x] : nodes)
        beat(id);
      plan();
      while (!instructions.empty())
        instruct(0);
      tick(100);
      for (auto busy = true; busy;) {
        busy = !network.empty() || !to_coordinator.empty();
        while (!network.empty())
          deliver(0);
        while (!to_coordinator.empty())
          answer_proposals();
        for (auto& [id, x] : nodes) {
          busy = busy || x.disk.waiting() > 0 || !x.local.empty();
          sync(id);
          answer_locally(id);
        }
      }
      check_committed();
      if (!config().primary.empty())
        produce(config().primary);
      if (acked() == total
          && config().members.size() == std::min(4u, wishes.replicas)
          && coordinator->trouble(0).empty())
        return true;
    }
    return false;
  }
};

} // namespace

TEST_SUITE("cluster/failover") {
  TEST_CASE("whatever happens to nodes, disks and messages, what was "
            "acknowledged is counted once") {
    // Seeds that once failed, and some more; WEIR_SEED and WEIR_SEEDS name
    // others.
    auto seeds = std::vector<uint64_t>{106, 149, 862};
    auto number = [](const char* name, uint64_t other) {
      auto text = std::getenv(name);
      return text != nullptr ? std::stoull(text) : other;
    };
    auto first = number("WEIR_SEED", 0);
    for (auto i = uint64_t{0}; i < number("WEIR_SEEDS", 100); ++i)
      seeds.push_back(first + i);
    for (auto seed : seeds) {
      INFO("seed " << seed);
      auto x = chaos{seed};
      for (auto i = 0; i < 4'000; ++i)
        x.step();
      auto well = x.recover();
      INFO("trouble: " << x.coordinator->trouble(0));
      INFO(x.describe());
      REQUIRE(well);
      auto& primary = x.at(x.config().primary);
      CHECK(primary.state().ledger().accepted == x.total);
      CHECK(primary.state().table().entities() == x.total);
    }
  }
} // TEST_SUITE
