#include "actors/catalog_copier.hpp"

#include "messages/types.hpp"

namespace weir {

copy_state catalog_copier_state::state() const {
  auto& lineage = db->lineage();
  return {db->wish().encode(), lineage.held,          db->current(),
          db->complete(),      lineage.final_through, lineage.promised};
}

caf::result<copy_state> catalog_copier_state::take(const catalog_part& x) {
  auto page = catalog_page::decode(x.bytes);
  if (!page)
    return to_error(page.error());
  if (auto done = db->take(*page); !done)
    return to_error(done.error());
  return state();
}

caf::result<catalog_part> catalog_copier_state::give(const get_catalog& x) {
  auto wish = catalog_wish::decode(x.wish);
  if (!wish)
    return to_error(wish.error());
  auto page = db->page(*wish);
  if (!page)
    return to_error(page.error());
  return catalog_part{page->encode()};
}

caf::result<copy_state> catalog_copier_state::promise(
  const promise_generation& x) {
  if (auto done = db->promise(x.generation); !done)
    return to_error(done.error());
  return state();
}

copy_actor::behavior_type catalog_copier(
  copy_actor::stateful_pointer<catalog_copier_state> self,
  std::shared_ptr<catalog_copy> db) {
  self->state.db = std::move(db);
  return {
    [self](const begin_copy&) {
      return self->state.state();
    },
    [self](const catalog_part& x) {
      return self->state.take(x);
    },
    [self](const get_catalog& x) {
      return self->state.give(x);
    },
    [self](const promise_generation& x) {
      return self->state.promise(x);
    },
  };
}

} // namespace weir
