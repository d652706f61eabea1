#pragma once

#include "cluster/replica_effects.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace weir::test {

/// A node's disk, as far as one shard is concerned: journal and checkpoints.
/// What was written waits in a queue; `sync` makes its beginning durable, and a
/// crash loses the rest.
class memory_disk {
public:
  struct checkpoint {
    shard_meta meta;
    std::vector<std::pair<std::string, uint64_t>> chunks;
  };

  // -- what is durable

  std::vector<log_entry> log;
  /// Committed as far as the journal was told.
  uint64_t committed = 0;
  replica_record record;
  std::optional<checkpoint> saved;

  /// While true, nothing that is appended fits.
  bool full = false;
  /// While true, every write fails, and nobody knows what is there of it.
  bool failing = false;
  /// Something was done to it that only reading it shows.
  bool damaged = false;

  using write
    = std::variant<journal_append, journal_cut, record_write, new_copy_begin,
                   new_copy_chunk, new_copy_install, new_copy_abandon>;

  void put(write x) {
    queue_.push_back(std::move(x));
  }

  size_t waiting() const {
    return queue_.size();
  }

  /// What has to be said of a write that is durable, or was refused.
  using news = std::variant<log_position, uint64_t, new_copy_install, failure>;

  /// Makes the oldest write durable.
  std::optional<news> sync_one() {
    auto x = std::move(queue_.front());
    queue_.pop_front();
    if (failing)
      return news{failure{ec::io_error, "the disk fails"}};
    return std::visit(
      [this](auto& y) {
        return carry_out(y);
      },
      x);
  }

  void crash() {
    queue_.clear();
    unfinished_.clear();
    refused_.reset();
    abandon_save();
  }

  /// The shard's own checkpoint of what is applied, at once.
  void save(shard& x) {
    while (!save_more(x, 10)) {
    }
  }

  /// The next chunk of it: the log goes on meanwhile.
  /// @returns whether that was the last one
  bool save_more(shard& x, size_t entities) {
    // What was replaced meanwhile has another state.
    if (saving_ != &x) {
      x.begin_checkpoint(true);
      saving_ = &x;
      next_ = {};
    }
    auto chunk = std::string{};
    if (x.table().next_chunk(entities, chunk)) {
      next_.chunks.emplace_back(std::move(chunk), x.applied().index);
      return false;
    }
    next_.meta = x.checkpoint_meta();
    saved = std::move(next_);
    abandon_save();
    return true;
  }

  void abandon_save() {
    saving_ = nullptr;
    next_ = {};
  }

  // -- what happens to it at rest

  /// The last `n` entries are not there any more, as if never written.
  void lose_end(size_t n) {
    log.erase(log.end() - static_cast<ptrdiff_t>(std::min(n, log.size())),
              log.end());
    damaged = true;
  }

  /// A bit of the entry flips.
  void corrupt(size_t i) {
    log[i].epoch ^= 1;
    damaged = true;
  }

  /// Whether the entries are what was written, one after the other.
  result<void> check() const {
    for (auto i = size_t{0}; i < log.size(); ++i) {
      auto& x = log[i];
      if (x.crc != entry_crc(x)
          || (i > 0
              && (x.index != log[i - 1].index + 1
                  || x.chain != chain_after(log[i - 1].chain, x.crc))))
        return fail(ec::damaged, "the journal's chain is broken at entry "
                                   + std::to_string(x.index));
    }
    return {};
  }

  /// Deletes the entries up to `index`.
  void truncate(uint64_t index) {
    while (!log.empty() && log.front().index <= index)
      log.erase(log.begin());
  }

  /// Some entries from `from` on; none if that one is not there.
  std::vector<entry_ptr> read(uint64_t from, size_t n) const {
    auto res = std::vector<entry_ptr>{};
    for (auto& x : log)
      if (x.index >= from && res.size() < n
          && (x.index == from || !res.empty()))
        res.push_back(std::make_shared<const log_entry>(x));
    return res;
  }

  log_position end() const {
    if (log.empty())
      return saved ? saved->meta.end : log_position{};
    return {log.back().index, log.back().epoch, log.back().chain};
  }

private:
  std::optional<news> carry_out(journal_append& x) {
    // It needs no room, and says nothing of what comes after it.
    auto at = log_position{x.entry->index, x.entry->epoch, x.entry->chain};
    if (!log.empty() && at.index <= log.back().index)
      return news{at};
    // What follows a refused entry was on its way already.
    if (refused_ && x.entry->index > *refused_)
      return std::nullopt;
    if (full) {
      refused_ = x.entry->index;
      return news{failure{ec::disk_full, "no space"}};
    }
    refused_.reset();
    log.push_back(*x.entry);
    committed = std::max(committed, x.committed);
    return news{at};
  }

  std::optional<news> carry_out(journal_cut& x) {
    while (!log.empty() && log.back().index > x.after)
      log.pop_back();
    return std::nullopt;
  }

  std::optional<news> carry_out(record_write& x) {
    record = x.record;
    return news{record.promised};
  }

  std::optional<news> carry_out(new_copy_begin& x) {
    unfinished_.clear();
    unfinished_[x.transfer];
    return std::nullopt;
  }

  std::optional<news> carry_out(new_copy_chunk& x) {
    unfinished_[x.transfer].emplace_back(x.bytes, x.covers);
    return std::nullopt;
  }

  std::optional<news> carry_out(new_copy_install& x) {
    saved.reset();
    if (!x.meta.bytes.empty())
      saved = checkpoint{x.meta, std::move(unfinished_[x.transfer])};
    unfinished_.clear();
    refused_.reset();
    abandon_save();
    log.clear();
    for (auto& entry : x.entries)
      log.push_back(*entry);
    committed = x.meta.end.index;
    return news{std::move(x)};
  }

  std::optional<news> carry_out(new_copy_abandon& x) {
    unfinished_.erase(x.transfer);
    return std::nullopt;
  }

  std::deque<write> queue_;
  std::map<uint64_t, std::vector<std::pair<std::string, uint64_t>>> unfinished_;
  std::optional<uint64_t> refused_;
  /// A checkpoint in the making, and whose it is.
  const shard* saving_ = nullptr;
  checkpoint next_;
};

} // namespace weir::test
