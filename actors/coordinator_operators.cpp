#include "actors/coordinator_host.hpp"

#include "messages/types.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

// What operators ask of the coordinator.

namespace weir {

caf::result<operator_answer> coordinator_host_state::drain(
  const drain_node& x) {
  auto id = find_node(x.node);
  if (!id)
    return to_error(id.error());
  auto others = size_t{0};
  for (auto& [other, node] : configs_->nodes().all())
    if (other != *id && node.up && !node.draining)
      ++others;
  if (x.on && others == 0)
    return to_error(
      {ec::conflict,
       fmt::format("node {} can't be emptied: there is no other node that "
                   "could take its shards; start one first",
                   x.node)});
  auto node = *configs_->nodes().find(*id);
  node.draining = x.on;
  auto& at = members_.at(*id);
  if (auto res
      = context_.store->put_node(record_of(node, at.listens, at.last_seen));
      !res)
    return to_error(res.error());
  configs_->nodes().drain(*id, x.on);
  spdlog::info("node {} {}", x.node,
               x.on ? "gives its shards away" : "takes shards again");
  plan();
  if (!x.on)
    return operator_answer{fmt::format("node {} takes shards again", x.node)};
  auto status = node_status_of(*id);
  if (configs_->is_empty(*id))
    return operator_answer{
      fmt::format("node {} is empty: it may be stopped", x.node)};
  if (status.state == "down")
    return to_error(
      {ec::unavailable,
       fmt::format("node {} is down, and can't hand over what it holds; start "
                   "it again, and it goes on, or, if its disk is gone for "
                   "good, see `weir admin remove --help`",
                   x.node)});
  return operator_answer{
    fmt::format("node {} gives away {} primaries and {} backups", x.node,
                status.primaries, status.backups)};
}

/// A node that is connected could go on as if nothing had happened.
result<void> coordinator_host_state::check_absent(const std::string& id) const {
  auto& node = *configs_->nodes().find(id);
  if (node.up)
    return fail(
      ec::conflict,
      fmt::format("node {} is up; drain it and stop it first", node.name));
  if (members_.at(id).actor)
    return fail(ec::conflict,
                fmt::format("node {} is silent, but still connected: it may go "
                            "on at any time; stop it, or try again in a few "
                            "seconds, when its connection has timed out",
                            node.name));
  return {};
}

caf::result<operator_answer> coordinator_host_state::remove(
  const remove_node& x) {
  auto id = find_node(x.node);
  if (!id)
    return to_error(id.error());
  if (auto res = check_absent(*id); !res)
    return to_error(res.error());
  auto& node = *configs_->nodes().find(*id);
  auto disk = node_disk{node.self.node, node.self.disk};
  auto what
    = fmt::format("operator: the disk of node {} ({}) is gone", x.node, *id);
  if (auto res = context_.store->put_event({context_.now(), what}); !res)
    return to_error(res.error());
  if (auto res = context_.store->put_gone(disk, context_.now()); !res)
    return to_error(res.error());
  spdlog::warn("the disk of node {} is declared gone", x.node);
  configs_->nodes().declare_gone(disk);
  plan();
  return operator_answer{
    fmt::format("node {} is gone for good: nothing waits for its disk any "
                "more, and it can't come back with it",
                x.node)};
}

caf::result<operator_answer> coordinator_host_state::forget(
  const forget_node& x) {
  auto id = find_node(x.node);
  if (!id)
    return to_error(id.error());
  if (auto res = check_absent(*id); !res)
    return to_error(res.error());
  if (auto shards = configs_->count_held(*id); shards > 0)
    return to_error(
      {ec::conflict,
       fmt::format("node {} counts for {} shard{}: drain it, so that others "
                   "take them over; or, if its disk is gone for good, `weir "
                   "admin remove {} --yes`",
                   x.node, shards, shards == 1 ? "" : "s", x.node)});
  auto what = fmt::format("operator: forget node {} ({})", x.node, *id);
  if (auto res = context_.store->put_event({context_.now(), what}); !res)
    return to_error(res.error());
  if (auto res = context_.store->remove_node(*id); !res)
    return to_error(res.error());
  spdlog::info("node {} is forgotten", x.node);
  configs_->nodes().forget(*id);
  members_.erase(*id);
  plan();
  return operator_answer{fmt::format("node {} is forgotten", x.node)};
}

caf::result<operator_answer> coordinator_host_state::promote(
  const promote_replica& x) {
  auto id = find_node(x.node);
  if (!id)
    return to_error(id.error());
  auto how = forced_promotion{*id, x.accept_loss, x.old_primary_stopped};
  // On the record first, whatever comes of it.
  auto what
    = fmt::format("operator: promote node {} ({}) to primary of shard "
                  "{}{}{}",
                  x.node, *id, x.shard, x.accept_loss ? ", loss accepted" : "",
                  x.old_primary_stopped ? ", old primary stopped" : "");
  if (auto res = context_.store->put_event({context_.now(), what}); !res)
    return to_error(res.error());
  spdlog::warn("{}", what);
  if (auto res = configs_->force(x.shard, how); !res)
    return to_error(res.error());
  plan();
  return operator_answer{
    fmt::format("shard {} will be led by node {} as soon as that has said what "
                "it holds; see `weir status`",
                x.shard, x.node)};
}

caf::result<planned_moves> coordinator_host_state::preview(
  const plan_moves& x) const {
  auto nodes = std::vector<placeable_node>{};
  auto removed = [&](const std::string& node) {
    return std::find(x.removed.begin(), x.removed.end(), node)
           != x.removed.end();
  };
  for (auto& node : x.removed)
    if (auto id = find_node(node); !id)
      return to_error(id.error());
  for (auto& [id, node] : configs_->nodes().all())
    if (node.up && !node.draining && !removed(node.name))
      nodes.push_back({id, node.weight, false});
  for (auto& node : x.added)
    nodes.push_back({node, 1, false});
  auto present = std::vector<shard_placement>{};
  for (auto i = uint32_t{0}; i < configs_->shards(); ++i) {
    auto& config = configs_->config(i);
    auto& at = present.emplace_back();
    if (!config.primary.empty())
      at.push_back(config.primary);
    for (auto& m : config.members)
      if (m.node != config.primary)
        at.push_back(m.node);
  }
  auto next
    = balance(nodes, present, x.replicas > 0 ? x.replicas : settings_.replicas);
  auto res = planned_moves{};
  for (auto i = uint32_t{0}; i < configs_->shards(); ++i) {
    auto& from = present[i];
    auto& to = next[i];
    auto report = reports_.find(i);
    auto bytes = report != reports_.end() ? report->second.window_bytes : 0;
    auto primary = from.empty() ? std::string{} : name_of(from.front());
    auto holds = [](auto& xs, auto& y) {
      return std::find(xs.begin(), xs.end(), y) != xs.end();
    };
    for (auto& id : to)
      if (!holds(from, id))
        res.moves.push_back({i, "copy", primary, name_of(id), bytes});
    if (!to.empty() && !from.empty() && to.front() != from.front())
      res.moves.push_back({i, "primary", primary, name_of(to.front()), 0});
    for (auto& id : from)
      if (!to.empty() && !holds(to, id))
        res.moves.push_back({i, "drop", name_of(id), {}, 0});
  }
  return res;
}

} // namespace weir
