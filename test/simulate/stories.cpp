#include "test/simulate/simulation.hpp"

#include <algorithm>

// Stories of a simulation: troubles that come in the order in which they hurt
// most.

namespace weir::test {

namespace {

/// Of what happens around one shard while its logs diverge.
constexpr uint32_t burst = 100;

/// Turns until the coordinator and the nodes have settled something, if nothing
/// is in their way.
constexpr auto turns_max = 150;

/// Entries that one log is longer by: more than the no-ops of the epochs until
/// its primary leads again.
constexpr uint64_t ahead_by = 10;

} // namespace

/// Everything around one shard moves on by a little, and nothing is lost that
/// is not cut off.
void simulation::go_on(world& x, bool with_work) {
  if (with_work) {
    work(producers_[any(producers)]);
    if (!appends_.empty())
      pass_append(0);
  }
  for (auto n = 0; n < 2 && !x.network.empty(); ++n)
    if (runs(x.network.front().to))
      x.deliver(0);
    else
      x.network.pop_front();
  answer_proposals(x);
  for (auto& [id, machine] : machines_) {
    if (!runs(id))
      continue;
    x.sync(id);
    x.answer_locally(id);
  }
  check(x);
}

/// Who is about to become a member or the primary, if anybody is.
std::string simulation::newcomer(world& x) {
  auto& config = x.config();
  auto& target = coordinator_->target(x.number);
  for (auto& id : target) {
    auto is_member
      = std::any_of(config.members.begin(), config.members.end(), [&](auto& m) {
          return m.node == id;
        });
    if (!is_member || (id == target.front() && id != config.primary))
      return id;
  }
  return any_node();
}

/// A process ends, and another one is there before anybody has missed it:
/// whatever was about to become of the first one, the second one is somebody
/// else.
void simulation::restart_in_time(const std::string& id) {
  if (!runs(id))
    return;
  crash(id);
  start(id);
  if (dice(2) == 0)
    beat(id);
}

bool simulation::is_copying(world& x) const {
  auto leader = x.nodes.find(x.config().primary);
  return leader != x.nodes.end() && !leader->second.open.empty();
}

/// A primary is taken for dead although it lives: logs diverge, since some of
/// those that follow hear no more of it while it still gets readings. It may
/// lead again before all that it has sent as the primary that it was arrives.
void simulation::depose(world& x) {
  auto leader = x.config().primary;
  if (leader.empty() || !runs(leader))
    return;
  for (auto& m : x.config().members)
    if (m.node != leader && dice(2) == 0)
      around_->one_way.insert({leader, m.node});
  note("{} will be taken for dead; not all hear it any more", leader);
  for (auto n = dice(burst); n > 0; --n) {
    work(producers_[any(producers)]);
    if (!appends_.empty())
      pass_append(0);
    if (!x.network.empty())
      pass_letter(x);
    auto id = any_node();
    if (runs(id) && x.nodes.at(id).disk.waiting() > 0)
      x.sync_one(id);
    check(x);
  }
  note("{} is taken for dead", leader);
  coordinator_->nodes().lose(leader, coordinator_clock());
}

/// The primary leads no more while it sends a checkpoint, and may soon do so
/// again: until then, whoever has a part of it hears of nobody else.
void simulation::interrupt_copy(world& x) {
  auto leader = x.config().primary;
  if (!runs(leader) || around_->now < coordinator_stands_until_)
    return;
  note("{} is taken for dead while it sends a checkpoint", leader);
  around_->cut_off.clear();
  around_->one_way.clear();
  for (auto& [to, open] : x.nodes.at(leader).open)
    for (auto& [other, machine] : machines_)
      if (other != leader && other != to)
        around_->cut_off.insert({to, other});
  coordinator_->nodes().lose(leader, coordinator_clock());
  plan();
  beat(leader);
}

bool simulation::all_run(const shard_config& x) const {
  return std::all_of(x.members.begin(), x.members.end(), [this](auto& m) {
    return runs(m.node) && shards_.front()->nodes.at(m.node).self == m;
  });
}

/// Whom the coordinator is going to make the primary, most likely: the one that
/// leads least.
std::string simulation::heir(world& x) const {
  auto led = [this](const std::string& id) {
    return std::count_if(shards_.begin(), shards_.end(), [&](auto& y) {
      return y->config().primary == id;
    });
  };
  auto res = std::string{};
  for (auto& m : x.config().members)
    if (m.node != x.config().primary && (res.empty() || led(m.node) < led(res)))
      res = m.node;
  return res;
}

/// One that follows has acknowledged a primary's log to its end; another one,
/// which never got so much, leads next. Then the same process leads once more,
/// and hears again what it was told before.
void simulation::lead_twice(world& x) {
  auto leader = x.config().primary;
  if (x.config().members.size() < 3 || !all_run(x.config())
      || around_->now < coordinator_stands_until_)
    return;
  around_->cut_off.clear();
  around_->one_way.clear();
  auto next = heir(x);
  around_->one_way.insert({leader, next});
  note("{} hears nothing of {} any more", next, leader);
  for (auto n = burst; n > 0; --n) {
    go_on(x, true);
    auto& state = x.at(leader).state();
    if (state.uncommitted() >= ahead_by)
      break;
  }
  note("{} is taken for dead, and will lead again", leader);
  around_->one_way.clear();
  coordinator_->nodes().lose(leader, coordinator_clock());
  plan();
  for (auto n = 0; n < turns_max; ++n) {
    if (n % 4 == 0) {
      for (auto& [id, machine] : machines_)
        beat(id);
      plan();
      while (!instructions_.empty())
        instruct(0);
      pass_time(10);
    }
    go_on(x, false);
    auto& config = x.config();
    if (n > 10 && config.primary == leader && config.members.size() > 2
        && x.at(leader).serving())
      break;
  }
  if (x.config().primary != leader || !runs(leader))
    return;
  note("{} hears what it was told before", leader);
  for (auto n = burst; n > 0; --n) {
    work(producers_[any(producers)]);
    if (!appends_.empty())
      pass_append(0);
    x.sync(leader);
    pass_boast(x);
    check(x);
  }
}

/// Of those that hold a shard one hears nothing for so long that the others go
/// on without it; then these are gone, and an operator lets it lead although
/// something is lost.
void simulation::promote_by_force(world& x) {
  auto leader = x.config().primary;
  auto chosen = newcomer(x);
  if (forced_.count(x.number) > 0 || chosen == leader || !runs(chosen)
      || !machines_[chosen].joined || around_->now < coordinator_stands_until_)
    return;
  note("nobody but the coordinator reaches {}", chosen);
  for (auto& [id, machine] : machines_)
    if (id != chosen)
      around_->cut_off.insert({chosen, id});
  auto counts = [&] {
    auto& members = x.config().members;
    return std::any_of(members.begin(), members.end(), [&](auto& m) {
      return m.node == chosen;
    });
  };
  for (auto n = 0; n < turns_max && counts(); ++n) {
    go_on(x, true);
    pass_time(10);
  }
  for (auto n = dice(burst); n > 0; --n)
    go_on(x, true);
  if (counts() || !runs(chosen))
    return;
  for (auto& m : x.config().members) {
    crash(m.node);
    coordinator_->nodes().lose(m.node, coordinator_clock());
  }
  beat(chosen);
  if (!coordinator_->force(x.number, {chosen, true, true}))
    return;
  note("an operator wants {} to lead shard {}, whatever is lost", chosen,
       x.number);
  forced_[x.number] = {chosen, x.config().epoch};
}

} // namespace weir::test
