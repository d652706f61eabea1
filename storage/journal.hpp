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

  /// Commits, and then makes `entries` the shard's log in one transaction:
  /// whatever it had goes. The first one follows `after`, as will the next one
  /// that is appended if there is none. Refused as by `append`, with the old
  /// log in place; durable like a commit.
  /// @pre All are entries of `shard`.
  result<void> replace(uint32_t shard, const log_position& after,
                       const std::vector<entry_ptr>& entries);

  /// Deletes entries of `shard` up to index `upto` in one commit of at most
  /// `rows_max` rows, the oldest first. True when none is left.
  /// @pre `!dirty()`, `rows_max > 0`.
  result<bool> truncate(uint32_t shard, uint64_t upto, uint64_t rows_max);

  /// Deletes all of a shard's entries. The record stays: who forgot a promise
  /// could be talked into following a primary of the past.
  /// @pre `!dirty()`.
  result<void> remove_shard(uint32_t shard);

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

  /// Whether the log belongs to a checkpoint whose last entry is `end`: it has
  /// that entry, or begins right after it, or has none at all. Where not, the
  /// checkpoint came from another node, and a crash kept `replace` from
  /// following it: call `replace(shard, end, {})`. (A log whose end was lost
  /// with a damaged WAL looks the same.) That brings back a checkpoint which
  /// needs no replay; one that does has no log to end it any more, which the
  /// shard's recovery tells. Errors: `damaged`.
  result<bool> follows(uint32_t shard, const log_position& end);

  /// Shards with entries, ascending.
  result<std::vector<uint32_t>> shards();

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

  result<void> prepare();
  result<void> check(const log_entry& x) const;
  result<void> check_next(const log_position& last, const log_entry& x) const;
  result<log_position> known_tail(uint32_t shard);
  result<std::optional<held>> first_from(uint32_t shard, uint64_t index);
  result<void> insert(const log_entry& x, uint64_t committed);
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
  statement records_;
  uint64_t pending_entries_ = 0;
  uint64_t pending_bytes_ = 0;
  /// Ends of logs as appended, loaded when first needed; an index of 0 stands
  /// for no rows.
  tsl::robin_map<uint32_t, log_position> tails_;
};

} // namespace weir
