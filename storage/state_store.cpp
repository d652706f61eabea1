#include "storage/state_store.hpp"

#include "cluster/log.hpp"
#include "storage/row_crc.hpp"

#include <fmt/format.h>

#include <cassert>

namespace weir {

namespace {

/// "WeiS". Unsigned numbers of 64 bits are stored as the signed ones of the
/// same bits. Chunks of a shard after its checkpoint's last_chunk belong to one
/// that was not finished.
constexpr auto format = file_format{0x57656953, 1, R"(
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY,
  shard INTEGER NOT NULL,
  covers INTEGER NOT NULL,
  data BLOB NOT NULL,
  crc INTEGER NOT NULL
);
CREATE INDEX chunk_by_shard ON chunk (shard);
CREATE TABLE checkpoint (
  shard INTEGER PRIMARY KEY,
  from_index INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  chain INTEGER NOT NULL,
  meta BLOB NOT NULL,
  base_bytes INTEGER NOT NULL,
  delta_bytes INTEGER NOT NULL,
  last_chunk INTEGER NOT NULL,
  chunks INTEGER NOT NULL,
  digest INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
)"};

constexpr auto put_sql
  = "REPLACE INTO checkpoint (shard, from_index, idx, epoch, chain, meta,"
    " base_bytes, delta_bytes, last_chunk, chunks, digest, crc)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

constexpr auto find_sql
  = "SELECT from_index, idx, epoch, chain, meta, base_bytes, delta_bytes,"
    " last_chunk, chunks, digest, crc FROM checkpoint WHERE shard = ?1";

uint64_t chunk_crc(uint32_t shard, uint64_t covers, std::string_view data) {
  return row_crc(shard, covers, checksum(data));
}

tl::unexpected<failure> damaged(const std::string& path, uint32_t shard,
                                std::string_view how) {
  return fail(ec::damaged,
              fmt::format("{}: checkpoint of shard {}: {}; restore the data "
                          "directory from a copy",
                          path, shard, how));
}

tl::unexpected<failure> incomplete(const std::string& path, uint32_t shard,
                                   uint64_t found, uint64_t written) {
  return damaged(path, shard,
                 fmt::format("{} chunks are there, and not the {} that were "
                             "written",
                             found, written));
}

} // namespace

result<state_store> state_store::open(const std::string& path) {
  auto db = connection::open(format, path, sync_mode::normal);
  if (!db)
    return tl::unexpected(std::move(db.error()));
  auto self = state_store{std::move(*db)};
  if (auto done = self.prepare(); !done)
    return tl::unexpected(std::move(done.error()));
  return self;
}

result<void> state_store::prepare() {
  return db_.prepare({
    {add_,
     "INSERT INTO chunk (shard, covers, data, crc) VALUES (?1, ?2, ?3, ?4)",
     "add a chunk"},
    {put_, put_sql, "finish a checkpoint"},
    {find_, find_sql, "read a checkpoint"},
    {chunks_,
     "SELECT covers, data, crc FROM chunk WHERE shard = ?1 AND id <= ?2"
     " ORDER BY id",
     "read chunks"},
    {chunk_ids_,
     "SELECT id, crc FROM chunk WHERE shard = ?1 AND id <= ?2 ORDER BY id",
     "list chunks"},
    {chunk_, "SELECT covers, data, crc FROM chunk WHERE id = ?2 AND shard = ?1",
     "read a chunk"},
    {shards_, "SELECT shard FROM checkpoint ORDER BY shard", "list shards"},
    {drop_before_, "DELETE FROM chunk WHERE shard = ?1 AND id < ?2",
     "drop old chunks"},
    {drop_after_, "DELETE FROM chunk WHERE shard = ?1 AND id > ?2",
     "drop unfinished chunks"},
    {remove_, "DELETE FROM checkpoint WHERE shard = ?1", "remove a shard"},
  });
}

// -- writing ------------------------------------------------------------------

result<void> state_store::begin(uint32_t shard, bool full) {
  attempts_.erase(shard);
  auto made = attempt{};
  made.full = full;
  // A new base needs nothing of what is there, and so gets over damage. What
  // was left unfinished is older than its chunks, and goes with the old base.
  if (!full) {
    auto before = find(shard);
    if (!before)
      return tl::unexpected(std::move(before.error()));
    if (!*before)
      return fail(ec::not_found,
                  fmt::format("{}: shard {} has no checkpoint to add to; make "
                              "a full one",
                              db_.path(), shard));
    made.next = std::move(**before);
    auto last = made.next.last_chunk;
    auto done = db_.transact([&] {
      return drop_after_.run(shard, last);
    });
    if (!done)
      return done;
  }
  attempts_[shard] = std::move(made);
  return {};
}

result<void> state_store::add_chunk(uint32_t shard, uint64_t covers,
                                    std::string_view bytes) {
  auto found = attempts_.find(shard);
  assert(found != attempts_.end());
  auto crc = chunk_crc(shard, covers, bytes);
  auto done = db_.transact([&] {
    return add_.run(shard, covers, blob{bytes}, crc);
  });
  if (!done)
    return done;
  auto& self = found.value();
  auto& next = self.next;
  next.last_chunk = db_.last_insert_id();
  if (self.first_chunk == 0)
    self.first_chunk = next.last_chunk;
  ++next.chunks;
  next.digest = chain_after(next.digest, crc);
  auto& sum = self.full ? next.size.base_bytes : next.size.delta_bytes;
  sum += bytes.size();
  return {};
}

result<void> state_store::finish(uint32_t shard, const checkpoint_meta& x) {
  auto found = attempts_.find(shard);
  assert(found != attempts_.end());
  auto& self = found.value();
  auto& next = self.next;
  next.meta = x;
  auto done = db_.transact([&]() -> result<void> {
    auto put
      = put_.run(shard, x.from_index, x.index, x.epoch, x.chain, blob{x.meta},
                 next.size.base_bytes, next.size.delta_bytes, next.last_chunk,
                 next.chunks, next.digest, crc_of(shard, next));
    if (!put || !self.full)
      return put;
    return drop_before_.run(shard,
                            self.first_chunk ? self.first_chunk : INT64_MAX);
  });
  if (done)
    attempts_.erase(shard);
  return done;
}

result<void> state_store::abort(uint32_t shard) {
  auto found = attempts_.find(shard);
  if (found == attempts_.end())
    return {};
  auto first = found->second.first_chunk;
  attempts_.erase(found);
  if (first == 0)
    return {};
  return db_.transact([&] {
    return drop_after_.run(shard, first - 1);
  });
}

result<void> state_store::remove_shard(uint32_t shard) {
  attempts_.erase(shard);
  return db_.transact([&]() -> result<void> {
    if (auto done = remove_.run(shard); !done)
      return done;
    return drop_before_.run(shard, INT64_MAX);
  });
}

result<void> state_store::put_aside(uint32_t shard, const std::string& into) {
  if (auto whole = check_integrity(); !whole) {
    db_.end(whole.error());
    return whole;
  }
  auto kept = db_.copy_rows(into, {"chunk", "checkpoint"}, shard);
  if (!kept)
    return kept;
  return remove_shard(shard);
}

// -- reading ------------------------------------------------------------------

uint64_t state_store::crc_of(uint32_t shard, const finished& x) {
  return row_crc(shard, x.meta.from_index, x.meta.index, x.meta.epoch,
                 x.meta.chain, x.meta.meta, x.size.base_bytes,
                 x.size.delta_bytes, x.last_chunk, x.chunks, x.digest);
}

result<std::optional<state_store::finished>> state_store::find(uint32_t shard) {
  auto res = std::optional<finished>{};
  auto check_and_keep = [&](const row& x) -> result<bool> {
    auto& self = res.emplace();
    self.meta.from_index = x.integer<uint64_t>(0);
    self.meta.index = x.integer<uint64_t>(1);
    self.meta.epoch = x.integer<uint64_t>(2);
    self.meta.chain = x.integer<uint64_t>(3);
    self.meta.meta = x.bytes(4);
    self.size.base_bytes = x.integer<uint64_t>(5);
    self.size.delta_bytes = x.integer<uint64_t>(6);
    self.last_chunk = x.integer<int64_t>(7);
    self.chunks = x.integer<uint64_t>(8);
    self.digest = x.integer<uint64_t>(9);
    if (crc_of(shard, self) != x.integer<uint64_t>(10))
      return damaged(db_.path(), shard,
                     "its row is not what was written (its checksum differs)");
    return true;
  };
  if (auto done = find_.each(check_and_keep, shard); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<std::optional<checkpoint_meta>> state_store::load(uint32_t shard,
                                                         const on_chunk& f) {
  auto found = find(shard);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  if (!*found)
    return std::nullopt;
  auto chunks = uint64_t{0};
  auto digest = uint64_t{0};
  auto check_and_pass = [&](const row& x) -> result<bool> {
    auto covers = x.integer<uint64_t>(0);
    auto data = x.bytes(1);
    auto crc = x.integer<uint64_t>(2);
    ++chunks;
    digest = chain_after(digest, crc);
    if (chunk_crc(shard, covers, data) != crc)
      return damaged(db_.path(), shard,
                     fmt::format("chunk {} of {} is not what was written (its "
                                 "checksum differs)",
                                 chunks, (*found)->chunks));
    auto taken = f(data, covers);
    if (!taken)
      return tl::unexpected(std::move(taken.error()));
    return true;
  };
  auto done = chunks_.each(check_and_pass, shard, (*found)->last_chunk);
  if (!done)
    return tl::unexpected(std::move(done.error()));
  if (chunks != (*found)->chunks || digest != (*found)->digest)
    return incomplete(db_.path(), shard, chunks, (*found)->chunks);
  return std::move((*found)->meta);
}

result<std::optional<checkpoint_copy>> state_store::open_copy(uint32_t shard) {
  auto found = find(shard);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  if (!*found)
    return std::nullopt;
  auto res = checkpoint_copy{};
  auto digest = uint64_t{0};
  auto note = [&](const row& x) -> result<bool> {
    res.chunks.push_back(x.integer<int64_t>(0));
    digest = chain_after(digest, x.integer<uint64_t>(1));
    return true;
  };
  if (auto done = chunk_ids_.each(note, shard, (*found)->last_chunk); !done)
    return tl::unexpected(std::move(done.error()));
  if (res.chunks.size() != (*found)->chunks || digest != (*found)->digest)
    return incomplete(db_.path(), shard, res.chunks.size(), (*found)->chunks);
  res.meta = std::move((*found)->meta);
  return res;
}

result<stored_chunk> state_store::read_chunk(uint32_t shard, int64_t id) {
  auto res = std::optional<stored_chunk>{};
  auto check_and_keep = [&](const row& x) -> result<bool> {
    auto covers = x.integer<uint64_t>(0);
    auto data = x.bytes(1);
    if (chunk_crc(shard, covers, data) != x.integer<uint64_t>(2))
      return damaged(db_.path(), shard,
                     fmt::format("the chunk with id {} is not what was written "
                                 "(its checksum differs)",
                                 id));
    res = stored_chunk{std::string{data}, covers};
    return true;
  };
  if (auto done = chunk_.each(check_and_keep, shard, id); !done)
    return tl::unexpected(std::move(done.error()));
  if (!res)
    return fail(ec::not_found,
                fmt::format("{}: checkpoint of shard {}: there is no chunk "
                            "with id {} any more; open the copy again",
                            db_.path(), shard, id));
  return std::move(*res);
}

result<std::optional<checkpoint_size>> state_store::size(uint32_t shard) {
  auto found = find(shard);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  if (!*found)
    return std::nullopt;
  return (*found)->size;
}

result<std::optional<checkpoint_meta>> state_store::meta(uint32_t shard) {
  auto found = find(shard);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  auto res = std::optional<checkpoint_meta>{};
  if (*found)
    res = std::move((*found)->meta);
  return res;
}

result<std::vector<uint32_t>> state_store::shards() {
  auto res = std::vector<uint32_t>{};
  auto keep = [&](const row& x) -> result<bool> {
    res.push_back(x.integer<uint32_t>(0));
    return true;
  };
  if (auto done = shards_.each(keep); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

} // namespace weir
