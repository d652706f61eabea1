#include "actors/node_host.hpp"

#include "messages/types.hpp"

#include <caf/typed_response_promise.hpp>

// What a node tells whoever rebuilds a coordinator's directory that is lost.

namespace weir {

namespace {

/// Reads wait for whatever else the disk has to do.
constexpr auto disk_timeout = std::chrono::minutes{5};

} // namespace

caf::result<survivor> node_host_state::survive(const get_survivor& x) {
  auto promise = self_->make_response_promise<survivor>();
  auto answer = [this, promise](uint64_t generation) mutable {
    promise.deliver(survivor{context_.node, context_.disk, context_.incarnation,
                             context_.name, context_.cluster, is_member(),
                             generation});
  };
  // A node whose coordinator is there promises nothing against that.
  if (!copy_.actor() || x.promise == 0 || is_member()) {
    answer(copy_.promised());
    return promise;
  }
  self_->request(copy_.actor(), disk_timeout, promise_generation{x.promise})
    .then(
      [this, answer](const copy_state& y) mutable {
        copy_.promised(y);
        answer(y.promised);
      },
      [promise](caf::error& err) mutable {
        promise.deliver(std::move(err));
      });
  return promise;
}

caf::result<catalog_part> node_host_state::give(const get_catalog& x) {
  if (!copy_.actor())
    return to_error({ec::not_found,
                     "a node in the coordinator's own process keeps no copy of "
                     "the coordinator's directory"});
  auto promise = self_->make_response_promise<catalog_part>();
  self_->request(copy_.actor(), disk_timeout, x)
    .then(
      [promise](catalog_part& y) mutable {
        promise.deliver(std::move(y));
      },
      [promise](caf::error& err) mutable {
        promise.deliver(std::move(err));
      });
  return promise;
}

caf::result<shard_records> node_host_state::records(const get_records& x) {
  auto promise = self_->make_response_promise<shard_records>();
  self_->request(context_.journal, disk_timeout, x)
    .then(
      [promise](shard_records& y) mutable {
        promise.deliver(std::move(y));
      },
      [promise](caf::error& err) mutable {
        promise.deliver(std::move(err));
      });
  return promise;
}

} // namespace weir
