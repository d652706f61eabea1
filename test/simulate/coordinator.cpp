#include "test/simulate/describe.hpp"
#include "test/simulate/rule.hpp"
#include "test/simulate/simulation.hpp"

#include <algorithm>

// The coordinator of a simulation, and what passes between it and the nodes.

namespace weir::test {

int64_t simulation::coordinator_clock() const {
  return around_->now + coordinator_ahead_;
}

void simulation::found() {
  note("the coordinator starts");
  coordinator_
    = std::make_unique<configurations>(around_->store, shards, wishes_, trust_);
  done(coordinator_->load(coordinator_clock()));
  sessions_
    = std::make_unique<session_registry>([this](auto& put, auto& removed) {
        return catalog_.save(put, removed);
      });
  auto known = std::vector<producer_record>{};
  for (auto& [id, x] : catalog_.producers())
    known.push_back(x);
  sessions_->load(known);
  found_windows();
  // What it was about to say went with it.
  instructions_.clear();
  seals_.clear();
  for (auto& [id, x] : shards_.front()->nodes)
    if (runs(id) && hears(id, "coordinator") && hears("coordinator", id))
      join(id);
}

void simulation::join(const std::string& id) {
  auto& machine = machines_[id];
  coordinator_->nodes().join({shards_.front()->identity(id), id},
                             coordinator_clock());
  machine.joined = true;
  machine.plan = windows_->plan();
}

void simulation::beat(const std::string& id) {
  if (!runs(id) || !hears(id, "coordinator")
      || around_->now < coordinator_stands_until_)
    return;
  auto self = shards_.front()->identity(id);
  auto known = coordinator_->nodes().find(id);
  if (known == nullptr || !(known->self == self) || !machines_[id].joined) {
    if (!hears("coordinator", id))
      return;
    join(id);
  }
  auto reports = std::vector<replica_report>{};
  for (auto& x : shards_) {
    auto& core = *x->nodes.at(id).core;
    // Of a shard that it does not hold it says nothing.
    auto report = core.report();
    if (report.role > replica_role::idle || report.end.index > 0
        || report.failed)
      reports.push_back(std::move(report));
    if (core.serving())
      // What is not stored is told again.
      static_cast<void>(
        windows_->note_shard(x->number, core.state().rollups().plan().version(),
                             core.state().plan_greatest()));
  }
  coordinator_->report(self, reports, coordinator_clock());
  if (chance(10) || !hears("coordinator", id))
    return;
  auto& machine = machines_[id];
  if (windows_->plan().version() > machine.plan.version())
    machine.plan = windows_->plan();
  machine.final_through
    = std::max(machine.final_through, windows_->final_through());
  for (auto& x : shards_)
    enter_rules(*x, id);
}

void simulation::plan() {
  if (around_->now < coordinator_stands_until_)
    return;
  auto next = coordinator_->plan(coordinator_clock());
  if (!next)
    return; // Its disk is full; it tries again.
  note_losses();
  for (auto& x : *next)
    if (!chance(5))
      instructions_.push_back({std::move(x), windows_->sealed_through()});
  ask_for_seals();
}

/// Where an operator has let a node lead that lacks something, that is lost,
/// and producers are started again: what they find missing they send once more.
void simulation::note_losses() {
  for (auto& x : shards_) {
    auto asked = forced_.find(x->number);
    auto& config = x->config();
    if (asked == forced_.end() || asked->second.epoch == 0
        || config.epoch <= asked->second.epoch)
      continue;
    asked->second.epoch = 0;
    if (config.primary != asked->second.node || config.members.size() > 1)
      continue;
    note("{} leads shard {} by force, with what it has", config.primary,
         x->number);
    rules_[x->number]->give_up_all_but(config.primary);
    for (auto& input : producers_)
      input.kill();
  }
}

void simulation::instruct(size_t i) {
  auto letter = std::move(instructions_[i]);
  auto& x = letter.what;
  instructions_.erase(instructions_.begin() + static_cast<ptrdiff_t>(i));
  // What was said to another life is not for this one.
  if (!runs(x.node) || !machines_[x.node].joined
      || !hears("coordinator", x.node))
    return;
  if (auto news = std::get_if<announcement>(&x.message)) {
    auto& to = *shards_[news->config.shard];
    note("{} is told: shard {}, epoch {}", x.node, to.number,
         news->config.epoch);
    auto& sealed = machines_[x.node].sealed_through;
    sealed = std::max(sealed, letter.sealed_through);
    to.announce(x.node, *news);
    to.carry_out(x.node);
    enter_rules(to, x.node);
  } else if (auto asked = std::get_if<fence>(&x.message)) {
    auto& to = *shards_[asked->shard];
    note("{} is asked to promise {} for shard {}", x.node, asked->epoch,
         to.number);
    to.at(x.node).promise(*asked);
    to.carry_out(x.node);
  } else {
    auto& unwanted = std::get<drop_copy>(x.message);
    auto& to = *shards_[unwanted.shard];
    if (to.at(x.node).drop(unwanted))
      drop_copy_of(to, x.node);
  }
}

void simulation::drop_copy_of(world& x, const std::string& id) {
  note("{} drops its copy of shard {}", id, x.number);
  auto& node = x.nodes.at(id);
  x.sync(id);
  // What it has promised stays, and the process lives on.
  auto record = node.disk.record;
  auto full = node.disk.full;
  auto failing = node.disk.failing;
  node.disk = {};
  node.disk.record = record;
  node.disk.full = full;
  node.disk.failing = failing;
  x.restart_actor(id);
}

void simulation::answer_proposals(world& x) {
  if (x.to_coordinator.empty() || around_->now < coordinator_stands_until_)
    return;
  auto letter = std::move(x.to_coordinator.front());
  x.to_coordinator.pop_front();
  auto& from = letter.from;
  if (!hears(from, "coordinator"))
    return;
  note("{} -> coordinator, shard {}: {}", from, x.number,
       describe(letter.message));
  if (auto answer = std::get_if<fence_report>(&letter.message))
    return coordinator_->report(*answer);
  auto answer = coordinator_->propose(std::get<proposal>(letter.message));
  if (answer && runs(from) && machines_[from].joined
      && hears("coordinator", from) && !chance(10)) {
    x.at(from).decide(*answer, x.clock(from));
    x.carry_out(from);
    enter_rules(x, from);
  }
}

} // namespace weir::test
