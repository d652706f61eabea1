#pragma once

#include "messages/wire.hpp"

// What a backup asks of the nodes. The rules of wire.hpp hold. Whoever asks
// pulls, a piece at a time, and names itself in each question; a node forgets
// whoever is silent. Nothing here changes a shard.

namespace weir {

/// Opens the stored checkpoint of a shard, and keeps it as it is, and the log
/// behind it, as long as the backup goes on asking.
struct begin_backup {
  uint32_t shard = 0;
  /// 32 random hexadecimal digits.
  std::string backup;
};

struct backup_begun {
  /// As in `shard_meta`; empty: there is no checkpoint, and the log begins with
  /// its first entry.
  std::string meta;
  uint64_t from_index = 0;
  log_position end;
  uint64_t chunks = 0;
  /// Of all chunks.
  uint64_t bytes = 0;
};

/// Asks for chunk `number` of that checkpoint, from 0 on.
struct read_backup_chunk {
  uint32_t shard = 0;
  std::string backup;
  uint64_t number = 0;
};

struct backup_chunk {
  std::string bytes;
  uint64_t covers = 0;
};

/// Asks for committed entries after this index; the log before it is no longer
/// needed, and neither is the checkpoint.
struct read_backup_log {
  uint32_t shard = 0;
  std::string backup;
  uint64_t after = 0;
};

struct backup_log {
  /// A `replicate` with them, as encode_peer_message() writes it.
  std::string bytes;
  /// The last committed entry.
  log_position end;
  /// Of the shard's configuration there.
  uint64_t epoch = 0;
  /// It is led there: `end` covers all that was acknowledged before, if that
  /// epoch is still the last one.
  bool leads = false;
};

/// The backup has what it wants of this shard.
struct end_backup {
  uint32_t shard = 0;
  std::string backup;
};

/// Asks the coordinator for a copy of its catalog, from this byte on. It is
/// made when the first byte is asked for, while the coordinator works on, and
/// is then what the catalog was at one moment.
struct copy_catalog {
  std::string backup;
  uint64_t offset = 0;
};

struct catalog_piece {
  std::string bytes;
  /// Of the whole copy; 0: it is still being made, ask again.
  uint64_t size = 0;
  /// Of the copy; wall clock.
  time_ms moment = 0;
};

WEIR_INSPECT(begin_backup, x.shard, x.backup)
WEIR_INSPECT(backup_begun, x.meta, x.from_index, x.end, x.chunks, x.bytes)
WEIR_INSPECT(read_backup_chunk, x.shard, x.backup, x.number)
WEIR_INSPECT(backup_chunk, x.bytes, x.covers)
WEIR_INSPECT(read_backup_log, x.shard, x.backup, x.after)
WEIR_INSPECT(backup_log, x.bytes, x.end, x.epoch, x.leads)
WEIR_INSPECT(end_backup, x.shard, x.backup)
WEIR_INSPECT(copy_catalog, x.backup, x.offset)
WEIR_INSPECT(catalog_piece, x.bytes, x.size, x.moment)

} // namespace weir
