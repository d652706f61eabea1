#include "actors/node_host.hpp"

#include "messages/types.hpp"

#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>

// What passes through a node: blocks and questions.

namespace weir {

namespace {

/// A block's bytes, counted as pending until nobody holds them any more.
struct charged_block {
  charged_block(std::string x, std::shared_ptr<std::atomic<uint64_t>> total)
    : bytes(std::move(x)), pending(std::move(total)) {
    *pending += bytes.size();
  }

  ~charged_block() {
    *pending -= bytes.size();
  }

  charged_block(const charged_block&) = delete;
  charged_block& operator=(const charged_block&) = delete;

  const std::string bytes;
  std::shared_ptr<std::atomic<uint64_t>> pending;
};

} // namespace

void node_host_state::refuse(const caf::strong_actor_ptr& to, append_ack ack,
                             ec code, std::string text) const {
  ack.code = code;
  ack.text = std::move(text);
  self_->send(caf::actor_cast<producer_actor>(to), std::move(ack));
}

void node_host_state::append(append_frame& x,
                             const caf::strong_actor_ptr& sender) {
  for (auto& block : x.blocks) {
    auto i = shards_.find(block.shard);
    auto here = i != shards_.end() && i->second.actor;
    auto full = *pending_ + block.bytes.size()
                > context_.process.node_pending_bytes_max;
    if (here && !full) {
      uncovered_bytes_ += block.bytes.size();
      auto charged
        = std::make_shared<charged_block>(std::move(block.bytes), pending_);
      auto bytes = std::shared_ptr<const std::string>{charged, &charged->bytes};
      self_->send(i->second.actor, local_block{block.epoch, block.attempt,
                                               std::move(bytes), sender});
      continue;
    }
    auto ack = append_ack{};
    ack.shard = block.shard;
    ack.attempt = block.attempt;
    if (auto header = decode_block_header(block.bytes)) {
      ack.producer = header->producer;
      ack.session = header->session;
    }
    if (full)
      refuse(sender, std::move(ack), ec::busy,
             fmt::format("node {} has {} bytes waiting for its disk, the "
                         "limit of node-pending-bytes-max",
                         context_.name, pending_->load()));
    else
      refuse(
        sender, std::move(ack), ec::stale_epoch,
        fmt::format("shard {} is not on node {}", block.shard, context_.name));
  }
}

void node_host_state::open(const open_session& x,
                           const caf::strong_actor_ptr& sender) {
  if (auto i = shards_.find(x.shard); i != shards_.end() && i->second.actor) {
    self_->delegate(i->second.actor, x);
    return;
  }
  auto ack = append_ack{};
  ack.shard = x.shard;
  ack.producer = x.producer;
  ack.session = x.session;
  refuse(sender, std::move(ack), ec::stale_epoch,
         fmt::format("shard {} is not on node {}", x.shard, context_.name));
}

caf::result<average_answers> node_host_state::average(const average_batch& x) {
  auto i = shards_.find(x.shard);
  if (i != shards_.end() && i->second.actor) {
    // Ahead of the blocks that wait: a question takes microseconds. It can't be
    // delegated, since the answer to one of another priority finds nobody who
    // waits for it.
    auto promise = self_->make_response_promise<average_answers>();
    self_
      ->request<caf::message_priority::high>(
        i->second.actor, std::chrono::milliseconds{context_.process.timeout}, x)
      .then(
        [promise](average_answers& y) mutable {
          promise.deliver(std::move(y));
        },
        [promise](caf::error& err) mutable {
          promise.deliver(std::move(err));
        });
    return promise;
  }
  auto res = average_answers{};
  auto answer = average_answer{};
  answer.shard = x.shard;
  answer.node = context_.name;
  answer.code = i == shards_.end() ? ec::stale_epoch : ec::unavailable;
  answer.text = i == shards_.end() ? fmt::format("shard {} is not on node {}",
                                                 x.shard, context_.name)
                                   : i->second.news.text;
  res.answers.resize(x.requests.size(), answer);
  return res;
}

} // namespace weir
