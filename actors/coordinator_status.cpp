#include "actors/coordinator_host.hpp"

#include <caf/typed_response_promise.hpp>

#include <algorithm>

namespace weir {

namespace {

/// A node that takes longer to answer is shown as it was.
constexpr auto status_timeout = std::chrono::seconds{1};

} // namespace

routes coordinator_host_state::where() const {
  auto res = routes{};
  res.cluster = context_.cluster;
  res.settings = settings_text_;
  auto indexes = std::map<std::string, uint32_t>{};
  for (auto& [id, node] : configs_->nodes().all()) {
    indexes.emplace(id, static_cast<uint32_t>(res.nodes.size()));
    auto member = members_.find(id);
    auto where = member != members_.end() ? member->second.listens : address{};
    res.nodes.push_back({id, node.name, where, node.up});
  }
  for (auto i = uint32_t{0}; i < configs_->shards(); ++i) {
    auto& config = configs_->config(i);
    auto route = shard_route{};
    if (auto owner = indexes.find(config.primary); owner != indexes.end())
      route.node = owner->second;
    for (auto& m : config.members)
      if (auto node = indexes.find(m.node);
          node != indexes.end() && m.node != config.primary && is_up(m.node))
        route.backups.push_back(node->second);
    route.epoch = config.epoch;
    route.trouble = configs_->trouble(i);
    res.shards.push_back(std::move(route));
  }
  return res;
}

caf::result<cluster_status> coordinator_host_state::status() {
  // Heartbeats are a little old; whoever asks after an acknowledgement wants
  // to see what was acknowledged.
  auto promise = self_->make_response_promise<cluster_status>();
  auto left = std::make_shared<size_t>(1);
  auto done = [this, left, promise]() mutable {
    if (--*left == 0)
      promise.deliver(known_status());
  };
  for (auto& [id, member] : members_) {
    if (!member.actor || !is_up(id))
      continue;
    ++*left;
    self_->request(member.actor, status_timeout, get_heartbeat{})
      .then(
        [this, done](const heartbeat& x) mutable {
          take(x);
          done();
        },
        [done](caf::error&) mutable {
          done(); // Its last heartbeat must do.
        });
  }
  done();
  return promise;
}

node_status coordinator_host_state::node_status_of(
  const std::string& id) const {
  auto& node = *configs_->nodes().find(id);
  auto res = node_status{};
  res.name = node.name;
  res.node = id;
  res.state = node.up ? "up" : "down";
  if (node.draining && node.up)
    res.state = configs_->is_empty(id) ? "drained" : "draining";
  for (auto i = uint32_t{0}; i < configs_->shards(); ++i) {
    auto& config = configs_->config(i);
    for (auto& m : config.members)
      if (m.node == id)
        ++(config.primary == id ? res.primaries : res.backups);
  }
  auto i = members_.find(id);
  if (i == members_.end())
    return res;
  res.listens = i->second.listens;
  res.version = i->second.version;
  res.last_seen = i->second.last_seen;
  if (!node.up)
    return res;
  auto& news = i->second.news;
  res.memory_bytes = news.memory_bytes;
  res.journal_bytes = news.journal_bytes;
  res.pending_bytes = news.pending_bytes;
  res.trouble = news.trouble;
  res.rate = i->second.rate;
  for (auto& shard : news.shards)
    if (shard.replica.role == replica_role::primary)
      res.entities += shard.entities;
  return res;
}

shard_status coordinator_host_state::shard_status_of(uint32_t shard) const {
  auto res = shard_status{};
  auto& config = configs_->config(shard);
  res.shard = shard;
  res.epoch = config.epoch;
  if (!config.primary.empty())
    res.primary = name_of(config.primary);
  for (auto& m : config.members)
    if (m.node != config.primary)
      res.backups.push_back(name_of(m.node));
  for (auto& id : configs_->target(shard))
    res.target.push_back(name_of(id));
  auto add_copy = [&](const std::string& id, const replica_report* x) {
    auto copy = copy_status{};
    copy.node = name_of(id);
    if (x != nullptr) {
      copy.role = to_string(x->role);
      copy.end = x->end.index;
      copy.applied = x->committed.index;
      copy.text = x->failed || x->role != replica_role::primary ? x->text : "";
    }
    res.copies.push_back(std::move(copy));
  };
  for (auto& [id, node] : configs_->nodes().all()) {
    auto is_member
      = std::any_of(config.members.begin(), config.members.end(), [&](auto& m) {
          return m.node == id;
        });
    auto report = node.up ? configs_->find_report(shard, id) : nullptr;
    if (is_member || report != nullptr)
      add_copy(id, report);
  }
  res.text = configs_->trouble(shard);
  auto found = reports_.find(shard);
  auto leads = configs_->find_report(shard, config.primary);
  auto moving = std::any_of(res.target.begin(), res.target.end(),
                            [&](auto& node) {
                              return node != res.primary
                                     && std::find(res.backups.begin(),
                                                  res.backups.end(), node)
                                          == res.backups.end();
                            })
                || (!res.target.empty() && res.target.front() != res.primary);
  if (!res.text.empty())
    res.state = is_up(config.primary)
                    && (leads == nullptr || leads->epoch < config.epoch)
                  ? "recovering"
                  : "unavailable";
  else
    res.state = moving ? "moving" : "serving";
  if (found == reports_.end())
    return res;
  res.empty = found->second.replica.empty;
  res.index = found->second.replica.committed.index;
  res.entities = found->second.entities;
  res.window_bytes = found->second.window_bytes;
  return res;
}

cluster_status coordinator_host_state::known_status() const {
  auto res = cluster_status{};
  res.watermark = rollups_->watermark().record().watermark;
  res.cluster = context_.cluster;
  res.clock = clock_;
  res.settings = settings_text_;
  for (auto& [id, node] : configs_->nodes().all())
    res.nodes.push_back(node_status_of(id));
  for (auto& node : res.nodes)
    res.rate += node.rate;
  for (auto i = uint32_t{0}; i < configs_->shards(); ++i) {
    res.shards.push_back(shard_status_of(i));
    auto report = reports_.find(i);
    if (report == reports_.end())
      continue;
    res.rollup += report->second.rollup;
    auto& counts = report->second.ledger;
    res.ledger.accepted += counts.accepted;
    res.ledger.late += counts.late;
    res.ledger.future += counts.future;
    res.ledger.refused += counts.refused;
    for (auto& x : report->second.copies)
      res.moves.push_back({i, name_of(configs_->config(i).primary),
                           name_of(x.to), x.bytes, x.bytes_in_all, x.elapsed});
  }
  auto& ledger = res.ledger;
  ledger.malformed = sessions_->malformed();
  ledger.duplicate = sessions_->duplicate();
  for (auto& [id, x] : sessions_->producers())
    res.producers.push_back(
      {id, x.name, x.session, x.prefix, live_.count(id) > 0,
       x.earlier_malformed + x.malformed, x.earlier_duplicate + x.duplicate});
  ledger.received = ledger.accepted + ledger.duplicate + ledger.late
                    + ledger.future + ledger.malformed + ledger.refused;
  return res;
}

} // namespace weir
