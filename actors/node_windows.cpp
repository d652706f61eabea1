#include "actors/node_host.hpp"

#include <caf/typed_response_promise.hpp>

#include <spdlog/spdlog.h>

#include <algorithm>

// A node's part in windows over all entities.

namespace weir {

namespace {

/// A shard that is busier than that is missing from a partial answer.
constexpr auto partials_timeout = std::chrono::milliseconds{500};

} // namespace

void node_host_state::plan(const plan_text& x) {
  if (x.version > plan_->version())
    copy_.when_current([this, x] {
      take_plan(x);
    });
}

void node_host_state::take_plan(const plan_text& x) {
  if (x.version <= plan_->version())
    return;
  auto next = std::make_shared<window_plan>();
  auto in = byte_reader{x.bytes};
  if (!next->decode(in) || !in.done())
    return spdlog::error("plan {} of the windows does not decode", x.version);
  plan_ = std::move(next);
}

void node_host_state::seal(const seal_windows& x) {
  // Its shards would seal windows that they don't know yet.
  if (x.plan_version > plan_->version())
    return;
  auto asked = std::vector<uint32_t>{};
  for (auto& [id, epoch] : x.shards) {
    auto i = shards_.find(id);
    if (i == shards_.end() || !i->second.actor
        || i->second.news.replica.role != replica_role::primary)
      continue;
    asked.push_back(id);
    self_->send(i->second.actor, seal_shard{x.range, plan_});
  }
  sealed_through_
    = std::max(sealed_through_, x.range.single ? before_time : x.range.through);
  sealing_.expect(x.range, asked, self_->clock().now());
}

void node_host_state::sealed(const shard_sealed& x) {
  sealing_.take(x);
  send_sealed();
}

void node_host_state::send_sealed() {
  if (!is_member())
    return;
  if (auto part = sealing_.finish(self_->clock().now())) {
    part->node = context_.node;
    self_->send(coordinator_, std::move(*part));
  }
}

caf::result<held_partials> node_host_state::partials(const get_partials& x) {
  auto promise = self_->make_response_promise<held_partials>();
  struct gathering {
    size_t left = 1;
    held_partials res;
    std::vector<window_partial> merged;
    time_ms reach = window_plan::forever;
  };
  auto all = std::make_shared<gathering>();
  auto done = [all, promise, max = x.windows_max]() mutable {
    if (--all->left > 0)
      return;
    keep_first(all->merged, all->reach, max);
    auto out = byte_writer{all->res.windows};
    encode_windows(all->merged, out);
    promise.deliver(std::move(all->res));
  };
  for (auto& [id, shard] : shards_) {
    if (!shard.actor)
      continue;
    ++all->left;
    self_
      ->request<caf::message_priority::high>(shard.actor, partials_timeout, x)
      .then(
        [all, done, id = id,
         max = x.windows_max](const shard_windows& y) mutable {
          all->res.shards.push_back(id);
          all->reach = std::min(all->reach, reach_of(y.windows, max));
          merge(all->merged, y.windows);
          done();
        },
        [done](caf::error&) mutable {
          done(); // It is missing from the list.
        });
  }
  done();
  return promise;
}

} // namespace weir
