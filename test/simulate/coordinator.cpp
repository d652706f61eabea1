#include "test/simulate/describe.hpp"
#include "test/simulate/rule.hpp"
#include "test/simulate/simulation.hpp"

// The coordinator of a simulation, and what passes between it and the nodes.

namespace weir::test {

void simulation::found() {
  notes.add(now, "the coordinator starts");
  coordinator_ = std::make_unique<configurations>(store, 1, wishes_);
  done(coordinator_->load(now));
  for (auto& [id, x] : nodes)
    if (x.up)
      coordinator_->nodes().join({x.self, id}, now);
}

void simulation::beat(const std::string& id) {
  auto& x = nodes.at(id);
  if (!x.up || !passes("coordinator", id))
    return;
  auto known = coordinator_->nodes().find(id);
  if (known == nullptr || !(known->self == x.self))
    coordinator_->nodes().join({x.self, id}, now);
  coordinator_->report(x.self, {x.core->report()}, now);
}

void simulation::plan() {
  for (auto& x : done(coordinator_->plan(now)))
    if (!chance(5))
      instructions_.push_back(std::move(x));
}

void simulation::instruct(size_t i) {
  auto x = instructions_[i];
  instructions_.erase(instructions_.begin() + static_cast<ptrdiff_t>(i));
  auto& node = nodes.at(x.node);
  if (!node.up || !passes("coordinator", x.node))
    return;
  if (auto news = std::get_if<announcement>(&x.message)) {
    notes.add(now, "{} is told: epoch {}", x.node, news->config.epoch);
    node.core->announce(*news, now);
  } else if (auto asked = std::get_if<fence>(&x.message)) {
    notes.add(now, "{} is asked to promise {}", x.node, asked->epoch);
    node.core->promise(*asked);
  } else if (node.core->drop(std::get<drop_copy>(x.message))) {
    notes.add(now, "{} drops its copy", x.node);
    sync(x.node);
    // What it has promised stays, and the process lives on.
    auto record = node.disk.record;
    crash(x.node);
    node.disk = {};
    node.disk.record = record;
    --node.self.incarnation;
    start(x.node);
  }
  carry_out(x.node);
}

void simulation::answer_proposals() {
  auto x = std::move(to_coordinator.front());
  to_coordinator.pop_front();
  if (!passes("coordinator", x.from))
    return;
  notes.add(now, "{} -> coordinator: {}", x.from, describe(x.message));
  if (auto answer = std::get_if<fence_report>(&x.message))
    return coordinator_->report(*answer);
  auto answer = done(coordinator_->propose(std::get<proposal>(x.message)));
  if (nodes.at(x.from).up && !chance(10)) {
    at(x.from).decide(answer, now);
    carry_out(x.from);
  }
}

} // namespace weir::test
