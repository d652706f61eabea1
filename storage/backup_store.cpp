#include "storage/backup_store.hpp"

#include "cluster/checksum.hpp"
#include "cluster/shard_copy.hpp"

#include <fmt/format.h>

#include <limits>
#include <memory>

namespace weir {

namespace {

uint64_t add_to(uint64_t digest, std::string_view bytes) {
  return chain_after(digest, checksum(bytes));
}

uint64_t bytes_of(const log_entry& x) {
  return x.envelope.size() + x.block.size();
}

log_position position_of(const log_entry& x) {
  return {x.index, x.epoch, x.chain};
}

} // namespace

result<backup_store> backup_store::create(const std::string& directory,
                                          uint32_t shards) {
  // Nothing counts before all of it is synced.
  auto log = journal::open(directory + "/journal.db", durability::process);
  if (!log)
    return tl::unexpected(std::move(log.error()));
  auto state = state_store::open(directory + "/state.db");
  if (!state)
    return tl::unexpected(std::move(state.error()));
  return backup_store{std::move(*log), std::move(*state), shards};
}

result<void> backup_store::begin(uint32_t shard, const shard_meta& x) {
  auto next = shard_extent{};
  next.shard = shard;
  if (!x.bytes.empty()) {
    auto trial = weir::shard{shard, shards_};
    if (auto fine = trial.load_meta(x); !fine)
      return fail(ec::damaged, std::move(fine.error().text));
    next.from_index = x.from_index;
    next.end = trial.replay_start();
  }
  if (auto done = commit(); !done)
    return done;
  if (auto done = log_.remove_shard(shard); !done)
    return done;
  if (auto done = state_.remove_shard(shard); !done)
    return done;
  extents_[shard] = next;
  metas_[shard] = x;
  return state_.begin(shard, true);
}

result<void> backup_store::add_chunk(uint32_t shard, std::string_view bytes,
                                     uint64_t covers) {
  if (auto done = state_.add_chunk(shard, covers, bytes); !done)
    return done;
  auto& at = extents_.at(shard);
  ++at.chunks;
  at.bytes += bytes.size();
  at.digest = add_to(at.digest, bytes);
  return {};
}

result<void> backup_store::end_checkpoint(uint32_t shard) {
  auto& meta = metas_.at(shard);
  if (meta.bytes.empty())
    return state_.abort(shard);
  auto& end = meta.end;
  auto done = state_.finish(
    shard, {meta.from_index, end.index, end.epoch, end.chain, meta.bytes});
  if (!done)
    return done;
  auto& at = extents_.at(shard);
  at.bytes += meta.bytes.size();
  at.digest = add_to(at.digest, meta.bytes);
  metas_.erase(shard);
  return {};
}

result<void> backup_store::append(uint32_t shard,
                                  const std::vector<entry_ptr>& entries) {
  auto& at = extents_.at(shard);
  for (auto& x : entries) {
    // The journal believes the first entry that it gets.
    if (x->shard != shard || x->index != at.end.index + 1)
      return fail(ec::sequence_gap,
                  fmt::format("entry {} of shard {} came after entry {}",
                              x->index, shard, at.end.index));
    if (chain_after(at.end.chain, x->crc) != x->chain)
      return fail(ec::conflict, fmt::format("entry {} of shard {} does not "
                                            "continue the one before it",
                                            x->index, shard));
    if (auto done = log_.append(*x, x->index); !done)
      return done;
    ++at.entries;
    at.bytes += bytes_of(*x);
    at.end = position_of(*x);
  }
  return {};
}

result<void> backup_store::commit() {
  return log_.dirty() ? log_.commit() : result<void>{};
}

result<void> backup_store::finish() {
  return commit()
    .and_then([&] {
      return log_.sync();
    })
    .and_then([&] {
      return state_.sync();
    });
}

result<examined_shard> examine_shard(journal& log, state_store& state,
                                     uint32_t shard, uint32_t shards) {
  auto res = examined_shard{};
  auto& extent = res.extent;
  extent.shard = shard;
  auto damaged = [&](failure x) {
    return fail(x.code, fmt::format("shard {}: {}", shard, x.text));
  };
  // The meta has to be loaded first, and is stored beside the chunks.
  auto meta = state.meta(shard);
  if (!meta)
    return tl::unexpected(std::move(meta.error()));
  auto copy = std::make_unique<shard_copy>(shard, shards);
  if (*meta) {
    auto& x = **meta;
    auto loaded
      = copy->load_meta({x.from_index, {x.index, x.epoch, x.chain}, x.meta});
    if (!loaded)
      return damaged(std::move(loaded.error()));
    extent.from_index = x.from_index;
    auto chunks
      = state.load(shard, [&](std::string_view bytes, uint64_t covers) {
          ++extent.chunks;
          extent.bytes += bytes.size();
          extent.digest = add_to(extent.digest, bytes);
          return copy->load_chunk(bytes, covers);
        });
    if (!chunks)
      return damaged(std::move(chunks.error()));
    extent.bytes += x.meta.size();
    extent.digest = add_to(extent.digest, x.meta);
  }
  auto start = copy->state().replay_start();
  auto wrong = result<void>{};
  auto read = log.read(
    shard, start.index + 1, start.chain, [&](const log_entry& x, uint64_t) {
      auto own = std::make_shared<log_entry>(x);
      auto block = std::make_shared<const std::string>(x.block);
      own->block = *block;
      own->keep = block;
      ++extent.entries;
      extent.bytes += bytes_of(x);
      wrong = copy->replay(own, std::numeric_limits<uint64_t>::max());
      return wrong.has_value();
    });
  if (read)
    read = wrong;
  if (read)
    read = copy->finish_recovery();
  if (!read)
    return damaged(std::move(read.error()));
  extent.end = copy->tail();
  res.ledger = copy->state().ledger();
  return res;
}

} // namespace weir
