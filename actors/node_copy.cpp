#include "actors/node_copy.hpp"

#include "messages/types.hpp"

#include <spdlog/spdlog.h>

namespace weir {

namespace {

/// While there is always something new, it is asked for this often: each time
/// costs a flush of the disk. Shards keep what became final so much longer.
constexpr auto copy_every = std::chrono::milliseconds{1'000};

/// What waits for the copy is repeated by the coordinator with every heartbeat.
constexpr size_t waiting_max = 100;

/// A coordinator that takes longer has lost the request.
constexpr auto answer_timeout = std::chrono::seconds{5};

/// Writes wait for whatever else the disk has to do.
constexpr auto disk_timeout = std::chrono::minutes{5};

} // namespace

void node_copy::init(local_node_actor::pointer self, copy_actor copy) {
  self_ = self;
  copy_ = std::move(copy);
}

void node_copy::begin(std::function<void()> then) {
  if (!copy_)
    return then();
  self_->request(copy_, disk_timeout, begin_copy{})
    .then(
      [this, then](const copy_state& x) {
        state_ = x;
        then();
      },
      [this, then](caf::error& err) {
        failed(to_failure(err, "the copy"));
        then();
      });
}

void node_copy::connect(coordinator_actor x) {
  source_ = std::move(x);
  known_ = {};
  waiting_.clear();
  // An answer that is still on its way is one to an earlier request.
  asking_ = false;
  ++asked_;
}

void node_copy::heard(const catalog_mark& x) {
  known_ = x;
  tick();
}

void node_copy::when_current(std::function<void()> then) {
  if (!copy_ || !trouble_.empty())
    return then();
  // More of them come again by themselves.
  if (waiting_.size() < waiting_max)
    waiting_.emplace_back(asked_ + 1, std::move(then));
  if (!asking_)
    ask();
}

void node_copy::tick() {
  if (!copy_ || asking_ || self_->clock().now() < not_before_)
    return;
  if (!waiting_.empty() || (known_ != state_.held && known_.generation > 0))
    ask();
}

void node_copy::ask() {
  if (!source_)
    return;
  asking_ = true;
  auto number = ++asked_;
  not_before_ = self_->clock().now() + copy_every;
  self_->request(source_, answer_timeout, get_catalog{state_.wish})
    .then(
      [this, number](const catalog_part& x) {
        take(x, number);
      },
      [this, number](caf::error&) {
        if (number == asked_)
          asking_ = false; // Later.
      });
}

void node_copy::take(const catalog_part& x, uint64_t number) {
  if (number != asked_)
    return;
  self_->request(copy_, disk_timeout, x)
    .then(
      [this, number](const copy_state& y) {
        taken(y, number);
      },
      [this, number](caf::error& err) {
        failed(to_failure(err, "the copy"));
        if (number == asked_)
          asking_ = false;
      });
}

void node_copy::taken(const copy_state& x, uint64_t number) {
  state_ = x;
  trouble_.clear();
  if (number != asked_)
    return;
  asking_ = false;
  if (x.current)
    release(number);
  if (!x.complete || !waiting_.empty())
    ask();
}

void node_copy::failed(const failure& why) {
  if (trouble_ != why.text)
    spdlog::error("the copy of the coordinator's directory can't be kept: {}",
                  why.text);
  trouble_ = why.text;
  release(UINT64_MAX);
}

void node_copy::release(uint64_t number) {
  auto due = std::vector<std::function<void()>>{};
  for (auto i = waiting_.begin(); i != waiting_.end();) {
    if (i->first > number) {
      ++i;
      continue;
    }
    due.push_back(std::move(i->second));
    i = waiting_.erase(i);
  }
  for (auto& then : due)
    then();
}

} // namespace weir
