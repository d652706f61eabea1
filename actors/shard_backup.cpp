#include "actors/shard_host.hpp"

#include "cluster/peer_codec.hpp"
#include "messages/types.hpp"

#include <caf/typed_response_promise.hpp>

#include <fmt/format.h>

#include <algorithm>

// What a backup reads of a shard: the stored checkpoint, and the committed log
// behind it. A backup must not harm: what it can't read is its own trouble.

namespace weir {

namespace {

/// A step waits for the disk, and for all that other shards want of it.
constexpr auto disk_timeout = std::chrono::minutes{5};

/// A backup that has asked for nothing for so long is gone, ms: it asks every
/// few seconds, but its own disk may be slow. As long, a log may outgrow its
/// checkpoints for one that died.
constexpr int64_t silence_max = 60'000;

/// Of one shard at a time: an operator starts one, or two by mistake.
constexpr size_t backups_max = 4;

caf::error forgotten(uint32_t shard) {
  return to_error({ec::not_found, fmt::format("shard {} knows nothing of this "
                                              "backup (any more)",
                                              shard)});
}

} // namespace

void shard_host_state::forget_silent_backups() {
  for (auto i = backups_out_.begin(); i != backups_out_.end();)
    i = now() - i->second.heard >= silence_max ? backups_out_.erase(i)
                                               : std::next(i);
}

bool shard_host_state::backup_reads_checkpoint() const {
  return std::any_of(backups_out_.begin(), backups_out_.end(), [&](auto& x) {
    return x.second.reads_checkpoint && now() - x.second.heard < silence_max;
  });
}

uint64_t shard_host_state::log_kept_after() const {
  auto res = uint64_t{UINT64_MAX};
  for (auto& [id, x] : backups_out_)
    if (now() - x.heard < silence_max)
      res = std::min(res, x.after);
  return res;
}

shard_host_state::backup_out* shard_host_state::find_backup(
  const std::string& id) {
  auto i = backups_out_.find(id);
  if (i == backups_out_.end())
    return nullptr;
  i->second.heard = now();
  return &i->second;
}

caf::result<backup_begun> shard_host_state::begin(const begin_backup& x) {
  forget_silent_backups();
  // A copy that only learns may be of a past that was given up.
  if (phase_ != phase::ready || receiving_copy_
      || replica_->role() < replica_role::backup) {
    auto why = not_serving();
    return to_error({ec::unavailable, why.empty() ? fmt::format(
                                        "shard {} is being replaced on "
                                        "node {}",
                                        context_.shard, context_.node_name)
                                                  : why});
  }
  if (backups_out_.count(x.backup) == 0 && backups_out_.size() >= backups_max)
    return to_error({ec::limit_reached,
                     fmt::format("{} backups read shard {} already; wait for "
                                 "them, or for a minute if they are gone",
                                 backups_out_.size(), context_.shard)});
  stop_checkpoint();
  // Nothing of the log goes before it is known where the checkpoint begins.
  backups_out_[x.backup] = {true, {}, 0, now()};
  auto promise = self_->make_response_promise<backup_begun>();
  self_->request(context_.checkpoints, disk_timeout, open_copy{context_.shard})
    .then(
      [this, id = x.backup, promise](opened_copy& y) mutable {
        auto at = find_backup(id);
        if (at == nullptr) {
          promise.deliver(forgotten(context_.shard));
          return;
        }
        at->chunks = std::move(y.chunks);
        at->after = y.found ? y.meta.from_index : 0;
        promise.deliver(backup_begun{std::move(y.meta.bytes), at->after,
                                     y.meta.end, at->chunks.size(), y.bytes});
      },
      [this, id = x.backup, promise](caf::error& err) mutable {
        backups_out_.erase(id);
        promise.deliver(std::move(err));
      });
  return promise;
}

caf::result<backup_chunk> shard_host_state::read(const read_backup_chunk& x) {
  auto at = find_backup(x.backup);
  if (at == nullptr || !at->reads_checkpoint || x.number >= at->chunks.size())
    return forgotten(context_.shard);
  auto promise = self_->make_response_promise<backup_chunk>();
  self_
    ->request(context_.checkpoints, disk_timeout,
              read_chunk{context_.shard, at->chunks[x.number]})
    .then(
      [promise](checkpoint_chunk& y) mutable {
        promise.deliver(backup_chunk{std::move(y.bytes), y.covers});
      },
      [promise](caf::error& err) mutable {
        promise.deliver(std::move(err));
      });
  return promise;
}

caf::result<backup_log> shard_host_state::read(const read_backup_log& x) {
  if (phase_ != phase::ready)
    return to_error({ec::unavailable, not_serving()});
  auto at = find_backup(x.backup);
  if (at == nullptr) {
    // Begun at another node, which has led the shard before.
    forget_silent_backups();
    if (backups_out_.size() >= backups_max)
      return forgotten(context_.shard);
    at = &backups_out_[x.backup];
    at->heard = now();
  }
  at->reads_checkpoint = false;
  at->after = std::max(at->after, x.after);
  auto gone = [this](uint64_t index) {
    return to_error(
      {ec::not_found, fmt::format("the log of shard {} on node {} begins after "
                                  "entry {} by now",
                                  context_.shard, context_.node_name, index)});
  };
  auto promise = self_->make_response_promise<backup_log>();
  self_
    ->request(context_.journal, disk_timeout,
              read_log{context_.shard, x.after + 1, std::nullopt,
                       context_.replication.part_bytes})
    .then(
      [this, after = x.after, promise, gone](log_part& y) mutable {
        auto res = backup_log{};
        res.epoch = replica_->config().epoch;
        res.leads = serving();
        res.end = core().applied();
        auto part = replicate{};
        part.shard = context_.shard;
        part.epoch = res.epoch;
        part.from = context_.self;
        part.committed = res.end.index;
        for (auto& entry : y.entries)
          if (entry->index <= res.end.index)
            part.entries.push_back(entry);
        if (part.entries.empty() && after < res.end.index) {
          promise.deliver(gone(after + 1));
          return;
        }
        res.bytes = encode_peer_message(part);
        promise.deliver(std::move(res));
      },
      [promise](caf::error& err) mutable {
        promise.deliver(std::move(err));
      });
  return promise;
}

void shard_host_state::end(const end_backup& x) {
  backups_out_.erase(x.backup);
}

} // namespace weir
