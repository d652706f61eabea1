#include "cluster/replica.hpp"

#include <fmt/format.h>

#include <algorithm>

// A replica that follows another one's log.

namespace weir {

bool replica::accepts(const member& from, uint64_t epoch) {
  if (epoch < record_.promised || failed_.code != ec::none) {
    effects_.push_back(
      peer_send{from.node, not_followed{shard_, epoch, self_, record_.promised,
                                        failed_.code != ec::none}});
    return false;
  }
  if (leadership_ && epoch == record_.config.epoch)
    return false; // Nobody else leads it.
  promise(epoch);
  leader_ = from;
  heard_ = now_;
  if (epoch != followed_epoch_) {
    followed_epoch_ = epoch;
    matched_.reset();
  }
  return true;
}

void replica::receive(const replicate& x) {
  if (!accepts(x.from, x.epoch))
    return;
  if (!rebuild_)
    return follow(x);
  if (rebuild_->installing())
    return; // It comes again.
  // One that was begun by a message that came late: the primary goes on with
  // the copy that is here, and hears of no other one.
  auto outdated = rebuild_->has_checkpoint() && matched_
                  && *matched_ >= rebuild_->copy().tail().index;
  if (rebuild_->has_checkpoint() && !outdated)
    return follow_beside(x);
  // Whoever sends a checkpoint sends nothing else meanwhile. If it doesn't do
  // so any more, it has to know what is here, or knows it: as long as nothing
  // is entered, it would have nothing else to say.
  auto here = copy_->position_at(x.previous.index);
  auto needs_none
    = here && *here == x.previous && x.previous.index >= x.committed;
  if (!outdated && !needs_none && rebuild_->from() == x.from
      && x.entries.empty())
    return claim(*copy_);
  abandon_rebuild();
  follow(x);
}

void replica::follow(const replicate& x) {
  auto before = matched_;
  auto res = copy_->merge(x.previous, x.entries);
  if (res.cut) {
    committed_ = std::min(committed_, *res.cut);
    effects_.push_back(journal_cut{*res.cut});
  }
  for (auto& entry : res.appended)
    effects_.push_back(journal_append{entry, copy_->state().applied().index});
  switch (res.what) {
    case merge_result::outcome::merged:
      break;
    case merge_result::outcome::gap:
      return matched_ ? acknowledge(true) : claim(*copy_);
    case merge_result::outcome::diverged:
      // Once they were found to agree, it only is a message that comes late.
      return matched_ ? acknowledge(false) : claim(*copy_);
    case merge_result::outcome::damaged:
      return fail_for_good({ec::damaged, std::move(res.text)});
  }
  if (before && res.cut && *res.cut < *before)
    return fail_for_good(
      {ec::damaged,
       fmt::format("node {} has sent two different entries {} of epoch {}",
                   x.from.node, *res.cut + 1, x.epoch)});
  matched_ = std::max(matched_.value_or(0), res.upto);
  committed_ = std::max(committed_, std::min(x.committed, *matched_));
  apply_committed();
  // What is new is acknowledged when it is stored.
  if (res.appended.empty())
    acknowledge(false);
}

void replica::apply_committed() {
  // Nothing that the own disk could still lose: a checkpoint may be made of it.
  auto index = std::min(committed_, copy_->stored().index);
  if (index > copy_->state().applied().index)
    copy_->state().commit(index);
}

void replica::acknowledge(bool again) {
  if (!matched_ || promised_on_disk_ < followed_epoch_
      || followed_epoch_ != record_.promised)
    return;
  auto held = copy_->position_at(std::min(*matched_, copy_->stored().index));
  // More was applied than was found to agree in this epoch: where to go on from
  // can't be told by the log alone.
  if (!held)
    return claim(*copy_);
  effects_.push_back(
    peer_send{leader_.node, replicated{shard_, followed_epoch_, self_, *held,
                                       held->index, again}});
}

void replica::claim(const shard_copy& x) {
  auto& applied = x.state().applied();
  effects_.push_back(
    peer_send{leader_.node, log_claim{shard_, followed_epoch_, self_, applied,
                                      x.outline().ends_after(applied.index)}});
}

// -- a new copy

void replica::receive(const copy_begin& x) {
  if (!accepts(x.from, x.epoch) || (rebuild_ && rebuild_->installing()))
    return;
  if (!rebuild_ || !rebuild_->is(x.from, x.transfer)) {
    rebuild_.emplace(++rebuilds_, x, shards_);
    effects_.push_back(new_copy_begin{rebuilds_});
    if (auto res = rebuild_->begin(); !res)
      return fail_for_good(std::move(res.error()));
  }
  take_chunks();
}

void replica::receive(const copy_chunk& x) {
  if (!accepts(x.from, x.epoch) || !rebuild_ || rebuild_->installing()
      || !rebuild_->is(x.from, x.transfer))
    return;
  auto added = rebuild_->add_chunk(x);
  if (!added)
    return fail_for_good(std::move(added.error()));
  if (*added)
    effects_.push_back(new_copy_chunk{rebuild_->local(), x.bytes, x.covers});
  take_chunks();
}

void replica::take_chunks() {
  effects_.push_back(peer_send{
    leader_.node, copy_taken{shard_, followed_epoch_, self_,
                             rebuild_->transfer(), rebuild_->chunks()}});
}

void replica::follow_beside(const replicate& x) {
  auto res = rebuild_->merge(x);
  switch (res.what) {
    case merge_result::outcome::merged:
      break;
    case merge_result::outcome::gap:
    case merge_result::outcome::diverged:
      return claim(rebuild_->copy());
    case merge_result::outcome::damaged:
      return fail_for_good({ec::damaged, std::move(res.text)});
  }
  // It holds nothing yet that could be counted on.
  effects_.push_back(
    peer_send{leader_.node,
              replicated{shard_, followed_epoch_, self_, {}, res.upto, false}});
  install_if_complete();
}

void replica::install_if_complete() {
  if (rebuild_->replaces(copy_->tail()))
    effects_.push_back(rebuild_->install());
}

void replica::copy_installed(uint64_t transfer, int64_t now) {
  now_ = now;
  if (!rebuild_ || !rebuild_->installing() || rebuild_->local() != transfer)
    return;
  copy_ = rebuild_->take();
  rebuild_.reset();
  blocked_ = {};
  if (auto res = copy_->finish_recovery(); !res)
    return fail_for_good(std::move(res.error()));
  matched_.reset();
  committed_ = copy_->state().applied().index;
  answer_fence();
  take_up_role();
  if (!leadership_)
    claim(*copy_);
}

void replica::abandon_rebuild() {
  if (rebuild_)
    effects_.push_back(new_copy_abandon{rebuild_->local()});
  rebuild_.reset();
}

} // namespace weir
