#pragma once

#include "cluster/block.hpp"
#include "cluster/log.hpp"
#include "cluster/producers.hpp"
#include "cluster/sealing.hpp"
#include "cluster/verdict.hpp"
#include "windows/rollup_table.hpp"
#include "windows/sliding_table.hpp"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace weir {

/// The cluster's settings as a shard needs them; entries of its log.
struct shard_settings {
  uint64_t version = 0;
  verdict_options verdicts;
  sliding_options sliding;
  /// Producers that a shard remembers at most.
  uint64_t producers_max = 10'000;
  /// Random producer ids are forgotten after this long without an entry.
  time_ms producer_expiry = 7 * 86'400'000ll;
  rollup_options rollups;
  /// Sliding averages are kept.
  bool averages = true;

  std::string encode() const;
  bool decode(std::string_view bytes);
};

/// What a checkpoint says besides its chunks of entities.
struct shard_meta {
  /// Replay begins after this index: every entity whose last change lies at or
  /// before it is in the chunks.
  uint64_t from_index = 0;
  /// The chunks, and everything below, hold nothing beyond this index.
  log_position end;
  std::string bytes;
};

/// What became of something offered to the log.
struct offer {
  /// `none`: taken, or (without an entry) a duplicate.
  ec code = ec::none;
  /// For the log's journal; null when nothing has to be written.
  std::shared_ptr<const log_entry> entry;
  /// Says more about `code`.
  std::string text;
  /// With `sequence_gap`: where the log ends for that producer.
  uint64_t last = 0;
};

/// One shard at its primary: decides what enters the log, and applies what is
/// committed. No thread, no clock, no disk: entries go out, `commit` comes in.
///
/// It follows two states: the end of the log, by which new blocks are judged,
/// and what is applied, by which queries are answered.
class shard {
public:
  /// @param shards number of shards of the cluster
  shard(uint32_t id, uint32_t shards);

  // -- recovery: meta, chunks, then every entry after from_index, in order

  result<void> load_meta(const shard_meta& x);

  /// `damaged` if a hash is not its entity's, or belongs to another shard, too.
  result<void> load_chunk(std::string_view chunk, uint64_t covers);

  result<void> replay(const log_entry& x);

  /// The log has ended. Fails if that was before the checkpoint's end.
  result<void> finish_recovery();

  /// Where to begin reading the journal, and the chain value there.
  log_position replay_start() const {
    return replay_start_;
  }

  // -- as the primary

  /// Begins `epoch` with a no-op entry; nothing is acknowledged before it is
  /// committed. Settings must follow before anything else does: the log alone
  /// determines the state.
  /// @pre `epoch` is not below any epoch of the log; equal only if this node
  /// led it, and lost the actor that did
  offer lead(uint64_t epoch);

  /// A block from a producer.
  /// @param keep keeps `bytes` alive
  /// @param now wall clock
  offer admit_block(std::string_view bytes, std::shared_ptr<const void> keep,
                    time_ms now);

  /// A producer's new session: fences the older ones.
  offer admit_session(producer_id producer, uint64_t session, time_ms now);

  /// Settings of a version beyond the present one.
  offer admit_settings(const shard_settings& settings);

  /// The cluster's clock, if an idle shard should forget by it.
  offer admit_clock(time_ms cluster_clock);

  /// Random producers that have not been heard of since `producer_expiry`.
  offer admit_expiry(time_ms now);

  /// A plan of a version beyond the present one.
  offer admit_plan(const window_plan& plan);

  /// Nothing more enters the windows of `range`, unless that is so already.
  offer admit_seal(const seal_range& range);

  /// The results of all windows that end by `through` are stored: forgets what
  /// there is of them, if anything.
  offer admit_release(time_ms through);

  /// Entries up to `index` are durable: applies them.
  /// @returns the producers whose blocks or sessions were among them, each once
  std::vector<producer_id> commit(uint64_t index);

  // -- as a backup; in shard_follow.cpp

  /// The next entry, as the primary has made it: waits for `commit`. Fails with
  /// `damaged`, changing nothing, if it does not continue the log or is not
  /// what the primary wrote.
  result<void> follow(std::shared_ptr<const log_entry> x);

  /// Forgets the entries after `index`, which another replica's log does not
  /// have.
  /// @pre `applied().index <= index`
  void cut(uint64_t index);

  /// Another node leads. What is not committed stays in the log.
  void stop_leading() {
    leading_ = false;
  }

  /// The entry after what is applied, by index; null if there is none.
  std::shared_ptr<const log_entry> uncommitted_at(uint64_t index) const;

  /// Where the present epoch's no-op is.
  /// @pre `leading()`
  uint64_t lead_index() const {
    return lead_index_;
  }

  // -- what others ask

  sliding_answer average(std::string_view entity, uint64_t hash,
                         std::string_view metric, std::optional<time_ms> at,
                         time_ms width, time_ms cluster_clock, time_ms now,
                         time_ms& resolved_at) const;

  /// The windows of `range` can't change any more: what seals them is
  /// committed.
  bool sealed(const seal_range& range) const;

  /// Windows over all entities, and what of the readings they hold.
  const rollup_table& rollups() const {
    return rollups_;
  }

  const rollup_counts& rollup_ledger() const {
    return rollup_ledger_;
  }

  /// Version of the last plan in the log, committed or not.
  uint64_t tail_plan() const {
    return tail_plan_;
  }

  /// Greatest time of a reading when the present plan entered the log.
  time_ms plan_greatest() const {
    return plan_greatest_;
  }

  uint32_t id() const {
    return id_;
  }

  uint64_t epoch() const {
    return tail_.epoch;
  }

  bool leading() const {
    return leading_;
  }

  /// The no-op of the present epoch is committed.
  bool serving() const {
    return leading_ && applied_.index >= lead_index_;
  }

  /// No reading and no producer was ever entered: it may be handed to another
  /// node without its log.
  bool empty() const {
    return !has_data_;
  }

  const log_position& applied() const {
    return applied_;
  }

  const log_position& tail() const {
    return tail_;
  }

  size_t uncommitted() const {
    return pending_.size();
  }

  const producer_table& producers() const {
    return applied_producers_;
  }

  const verdict_counts& ledger() const {
    return ledger_;
  }

  const shard_settings& settings() const {
    return settings_;
  }

  sliding_table& table() {
    return table_;
  }

  const sliding_table& table() const {
    return table_;
  }

  /// Hash of everything that the applied log determines: the same on every
  /// replica that has applied as much.
  uint64_t digest() const;

  /// Greatest time of an accepted reading, never past `now`; -1 before the
  /// first. What the cluster's clock is made of.
  time_ms clock(time_ms now) const;

  // -- checkpoint

  /// @returns whether the checkpoint is full, as asked for or because it has to
  /// be: see `sliding_table::begin_checkpoint`
  bool begin_checkpoint(bool full);

  /// After the last chunk: what belongs to them.
  shard_meta checkpoint_meta() const;

private:
  /// What the log says of sealing.
  struct seal_state {
    time_ms sealed_through = before_time;
    time_ms released_through = before_time;
    /// The last window that was sealed alone.
    seal_range alone;
  };

  struct pending {
    std::shared_ptr<const log_entry> entry;
    std::unique_ptr<decoded_block> block;
    block_verdict verdict;
  };

  std::shared_ptr<log_entry> next_entry(entry_kind kind);
  offer append(std::shared_ptr<log_entry> entry,
               std::unique_ptr<decoded_block> block = nullptr,
               block_verdict verdict = {});
  void apply(const log_entry& entry, const decoded_block* block,
             const block_verdict& verdict);
  void apply_rollups(const decoded_block& block, const block_verdict& verdict);
  void apply_seal(const log_entry& entry);
  void reset_tail();
  void enter_tail(const log_entry& entry, const block_verdict& verdict);
  std::unique_ptr<decoded_block> spare_block();

  uint32_t id_;
  uint32_t shards_;

  // The end of the log.
  log_position tail_;
  shard_clock tail_clock_;
  producer_table tail_producers_;
  shard_settings tail_settings_;
  uint64_t tail_plan_ = 0;
  seal_state tail_seals_;
  std::deque<pending> pending_;
  bool leading_ = false;
  uint64_t lead_index_ = 0;

  // What is applied.
  log_position applied_;
  shard_clock clock_;
  producer_table applied_producers_;
  shard_settings settings_;
  sliding_table table_;
  verdict_counts ledger_;
  rollup_table rollups_;
  rollup_counts rollup_ledger_;
  seal_state seals_;
  /// Greatest time of a reading that could enter a window.
  time_ms greatest_ = before_time;
  time_ms plan_greatest_ = before_time;
  bool has_data_ = false;

  // What the next checkpoint, or the present recovery, begins at.
  log_position replay_start_;
  uint64_t meta_index_ = 0;
  struct {
    log_position at;
    time_ms clock = -1;
    time_ms lost_through = -1;
    shard_settings settings;
  } from_;

  std::vector<std::unique_ptr<decoded_block>> spare_;
  /// Of the block at hand: kept for its memory only.
  std::vector<uint32_t> rollup_skip_;
};

} // namespace weir
