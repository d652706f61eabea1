#include "actors/journal_writer.hpp"

#include "actors/clock.hpp"
#include "messages/types.hpp"
#include "storage/file.hpp"
#include "storage/quarantine.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace weir {

namespace {

/// Rows deleted in one commit, so that new entries wait for it only briefly.
constexpr uint64_t truncate_rows = 256;

/// A log that is staged is committed in parts of about this size.
constexpr size_t stage_bytes = 4 << 20;

/// Records in one answer: a message should stay below a megabyte.
constexpr uint32_t records_max = 1'024;

/// A record that did not get onto a full disk is written again after this long.
constexpr auto retry_records_after = std::chrono::milliseconds{500};

/// An entry that lives on its own, with a copy of what `x` only points to.
entry_ptr own(const log_entry& x) {
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
  auto res = db->append(entry, x.committed);
  if (!res) {
    // A full disk takes the open transaction with it; anything else that the
    // journal says of a single entry concerns that entry alone.
    if (!db->dirty())
      refuse_all(res.error());
    refuse(sender, x.entry, res.error());
    look_after();
    return;
  }
  auto& shard = queue_[entry.shard];
  if (shard.first == nullptr)
    shard = {std::move(sender), x.entry, {}};
  // One that came again may be older than what is queued already.
  if (entry.index >= shard.last.index)
    shard.last = {entry.index, entry.epoch, entry.chain};
  commit_soon();
}

void journal_writer_state::record(const put_record& x,
                                  caf::strong_actor_ptr sender) {
  records_[x.record.config.shard] = {std::move(sender), x.record};
  commit_soon();
}

void journal_writer_state::commit_soon() {
  // Everything that is in the mailbox by now gets in before the commit.
  if (commit_is_due_)
    return;
  commit_is_due_ = true;
  self->send(self, commit_now{});
}

void journal_writer_state::commit() {
  commit_is_due_ = false;
  if (queue_.empty() && records_.empty())
    return look_after();
  auto res = result<void>{};
  for (auto& [id, x] : records_)
    if (res)
      res = db->put_record(x.record);
  if (res)
    res = db->commit();
  if (!res) {
    spdlog::error("the journal refuses: {}", res.error().text);
    refuse_all(res.error());
    look_after();
    // Nobody asks again for a record, and a full disk may be cleared.
    if (!records_.empty() && res.error().code == ec::disk_full) {
      commit_is_due_ = true;
      self->delayed_send(self, retry_records_after, commit_now{});
    }
    return;
  }
  for (auto& [id, x] : queue_)
    self->send(caf::actor_cast<shard_actor>(x.shard), stored{x.last});
  queue_.clear();
  for (auto& [id, x] : records_)
    self->send(caf::actor_cast<shard_actor>(x.shard),
               record_stored{x.record.promised});
  records_.clear();
}

void journal_writer_state::refuse(const caf::strong_actor_ptr& shard,
                                  const entry_ptr& first, const failure& why) {
  // What came again may be there already, and need not come once more: waiting
  // for it, everything after it would be refused for ever.
  auto next = first->index;
  if (auto tail = db->tail(first->shard); tail && *tail)
    next = std::max(next, (*tail)->index + 1);
  refused_.emplace(first->shard, refusal{next, why});
  self->send(caf::actor_cast<shard_actor>(shard), store_refused{first, why});
}

void journal_writer_state::refuse_all(const failure& why) {
  for (auto& [id, shard] : queue_)
    refuse(shard.shard, shard.first, why);
  queue_.clear();
}

void journal_writer_state::look_after() {
  // A file that was deleted takes what is written, and forgets it in the end.
  if (db->failed() == nullptr && db->check_place())
    return;
  if (!std::exchange(failure_told_, true) && on_failure)
    on_failure(*db->failed());
}

caf::result<loaded_record> journal_writer_state::load(const load_record& x) {
  commit();
  auto found = db->record(x.shard);
  if (!found)
    return to_error(found.error());
  auto res = loaded_record{};
  res.record.config.shard = x.shard;
  if (*found)
    res.record = std::move(**found);
  return res;
}

caf::result<shard_records> journal_writer_state::load(const get_records& x) {
  commit();
  auto res = shard_records{};
  auto limit = std::min(x.limit, records_max);
  for (auto i = uint32_t{0}; i < limit; ++i) {
    auto found = db->record(x.first + i);
    if (!found)
      return to_error(found.error());
    auto& record = res.records.emplace_back();
    record.config.shard = x.first + i;
    if (*found)
      record = {(*found)->promised, std::move((*found)->config)};
  }
  return res;
}

caf::result<log_part> journal_writer_state::read(const read_log& x) {
  commit();
  auto res = log_part{};
  // For another copy: a log begins where a checkpoint, or the one that replaced
  // it, does.
  if (!x.previous) {
    auto first = db->first_index(x.shard);
    if (!first)
      return to_error(first.error());
    if (!*first || **first > x.from)
      return res;
  }
  auto bytes = size_t{0};
  auto done = db->read(x.shard, x.from, x.previous,
                       [&](const log_entry& entry, uint64_t committed) {
                         res.entries.push_back(own(entry));
                         res.committed = std::max(res.committed, committed);
                         bytes += entry.block.size() + entry.envelope.size();
                         return bytes < x.bytes_max;
                       });
  if (!done)
    return to_error(done.error());
  return res;
}

caf::result<log_checked> journal_writer_state::check(const check_log& x) {
  commit();
  auto res = log_checked{};
  // What checkpoints cover is gone, and not missing.
  auto first = db->first_index(x.shard);
  if (!first)
    return to_error(first.error());
  if (!*first)
    return res;
  res.from = **first;
  auto done = db->read(x.shard, res.from, std::nullopt,
                       [&](const log_entry&, uint64_t) {
                         ++res.entries;
                         return true;
                       });
  if (!done)
    return to_error(done.error());
  return res;
}

caf::result<bool> journal_writer_state::cut(const cut_log& x) {
  commit();
  auto done = db->cut(x.shard, x.after);
  if (done)
    done = db->commit();
  if (!done)
    return to_error(done.error());
  forget_refusal(x.shard, x.after);
  return true;
}

caf::result<bool> journal_writer_state::stage(const stage_log& x) {
  commit();
  auto& range = x.checkpoint;
  auto done = db->begin_stage(x.shard, x.after, {range.from_index, range.end});
  auto part = std::vector<entry_ptr>{};
  auto bytes = size_t{0};
  for (auto i = size_t{0}; done && i < x.entries.size(); ++i) {
    auto& entry = x.entries[i];
    part.push_back(entry);
    bytes += entry->block.size() + entry->envelope.size();
    if (bytes < stage_bytes && i + 1 < x.entries.size())
      continue;
    done = db->stage(x.shard, part);
    part.clear();
    bytes = 0;
  }
  if (done)
    done = db->end_stage(x.shard);
  if (!done)
    return to_error(done.error());
  return true;
}

caf::result<bool> journal_writer_state::install(const install_log& x) {
  commit();
  if (auto done = db->install_staged(x.shard); !done)
    return to_error(done.error());
  forget_refusal(x.shard, 0);
  return true;
}

caf::result<bool> journal_writer_state::settle(const settle_log& x) {
  commit();
  auto& range = x.checkpoint;
  auto done = db->settle(x.shard, {range.from_index, range.end});
  if (!done)
    return to_error(done.error());
  return *done;
}

void journal_writer_state::forget_refusal(uint32_t shard, uint64_t after) {
  auto known = refused_.find(shard);
  if (known != refused_.end() && known->second.index > after)
    refused_.erase(known);
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

caf::result<shard_put_aside> journal_writer_state::put_aside(
  const put_aside_shard& x) {
  commit();
  auto folder = begin_quarantine(
    parent_of(db->path()), fmt::format("shard-{}", x.shard), wall_clock());
  if (!folder)
    return to_error(folder.error());
  auto done = db->put_aside(x.shard, *folder + "/journal.db");
  look_after();
  if (!done) {
    // It is tried again, and must not make what is kept go.
    if (auto gone = abandon_quarantine(*folder); !gone)
      spdlog::error("{}", gone.error().text);
    return to_error(done.error());
  }
  forget_refusal(x.shard, 0);
  return shard_put_aside{*folder};
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
  std::shared_ptr<journal> db, on_disk_failure on_failure) {
  auto& state = self->state;
  state.self = self;
  state.db = std::move(db);
  state.on_failure = std::move(on_failure);
  return {
    [self](const store_entry& x) {
      self->state.append(x, self->current_sender());
    },
    [self](const commit_now&) {
      self->state.commit();
    },
    [self](const put_record& x) {
      self->state.record(x, self->current_sender());
    },
    [self](const load_record& x) {
      return self->state.load(x);
    },
    [self](const get_records& x) {
      return self->state.load(x);
    },
    [self](const read_log& x) {
      return self->state.read(x);
    },
    [self](const check_log& x) {
      return self->state.check(x);
    },
    [self](const cut_log& x) {
      return self->state.cut(x);
    },
    [self](const stage_log& x) {
      return self->state.stage(x);
    },
    [self](const install_log& x) {
      return self->state.install(x);
    },
    [self](const settle_log& x) {
      return self->state.settle(x);
    },
    [self](const truncate_log& x) {
      self->state.truncate(x);
    },
    [self](const remove_shard& x) {
      return self->state.remove(x);
    },
    [self](const put_aside_shard& x) {
      return self->state.put_aside(x);
    },
    [self](const set_durability& x) {
      return self->state.change(x);
    },
  };
}

} // namespace weir
