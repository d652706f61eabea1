#include "actors/coordinator_host.hpp"

#include "actors/dialer.hpp"
#include "actors/farewell.hpp"
#include "messages/types.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

// Which nodes there are: how they join, what they are called, and how their
// loss is noticed.

namespace weir {

namespace {

/// A process that is there answers within milliseconds; how long an operator's
/// machine may take to refuse.
constexpr auto probe_timeout = std::chrono::milliseconds{300};

} // namespace

caf::result<welcome> coordinator_host_state::greet(const hello& x) const {
  return open_door(x, context_.cluster, "coordinator", context_.name);
}

bool coordinator_host_state::is_up(const std::string& id) const {
  auto node = configs_->nodes().find(id);
  return node != nullptr && node->up;
}

std::string coordinator_host_state::name_of(const std::string& id) const {
  auto node = configs_->nodes().find(id);
  return node != nullptr ? node->name : id;
}

result<std::string> coordinator_host_state::find_node(
  const std::string& wanted) const {
  auto known = std::string{};
  for (auto& [id, node] : configs_->nodes().all()) {
    if (node.name == wanted)
      return id;
    known += (known.empty() ? "" : ", ") + node.name;
  }
  return fail(ec::not_found,
              fmt::format("there is no node {}; there are: {}", wanted, known));
}

std::string coordinator_host_state::choose_name(const join_node& x) const {
  if (!x.name.empty())
    return x.name;
  if (auto known = configs_->nodes().find(x.node))
    return known->name;
  for (auto i = configs_->nodes().all().size() + 1;; ++i)
    if (auto free = fmt::format("n{}", i); !find_node(free))
      return free;
}

/// A name belongs to the node that runs under it: one that is away, perhaps for
/// good, gets another.
/// @returns whose name it was, as that one is called from then on
result<std::optional<cluster_node>> coordinator_host_state::who_yields(
  const std::string& wanted, const std::string& id) const {
  auto owner = find_node(wanted);
  if (!owner || *owner == id)
    return std::nullopt;
  auto other = *configs_->nodes().find(*owner);
  auto& at = members_.at(*owner).listens;
  if (other.up)
    return fail(ec::conflict,
                fmt::format("the name {} belongs to another node, which runs "
                            "at {}:{}; start this one with another --name",
                            wanted, at.host, at.port));
  other.name = fmt::format("{}@{}", wanted, owner->substr(0, 6));
  // Its place is free: the new one is there.
  other.last_seen = ticks() - context_.process.replace_after;
  return other;
}

node_record coordinator_host_state::record_of(const cluster_node& x,
                                              const address& listens,
                                              time_ms last_seen) const {
  auto res = node_record{};
  res.id = x.self.node;
  res.disk = x.self.disk;
  res.name = x.name;
  res.address = to_string(endpoint{listens.host, listens.port});
  res.incarnation = x.self.incarnation;
  res.last_seen = last_seen;
  res.state = x.draining ? node_state::draining : node_state::alive;
  return res;
}

/// Nothing is so before it is written down.
caf::result<joined> coordinator_host_state::join(
  const join_node& x, const caf::strong_actor_ptr& sender) {
  if (auto res = check_generation(x); !res)
    return to_error(res.error());
  auto node = cluster_node{};
  node.self = {x.node, x.disk, x.incarnation};
  node.name = choose_name(x);
  // Before it takes away anyone's name.
  if (configs_->nodes().is_gone({x.node, x.disk}))
    return to_error(
      {ec::conflict,
       fmt::format("the disk of node {} was declared gone, and others have "
                   "gone on without what it holds; start with an empty data "
                   "directory",
                   node.name)});
  auto known = configs_->nodes().find(x.node);
  if (known != nullptr && known->self.disk == x.disk
      && x.incarnation < known->self.incarnation)
    return to_error(
      {ec::conflict,
       fmt::format("node {} has been started once more since this one was, "
                   "here or from a copy of its data directory; only the last "
                   "one takes part",
                   node.name)});
  auto other = who_yields(node.name, x.node);
  if (!other)
    return to_error(other.error());
  if (known != nullptr)
    node.draining = known->draining;
  auto now = context_.now();
  auto records = std::vector{record_of(node, x.listens, now)};
  if (auto& yields = *other) {
    auto& at = members_.at(yields->self.node);
    auto& record
      = records.emplace_back(record_of(*yields, at.listens, at.last_seen));
    if (!yields->draining)
      record.state = node_state::dead;
  }
  if (auto res = context_.store->put_nodes(records); !res)
    return to_error(res.error());
  if (auto& yields = *other) {
    spdlog::warn("the node that was called {} is now called {}", node.name,
                 yields->name);
    configs_->nodes().remember(*yields);
  }
  configs_->nodes().join(node, ticks());
  auto& entry = members_[x.node];
  entry.listens = x.listens;
  entry.version = x.version;
  entry.last_seen = now;
  entry.news = {};
  entry.told.clear();
  entry.measured = 0;
  entry.actor = caf::actor_cast<node_actor>(sender);
  watch(self_, entry.actor);
  spdlog::info("node {} has joined from {}:{}", node.name, x.listens.host,
               x.listens.port);
  // The answer first: a node can't take shards before it knows the settings.
  self_->send(self_, timer{introduce_timer});
  return joined{context_.cluster, node.name, settings_text_};
}

void coordinator_host_state::introduce() {
  // Of two nodes one connects to the other. Whoever shares the coordinator's
  // process is connected to already.
  auto local = [&](const member_node& x) {
    return x.actor.node() == self_->node();
  };
  for (auto& [id, to] : members_) {
    if (!to.actor)
      continue;
    auto peers = peer_list{};
    for (auto& [other, x] : members_) {
      if (other == id || !x.actor)
        continue;
      auto dials = local(to) != local(x) ? local(x) : id < other;
      peers.nodes.push_back({other, name_of(other), x.listens, dials});
    }
    self_->send(to.actor, peers);
  }
}

// -- losing them

void coordinator_host_state::lose(const std::string& id) {
  auto member = members_.find(id);
  if (member == members_.end() || member->second.actor)
    return; // It is forgotten, or back.
  spdlog::warn("node {} is gone", name_of(id));
  configs_->nodes().lose(id, ticks());
  plan();
}

void coordinator_host_state::probe(const std::string& id) {
  if (!context_.dialer)
    return lose(id);
  // Not just the connection: who is there will come back, or will be silent.
  self_
    ->request(context_.dialer, 3 * probe_timeout,
              dial{members_[id].listens,
                   {wire_version, context_.cluster, "coordinator", {}},
                   probe_timeout})
    .then([](const dialed&) {},
          [this, id](caf::error&) {
            lose(id);
          });
}

void coordinator_host_state::down(const caf::down_msg& x) {
  for (auto& [id, member] : members_) {
    if (!member.actor || member.actor.address() != x.source)
      continue;
    member.actor = nullptr;
    member.rate = 0;
    if (is_farewell(x))
      return lose(id);
    spdlog::warn("the connection to node {} is lost", name_of(id));
    probe(id);
    return;
  }
  for (auto i = live_.begin(); i != live_.end(); ++i) {
    if (i->second->address() != x.source)
      continue;
    live_.erase(i);
    return;
  }
}

} // namespace weir
