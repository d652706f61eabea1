#pragma once

#include "actors/disk_failure.hpp"
#include "messages/interfaces.hpp"
#include "storage/state_store.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

namespace weir {

/// Keeps the checkpoints of a node's shards.
class checkpointer_state {
public:
  static inline constexpr const char* name = "checkpoints";

  caf::result<loaded_checkpoint> load(const load_checkpoint& x);
  caf::result<checkpoint_advice> weigh(const weigh_checkpoint& x);
  caf::result<checkpoint_stored> begin(const begin_checkpoint& x);
  caf::result<checkpoint_stored> put(const put_chunk& x);
  caf::result<checkpoint_stored> finish(const finish_checkpoint& x);
  void abort(const abort_checkpoint& x);
  caf::result<opened_copy> open(const open_copy& x);
  caf::result<checkpoint_chunk> read(const read_chunk& x);
  caf::result<bool> remove(const remove_shard& x);
  caf::result<shard_put_aside> put_aside(const put_aside_shard& x);

  std::shared_ptr<state_store> db;
  on_disk_failure on_failure;

private:
  caf::error refused(const failure& x);

  bool failure_told_ = false;
};

/// To be spawned detached, since it waits for the disk.
/// @param on_failure called once when the store takes nothing more; may be null
checkpoint_actor::behavior_type checkpointer(
  checkpoint_actor::stateful_pointer<checkpointer_state> self,
  std::shared_ptr<state_store> db, on_disk_failure on_failure);

} // namespace weir
