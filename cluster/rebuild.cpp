#include "cluster/rebuild.hpp"

namespace weir {

rebuild::rebuild(uint64_t local, const copy_begin& x, uint32_t shards)
  : local_(local),
    begin_(x),
    copy_(std::make_unique<shard_copy>(x.shard, shards)) {
  // nop
}

result<void> rebuild::begin() {
  if (begin_.meta.empty())
    return {};
  auto res = copy_->load_meta({begin_.from_index, begin_.end, begin_.meta});
  after_ = copy_->state().applied();
  return res;
}

result<bool> rebuild::add_chunk(const copy_chunk& x) {
  if (x.number != chunks_ || has_checkpoint())
    return false;
  if (auto res = copy_->load_chunk(x.bytes, x.covers); !res)
    return tl::unexpected(std::move(res.error()));
  ++chunks_;
  return true;
}

merge_result rebuild::merge(const replicate& x) {
  auto res = copy_->merge(x.previous, x.entries);
  if (res.cut)
    while (!log_.empty() && log_.back()->index > *res.cut)
      log_.pop_back();
  log_.insert(log_.end(), res.appended.begin(), res.appended.end());
  return res;
}

bool rebuild::replaces(const log_position& old) const {
  auto& end = copy_->tail();
  // By epoch first: the log of a later one holds all that an earlier one has
  // committed.
  return has_checkpoint() && end.index >= begin_.end.index
         && (end.epoch > old.epoch
             || (end.epoch == old.epoch && end.index >= old.index));
}

new_copy_install rebuild::install() {
  installing_ = true;
  auto meta = shard_meta{begin_.from_index, begin_.end, begin_.meta};
  return {local_, std::move(meta), std::move(log_), after_};
}

} // namespace weir
