#include "actors/coordinator_host.hpp"

#include <caf/typed_response_promise.hpp>

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
  for (auto& [id, node] : directory_->nodes()) {
    indexes.emplace(id, static_cast<uint32_t>(res.nodes.size()));
    res.nodes.push_back({node.name, {node.host, node.port}, node.up});
  }
  for (auto i = uint32_t{0}; i < directory_->shards(); ++i) {
    auto& config = directory_->config(i);
    auto route = shard_route{};
    if (auto owner = indexes.find(config.primary); owner != indexes.end())
      route.node = owner->second;
    route.epoch = config.epoch;
    route.trouble = directory_->trouble(i);
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
    auto node = directory_->nodes().find(id);
    if (!member.actor || node == directory_->nodes().end() || !node->second.up)
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

cluster_status coordinator_host_state::known_status() const {
  auto res = cluster_status{};
  res.watermark = rollups_->watermark().record().watermark;
  res.cluster = context_.cluster;
  res.clock = clock_;
  res.settings = settings_text_;
  for (auto& [id, node] : directory_->nodes()) {
    auto x = node_status{};
    x.name = node.name;
    x.node = id;
    x.listens = {node.host, node.port};
    x.state = node.up ? "up" : "down";
    x.last_seen = node.last_seen;
    if (auto i = members_.find(id); i != members_.end() && node.up) {
      auto& news = i->second.news;
      x.memory_bytes = news.memory_bytes;
      x.journal_bytes = news.journal_bytes;
      x.pending_bytes = news.pending_bytes;
      x.trouble = news.trouble;
      x.rate = i->second.rate;
      for (auto& shard : news.shards)
        x.entities += shard.entities;
      res.rate += x.rate;
    }
    res.nodes.push_back(std::move(x));
  }
  auto& ledger = res.ledger;
  for (auto i = uint32_t{0}; i < directory_->shards(); ++i) {
    auto x = shard_status{};
    auto& config = directory_->config(i);
    x.shard = i;
    x.epoch = config.epoch;
    auto owner = directory_->nodes().find(config.primary);
    if (owner != directory_->nodes().end())
      x.primary = owner->second.name;
    for (auto& node : res.nodes)
      node.primaries += node.node == config.primary ? 1 : 0;
    x.text = directory_->trouble(i);
    auto up = owner != directory_->nodes().end() && owner->second.up;
    x.state = x.text.empty() ? (directory_->moving(i) ? "moving" : "serving")
              : up && directory_->news(i) == nullptr ? "recovering"
                                                     : "unavailable";
    if (auto report = reports_.find(i); report != reports_.end()) {
      x.empty = report->second.empty;
      x.index = report->second.index;
      x.entities = report->second.entities;
      x.window_bytes = report->second.window_bytes;
      res.rollup += report->second.rollup;
      auto& counts = report->second.ledger;
      ledger.accepted += counts.accepted;
      ledger.late += counts.late;
      ledger.future += counts.future;
      ledger.refused += counts.refused;
    }
    res.shards.push_back(std::move(x));
  }
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
