#pragma once

#include "messages/interfaces.hpp"
#include "storage/catalog_copy.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <memory>

namespace weir {

/// Keeps a node's copy of the coordinator's directory.
class catalog_copier_state {
public:
  static inline constexpr const char* name = "copy";

  copy_state state() const;
  caf::result<copy_state> take(const catalog_part& x);
  caf::result<catalog_part> give(const get_catalog& x);
  caf::result<copy_state> promise(const promise_generation& x);

  std::shared_ptr<catalog_copy> db;
};

/// To be spawned detached, since it waits for the disk.
copy_actor::behavior_type catalog_copier(
  copy_actor::stateful_pointer<catalog_copier_state> self,
  std::shared_ptr<catalog_copy> db);

} // namespace weir
