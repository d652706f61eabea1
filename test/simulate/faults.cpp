#include "test/simulate/rule.hpp"
#include "test/simulate/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>

// What goes wrong in a simulation, and how all becomes well in the end.

namespace weir::test {

bool simulation::may_lose(const std::string& id) {
  // Another member's disk is what it was.
  auto& members = config().members;
  return std::any_of(members.begin(), members.end(), [&](auto& m) {
    return m.node != id && nodes.at(m.node).self.disk == m.disk;
  });
}

void simulation::hurt() {
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
        lost_.push_back({id, node.self.disk});
        wipe(id);
      }
      break;
    case 3: {
      auto other = any_node();
      notes.add(now, "{} and {} don't reach each other", id, other);
      cut_off.insert({id, other});
      break;
    }
    case 4:
      notes.add(now, "{} does not reach the coordinator", id);
      cut_off.insert({"coordinator", id});
      break;
    case 5:
      notes.add(now, "everybody reaches everybody");
      cut_off.clear();
      break;
    case 6:
      node.disk.full = !node.disk.full;
      notes.add(now, "the disk of {} {}", id,
                node.disk.full ? "is full" : "has room again");
      break;
    default:
      found();
      break;
  }
}

void simulation::pass_letter() {
  // Mostly in order, as a connection has it.
  auto i = chance(20) ? dice(static_cast<uint32_t>(network.size())) : 0u;
  if (chance(3))
    network.erase(network.begin() + i);
  else if (chance(3))
    deliver(letter{network[i]});
  else
    deliver(i);
}

void simulation::recover() {
  // Ten times what the longest wait for anything takes.
  constexpr auto rounds_max = 600;
  notes.add(now, "from here on, all goes well");
  quiet_ = true;
  cut_off.clear();
  for (auto& disk : lost_)
    coordinator_->nodes().declare_gone(disk);
  for (auto& [id, x] : nodes) {
    x.disk.full = false;
    if (!x.up)
      start(id);
  }
  for (auto round = 0; round < rounds_max;) {
    // A node that died too often leads nothing for a while, and until then its
    // copies can't all be in place.
    auto banned = std::any_of(nodes.begin(), nodes.end(), [&](auto& x) {
      return coordinator_->nodes().backup_only(x.first, now);
    });
    round += banned ? 0 : 1;
    for (auto& [id, x] : nodes)
      beat(id);
    plan();
    while (!instructions_.empty())
      instruct(0);
    tick(100);
    if (!finish_all())
      throw broken_rule{"messages come to an end", describe_all()};
    check();
    if (!config().primary.empty())
      produce(config().primary);
    if (missing() == nullptr)
      return;
  }
  throw broken_rule{missing(), describe_all()};
}

bool simulation::finish_all() {
  // Some hundred times what a round needs, to tell one that never ends.
  constexpr auto turns_max = 10'000;
  for (auto turn = 0; turn < turns_max; ++turn) {
    auto busy = !network.empty() || !to_coordinator.empty();
    for (auto n = network.size(); n > 0; --n)
      deliver(0);
    while (!to_coordinator.empty())
      answer_proposals();
    for (auto& [id, x] : nodes) {
      busy = busy || x.disk.waiting() > 0 || !x.local.empty();
      sync(id);
      answer_locally(id);
    }
    if (!busy)
      return true;
  }
  return false;
}

const char* simulation::missing() {
  auto& members = config().members;
  auto& target = coordinator_->target(0);
  if (acked() != total_)
    return "when all goes well, everything is acknowledged";
  if (members.size() != std::min(4u, wishes_.replicas)
      || !coordinator_->trouble(0).empty())
    return "when all goes well, the shard becomes whole";
  // One that died too often leads nothing for a while, wherever it belongs.
  auto leads_well = config().primary == target.front()
                    || coordinator_->nodes().backup_only(target.front(), now);
  for (auto& m : members)
    if (!leads_well
        || std::find(target.begin(), target.end(), m.node) == target.end())
      return "when all goes well, each copy comes to where it belongs";
  for (auto& m : members)
    if (counted(m.node) < total_)
      return "when all goes well, each member applies everything";
  return nullptr;
}

std::string simulation::describe_all() {
  auto res = fmt::format("{} of {} records are acknowledged; {}", acked(),
                         total_, coordinator_->trouble(0));
  res += fmt::format("; {} copies are wanted, on", wishes_.replicas);
  for (auto& id : coordinator_->target(0))
    res += ' ' + id;
  for (auto& [id, node] : nodes) {
    auto x = node.core->report();
    res += fmt::format("\n  {}: role {}, epoch {}, promised {}, committed {}, "
                       "log up to {}, {} readings {}",
                       id, static_cast<int>(x.role), x.epoch, x.promised,
                       x.committed.index, x.end.index, counted(id), x.text);
  }
  return res;
}

} // namespace weir::test
