#pragma once

#include "windows/entity_record.hpp"
#include "windows/failure.hpp"
#include "windows/metric_names.hpp"
#include "windows/reading.hpp"
#include "windows/slot_index.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct sliding_options {
  /// In ms, at least 1. A reading is forgotten once its time is at or before
  /// clock - retention; window + lateness is what most need.
  time_ms retention = 120'000;
  /// Cells of one metric of one entity, in [2, 1000000]: bounds memory whatever
  /// the rate. 1024 cells are 32 KiB, and cut a minute to 64 ms.
  uint32_t cells_max = 1024;
  /// In [1, 65535]. Keeps one sensor that invents names from filling memory.
  uint32_t metrics_per_entity_max = 64;
  /// Per shard. About 0.5 GiB of entities with one metric of a few readings.
  uint32_t entities_max = 4'000'000;
};

/// The average of one metric of one entity over (at - width, at].
struct sliding_answer {
  /// The entity has a reading, of any metric, that is not forgotten.
  bool known_entity = false;
  bool known_metric = false;
  /// Readings in the window, rounded if not `exact`. 0 means no average.
  uint64_t count = 0;
  double average = 0;
  /// A sum left the range of a double: there is no average.
  bool overflow = false;
  /// No cell straddles an edge of the window.
  bool exact = true;
  /// Nothing inside the window can have been forgotten.
  bool complete = false;
  /// Width of a cell in ms when not exact, else 1.
  time_ms resolution = 1;
};

/// The sliding windows of all entities of one shard.
///
/// Answers, refusals and the digest are functions of the calls of `configure`,
/// `advance` and `apply` alone: when memory is swept, and what is checkpointed
/// or recovered in between, has no influence.
class sliding_table {
public:
  /// Index of an entry that no checkpoint covers.
  static constexpr uint64_t index_last = std::numeric_limits<uint64_t>::max();

  /// Bytes after which a chunk takes no further entity, whatever was asked for:
  /// one row of storage, small against SQLite's limit of 1 GB.
  static constexpr size_t chunk_bytes_soft_max = 1 << 20;

  explicit sliding_table(sliding_options options);

  /// Takes options from now on; out of range ones are brought into it. What was
  /// forgotten stays so when the retention grows. Fewer cells take effect with
  /// a series' next reading.
  /// @param index log index of the entry that says so: in recovery, entities
  ///        whose chunk covers it have it behind them.
  void configure(sliding_options options, uint64_t index = index_last);

  const sliding_options& options() const {
    return options_;
  }

  /// The least int64 before the first `advance`.
  time_ms clock() const {
    return clock_;
  }

  /// Sets the clock that forgetting goes by. It never goes back.
  void advance(time_ms clock);

  /// What is forgotten for good although the retention, which has grown since,
  /// reaches beyond; the least int64 if it never grew.
  time_ms lost_through() const {
    return lost_through_;
  }

  /// Says so of a table that was recovered.
  void lose_through(time_ms time) {
    lost_through_ = time;
  }

  /// Applies the readings of `batch` in their order, but those that `skip`
  /// names, and those at or before clock - retention.
  /// @param skip indexes into `batch.readings`, ascending.
  /// @param index log index of the entry: in recovery, entities whose chunk
  ///        covers it are left alone, and count nothing as refused.
  /// @returns how many readings were refused, because their entity has too many
  ///          metrics, or the table too many entities.
  size_t apply(const reading_batch& batch, const std::vector<uint32_t>& skip,
               uint64_t index);

  /// Indexes of the readings that the last `apply` refused, ascending.
  const std::vector<uint32_t>& refused() const {
    return refused_;
  }

  /// Any arguments are safe.
  /// @param hash the entity's hash, as in the batch that brought it.
  /// @param now_clock used instead of `clock()` when it is later.
  sliding_answer average(std::string_view entity, uint64_t hash,
                         std::string_view metric, time_ms at, time_ms width,
                         time_ms now_clock) const;

  /// Sorted names of the metrics that are not forgotten.
  std::vector<std::string> metrics_of(std::string_view entity, uint64_t hash,
                                      time_ms now_clock) const;

  /// Frees what is forgotten in the next `entities_max` places of a round.
  /// @returns true when that finished the round. Does nothing in recovery.
  bool sweep(size_t entities_max);

  /// Entities in memory, forgotten ones not yet swept included.
  size_t entities() const {
    return count_;
  }

  /// Bytes on the heap, by reckoning, with the allocator's overhead.
  size_t bytes() const;

  /// Makes room for so many entities at once.
  void reserve(size_t entities);

  /// Hash of all that is not forgotten, whatever order it came in: equal for
  /// replicas that have applied the same log.
  uint64_t digest() const;

  // -- checkpoint ------------------------------------------------------------
  //
  // A round writes every entity that was touched since the previous round, or
  // simply every one, in chunks, while readings go on being applied between
  // chunks. A chunk holds its entities as they are when it is taken, and so
  // covers the log through the entry applied last. Recovery starts with the
  // options, the clock and the loss of the moment when the last finished round
  // began, loads all chunks since the last full round, and applies the log from
  // that moment on. It ends as if there had been none, but for one case: a
  // table that is full refuses more, if an entity was forgotten and came back
  // meanwhile.

  /// Starts a round. The previous one counts as stored, or as aborted if
  /// `next_chunk` hasn't said yet that nothing was left.
  /// @returns true if the round is full, as asked for or since the retention
  ///          has grown: once stored it replaces all chunks before it, and they
  ///          must not be loaded any more.
  bool begin_checkpoint(bool full);

  /// Appends one chunk of up to `entities_max` of the round's entities.
  /// @returns false, appending nothing, if none was left.
  bool next_chunk(size_t entities_max, std::string& out);

  /// Says that nothing since `begin_checkpoint` was stored: the next round
  /// takes it again.
  void abort_checkpoint();

  // -- recovery --------------------------------------------------------------

  /// Whether a batch that names the entity would bring this hash.
  using hash_check = std::function<bool(std::string_view id, uint64_t hash)>;

  /// Adds the entities of a chunk. Of several states of the same entity the one
  /// that covers more of the log is kept, or else the one loaded last.
  /// @param covers log index of the last entry applied before it was taken.
  /// @param is_right what the hashes in it have to satisfy. Without it any are
  ///        taken, and n entities whose hashes are equal cost n^2 steps.
  /// @returns the number of entities in it, or `version_mismatch`, or `damaged`
  ///          if no table writes such bytes; then the table is of no use.
  result<size_t> load_chunk(std::string_view chunk, uint64_t covers,
                            const hash_check& is_right = {});

  /// Releases what only recovery needs.
  void finish_recovery();

private:
  /// Records a page: small enough for a shard with few entities.
  static constexpr uint32_t page_bits = 10;
  static constexpr uint32_t page_records = 1 << page_bits;

  /// The entity limit forgets in steps of a sixteenth of the retention, so that
  /// a full table is searched that often at most, not with every reading.
  static constexpr time_ms limit_steps = 16;

  struct applying;

  entity_record& at(uint32_t slot) const {
    return pages_[slot >> page_bits][slot & (page_records - 1)];
  }

  time_ms floor_at(time_ms clock) const;

  /// Where entities leave memory: `floor_at(clock_)` in whole steps.
  time_ms limit_floor() const;

  uint32_t find(std::string_view id, uint64_t hash) const;

  const entity_record* known(std::string_view id, uint64_t hash,
                             time_ms floor) const;

  uint32_t create(std::string_view id, uint64_t hash);

  void free(uint32_t slot);

  void clear_series(entity_record& rec);

  void drop_forgotten_series(entity_record& rec, time_ms floor);

  void prune(entity_record& rec, time_ms floor, size_t items_min);

  bool covered(uint32_t slot, uint64_t index) const {
    return recovering_ && covers_[slot] >= index;
  }

  void set_last(entity_record& rec, time_ms time);

  void free_forgotten(time_ms floor, uint64_t index);

  void forget_for_good(time_ms floor, uint64_t index);

  bool is_full(uint64_t index);

  void mark_dirty(uint32_t slot);

  void resolve(const reading_batch& batch);

  void prefetch_series(const reading_batch& batch, size_t first,
                       size_t last) const;

  bool apply_one(const applying& x, const reading& r);

  uint32_t place_for(const applying& x, const reading& r);

  sliding_series* series_for(const applying& x, entity_record& rec,
                             const reading& r);

  void encode_entity(const entity_record& rec, byte_writer& out,
                     std::vector<uint32_t>& dictionary);

  struct dictionary;

  bool load_entity(byte_reader& in, uint64_t covers, dictionary& metrics,
                   const hash_check& is_right);

  sliding_options options_;
  time_ms clock_ = std::numeric_limits<time_ms>::min();
  /// The floor when the retention last grew: what it took can't come back.
  time_ms lost_through_ = std::numeric_limits<time_ms>::min();

  std::vector<std::unique_ptr<entity_record[]>> pages_;
  /// Slots below this were in use at some time.
  uint32_t slots_ = 0;
  std::vector<uint32_t> free_slots_;
  slot_index index_;
  metric_names names_;
  size_t count_ = 0;
  /// Bytes of blocks and series.
  size_t heap_ = 0;

  uint32_t sweep_cursor_ = 0;
  /// Where the last search for forgotten entities looked.
  time_ms searched_through_ = std::numeric_limits<time_ms>::min();
  /// Entities without a reading after that. They don't count for the limit,
  /// which so doesn't see whether they were kept or freed.
  size_t kept_ = 0;

  std::vector<uint32_t> dirty_;
  std::vector<uint32_t> pending_;
  size_t taken_ = 0;
  bool round_open_ = false;
  bool full_needed_ = false;
  bool full_was_needed_ = false;
  /// Number of each metric in the chunk's dictionary, plus one.
  std::vector<uint32_t> chunk_numbers_;

  bool recovering_ = false;
  std::vector<uint64_t> covers_;

  // Of the batch at hand: kept for their memory only.
  std::vector<uint32_t> found_;
  std::vector<uint32_t> metric_ids_;
  std::vector<uint32_t> refused_;
};

} // namespace weir
