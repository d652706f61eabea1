#pragma once

#include "cluster/log.hpp"
#include "storage/sqlite.hpp"

#include <tsl/robin_map.h>

#include <functional>
#include <vector>

// journal.db: the logs of all shards of a node, a row an entry.

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

/// The logs of all shards of a node. Entries appended since the last commit
/// make one transaction.
///
/// Failures. A full disk rolls the transaction back: nothing appended since the
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

  /// Adds an entry to the open transaction, or to a new one. The first entry of
  /// a shard without rows may have any index; every other must continue the
  /// log.
  ///
  /// Refused without any effect: `sequence_gap` for an index other than the
  /// next, `conflict` for a chain that does not continue the last entry's,
  /// `damaged` for a wrong crc, `limit_reached` for an index of 0 or above
  /// `entry_index_max`, or more than `entry_bytes_max`.
  result<void> append(const log_entry& x);

  /// When it returns, all that was appended is durable. Without any, a no-op.
  result<void> commit();

  /// What commits survive from now on.
  /// @pre `!dirty()`.
  result<void> set_durability(durability level);

  /// There are entries that `commit` has not seen.
  bool dirty() const {
    return pending_entries_ > 0;
  }

  uint64_t pending_entries() const {
    return pending_entries_;
  }

  /// Envelopes and blocks in the open transaction.
  uint64_t pending_bytes() const {
    return pending_bytes_;
  }

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

  /// False ends the reading.
  using on_entry = std::function<bool(const log_entry&)>;

  /// Calls `f` with the entries of `shard` from `from` on, by index, those of
  /// the open transaction included; views are valid during the call, and `keep`
  /// is empty. `previous` is the chain value of the entry before `from` (0
  /// before the first); without one the first entry's chain is believed.
  /// A long read keeps the WAL from being reused: stop, commit, and go on.
  ///
  /// Errors: `damaged` with shard and index for a missing entry, a wrong crc or
  /// a broken chain. The end of the log may be missing without an error, since
  /// damage of a WAL ends it early: compare `tail` with what others know.
  /// @pre `f` does not call this journal.
  result<void> read(uint32_t shard, uint64_t from,
                    std::optional<uint64_t> previous, const on_entry& f);

  /// The last entry of a shard, or nothing without rows. Checks its crc.
  result<std::optional<log_position>> tail(uint32_t shard);

  /// Shards with rows, ascending.
  result<std::vector<uint32_t>> shards();

  /// Deletes entries of `shard` up to index `upto` in one commit of at most
  /// `rows_max` rows, the oldest first. True when none is left.
  /// @pre `!dirty()`, `rows_max > 0`.
  result<bool> truncate(uint32_t shard, uint64_t upto, uint64_t rows_max);

  /// Deletes the entries of `shard` after index `last`: the divergent end of a
  /// log that another replica's goes on from. Durable like a commit.
  /// @pre `!dirty()`.
  result<void> cut(uint32_t shard, uint64_t last);

  /// Deletes all of a shard's rows.
  /// @pre `!dirty()`.
  result<void> remove_shard(uint32_t shard);

private:
  explicit journal(connection db) : db_(std::move(db)) {
    // nop
  }

  result<void> prepare();
  result<void> check(const log_entry& x);
  void roll_back();

  connection db_;
  statement insert_;
  statement read_;
  statement tail_;
  statement first_;
  statement shards_;
  statement truncate_;
  statement cut_;
  statement remove_;
  uint64_t pending_entries_ = 0;
  uint64_t pending_bytes_ = 0;
  /// Ends of logs as appended, loaded when first needed; an index of 0 stands
  /// for no rows.
  tsl::robin_map<uint32_t, log_position> tails_;
};

} // namespace weir
