#include "actors/node_host.hpp"

#include "messages/types.hpp"

#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>

// What a backup asks of a node is for one of its shards.

namespace weir {

namespace {

/// A step waits for the disk, and for all that other shards want of it.
constexpr auto disk_timeout = std::chrono::minutes{5};

} // namespace

template <class Answer, class Question>
caf::result<Answer> node_host_state::pass_on(const Question& x) {
  auto i = shards_.find(x.shard);
  if (i == shards_.end() || !i->second.actor)
    return to_error({ec::unavailable, fmt::format("shard {} is not on node {}",
                                                  x.shard, context_.name)});
  auto promise = self_->template make_response_promise<Answer>();
  self_->request(i->second.actor, disk_timeout, x)
    .then(
      [promise](Answer& y) mutable {
        promise.deliver(std::move(y));
      },
      [promise](caf::error& err) mutable {
        promise.deliver(std::move(err));
      });
  return promise;
}

caf::result<backup_begun> node_host_state::begin(const begin_backup& x) {
  return pass_on<backup_begun>(x);
}

caf::result<backup_chunk> node_host_state::read(const read_backup_chunk& x) {
  return pass_on<backup_chunk>(x);
}

caf::result<backup_log> node_host_state::read(const read_backup_log& x) {
  return pass_on<backup_log>(x);
}

void node_host_state::end(const end_backup& x) {
  if (auto i = shards_.find(x.shard); i != shards_.end() && i->second.actor)
    self_->send(i->second.actor, x);
}

} // namespace weir
