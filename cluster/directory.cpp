#include "cluster/directory.hpp"

#include "cluster/placement.hpp"

#include <fmt/format.h>

#include <cassert>

namespace weir {

directory::directory(config_store& store, uint32_t shards)
  : store_(store), shards_(shards) {
  for (auto i = uint32_t{0}; i < shards; ++i)
    shards_[i].config.shard = i;
}

result<void> directory::load() {
  auto all = store_.get_all();
  if (!all)
    return tl::unexpected(std::move(all.error()));
  for (auto& x : *all) {
    if (x.shard >= shards_.size())
      return fail(ec::damaged,
                  fmt::format("the catalog holds shard {}, but the cluster has "
                              "only {}",
                              x.shard, shards_.size()));
    shards_[x.shard].config = std::move(x);
  }
  return {};
}

void directory::remember(known_node x) {
  nodes_[x.self.node] = std::move(x);
}

result<void> directory::join(known_node x,
                             const std::map<uint32_t, log_position>& held) {
  auto& id = x.self.node;
  if (auto other = find_name(x.name);
      other != nullptr && other->self.node != id)
    return fail(ec::conflict,
                fmt::format("the name {} belongs to another node, last seen "
                            "at {}:{}; start this one with another --name, or "
                            "with that node's data directory",
                            x.name, other->host, other->port));
  for (auto& shard : shards_) {
    if (shard.config.primary != id)
      continue;
    shard.damage.clear();
    shard.news.reset();
    stop_move(shard);
    auto& primary = shard.config.members.front();
    auto log = held.find(shard.config.shard);
    auto index = log != held.end() ? log->second.index : 0;
    if (primary.disk != x.self.disk)
      shard.damage = fmt::format("it was on another disk of node {}", x.name);
    else if (index < shard.committed.index)
      shard.damage = fmt::format("node {} has lost the end of its log: it ends "
                                 "at entry {}, but {} was committed",
                                 x.name, index, shard.committed.index);
  }
  x.up = true;
  nodes_[id] = std::move(x);
  return {};
}

void directory::leave(const std::string& node) {
  auto i = nodes_.find(node);
  if (i == nodes_.end())
    return;
  i->second.up = false;
  for (auto& shard : shards_) {
    if (shard.config.primary == node) {
      shard.news.reset();
      stop_move(shard);
    } else if (shard.moving_to == node) {
      shard.moving_to.clear();
    }
  }
}

void directory::stop_move(entry& x) {
  x.renew = x.renew || !x.moving_to.empty();
  x.moving_to.clear();
}

void directory::seen(const std::string& node, time_ms now) {
  if (auto i = nodes_.find(node); i != nodes_.end()) {
    i->second.up = true;
    i->second.last_seen = now;
  }
}

std::vector<std::string> directory::silent(time_ms limit) const {
  auto res = std::vector<std::string>{};
  for (auto& [id, x] : nodes_)
    if (x.up && x.last_seen < limit)
      res.push_back(id);
  return res;
}

void directory::report(const std::string& node,
                       const std::map<uint32_t, shard_news>& news) {
  for (auto& x : shards_) {
    if (x.config.primary != node)
      continue;
    auto i = news.find(x.config.shard);
    if (i == news.end() || i->second.epoch != x.config.epoch) {
      x.news.reset();
      continue;
    }
    // An empty shard has nothing to lose, and may leave with its no-ops.
    if (!i->second.empty)
      remember_commit(x.config.shard, i->second.committed);
    x.news = i->second;
  }
}

result<void> directory::released(const std::string& node, uint32_t shard,
                                 uint64_t epoch, bool gone) {
  if (shard >= shards_.size())
    return {};
  auto& x = shards_[shard];
  if (x.config.primary != node || x.config.epoch != epoch)
    return {}; // An answer to a question of long ago.
  auto to = nodes_.find(x.moving_to);
  x.moving_to.clear();
  if (!gone) {
    if (x.news)
      x.news->empty = false;
    return {};
  }
  auto& next = to != nodes_.end() && to->second.up ? to->second.self
                                                   : nodes_.at(node).self;
  return install(shard, next);
}

result<void> directory::install(uint32_t shard, const member& primary) {
  auto& x = shards_[shard];
  auto next = x.config;
  next.epoch = x.config.epoch + 1;
  next.primary = primary.node;
  next.members = {primary};
  next.eligible.clear();
  auto done = store_.compare_and_set(shard, x.config.epoch, next);
  if (!done)
    return tl::unexpected(std::move(done.error()));
  if (!*done)
    return fail(ec::conflict,
                fmt::format("another coordinator has changed shard {}", shard));
  x.config = std::move(next);
  x.renew = false;
  x.news.reset();
  return {};
}

result<std::vector<directive>> directory::plan() {
  auto up = std::vector<std::string>{};
  for (auto& [id, node] : nodes_)
    if (node.up)
      up.push_back(id);
  auto placed = std::vector<placed_shard>(shards_.size());
  for (auto& x : shards_) {
    auto shard = x.config.shard;
    if (auto node = owner(x); node != nullptr && node->up && x.damage.empty()) {
      // A restarted process is somebody else, and needs an epoch of its own.
      if (x.renew || !(x.config.members.front() == node->self))
        if (auto res = install(shard, node->self); !res)
          return tl::unexpected(std::move(res.error()));
    }
    placed[shard].owner = x.moving_to.empty() ? x.config.primary : x.moving_to;
    placed[shard].movable = x.moving_to.empty() && x.damage.empty() && x.news
                            && x.news->serving && x.news->empty;
  }
  for (auto& move : place(up, placed)) {
    auto& x = shards_[move.shard];
    if (move.from.empty()) {
      if (auto res = install(move.shard, nodes_.at(move.to).self); !res)
        return tl::unexpected(std::move(res.error()));
    } else {
      x.moving_to = move.to;
    }
  }
  auto res = std::vector<directive>{};
  for (auto& x : shards_) {
    auto node = owner(x);
    if (node == nullptr || !node->up || !x.damage.empty())
      continue;
    if (!x.news)
      res.push_back({directive::what::assign, x.config.primary, x.config.shard,
                     x.config.epoch});
    else if (!x.moving_to.empty())
      res.push_back({directive::what::release, x.config.primary, x.config.shard,
                     x.config.epoch});
  }
  return res;
}

void directory::remember_commit(uint32_t shard, const log_position& x) {
  if (shard < shards_.size() && x.index > shards_[shard].committed.index)
    shards_[shard].committed = x;
}

const known_node* directory::find_name(const std::string& name) const {
  for (auto& [id, node] : nodes_)
    if (node.name == name)
      return &node;
  return nullptr;
}

const shard_news* directory::news(uint32_t shard) const {
  auto& x = shards_[shard].news;
  return x ? &*x : nullptr;
}

std::string directory::trouble(uint32_t shard) const {
  auto& x = shards_[shard];
  auto node = owner(x);
  if (node == nullptr)
    return "no node has joined yet";
  if (!x.damage.empty())
    return x.damage;
  if (!node->up)
    return fmt::format("its node {} is down", node->name);
  if (!x.news)
    return fmt::format("node {} is taking it over", node->name);
  return x.news->serving ? std::string{} : x.news->trouble;
}

const known_node* directory::owner(const entry& x) const {
  auto i = nodes_.find(x.config.primary);
  return i != nodes_.end() ? &i->second : nullptr;
}

} // namespace weir
