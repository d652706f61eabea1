#include "actors/journal_writer.hpp"

#include "messages/types.hpp"

#include <spdlog/spdlog.h>

namespace weir {

namespace {

/// Bytes of blocks in one part of a log that is read: a shard replays it in
/// one turn of some milliseconds.
constexpr size_t log_part_bytes = 1 << 20;

/// Rows deleted in one commit, so that new entries wait for it only briefly.
constexpr uint64_t truncate_rows = 256;

/// An entry that lives on its own, with a copy of what `x` only points to.
std::shared_ptr<const log_entry> own(const log_entry& x) {
  auto res = std::make_shared<log_entry>(x);
  auto block = std::make_shared<const std::string>(x.block);
  res->block = *block;
  res->keep = block;
  return res;
}

} // namespace

void journal_writer_state::append(const store_entry& x,
                                  caf::strong_actor_ptr sender) {
  auto& entry = *x.entry;
  auto known = refused_.find(entry.shard);
  if (known != refused_.end() && entry.index > known->second.index) {
    self->send(caf::actor_cast<shard_actor>(sender),
               store_refused{x.entry, known->second.why});
    return;
  }
  if (known != refused_.end())
    refused_.erase(known);
  auto res = db->append(entry);
  if (!res) {
    // A full disk takes the open transaction with it; anything else that the
    // journal says of a single entry concerns that entry alone.
    if (!db->dirty())
      refuse_all(res.error());
    refuse(sender, x.entry, res.error());
    return;
  }
  auto& shard = queue_[entry.shard];
  if (shard.first == nullptr)
    shard = {std::move(sender), x.entry, 0};
  shard.last = entry.index;
  // Everything that is in the mailbox by now gets in before the commit.
  if (!commit_is_due_) {
    commit_is_due_ = true;
    self->send(self, commit_now{});
  }
}

void journal_writer_state::commit() {
  commit_is_due_ = false;
  if (queue_.empty())
    return;
  if (auto res = db->commit(); !res) {
    spdlog::error("the journal refuses: {}", res.error().text);
    return refuse_all(res.error());
  }
  for (auto& [id, shard] : queue_)
    self->send(caf::actor_cast<shard_actor>(shard.shard), stored{shard.last});
  queue_.clear();
}

void journal_writer_state::refuse(const caf::strong_actor_ptr& shard,
                                  const std::shared_ptr<const log_entry>& first,
                                  const failure& why) {
  refused_.emplace(first->shard, refusal{first->index, why});
  self->send(caf::actor_cast<shard_actor>(shard), store_refused{first, why});
}

void journal_writer_state::refuse_all(const failure& why) {
  for (auto& [id, shard] : queue_)
    refuse(shard.shard, shard.first, why);
  queue_.clear();
}

caf::result<log_part> journal_writer_state::read(const read_log& x) {
  commit();
  auto res = log_part{};
  auto bytes = size_t{0};
  auto done = db->read(x.shard, x.from.index + 1, x.from.chain,
                       [&](const log_entry& entry, uint64_t) {
                         res.entries.push_back(own(entry));
                         bytes += entry.block.size() + entry.envelope.size();
                         return bytes < log_part_bytes;
                       });
  if (!done)
    return to_error(done.error());
  return res;
}

void journal_writer_state::truncate(const truncate_log& x) {
  commit();
  auto done = db->truncate(x.shard, x.upto, truncate_rows);
  if (!done)
    spdlog::error("the journal can't be cut: {}", done.error().text);
  else if (!*done)
    self->send(self, x); // Others first.
}

caf::result<bool> journal_writer_state::remove(const remove_shard& x) {
  commit();
  if (auto done = db->remove_shard(x.shard); !done)
    return to_error(done.error());
  return true;
}

caf::result<bool> journal_writer_state::change(const set_durability& x) {
  commit();
  if (auto done = db->set_durability(
        x.survives_power_cut ? durability::power : durability::process);
      !done)
    return to_error(done.error());
  return true;
}

journal_actor::behavior_type journal_writer(
  journal_actor::stateful_pointer<journal_writer_state> self,
  std::shared_ptr<journal> db) {
  auto& state = self->state;
  state.self = self;
  state.db = std::move(db);
  return {
    [self](const store_entry& x) {
      self->state.append(x, self->current_sender());
    },
    [self](const commit_now&) {
      self->state.commit();
    },
    [self](const read_log& x) {
      return self->state.read(x);
    },
    [self](const truncate_log& x) {
      self->state.truncate(x);
    },
    [self](const remove_shard& x) {
      return self->state.remove(x);
    },
    [self](const set_durability& x) {
      return self->state.change(x);
    },
  };
}

} // namespace weir
