#pragma once

#include "cluster/log.hpp"
#include "cluster/replication.hpp"
#include "cluster/shard.hpp"
#include "storage/journal.hpp"
#include "storage/state_store.hpp"

#include <map>
#include <string>
#include <vector>

// The shards' part of a backup: a journal.db and a state.db as a node has them,
// with one copy of every shard.

namespace weir {

/// What a backup holds of a shard.
struct shard_extent {
  uint32_t shard = 0;
  /// Of the checkpoint; 0 chunks and an index of 0: there is none.
  uint64_t from_index = 0;
  uint64_t chunks = 0;
  /// Entries of the log after `from_index`.
  uint64_t entries = 0;
  /// Of chunks, envelopes and blocks.
  uint64_t bytes = 0;
  /// The last entry. Its chain value stands for the whole log.
  log_position end;
  /// Of the checkpoint's chunks and its meta, in their order.
  uint64_t digest = 0;

  friend bool operator==(const shard_extent& x, const shard_extent& y) {
    return x.shard == y.shard && x.from_index == y.from_index
           && x.chunks == y.chunks && x.entries == y.entries
           && x.bytes == y.bytes && x.end == y.end && x.digest == y.digest;
  }
};

/// Takes shards in. What it is given is checked before it is kept: a piece that
/// does not fit is refused with `damaged`, `sequence_gap` or `conflict`, and
/// changes nothing. Any other failure is the disk's.
class backup_store {
public:
  /// Makes the two files in `directory`, which has none.
  /// @param shards number of shards of the cluster
  static result<backup_store> create(const std::string& directory,
                                     uint32_t shards);

  /// Begins `shard`, and forgets what there is of it.
  /// @param x without bytes: there is no checkpoint
  result<void> begin(uint32_t shard, const shard_meta& x);

  result<void> add_chunk(uint32_t shard, std::string_view bytes,
                         uint64_t covers);

  /// All chunks are there.
  result<void> end_checkpoint(uint32_t shard);

  /// The entries that follow `at(shard).end`.
  result<void> append(uint32_t shard, const std::vector<entry_ptr>& entries);

  /// Whatever was appended is kept by the files, if not yet by the disk.
  result<void> commit();

  /// All of it is on the disk itself when this returns. The files are closed
  /// with the object.
  result<void> finish();

  /// Of a shard that was begun.
  const shard_extent& at(uint32_t shard) const {
    return extents_.at(shard);
  }

  const std::map<uint32_t, shard_extent>& all() const {
    return extents_;
  }

private:
  backup_store(journal log, state_store state, uint32_t shards)
    : log_(std::move(log)), state_(std::move(state)), shards_(shards) {
    // nop
  }

  journal log_;
  state_store state_;
  uint32_t shards_;
  std::map<uint32_t, shard_extent> extents_;
  /// Of checkpoints in the making.
  std::map<uint32_t, shard_meta> metas_;
};

/// What was found by loading a shard as a node does.
struct examined_shard {
  shard_extent extent;
  verdict_counts ledger;
};

/// Reads all that there is of a shard, with every checksum, and lets it become
/// what it was, so that it is known that a node can.
/// Errors: `damaged` with file and shard; those of reading.
result<examined_shard> examine_shard(journal& log, state_store& state,
                                     uint32_t shard, uint32_t shards);

} // namespace weir
