#include "test/simulate/rule.hpp"
#include "test/simulate/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>

// How all becomes well in the end of a simulation.

namespace weir::test {

void simulation::heal() {
  note("from here on, all goes well");
  quiet_ = true;
  around_->cut_off.clear();
  around_->one_way.clear();
  around_->store.disk_full = false;
  catalog_.full = false;
  coordinator_stands_until_ = 0;
  for (auto& disk : lost_)
    coordinator_->nodes().declare_gone(disk);
  for (auto& [id, machine] : machines_) {
    machine.pace = 1'000;
    machine.stands_until = 0;
    machine.disk_slowness = 1;
    machine.emptied = false;
    coordinator_->nodes().drain(id, false);
    auto failed = false;
    for (auto& x : shards_) {
      auto& node = x->nodes.at(id);
      node.disk.full = false;
      failed = failed || node.disk.failing
               || (node.up && node.core->report().failed);
    }
    if (failed)
      crash(id);
    if (!shards_.front()->nodes.at(id).up)
      start(id);
  }
  while (!late_.empty())
    pass_late_letter();
  while (!broken_.empty())
    hear_of_broken_link();
}

/// A damaged copy is counted on until those that remain have committed
/// something, which they don't where they are fewer than must acknowledge. An
/// operator empties its node until that is so.
void simulation::empty_damaged_nodes() {
  for (auto& [id, machine] : machines_) {
    auto held_up = std::any_of(shards_.begin(), shards_.end(), [&](auto& x) {
      auto& node = x->nodes.at(id);
      auto& config = x->config();
      return node.disk.damaged && config.min_copies > config.members.size();
    });
    if (held_up == machine.emptied)
      continue;
    note("{} is emptied{}", id, held_up ? "" : " no more");
    machine.emptied = held_up;
    coordinator_->nodes().drain(id, held_up);
  }
}

/// Where nobody in sync is left but a damaged copy, a shard waits for an
/// operator, who can tell whether another disk has it all. What else is on it
/// is moved first.
void simulation::replace_damaged_disks() {
  for (auto& [id, machine] : machines_) {
    auto waited_for = std::any_of(shards_.begin(), shards_.end(), [&](auto& x) {
      return x->nodes.at(id).disk.damaged
             && coordinator_->trouble(x->number).rfind("damaged", 0) == 0;
    });
    if (!waited_for)
      continue;
    auto known = lost_.size();
    lose_disk(id);
    auto lost = lost_.size() > known;
    coordinator_->nodes().drain(id, !lost);
    if (!lost)
      continue;
    coordinator_->nodes().declare_gone(lost_.back());
    start(id);
  }
}

void simulation::recover() {
  // Ten times what the longest wait for anything takes.
  constexpr auto rounds_max = 600;
  heal();
  for (auto round = 0; round < rounds_max;) {
    // A node that died too often leads nothing for a while, and until then its
    // copies can't all be in place.
    auto banned = std::any_of(machines_.begin(), machines_.end(), [&](auto& x) {
      return coordinator_->nodes().backup_only(x.first, coordinator_clock());
    });
    round += banned ? 0 : 1;
    if (round >= rounds_max / 2 && round % 20 == 0)
      replace_damaged_disks();
    if (round % 20 == 0)
      empty_damaged_nodes();
    for (auto& [id, x] : machines_)
      beat(id);
    plan();
    while (!instructions_.empty())
      instruct(0);
    pass_time(100);
    for (auto& x : producers_)
      work(x);
    if (!finish_all())
      throw broken_rule{"messages come to an end", describe_all()};
    check();
    if (missing() == nullptr)
      return;
  }
  throw broken_rule{missing(), describe_all()};
}

bool simulation::finish_all() {
  // Some hundred times what a round needs, to tell one that never ends.
  constexpr auto turns_max = 10'000;
  for (auto turn = 0; turn < turns_max; ++turn)
    if (finish_round())
      return true;
  return false;
}

bool simulation::finish_round() {
  auto busy = !appends_.empty() || !seals_.empty() || !sealed_.empty();
  while (!appends_.empty())
    pass_append(0);
  while (!seals_.empty())
    take_seal();
  while (!sealed_.empty())
    take_sealed();
  for (auto& x : shards_) {
    busy = busy || !x->network.empty() || !x->to_coordinator.empty();
    for (auto n = x->network.size(); n > 0; --n)
      x->deliver(0);
    while (!x->to_coordinator.empty())
      answer_proposals(*x);
    for (auto& [id, node] : x->nodes) {
      busy = busy || node.disk.waiting() > 0 || !node.local.empty();
      x->sync(id);
      x->answer_locally(id);
    }
  }
  for (auto& [id, machine] : machines_)
    answer_seals(id);
  return !busy;
}

const char* simulation::missing() {
  for (auto& x : producers_)
    if (x.state() != producer::phase::ended)
      return "when all goes well, everything is acknowledged";
  for (auto& x : shards_)
    if (auto what = missing(*x); what != nullptr)
      return what;
  return missing_windows();
}

const char* simulation::missing(world& x) {
  auto& nodes = coordinator_->nodes();
  auto now = coordinator_clock();
  auto& config = x.config();
  auto& target = coordinator_->target(x.number);
  if (config.members.size() != std::min(4u, wishes_.replicas)
      || !coordinator_->trouble(x.number).empty())
    return "when all goes well, the shard becomes whole";
  // One that died too often leads nothing for a while, wherever it belongs.
  auto leads_well = config.primary == target.front()
                    || nodes.backup_only(target.front(), now);
  auto last = x.at(config.primary).state().applied();
  for (auto& m : config.members) {
    auto report = x.at(m.node).report();
    auto leads = m.node == config.primary;
    if (report.epoch != config.epoch || !report.text.empty()
        || report.role
             != (leads ? replica_role::primary : replica_role::backup))
      return "when all goes well, each member knows what it is";
    if (!leads_well
        || std::find(target.begin(), target.end(), m.node) == target.end())
      return "when all goes well, each copy comes to where it belongs";
    if (!(x.at(m.node).state().applied() == last))
      return "when all goes well, each member applies everything";
  }
  return nullptr;
}

std::string simulation::describe_all() {
  auto res = std::string{};
  for (auto& x : producers_)
    res += fmt::format("\n  {}: phase {}, session {}", x.name(),
                       static_cast<int>(x.state()), x.session());
  res += fmt::format("\n  watermark {}, final up to {}, sealed up to {}",
                     windows_->watermark().record().watermark,
                     windows_->final_through(), windows_->sealed_through());
  for (auto& x : shards_) {
    res += fmt::format("\n  shard {}: {}; {} copies are wanted, on", x->number,
                       coordinator_->trouble(x->number), wishes_.replicas);
    for (auto& id : coordinator_->target(x->number))
      res += ' ' + id;
    for (auto& [id, node] : x->nodes) {
      auto report = node.core->report();
      res += fmt::format("\n    {}: role {}, epoch {}, promised {}, committed "
                         "{}, log up to {} {}",
                         id, static_cast<int>(report.role), report.epoch,
                         report.promised, report.committed.index,
                         report.end.index, report.text);
    }
  }
  return res;
}

} // namespace weir::test
