#include "actors/ingest_host.hpp"

#include "messages/types.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

// Whom an import is connected with: the coordinator, which says who serves
// what, and the nodes.

namespace weir {

namespace {

/// Routes are asked for at most this often: what a shard's move costs at least,
/// if the new primary is quicker.
constexpr auto refresh_every = std::chrono::milliseconds{40};

failure another_cluster() {
  return {ec::wrong_cluster,
          "another cluster answers at the coordinator's address"};
}

} // namespace

// -- coordinator

void ingest_host_state::dial_coordinator() {
  if (dialing_)
    return;
  dialing_ = true;
  auto timeout = std::chrono::milliseconds{context_.process.timeout};
  auto& to = context_.process.join;
  self_
    ->request(
      context_.dialer, 3 * timeout,
      dial{{to.host, to.port}, {wire_version, {}, "client", {}}, timeout})
    .then(
      [this](const dialed& x) {
        dialing_ = false;
        if (x.who.role != "coordinator")
          return give_up(
            {ec::invalid_argument,
             fmt::format("{} is a {}; --join wants the "
                         "coordinator's address",
                         to_string(context_.process.join), x.who.role)});
        if (routes_ && x.who.cluster != routes_->cluster)
          return give_up(another_cluster());
        coordinator_ = caf::actor_cast<coordinator_actor>(x.actor);
        self_->monitor(coordinator_);
        // It may have been restarted, and then waits to hear of everybody.
        report();
        if (phase_ == phase::connecting)
          links_.init(self_, context_.dialer, x.who.cluster,
                      std::chrono::milliseconds{context_.process.timeout});
        refresh();
      },
      [this](caf::error& err) {
        dialing_ = false;
        auto why = to_failure(err, to_string(context_.process.join));
        if (why.code == ec::version_mismatch || phase_ == phase::connecting)
          return give_up(std::move(why));
        refresh_is_due_ = true;
      });
}

void ingest_host_state::refresh() {
  refresh_is_due_ = true;
  if (refreshing_ || dialing_
      || self_->clock().now() - refreshed_ < refresh_every)
    return;
  if (!coordinator_)
    return dial_coordinator();
  refresh_is_due_ = false;
  refreshing_ = true;
  refreshed_ = self_->clock().now();
  self_
    ->request(coordinator_, std::chrono::milliseconds{context_.process.timeout},
              get_routes{})
    .then(
      [this](const routes& x) {
        routes_arrived(x);
      },
      [this](caf::error& err) {
        refreshing_ = false;
        refresh_is_due_ = true;
        trouble_ = to_failure(err, "the coordinator").text;
      });
}

void ingest_host_state::routes_arrived(const routes& x) {
  refreshing_ = false;
  if (routes_ && x.shards.size() != routes_->shards.size())
    return give_up(another_cluster());
  // One that was changed meanwhile to what this version does not know is no
  // reason to stop.
  if (auto settings = cluster_settings_from(x.settings.values))
    cluster_ = *settings;
  else if (!routes_)
    return give_up(std::move(settings.error()));
  auto before = std::exchange(routes_, x);
  if (outbox_ == nullptr) {
    outbox_ = std::make_unique<outbox>(static_cast<uint32_t>(x.shards.size()));
    lanes_.resize(x.shards.size());
  }
  count_nodes();
  if (before && phase_ == phase::streaming) {
    connect_all();
    follow_moves(*before);
  }
  if (phase_ == phase::connecting) {
    phase_ = phase::opening;
    open_producer_session();
  } else if (phase_ == phase::opening) {
    open_shards();
  } else {
    pump_later();
  }
}

void ingest_host_state::count_nodes() {
  auto nodes = routes_->nodes.size();
  shards_of_.assign(nodes, {});
  bytes_of_.assign(nodes, 0);
  for (auto i = uint32_t{0}; i < lanes_.size(); ++i) {
    auto node = routes_->shards[i].node;
    if (node >= nodes)
      continue;
    shards_of_[node].push_back(i);
    bytes_of_[node] += outbox_->bytes(i);
  }
  auto serving
    = std::count_if(shards_of_.begin(), shards_of_.end(), [](auto& x) {
        return !x.empty();
      });
  context_.gate->set_room(context_.process.inflight_bytes_max
                          * static_cast<uint64_t>(std::max<long>(serving, 1)));
  count(0, 0, 0);
}

void ingest_host_state::count(uint32_t shard, uint64_t added,
                              uint64_t removed) {
  if (auto node = routes_->shards[shard].node; node < bytes_of_.size())
    bytes_of_[node] += added - removed;
  auto limit = context_.process.inflight_bytes_max;
  context_.gate->set_node_full(
    std::any_of(bytes_of_.begin(), bytes_of_.end(), [=](uint64_t x) {
      return x >= limit;
    }));
}

const node_route* ingest_host_state::node_of(uint32_t shard) const {
  auto node = routes_->shards[shard].node;
  return node < routes_->nodes.size() ? &routes_->nodes[node] : nullptr;
}

// -- connections

/// A shard that moves does not wait for a connection.
void ingest_host_state::connect_all() {
  for (auto& node : routes_->nodes)
    if (node.up)
      connect(node.listens);
}

void ingest_host_state::connect(const address& to) {
  links_.connect(to, [this, to](bool up) {
    if (up)
      return node_is_up(to);
    auto& nodes = routes_->nodes;
    auto needed = std::any_of(
      routes_->shards.begin(), routes_->shards.end(), [&](auto& shard) {
        return shard.node < nodes.size() && nodes[shard.node].listens == to;
      });
    if (!needed)
      return;
    trouble_ = links_.trouble(to);
    context_.gate->show(progress());
    refresh_is_due_ = true;
  });
}

void ingest_host_state::node_is_up(const address& to) {
  if (phase_ == phase::opening)
    return open_shards();
  // Whatever was on its way may be lost.
  for (auto i = uint32_t{0}; i < lanes_.size(); ++i) {
    auto node = node_of(i);
    if (node != nullptr && node->listens == to)
      outbox_->restart(i, outbox_->attempt(i));
  }
  pump_later();
}

void ingest_host_state::down(const caf::down_msg& x) {
  if (coordinator_ && x.source == coordinator_.address()) {
    coordinator_ = nullptr;
    reporting_ = false;
    refresh_is_due_ = true;
    return;
  }
  if (links_.lost(x))
    refresh_is_due_ = true;
}

} // namespace weir
