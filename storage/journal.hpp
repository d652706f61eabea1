#pragma once

#include "cluster/log.hpp"
#include "cluster/replica_effects.hpp"
#include "storage/sqlite.hpp"

#include <tsl/robin_map.h>

#include <functional>
#include <vector>

// journal.db: the logs of all shards of a node, a row an entry, and what its
// copies of the shards must not forget beside them.

namespace weir {

/// What an acknowledged entry survives.
enum class durability : uint8_t {
  /// Power cuts: every commit is synced.
  power,
  /// A killed process, not a power cut; several times faster.
  process,
};

/// Envelope and block of one entry together. SQLite takes rows up to 10^9
/// bytes; an entry is some hundred kilobytes.
constexpr uint64_t entry_bytes_max = 512ull << 20;

/// SQLite orders signed numbers.
constexpr uint64_t entry_index_max = INT64_MAX;

/// What a checkpoint needs of a log: the entries after index `from_index`, as
/// far as `end`, the last one that it contains in part. All 0 stands for no
/// checkpoint, which needs a log from its first entry on.
struct checkpoint_range {
  uint64_t from_index = 0;
  log_position end;

  friend bool operator==(const checkpoint_range& x, const checkpoint_range& y) {
    return x.from_index == y.from_index && x.end == y.end;
  }
};

/// The logs of all shards of a node. What was written since the last commit
/// (entries, cuts, records) makes one transaction: it is there in its order,
/// and whole, or not at all.
///
/// Failures. A full disk rolls the transaction back: nothing written since the
/// last commit is there, and the journal goes on. Every other failure to write
/// or sync ends it: `failed()` is set, and every call that writes returns it;
/// only opening the file again tells what is there. Damage that reading finds
/// ends nothing.
class journal {
public:
  /// Opens or creates the file: see `connection::open` for the errors.
  static result<journal> open(const std::string& path, durability level);

  /// The file was not there before.
  bool created() const {
    return db_.created();
  }

  // -- writing, into the open transaction or a new one

  /// Adds an entry. The first one of a shard without rows may have any index;
  /// every other must continue the log. One that is there already, the same, is
  /// a success, and changes nothing.
  ///
  /// Refused without any effect: `sequence_gap` for an index other than the
  /// next, `conflict` for a chain that does not continue the last entry's,
  /// `damaged` for a wrong crc, or if what is there at its index is damaged,
  /// `limit_reached` for an index of 0 or above `entry_index_max`, or more than
  /// `entry_bytes_max`.
  /// @param committed index up to which entries are known to be committed by
  ///                  now; 0 if that is not known
  result<void> append(const log_entry& x, uint64_t committed = 0);

  /// Deletes the entries of `shard` after index `last`: the divergent end of a
  /// log that another replica's goes on from.
  result<void> cut(uint32_t shard, uint64_t last);

  /// Replaces the record of the copy of `x.config.shard`.
  result<void> put_record(const replica_record& x);

  /// When it returns, all that was written is durable. Without any, a no-op.
  result<void> commit();

  /// All that is committed is on the disk itself when this returns, whatever
  /// the durability.
  /// @pre `!dirty()`.
  result<void> sync() {
    return db_.checkpoint();
  }

  /// There is something that `commit` has not seen.
  bool dirty() const {
    return db_.in_transaction();
  }

  /// Entries added to the open transaction.
  uint64_t pending_entries() const {
    return pending_entries_;
  }

  /// Their envelopes and blocks.
  uint64_t pending_bytes() const {
    return pending_bytes_;
  }

  // -- writing, in transactions of its own

  /// What commits survive from now on.
  /// @pre `!dirty()`.
  result<void> set_durability(durability level);

  /// Deletes entries of `shard` up to index `upto` in one commit of at most
  /// `rows_max` rows, the oldest first. True when none is left.
  /// @pre `!dirty()`, `rows_max > 0`.
  result<bool> truncate(uint32_t shard, uint64_t upto, uint64_t rows_max);

  /// Deletes all of a shard's entries, staged ones too. The record stays: who
  /// forgot a promise could be talked into following a primary of the past.
  /// @pre `!dirty()`.
  result<void> remove_shard(uint32_t shard);

  /// Copies all that there is of a shard into a new database `into`, and then
  /// deletes it as `remove_shard` does. A damaged file that SQLite finds
  /// corrupt is not touched, and ends the journal.
  /// @pre `!dirty()`.
  result<void> put_aside(uint32_t shard, const std::string& into);

  // -- another node's log, which takes the place of a shard's own
  //
  // Its checkpoint is in another file, so no transaction holds both. Therefore
  // the log is staged beside the present one, then the checkpoint is finished
  // and synced, and then the staged log is installed. Wherever a crash comes,
  // `settle` tells by the checkpoint which log is the shard's. All of these
  // commit what is open, and then make a transaction each.

  /// Begins a staged log, and forgets one that was begun before.
  /// Errors: `conflict` if a log that begins there is none for `checkpoint`.
  /// @param after what the first entry follows
  /// @param checkpoint what will be finished before the log is installed
  result<void> begin_stage(uint32_t shard, const log_position& after,
                           const checkpoint_range& checkpoint);

  /// Adds entries to it, all of them or none. Other shards' commits wait for
  /// one call, so that a long log should come in parts of a few MiB. Refused as
  /// by `append`, except that nothing may come twice; and with `conflict` for
  /// an entry that differs from the checkpoint's end.
  /// @pre `begin_stage(shard)`, and all are entries of `shard`.
  result<void> stage(uint32_t shard, const std::vector<entry_ptr>& entries);

  /// The staged log is complete, and on the disk itself when this returns,
  /// whatever the durability: the checkpoint may be finished now. After a full
  /// disk it may be called again.
  /// Errors: `sequence_gap` if the log does not reach the checkpoint's end.
  /// @pre `begin_stage(shard)`.
  result<void> end_stage(uint32_t shard);

  /// The staged log becomes the shard's; whatever it had goes. Durable like a
  /// commit.
  /// @pre `end_stage(shard)`, and the checkpoint is finished and synced.
  result<void> install_staged(uint32_t shard);

  /// Forgets a staged log, if any.
  result<void> discard_staged(uint32_t shard);

  /// After a crash: installs a complete staged log if the shard's checkpoint is
  /// the one that it was staged for, and the present log is none for that;
  /// else forgets it. Without a staged log it changes nothing. True if it was
  /// installed. Errors: `damaged`.
  /// @param checkpoint the shard's, out of its meta
  /// @pre The checkpoint is synced.
  result<bool> settle(uint32_t shard, const checkpoint_range& checkpoint);

  // -- reading, what is in the open transaction included

  /// False ends the reading. `committed` is what `append` was told.
  using on_entry = std::function<bool(const log_entry& x, uint64_t committed)>;

  /// Calls `f` with the entries of `shard` from `from` on, by index; views are
  /// valid during the call, and `keep` is empty. `previous` is the chain value
  /// of the entry before `from` (0 before the first); without one the first
  /// entry's chain is believed. A long read keeps the WAL from being reused:
  /// stop, commit, and go on.
  ///
  /// Errors: `damaged` with shard and index for a missing entry, a wrong crc or
  /// a broken chain. The end of the log may be missing without an error, since
  /// damage of a WAL ends it early: compare `tail` with what others know.
  /// @pre `f` does not call this journal.
  result<void> read(uint32_t shard, uint64_t from,
                    std::optional<uint64_t> previous, const on_entry& f);

  /// The last entry of a shard, or nothing without rows. Checks its crc.
  result<std::optional<log_position>> tail(uint32_t shard);

  /// Where the log of a shard begins by now, or nothing without rows.
  result<std::optional<uint64_t>> first_index(uint32_t shard);

  /// Shards with entries, or a staged log, ascending.
  result<std::vector<uint32_t>> shards();

  /// The record of the copy of `shard`, if any; others' damage is not seen.
  /// Errors: `damaged`.
  result<std::optional<replica_record>> record(uint32_t shard);

  /// All records, by shard. Errors: `damaged` with the shard.
  result<std::vector<replica_record>> records();

  /// Bytes on the disk, the WAL included. Deleted rows leave room in the file
  /// for new ones; it does not shrink.
  result<uint64_t> file_bytes() const {
    return db_.file_bytes();
  }

  /// Bytes of the pages that hold something: grows with appending, shrinks
  /// with truncation.
  result<uint64_t> used_bytes() {
    return db_.used_bytes();
  }

  /// See `connection::check_place`.
  result<void> check_place() {
    return db_.check_place();
  }

  /// See `connection::check_integrity`.
  result<void> check_integrity() {
    return db_.check_integrity();
  }

  const std::string& path() const {
    return db_.path();
  }

  /// Why the journal takes no more entries, or null.
  const failure* failed() const {
    return db_.failed();
  }

private:
  explicit journal(connection db) : db_(std::move(db)) {
    // nop
  }

  /// An entry that is in the journal.
  struct held {
    log_position at;
    uint64_t crc = 0;
  };

  /// A staged log in the making.
  struct staging {
    log_position after;
    checkpoint_range checkpoint;
    /// Its last entry, or `after`.
    log_position last;
  };

  /// What is written down of a complete one.
  struct staged_mark {
    log_position after;
    checkpoint_range checkpoint;
  };

  static uint64_t mark_crc(uint32_t shard, const staged_mark& x);
  result<void> prepare();
  result<void> prepare_stage();
  result<void> check(const log_entry& x) const;
  result<void> check_next(const log_position& last, const log_entry& x) const;
  result<log_position> known_tail(uint32_t shard);
  result<std::optional<held>> first_from(uint32_t shard, uint64_t index);
  result<void> insert(statement& into, const log_entry& x, uint64_t committed);
  result<void> install(uint32_t shard, const staged_mark& x);
  result<void> delete_staged(uint32_t shard);
  result<bool> has_staged(uint32_t shard);
  result<std::optional<staged_mark>> find_mark(uint32_t shard);
  result<bool> holds(uint32_t shard, const checkpoint_range& x);
  void roll_back();

  /// Runs `body() -> result<void>` in the open transaction, or in a new one.
  template <class Body>
  result<void> write(Body body) {
    if (auto* why = failed())
      return tl::unexpected(*why);
    if (!db_.in_transaction())
      if (auto begun = db_.begin(); !begun)
        return begun;
    auto done = body();
    if (!done)
      roll_back();
    return done;
  }

  connection db_;
  statement insert_;
  statement read_;
  statement tail_;
  statement first_;
  statement shards_;
  statement truncate_;
  statement cut_;
  statement remove_;
  statement put_record_;
  statement record_;
  statement records_;
  statement stage_;
  statement has_staged_;
  statement install_;
  statement drop_staged_;
  statement put_mark_;
  statement find_mark_;
  statement drop_mark_;
  uint64_t pending_entries_ = 0;
  uint64_t pending_bytes_ = 0;
  /// Ends of logs as appended, loaded when first needed; an index of 0 stands
  /// for no rows.
  tsl::robin_map<uint32_t, log_position> tails_;
  tsl::robin_map<uint32_t, staging> stages_;
};

} // namespace weir
