#pragma once

#include "storage/sqlite.hpp"

#include <tsl/robin_map.h>

#include <functional>
#include <vector>

// state.db: checkpoints of shards. A checkpoint is a base, and deltas that
// were added later, each in chunks of many entities.

namespace weir {

/// What a finished checkpoint says of itself.
struct checkpoint_meta {
  /// Every chunk contains all entries up to this one: replay begins behind it,
  /// and older journal rows may go once the store is synced.
  uint64_t from_index = 0;
  /// The last entry that any part contains, with its epoch and chain value.
  uint64_t index = 0;
  uint64_t epoch = 0;
  uint64_t chain = 0;
  /// The caller's: rollups, producers, ledgers.
  std::string meta;

  friend bool operator==(const checkpoint_meta& x, const checkpoint_meta& y) {
    return x.from_index == y.from_index && x.index == y.index
           && x.epoch == y.epoch && x.chain == y.chain && x.meta == y.meta;
  }
};

/// Bytes of chunks, so that the caller makes a new base when the deltas outgrow
/// the old one.
struct checkpoint_size {
  uint64_t base_bytes = 0;
  uint64_t delta_bytes = 0;
};

/// A stored checkpoint, without its bytes.
struct checkpoint_copy {
  checkpoint_meta meta;
  /// For `state_store::read_chunk`.
  std::vector<int64_t> chunks;
};

/// One chunk of it.
struct stored_chunk {
  std::string bytes;
  /// The last log index that they contain.
  uint64_t covers = 0;
};

/// Checkpoints of all shards of a node; those of several shards may be in the
/// making at once. Chunks are committed one by one, so that no transaction is
/// long, and are invisible until `finish` makes all of them the shard's
/// checkpoint in one transaction. What a crash left unfinished is never read,
/// and goes with the next checkpoint.
///
/// Nothing here waits for the disk but `sync`: before that, a power cut (not a
/// killed process) may bring back an older checkpoint. A full disk undoes the
/// call that met it; any other failure to write ends the store: `failed()`.
class state_store {
public:
  /// Opens or creates the file: see `connection::open` for the errors.
  static result<state_store> open(const std::string& path);

  bool created() const {
    return db_.created();
  }

  /// Begins a checkpoint, and forgets one of this shard that was not finished.
  /// With `full` it will replace what is there; else it adds to it.
  /// Errors: `not_found` if there is nothing to add to, `damaged` if that is.
  result<void> begin(uint32_t shard, bool full);

  /// `covers`: the last log index that `bytes` contain.
  /// @pre `begin(shard)`.
  result<void> add_chunk(uint32_t shard, uint64_t covers,
                         std::string_view bytes);

  /// The chunks since `begin` become the shard's checkpoint, or its newest
  /// part. After a failure the old one is in place, and this may be called
  /// again.
  /// @pre `begin(shard)`.
  result<void> finish(uint32_t shard, const checkpoint_meta& x);

  /// Gives up what `begin` began, if anything.
  result<void> abort(uint32_t shard);

  /// What was finished is on the disk itself when this returns. Only then may
  /// the journal's rows go.
  result<void> sync() {
    return db_.checkpoint();
  }

  using on_chunk
    = std::function<result<void>(std::string_view bytes, uint64_t covers)>;

  /// Calls `f` with every chunk, the oldest first: a later one replaces what
  /// an earlier one says of the same entity. Nothing if the shard has no
  /// checkpoint. A failure of `f` is returned.
  ///
  /// Errors: `damaged` with the shard, if a row is not what was written or a
  /// chunk is missing; what `f` saw is to be thrown away then.
  /// @pre `f` does not call this store.
  result<std::optional<checkpoint_meta>> load(uint32_t shard,
                                              const on_chunk& f);

  /// A checkpoint to be read in pieces, for another node: what `load` returns,
  /// and its chunks' ids, the oldest first. Nothing if the shard has none.
  /// Errors: `damaged`, if a chunk is missing.
  result<std::optional<checkpoint_copy>> open_copy(uint32_t shard);

  /// One of the chunks of a copy, which stay as long as the shard's checkpoint
  /// is neither replaced nor removed. Errors: `damaged`; `not_found` if it did
  /// not stay.
  result<stored_chunk> read_chunk(uint32_t shard, int64_t id);

  /// Nothing if the shard has no checkpoint.
  result<std::optional<checkpoint_size>> size(uint32_t shard);

  /// What `load` returns, without the chunks.
  result<std::optional<checkpoint_meta>> meta(uint32_t shard);

  /// Shards with a checkpoint, ascending.
  result<std::vector<uint32_t>> shards();

  /// Deletes the shard's checkpoint, and one in the making.
  result<void> remove_shard(uint32_t shard);

  /// Copies all that there is of a shard into a new database `into`, and then
  /// deletes it as `remove_shard` does. A damaged file that SQLite finds
  /// corrupt is not touched, and ends the store.
  result<void> put_aside(uint32_t shard, const std::string& into);

  /// See `connection::check_integrity`.
  result<void> check_integrity() {
    return db_.check_integrity();
  }

  result<uint64_t> file_bytes() const {
    return db_.file_bytes();
  }

  const failure* failed() const {
    return db_.failed();
  }

private:
  /// A row of the table `checkpoint`.
  struct finished {
    checkpoint_meta meta;
    checkpoint_size size;
    /// Id of the newest chunk, 0 without any; later ones are unfinished.
    int64_t last_chunk = 0;
    uint64_t chunks = 0;
    /// Chain value over the chunks' checksums, so that none can be missing.
    uint64_t digest = 0;
  };

  /// A checkpoint in the making.
  struct attempt {
    bool full = false;
    /// Id of its first chunk, 0 before.
    int64_t first_chunk = 0;
    /// The row as it will be.
    finished next;
  };

  explicit state_store(connection db) : db_(std::move(db)) {
    // nop
  }

  static uint64_t crc_of(uint32_t shard, const finished& x);
  result<void> prepare();
  result<std::optional<finished>> find(uint32_t shard);

  connection db_;
  statement add_;
  statement put_;
  statement find_;
  statement chunks_;
  statement chunk_ids_;
  statement chunk_;
  statement shards_;
  statement drop_before_;
  statement drop_after_;
  statement remove_;
  tsl::robin_map<uint32_t, attempt> attempts_;
};

} // namespace weir
