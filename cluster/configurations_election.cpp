#include "cluster/configurations.hpp"

#include <fmt/format.h>

#include <algorithm>

// A shard without any valid member: its disks are asked, and the longest log
// leads.

namespace weir {

namespace {

/// Whether a log that ends at `x` holds all that one up to `y` has committed:
/// the no-op of a later epoch comes after all that was acknowledged before.
bool covers(const log_position& x, const log_position& y) {
  return x.epoch > y.epoch || (x.epoch == y.epoch && x.index >= y.index);
}

} // namespace

std::vector<node_disk> configurations::disks_of(const entry& x) const {
  auto res = std::vector<node_disk>{};
  auto add = [&](const node_disk& disk) {
    if (!nodes_.is_gone(disk)
        && std::find(res.begin(), res.end(), disk) == res.end())
      res.push_back(disk);
  };
  for (auto& m : x.config.members)
    add({m.node, m.disk});
  for (auto& disk : x.config.eligible)
    add(disk);
  return res;
}

/// Whether one of the in-sync set is among them: each of it holds all that was
/// acknowledged, whatever became of the others.
bool configurations::has_member(const entry& x,
                                const std::vector<node_disk>& disks) const {
  auto& members = x.config.members;
  return std::any_of(members.begin(), members.end(), [&](auto& m) {
    return std::find(disks.begin(), disks.end(), node_disk{m.node, m.disk})
           != disks.end();
  });
}

log_position configurations::known_commit(const entry& x) const {
  auto res = x.committed;
  for (auto& [node, answer] : x.answers)
    if (!covers(res, answer.committed))
      res = answer.committed;
  // A copy that is of no use, and so is not asked, still tells what it knows.
  for (auto& disk : disks_of(x))
    if (auto report = find_report(x.config.shard, disk.node);
        report != nullptr && nodes_.is_up(disk) && !report->empty
        && !covers(res, report->committed))
      res = report->committed;
  return res;
}

void configurations::report(const fence_report& x) {
  if (x.shard >= shards_.size())
    return;
  auto& shard = shards_[x.shard];
  // Nothing that was said before the promise counts, nor by another life.
  if (shard.fence == 0 || x.epoch < shard.fence || !nodes_.is_up(x.from))
    return;
  shard.answers[x.from.node] = x;
}

/// Whose log is the longest.
const fence_report& configurations::winner(
  const entry& x, const std::vector<node_disk>& present) const {
  auto res = &x.answers.at(present.front().node);
  for (auto& disk : present)
    if (auto& answer = x.answers.at(disk.node); !covers(res->end, answer.end))
      res = &answer;
  return *res;
}

std::string configurations::damage(const entry& x,
                                   const node_disk& disk) const {
  auto report = find_report(x.config.shard, disk.node);
  if (!nodes_.is_up(disk) || report == nullptr || !report->failed)
    return {};
  return fmt::format("damaged, or of no use, on node {}: {}",
                     nodes_.find(disk.node)->name, report->text);
}

bool configurations::is_fenced(const entry& x) const {
  auto node = nodes_.find(x.config.primary);
  auto lives_on = [&](const member& m) {
    return m.node == x.config.primary && (node == nullptr || node->self == m)
           && !nodes_.is_gone({m.node, m.disk});
  };
  // A process that was started since has found the old one's lock open.
  return x.answers.count(x.config.primary) > 0
         || std::none_of(x.config.members.begin(), x.config.members.end(),
                         lives_on);
}

std::optional<shard_config> configurations::elect(
  entry& x, int64_t now, std::vector<instruction>& out) {
  auto disks = disks_of(x);
  auto missing = std::vector<node_disk>{};
  auto present = std::vector<node_disk>{};
  auto damaged = std::string{};
  for (auto& disk : disks)
    if (auto what = damage(x, disk); !what.empty())
      damaged += (damaged.empty() ? "" : "; ") + what;
    else
      (nodes_.is_up(disk) ? present : missing).push_back(disk);
  auto one_is_whole = damaged.empty() || has_member(x, present);
  auto all_there = one_is_whole && missing.empty() && !present.empty();
  auto forced = x.forced ? nodes_.find(x.forced->node) : nullptr;
  auto promoted = forced != nullptr
                    ? node_disk{forced->self.node, forced->self.disk}
                    : node_disk{};
  // A copy of no use would never answer.
  if (!damage(x, promoted).empty())
    x.forced.reset();
  auto asked = present;
  if (x.forced) {
    if (nodes_.is_up(promoted)
        && std::find(asked.begin(), asked.end(), promoted) == asked.end())
      asked.push_back(promoted);
  } else if (!one_is_whole) {
    // It may be the only one to hold something: whoever knows better says so.
    x.trouble = damaged;
    return {};
  } else if (!missing.empty()) {
    x.trouble = fmt::format("its replicas {} are down; it waits for their "
                            "disks, since each may hold what was acknowledged",
                            describe(missing));
    return {};
  } else if (present.empty()) {
    x.trouble = "all of its disks are declared gone; promote a node by force";
    return {};
  }
  // What was promised by a life that has ended is still promised; but what its
  // disk holds has to be said anew.
  for (auto i = x.answers.begin(); i != x.answers.end();)
    i = nodes_.is_up(i->second.from) ? std::next(i) : x.answers.erase(i);
  if (x.fence == 0)
    x.fence = next_epoch(x);
  auto answered = std::all_of(asked.begin(), asked.end(), [&](auto& disk) {
    auto i = x.answers.find(disk.node);
    return i != x.answers.end() && i->second.from.disk == disk.disk;
  });
  if (!answered) {
    x.trouble = "its replicas are asked what they hold";
    if (now - x.fenced_at < options_.repeat)
      return {};
    x.fenced_at = now;
    for (auto& disk : asked)
      if (x.answers.count(disk.node) == 0)
        out.push_back({disk.node, fence{x.config.shard, x.fence}});
    return {};
  }
  auto commit = known_commit(x);
  // All disks are back: what can be had without force, and whole, is had so.
  if (x.forced && all_there && covers(winner(x, present).end, commit))
    x.forced.reset();
  if (x.forced && x.answers.count(x.forced->node) == 0) {
    x.trouble = fmt::format("node {}, which an operator has promoted, is down; "
                            "start it, or promote another one",
                            forced != nullptr ? forced->name : x.forced->node);
    return {};
  }
  auto& best = x.forced ? x.answers.at(x.forced->node) : winner(x, present);
  if (!covers(best.end, commit) && !(x.forced && x.forced->accept_loss)) {
    x.trouble = fmt::format(
      "the log of node {} ends at entry {} of epoch {}, but entry {} of epoch "
      "{} was acknowledged; bring back the other disks, or accept the loss",
      nodes_.find(best.from.node)->name, best.end.index, best.end.epoch,
      commit.index, commit.epoch);
    return {};
  }
  if (x.forced && !is_fenced(x) && !x.forced->old_primary_stopped) {
    x.trouble = fmt::format(
      "its old primary {} does not answer and might still acknowledge; make "
      "sure that it is stopped, and say so",
      nodes_.find(x.config.primary) != nullptr
        ? nodes_.find(x.config.primary)->name
        : x.config.primary);
    return {};
  }
  auto next = x.config;
  next.epoch = x.fence;
  for (auto& [node, answer] : x.answers)
    next.epoch = std::max(next.epoch, answer.epoch);
  next.primary = best.from.node;
  next.members = {best.from};
  next.eligible.clear();
  next.min_copies = options_.min_copies;
  for (auto& disk : disks)
    if (!(disk == node_disk{best.from.node, best.from.disk}))
      next.eligible.push_back(disk);
  return next;
}

result<void> configurations::force(uint32_t shard, const forced_promotion& x) {
  if (shard >= shards_.size())
    return fail(ec::not_found, fmt::format("there is no shard {}", shard));
  auto& at = shards_[shard];
  for (auto& m : at.config.members)
    if (is_valid(at, m))
      return fail(ec::conflict,
                  fmt::format("shard {} needs no force: node {} holds all that "
                              "was acknowledged",
                              shard, nodes_.find(m.node)->name));
  auto node = nodes_.find(x.node);
  if (node == nullptr || !node->up)
    return fail(
      ec::not_found,
      fmt::format("node {} is not up", node == nullptr ? x.node : node->name));
  auto disks = disks_of(at);
  if (auto what = damage(at, {node->self.node, node->self.disk}); !what.empty())
    return fail(ec::conflict, fmt::format("node {} can't lead shard {}: {}",
                                          node->name, shard, what));
  auto counts = std::any_of(disks.begin(), disks.end(), [&](auto& disk) {
    return nodes_.is_up(disk) && disk.node == x.node;
  });
  if (!counts && !x.accept_loss)
    return fail(ec::conflict,
                fmt::format("node {} is no replica of shard {}; to lead it, it "
                            "has to accept the loss of what the others hold",
                            node->name, shard));
  at.forced = x;
  return {};
}

} // namespace weir
