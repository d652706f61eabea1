#include "actors/checkpointer.hpp"

#include "messages/types.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace weir {

namespace {

/// Deltas of a small shard are not worth a new base before they reach this.
constexpr uint64_t base_bytes_min = 1 << 20;

} // namespace

caf::result<loaded_checkpoint> checkpointer_state::load(
  const load_checkpoint& x) {
  auto res = loaded_checkpoint{};
  // What was found after a crash may not be on the disk itself yet; the journal
  // is about to be settled by it.
  if (auto done = db->sync(); !done)
    return refused(done.error());
  auto meta = db->load(
    x.shard, [&](std::string_view bytes, uint64_t covers) -> result<void> {
      res.chunks.push_back({std::string{bytes}, covers});
      return {};
    });
  if (!meta)
    return refused(meta.error());
  if (*meta) {
    res.found = true;
    auto& [from, index, epoch, chain, bytes] = **meta;
    res.meta = {from, {index, epoch, chain}, std::move(bytes)};
  }
  return res;
}

caf::result<checkpoint_advice> checkpointer_state::weigh(
  const weigh_checkpoint& x) {
  auto size = db->size(x.shard);
  if (!size)
    return refused(size.error());
  return checkpoint_advice{
    !*size
    || (*size)->delta_bytes > std::max((*size)->base_bytes, base_bytes_min)};
}

caf::result<checkpoint_stored> checkpointer_state::begin(
  const begin_checkpoint& x) {
  if (auto done = db->begin(x.shard, x.full); !done)
    return refused(done.error());
  return checkpoint_stored{};
}

caf::result<checkpoint_stored> checkpointer_state::put(const put_chunk& x) {
  if (auto done = db->add_chunk(x.shard, x.chunk.covers, x.chunk.bytes); !done)
    return refused(done.error());
  return checkpoint_stored{x.chunk.bytes.size()};
}

caf::result<checkpoint_stored> checkpointer_state::finish(
  const finish_checkpoint& x) {
  auto& end = x.meta.end;
  auto done = db->finish(x.shard, {x.meta.from_index, end.index, end.epoch,
                                   end.chain, x.meta.bytes});
  // The journal's rows may only go once this is on the disk itself.
  if (done)
    done = db->sync();
  if (!done)
    return refused(done.error());
  return checkpoint_stored{x.meta.bytes.size()};
}

void checkpointer_state::abort(const abort_checkpoint& x) {
  if (auto done = db->abort(x.shard); !done) {
    spdlog::error("a checkpoint can't be given up: {}", done.error().text);
    (void)refused(done.error());
  }
}

caf::result<opened_copy> checkpointer_state::open(const open_copy& x) {
  auto copy = db->open_copy(x.shard);
  if (!copy)
    return refused(copy.error());
  auto res = opened_copy{};
  if (!*copy)
    return res;
  auto size = db->size(x.shard);
  if (!size)
    return refused(size.error());
  auto& [from, index, epoch, chain, bytes] = (*copy)->meta;
  res.found = true;
  res.meta = {from, {index, epoch, chain}, std::move(bytes)};
  res.chunks.assign((*copy)->chunks.begin(), (*copy)->chunks.end());
  if (*size)
    res.bytes = (*size)->base_bytes + (*size)->delta_bytes;
  return res;
}

caf::result<checkpoint_chunk> checkpointer_state::read(const read_chunk& x) {
  auto chunk = db->read_chunk(x.shard, x.chunk);
  if (!chunk)
    return refused(chunk.error());
  return checkpoint_chunk{std::move(chunk->bytes), chunk->covers};
}

caf::result<bool> checkpointer_state::remove(const remove_shard& x) {
  if (auto done = db->remove_shard(x.shard); !done)
    return refused(done.error());
  return true;
}

caf::result<shard_put_aside> checkpointer_state::put_aside(
  const put_aside_shard& x) {
  if (auto done = db->put_aside(x.shard, x.directory + "/state.db"); !done)
    return refused(done.error());
  return shard_put_aside{x.directory};
}

caf::error checkpointer_state::refused(const failure& x) {
  if (db->failed() != nullptr && !std::exchange(failure_told_, true)
      && on_failure)
    on_failure(*db->failed());
  return to_error(x);
}

checkpoint_actor::behavior_type checkpointer(
  checkpoint_actor::stateful_pointer<checkpointer_state> self,
  std::shared_ptr<state_store> db, on_disk_failure on_failure) {
  self->state.db = std::move(db);
  self->state.on_failure = std::move(on_failure);
  return {
    [self](const load_checkpoint& x) {
      return self->state.load(x);
    },
    [self](const weigh_checkpoint& x) {
      return self->state.weigh(x);
    },
    [self](const begin_checkpoint& x) {
      return self->state.begin(x);
    },
    [self](const put_chunk& x) {
      return self->state.put(x);
    },
    [self](const finish_checkpoint& x) {
      return self->state.finish(x);
    },
    [self](const abort_checkpoint& x) {
      self->state.abort(x);
    },
    [self](const open_copy& x) {
      return self->state.open(x);
    },
    [self](const read_chunk& x) {
      return self->state.read(x);
    },
    [self](const remove_shard& x) {
      return self->state.remove(x);
    },
    [self](const put_aside_shard& x) {
      return self->state.put_aside(x);
    },
  };
}

} // namespace weir
