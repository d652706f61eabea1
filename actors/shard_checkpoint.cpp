#include "actors/shard_host.hpp"

#include "messages/types.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

// A shard's checkpoints: its own, those that it sends, and those that it gets.

namespace weir {

namespace {

/// A step waits for the disk, and for all that other shards want of it.
constexpr auto disk_timeout = std::chrono::minutes{5};

} // namespace

// -- its own

void shard_host_state::checkpoint() {
  if (checkpointing_ > 0)
    return;
  // What another node or a backup reads must stay as it is, and what comes from
  // another node takes the place of a checkpoint of our own.
  if (phase_ != phase::ready || receiving_copy_ || !copies_out_.empty()
      || backup_reads_checkpoint())
    return end_checkpoint(0);
  auto number = ++checkpoints_;
  checkpointing_ = number;
  auto failed = [this, number](caf::error& err) {
    if (number != checkpointing_)
      return;
    spdlog::error("shard {} has no checkpoint: {}", context_.shard,
                  to_failure(err, "the checkpoint store").text);
    end_checkpoint(0);
  };
  self_
    ->request(context_.checkpoints, disk_timeout,
              weigh_checkpoint{context_.shard})
    .then(
      [this, failed, number](const checkpoint_advice& x) {
        if (number != checkpointing_)
          return;
        auto full = core().begin_checkpoint(x.full);
        self_
          ->request(context_.checkpoints, disk_timeout,
                    begin_checkpoint{context_.shard, full})
          .then(
            [this, number](const checkpoint_stored&) {
              next_chunk(number);
            },
            [this, failed, number](caf::error& err) {
              if (number == checkpointing_)
                core().table().abort_checkpoint();
              failed(err);
            });
      },
      failed);
}

void shard_host_state::next_chunk(uint64_t number) {
  if (number != checkpointing_)
    return;
  auto failed = [this, number](caf::error& err) {
    if (number != checkpointing_)
      return;
    spdlog::error("shard {} has no checkpoint: {}", context_.shard,
                  to_failure(err, "the checkpoint store").text);
    stop_checkpoint();
  };
  auto chunk = put_chunk{context_.shard, {{}, core().applied().index}};
  if (core().table().next_chunk(context_.checkpoint_chunk_entities,
                                chunk.chunk.bytes)) {
    self_->request(context_.checkpoints, disk_timeout, std::move(chunk))
      .then(
        [this, number](const checkpoint_stored&) {
          next_chunk(number);
        },
        failed);
    return;
  }
  auto meta = core().checkpoint_meta();
  auto upto = meta.from_index;
  self_
    ->request(context_.checkpoints, disk_timeout,
              finish_checkpoint{context_.shard, std::move(meta)})
    .then(
      [this, upto, number](const checkpoint_stored&) {
        if (number == checkpointing_)
          end_checkpoint(upto);
      },
      failed);
}

void shard_host_state::stop_checkpoint() {
  if (checkpointing_ == 0)
    return;
  core().table().abort_checkpoint();
  self_->send(context_.checkpoints, abort_checkpoint{context_.shard});
  end_checkpoint(0);
}

void shard_host_state::end_checkpoint(uint64_t upto) {
  checkpointing_ = 0;
  // The last entry that is covered stays: a journal without any could not tell
  // what follows from what doesn't.
  auto last = std::min(
    {upto > 0 ? upto - 1 : 0, replica_->log_needed_after(), log_kept_after()});
  if (last > 0) {
    replica_->truncated(last);
    self_->send(context_.journal, truncate_log{context_.shard, last});
  }
  self_->send(context_.node, shard_checkpointed{context_.shard, upto});
}

// -- for another node

void shard_host_state::carry_out(const copy_open& x) {
  stop_checkpoint();
  copies_out_[x.node] = {x.transfer, {}, 0, 0, now()};
  self_->request(context_.checkpoints, disk_timeout, open_copy{context_.shard})
    .then(
      [this, x](const opened_copy& y) {
        auto i = copies_out_.find(x.node);
        if (i == copies_out_.end() || i->second.transfer != x.transfer)
          return;
        i->second.chunks = y.chunks;
        i->second.bytes_in_all = y.bytes;
        auto meta = y.found ? std::optional{y.meta} : std::nullopt;
        replica_->copy_opened(x.node, x.transfer, meta, y.chunks.size(), now());
        act();
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the checkpoint store"));
      });
}

void shard_host_state::carry_out(const copy_read_chunk& x) {
  auto i = copies_out_.find(x.node);
  if (i == copies_out_.end() || i->second.transfer != x.transfer
      || x.number >= i->second.chunks.size())
    return;
  self_
    ->request(context_.checkpoints, disk_timeout,
              read_chunk{context_.shard, i->second.chunks[x.number]})
    .then(
      [this, x](checkpoint_chunk& y) {
        if (auto out = copies_out_.find(x.node);
            out != copies_out_.end() && out->second.transfer == x.transfer)
          out->second.bytes += y.bytes.size();
        replica_->copy_read(x.node, x.transfer, x.number, std::move(y.bytes),
                            y.covers, now());
        act();
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the checkpoint store"));
      });
}

void shard_host_state::carry_out(const copy_close& x) {
  auto i = copies_out_.find(x.node);
  if (i != copies_out_.end() && i->second.transfer == x.transfer)
    copies_out_.erase(i);
}

// -- from another node

void shard_host_state::carry_out(const new_copy_begin&) {
  stop_checkpoint();
  receiving_copy_ = true;
  self_
    ->request(context_.checkpoints, disk_timeout,
              begin_checkpoint{context_.shard, true})
    .then([](const checkpoint_stored&) {},
          [this](caf::error& err) {
            fail_for_good(to_failure(err, "the checkpoint store"));
          });
}

void shard_host_state::carry_out(const new_copy_chunk& x) {
  self_
    ->request(context_.checkpoints, disk_timeout,
              put_chunk{context_.shard, {x.bytes, x.covers}})
    .then([](const checkpoint_stored&) {},
          [this](caf::error& err) {
            fail_for_good(to_failure(err, "the checkpoint store"));
          });
}

void shard_host_state::carry_out(const new_copy_install& x) {
  // Checkpoint and log are in two files. Whatever a crash leaves of this, the
  // old copy or the new one is there.
  auto log = stage_log{
    context_.shard, x.after, {x.meta.from_index, x.meta.end}, x.entries};
  self_->request(context_.journal, disk_timeout, std::move(log))
    .then(
      [this, x](bool) {
        replace_checkpoint(x);
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the journal"));
      });
}

void shard_host_state::replace_checkpoint(const new_copy_install& x) {
  auto failed = [this](caf::error& err) {
    fail_for_good(to_failure(err, "the checkpoint store"));
  };
  if (x.meta.bytes.empty()) {
    self_
      ->request(context_.checkpoints, disk_timeout,
                remove_shard{context_.shard})
      .then(
        [this, transfer = x.transfer](bool) {
          replace_log(transfer);
        },
        failed);
    return;
  }
  self_
    ->request(context_.checkpoints, disk_timeout,
              finish_checkpoint{context_.shard, x.meta})
    .then(
      [this, transfer = x.transfer](const checkpoint_stored&) {
        replace_log(transfer);
      },
      failed);
}

void shard_host_state::replace_log(uint64_t transfer) {
  self_->request(context_.journal, disk_timeout, install_log{context_.shard})
    .then(
      [this, transfer](bool) {
        receiving_copy_ = false;
        replica_->copy_installed(transfer, now());
        act();
      },
      [this](caf::error& err) {
        fail_for_good(to_failure(err, "the journal"));
      });
}

void shard_host_state::carry_out(const new_copy_abandon&) {
  receiving_copy_ = false;
  self_->send(context_.checkpoints, abort_checkpoint{context_.shard});
}

} // namespace weir
