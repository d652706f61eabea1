#include "actors/shard_host.hpp"

#include "messages/types.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

// A copy whose rows are not what was written: it is put aside as soon as nobody
// counts on it, and the shard begins with nothing, as a learner.

namespace weir {

namespace {

/// All of two files is read, and other shards want something of the disk, too.
constexpr auto disk_timeout = std::chrono::minutes{5};

/// A disk that had no room for it may have some by then, ms.
constexpr int64_t retry_after = 5'000;

} // namespace

void shard_host_state::begin_anew() {
  if (phase_ != phase::failed || !damaged_ || putting_aside_
      || now() < put_aside_at_ || !replica_->expendable())
    return;
  stop_checkpoint();
  copies_out_.clear();
  receiving_copy_ = false;
  put_aside();
}

/// What could not be written for want of room is as if it had never been tried:
/// whoever begins anew with what is on the disk finds it whole.
void shard_host_state::try_again() {
  if (phase_ != phase::failed || !disk_was_full_
      || now() - failed_at_ < retry_after)
    return;
  stop_checkpoint();
  copies_out_.clear();
  receiving_copy_ = false;
  phase_ = phase::recovering;
  recover();
}

void shard_host_state::put_aside() {
  putting_aside_ = true;
  auto failed = [this](caf::error& err) {
    putting_aside_ = false;
    put_aside_at_ = now() + retry_after;
    spdlog::error("the damaged copy of shard {} can't be put aside: {}",
                  context_.shard, to_failure(err, "the storage").text);
  };
  // The record of what was promised stays: see `replica::drop`.
  self_
    ->request(context_.journal, disk_timeout,
              put_aside_shard{context_.shard, {}})
    .then(
      [this, failed](const shard_put_aside& x) {
        self_
          ->request(context_.checkpoints, disk_timeout,
                    put_aside_shard{context_.shard, x.directory})
          .then(
            [this](const shard_put_aside& y) {
              putting_aside_ = false;
              made_anew_
                = fmt::format("it is made anew from another copy; what "
                              "was damaged is in {} ({})",
                              y.directory, trouble_);
              spdlog::warn("shard {} on node {}: {}", context_.shard,
                           context_.node_name, made_anew_);
              phase_ = phase::recovering;
              recover();
            },
            failed);
      },
      failed);
}

void shard_host_state::note_if_whole() {
  if (made_anew_.empty() || phase_ != phase::ready
      || replica_->role() < replica_role::backup)
    return;
  spdlog::info("shard {} on node {} is whole again", context_.shard,
               context_.node_name);
  made_anew_.clear();
}

} // namespace weir
