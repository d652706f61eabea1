#include "windows/sliding_table.hpp"

#include <algorithm>
#include <cassert>

namespace weir {

namespace {

/// Keys looked up together: enough to keep the memory busy, and few enough for
/// what they fetch to stay in a second-level cache.
constexpr size_t lookups_together = 256;

/// Readings whose places are fetched together, for a first-level cache.
constexpr size_t readings_together = 64;

} // namespace

struct sliding_table::applying {
  const reading_batch& batch;
  uint64_t index;
  time_ms floor;
  time_ms limit;
};

size_t sliding_table::apply(const reading_batch& batch,
                            const std::vector<uint32_t>& skip, uint64_t index) {
  assert(batch.entities.size() == batch.entity_hashes.size());
  assert(std::is_sorted(skip.begin(), skip.end()));
  resolve(batch);
  // Held to the end, so that no number changes its meaning in between.
  for (auto name : batch.metrics)
    metric_ids_.push_back(names_.acquire(name));
  auto context = applying{batch, index, floor_at(clock_), limit_floor()};
  refused_.clear();
  auto next_skip = skip.begin();
  auto n = batch.readings.size();
  for (auto first = size_t{0}; first < n; first += readings_together) {
    auto last = std::min(first + readings_together, n);
    prefetch_series(batch, first, last);
    for (auto i = first; i < last; ++i) {
      if (next_skip != skip.end() && *next_skip == i)
        ++next_skip;
      else if (!apply_one(context, batch.readings[i]))
        refused_.push_back(static_cast<uint32_t>(i));
    }
  }
  for (auto id : metric_ids_)
    names_.release(id);
  metric_ids_.clear();
  found_.clear();
  return refused_.size();
}

/// Finds the places of the batch's entities, as far as they have one. Misses of
/// the cache overlap, step by step, where one lookup would wait for each.
void sliding_table::resolve(const reading_batch& batch) {
  auto& hashes = batch.entity_hashes;
  found_.assign(hashes.size(), slot_index::none);
  for (auto first = size_t{0}; first < hashes.size();) {
    auto last = std::min(first + lookups_together, hashes.size());
    for (auto i = first; i < last; ++i)
      index_.prefetch(hashes[i]);
    for (auto i = first; i < last; ++i) {
      found_[i] = index_.candidate(hashes[i]);
      if (found_[i] != slot_index::none)
        __builtin_prefetch(&at(found_[i]));
    }
    for (auto i = first; i < last; ++i)
      if (found_[i] != slot_index::none)
        at(found_[i]).prefetch();
    for (auto i = first; i < last; ++i)
      if (found_[i] != slot_index::none
          && !at(found_[i]).is(batch.entities[i], hashes[i]))
        found_[i] = find(batch.entities[i], hashes[i]);
    first = last;
  }
}

void sliding_table::prefetch_series(const reading_batch& batch, size_t first,
                                    size_t last) const {
  for (auto i = first; i < last; ++i) {
    auto& r = batch.readings[i];
    auto slot = found_[r.entity];
    if (slot == slot_index::none)
      continue;
    if (auto x = at(slot).find(metric_ids_[r.metric]))
      x->prefetch();
  }
}

/// Returns false if a limit refused it.
bool sliding_table::apply_one(const applying& x, const reading& r) {
  if (r.time <= x.floor)
    return true;
  auto slot = place_for(x, r);
  if (slot == slot_index::none)
    return false;
  if (covered(slot, x.index))
    return true;
  auto& rec = at(slot);
  auto series = series_for(x, rec, r);
  if (series == nullptr)
    return false;
  heap_ += static_cast<size_t>(
    series->add(r.time, r.value, x.floor, options_.cells_max));
  set_last(rec, std::max(rec.last(), r.time));
  mark_dirty(slot);
  return true;
}

/// Returns none if a limit refuses the entity.
uint32_t sliding_table::place_for(const applying& x, const reading& r) {
  auto& found = found_[r.entity];
  if (found != slot_index::none && at(found).last() > x.limit)
    return found;
  auto id = x.batch.entities[r.entity];
  auto hash = x.batch.entity_hashes[r.entity];
  if (found == slot_index::none)
    found = find(id, hash);
  if (found != slot_index::none
      && (at(found).last() > x.limit || covered(found, x.index)))
    return found;
  // One that should have left memory is a new one, even if it still lies there;
  // looking whether there is room for it may free its place.
  if (is_full(x.index))
    return slot_index::none;
  if (found == slot_index::none)
    found = find(id, hash);
  if (found == slot_index::none)
    found = create(id, hash);
  return found;
}

sliding_series* sliding_table::series_for(const applying& x, entity_record& rec,
                                          const reading& r) {
  auto id = metric_ids_[r.metric];
  // A forgotten series is a new one, even if it still lies there: it matters
  // when the limit was lowered below what the entity had.
  if (auto found = rec.find(id);
      found != nullptr
      && (!found->expired(x.floor)
          || rec.size() <= options_.metrics_per_entity_max))
    return found;
  if (rec.size() >= options_.metrics_per_entity_max)
    drop_forgotten_series(rec, x.floor);
  if (rec.size() >= options_.metrics_per_entity_max)
    return nullptr;
  names_.retain(id);
  heap_ -= rec.heap_bytes();
  auto res = rec.add(id);
  heap_ += rec.heap_bytes();
  return res;
}

void sliding_table::mark_dirty(uint32_t slot) {
  auto& rec = at(slot);
  if (rec.dirty || rec.pending)
    return;
  rec.dirty = true;
  dirty_.push_back(slot);
}

} // namespace weir
