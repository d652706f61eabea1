#include "test/simulate/simulation.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

// What goes wrong in a simulation.

namespace weir::test {

namespace {

/// Letters that come late are few at a time.
constexpr size_t late_max = 50;

} // namespace

void simulation::hurt() {
  auto id = any_node();
  switch (dice(24)) {
    case 0:
    case 1:
    case 2:
      return crash(id);
    case 3:
      // Whoever leads something is hit more often than by chance.
      return crash(any_shard().config().primary);
    case 4:
      note("the power fails");
      for (auto& [node, machine] : machines_)
        crash(node);
      return;
    case 5:
      return lose_disk(id);
    case 6:
      return spoil_disk(id);
    case 7:
    case 8:
      return cut_off(id);
    case 9:
    case 10:
      note("everybody reaches everybody");
      around_->cut_off.clear();
      around_->one_way.clear();
      return;
    case 11:
      return hurt_disk(id);
    case 12:
      return pause(id);
    case 13:
      return restart_actor(any_shard(), id);
    case 14:
      if (dice(3) == 0)
        return change_windows();
      coordinator_->nodes().drain(id, dice(2) == 0);
      note("{} is drained, or not any more", id);
      return;
    case 15:
    case 16:
      return depose(any_shard());
    case 17:
      return cut_link(any_shard());
    case 18:
      return change_copies();
    case 19:
    case 20:
      return restart_in_time(dice(3) == 0 ? id : newcomer(any_shard()));
    case 21:
    case 22:
      if (dice(4) == 0)
        return promote_by_force(any_shard());
      return lead_twice(any_shard());
    default:
      catalog_.full = !catalog_.full && dice(2) == 0;
      around_->store.disk_full = catalog_.full;
      if (!catalog_.full)
        found();
      else
        note("the coordinator's disk is full");
      return;
  }
}

/// What would last passes, so that a cluster does something between two
/// troubles.
void simulation::ease() {
  around_->cut_off.clear();
  around_->one_way.clear();
  for (auto& [id, machine] : machines_) {
    machine.disk_slowness = 1;
    for (auto& x : shards_)
      x->nodes.at(id).disk.full = false;
  }
  if (std::exchange(catalog_.full, false)) {
    around_->store.disk_full = false;
    found();
  }
  for (auto& disk : lost_)
    coordinator_->nodes().declare_gone(disk);
  empty_damaged_nodes();
  note("for a while, most things go well");
}

void simulation::crash(const std::string& id) {
  if (id.empty() || !shards_.front()->nodes.at(id).up)
    return;
  for (auto& x : shards_)
    x->crash(id);
  auto& machine = machines_[id];
  machine.stands_until = 0;
  machine.joined = false;
  machine.plan = {};
  machine.final_through = before_time;
  machine.sealed_through = before_time;
  machine.sealing.clear();
  // Whoever reconnects soon enough never says that it was away.
  for (auto& [other, at] : machines_)
    if (other != id && dice(2) == 0)
      broken_.push_back({other, id});
  // A connection that breaks tells, if it does not just hang.
  if (dice(2) == 0)
    coordinator_->nodes().lose(id, coordinator_clock());
}

/// Perhaps only when the other process, or its successor, is there again.
void simulation::hear_of_broken_link() {
  if (broken_.empty())
    return;
  auto link = broken_.front();
  broken_.pop_front();
  if (!runs(link.at))
    return;
  note("{} hears that its connection to {} is lost", link.at, link.to);
  for (auto& x : shards_) {
    x->at(link.at).disconnected(link.to, x->clock(link.at));
    x->carry_out(link.at);
  }
}

void simulation::start(const std::string& id) {
  // A process's clock begins anywhere.
  auto ahead = static_cast<int64_t>(dice(5'000));
  for (auto& x : shards_) {
    auto& node = x->nodes.at(id);
    node.ahead = ahead;
    node.disk.failing = false;
    x->start(id);
  }
}

/// A new disk instead of the old one, unless that is the last one to hold
/// something.
void simulation::lose_disk(const std::string& id) {
  for (auto& x : rules_)
    if (!x->survives_without(id))
      return;
  crash(id);
  lost_.push_back({id, shards_.front()->identity(id).disk});
  for (auto& x : shards_)
    x->wipe(id);
  if (dice(2) == 0)
    coordinator_->nodes().declare_gone(lost_.back());
}

/// What lay on the disk is not what was written, and shows when it is read. A
/// member must be left: of eligible disks nobody but an operator knows whether
/// they hold all.
void simulation::spoil_disk(const std::string& id) {
  for (auto& x : rules_)
    if (!x->survives_without(id, true))
      return;
  crash(id);
  for (auto& x : shards_) {
    auto& node = x->nodes.at(id);
    auto& log = node.disk.log;
    if (log.empty() || dice(3) == 0)
      continue;
    rules_[x->number]->spoiled(node.self);
    if (dice(2) == 0) {
      auto n = 1 + any(log.size());
      note("{} loses the last {} entries of shard {} at rest", id, n,
           x->number);
      node.disk.lose_end(n);
    } else {
      auto i = any(log.size());
      note("entry {} of shard {} on {} is damaged", log[i].index, x->number,
           id);
      node.disk.corrupt(i);
    }
  }
}

void simulation::restart_actor(world& x, const std::string& id) {
  auto& node = x.nodes.at(id);
  if (!runs(id) || node.core->report().failed)
    return;
  note("the actor of shard {} on {} begins anew", x.number, id);
  // What the journal was asked for it still does.
  while (node.disk.waiting() > 0)
    node.disk.sync_one();
  machines_[id].sealing.erase(x.number);
  x.restart_actor(id);
}

void simulation::cut_off(const std::string& id) {
  auto other = dice(3) == 0 ? std::string{"coordinator"} : any_node();
  switch (dice(4)) {
    case 0:
      note("{} does not reach {}", id, other);
      around_->one_way.insert({id, other});
      return;
    case 1:
      note("{} does not reach {}", other, id);
      around_->one_way.insert({other, id});
      return;
    case 2:
      note("nobody but the coordinator reaches {}", id);
      for (auto& [node, machine] : machines_)
        if (node != id)
          around_->cut_off.insert({id, node});
      return;
    default:
      note("{} and {} don't reach each other", id, other);
      around_->cut_off.insert({id, other});
      if (other != "coordinator" && other != id) {
        broken_.push_back({id, other});
        broken_.push_back({other, id});
      }
  }
}

void simulation::hurt_disk(const std::string& id) {
  auto what = dice(4);
  auto& machine = machines_[id];
  if (what == 0) {
    machine.disk_slowness = machine.disk_slowness > 1 ? 1 : 2 + dice(30);
    note("the disk of {} is {} times slower than others", id,
         machine.disk_slowness);
    return;
  }
  for (auto& x : shards_) {
    auto& disk = x->nodes.at(id).disk;
    if (what == 1)
      disk.failing = true;
    else
      disk.full = !disk.full;
  }
  auto& disk = shards_.front()->nodes.at(id).disk;
  note("the disk of {} {}", id,
       disk.failing ? "fails"
       : disk.full  ? "is full"
                    : "has room again");
}

/// A process, or the coordinator, is stopped for longer than others wait, or
/// for less.
void simulation::pause(const std::string& id) {
  auto until = around_->now + 100 + dice(2'000);
  if (dice(5) == 0) {
    note("the coordinator stands still until {}", until);
    coordinator_stands_until_ = until;
    return;
  }
  auto& machine = machines_[id];
  machine.stands_until = until;
  machine.clock_stands = dice(2) == 0;
  note("{} stands still until {}{}", id, until,
       machine.clock_stands ? ", and its clock does, too" : "");
}

/// Between a primary and one that follows it, in one direction: what one of
/// them knows of the other one is no longer so.
void simulation::cut_link(world& x) {
  auto& leader = x.config().primary;
  auto other = any_node();
  if (leader.empty() || other == leader)
    return;
  auto to_leader = dice(2) == 0;
  note("{} does not reach {}", to_leader ? other : leader,
       to_leader ? leader : other);
  around_->one_way.insert(to_leader ? std::pair{other, leader}
                                    : std::pair{leader, other});
}

/// An operator wants more copies, or fewer.
void simulation::change_copies() {
  wishes_.replicas = any_number_of_copies();
  wishes_.min_copies = 1 + dice(std::min(2u, wishes_.replicas));
  note("{} copies are wanted, and no fewer than {} acknowledge",
       wishes_.replicas, wishes_.min_copies);
  coordinator_->set_options(wishes_);
}

void simulation::pass_letter(world& x) {
  // Mostly in order, as a connection has it.
  auto i = chance(20) ? any(x.network.size()) : 0;
  auto at = x.network.begin() + static_cast<ptrdiff_t>(i);
  auto to = x.nodes.find(at->to);
  if (to != x.nodes.end() && to->second.up && !runs(at->to)) {
    auto letter = std::move(*at);
    x.network.erase(at);
    x.network.push_back(std::move(letter));
    return;
  }
  if (late_.size() < late_max && chance(3))
    late_.push_back({x.number, *at});
  if (auto held = std::get_if<replicated>(&at->message)) {
    auto& all = boasts_[{x.number, at->from, at->to}];
    auto of = [](const world::letter& y) {
      return std::get<replicated>(y.message).from.incarnation;
    };
    if (!all.empty() && of(all.begin()->second) != held->from.incarnation)
      all.clear();
    all[held->held.index] = *at;
  }
  if (chance(3))
    x.network.erase(at);
  else if (chance(3))
    x.deliver(world::letter{*at});
  else
    x.deliver(i);
}

void simulation::pass_late_letter() {
  if (late_.empty())
    return;
  auto i = any(late_.size());
  auto letter = late_[i];
  late_.erase(late_.begin() + static_cast<ptrdiff_t>(i));
  if (runs(letter.letter.to))
    shards_[letter.shard]->deliver(letter.letter);
}

/// Whoever leads once more, or still, hears again of what others held before:
/// of all that it has an entry for, the most.
void simulation::pass_boast(world& x) {
  auto leader = x.config().primary;
  if (leader.empty() || !runs(leader))
    return;
  auto end = x.at(leader).state().tail().index;
  for (auto& [id, machine] : machines_) {
    auto known = boasts_.find({x.number, id, leader});
    if (known == boasts_.end())
      continue;
    auto next = known->second.upper_bound(end);
    if (next != known->second.begin())
      x.deliver(world::letter{std::prev(next)->second});
  }
}

} // namespace weir::test
