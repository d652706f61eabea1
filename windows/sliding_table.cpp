#include "windows/sliding_table.hpp"

#include <algorithm>
#include <cassert>

namespace weir {

namespace {

constexpr auto time_least = std::numeric_limits<time_ms>::min();

/// Sweeping doesn't look into a live series with fewer items: there is little
/// to win, and next to each lies a cache miss.
constexpr size_t items_worth_sweeping = 16;

time_ms subtract(time_ms x, time_ms y) {
  auto res = time_ms{};
  if (__builtin_sub_overflow(x, y, &res))
    return y > 0 ? time_least : std::numeric_limits<time_ms>::max();
  return res;
}

sliding_options in_range(sliding_options x) {
  auto series_max = static_cast<uint32_t>(entity_record::series_max);
  x.retention = std::max<time_ms>(x.retention, 1);
  x.cells_max = std::clamp(x.cells_max, sliding_series::cells_least,
                           sliding_series::cells_limit);
  x.metrics_per_entity_max
    = std::clamp(x.metrics_per_entity_max, 1u, series_max);
  x.entities_max = std::clamp(x.entities_max, 1u, slot_index::none - 1);
  return x;
}

uint64_t mix(uint64_t hash, uint64_t x) {
  // The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
  hash = (hash ^ x) + 0x9e3779b97f4a7c15u;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

uint64_t mix(uint64_t hash, std::string_view x) {
  for (auto c : x)
    hash = mix(hash, static_cast<uint8_t>(c));
  return mix(hash, x.size());
}

} // namespace

sliding_table::sliding_table(sliding_options options)
  : options_(in_range(options)) {
  // nop
}

void sliding_table::configure(sliding_options options, uint64_t index) {
  options = in_range(options);
  auto floor = floor_at(clock_);
  if (options.retention > options_.retention && floor > time_least) {
    forget_for_good(floor, index);
    lost_through_ = std::max(lost_through_, floor);
    full_needed_ = true;
  }
  options_ = options;
}

void sliding_table::advance(time_ms clock) {
  clock_ = std::max(clock_, clock);
}

time_ms sliding_table::floor_at(time_ms clock) const {
  return subtract(clock, options_.retention);
}

time_ms sliding_table::limit_floor() const {
  auto floor = floor_at(clock_);
  auto step = std::max<time_ms>(options_.retention / limit_steps, 1);
  auto rest = floor % step;
  return subtract(floor, rest < 0 ? rest + step : rest);
}

// -- entities ----------------------------------------------------------------

uint32_t sliding_table::find(std::string_view id, uint64_t hash) const {
  return index_.find(hash, [&](uint32_t slot) {
    return at(slot).is(id, hash);
  });
}

const entity_record* sliding_table::known(std::string_view id, uint64_t hash,
                                          time_ms floor) const {
  auto slot = find(id, hash);
  if (slot == slot_index::none || at(slot).last() <= floor)
    return nullptr;
  return &at(slot);
}

uint32_t sliding_table::create(std::string_view id, uint64_t hash) {
  auto slot = slots_;
  if (!free_slots_.empty()) {
    slot = free_slots_.back();
    free_slots_.pop_back();
  } else {
    if (slot >> page_bits == pages_.size())
      pages_.push_back(std::make_unique<entity_record[]>(page_records));
    ++slots_;
  }
  at(slot).assign(id, hash);
  heap_ += at(slot).heap_bytes();
  index_.insert(hash, slot);
  ++count_;
  ++kept_; // It has no reading yet.
  if (recovering_) {
    covers_.resize(slots_);
    covers_[slot] = 0;
  }
  return slot;
}

void sliding_table::free(uint32_t slot) {
  auto& rec = at(slot);
  index_.erase(rec.hash(), slot);
  clear_series(rec);
  kept_ -= rec.last() <= searched_through_ ? 1 : 0;
  heap_ -= rec.heap_bytes();
  rec.clear();
  free_slots_.push_back(slot);
  --count_;
}

void sliding_table::clear_series(entity_record& rec) {
  drop_forgotten_series(rec, std::numeric_limits<time_ms>::max());
}

void sliding_table::drop_forgotten_series(entity_record& rec, time_ms floor) {
  for (auto n = rec.size(); n > 0; --n) {
    auto x = rec.begin() + n - 1;
    if (!x->expired(floor))
      continue;
    heap_ -= x->heap_bytes();
    names_.release(x->metric());
    rec.remove(x);
  }
}

void sliding_table::prune(entity_record& rec, time_ms floor, size_t items_min) {
  drop_forgotten_series(rec, floor);
  for (auto& x : rec) {
    if (x.size() < items_min)
      continue;
    heap_ -= x.heap_bytes();
    x.prune(floor);
    heap_ += x.heap_bytes();
  }
}

void sliding_table::set_last(entity_record& rec, time_ms time) {
  kept_ -= rec.last() <= searched_through_ ? 1 : 0;
  rec.set_last(time);
  kept_ += time <= searched_through_ ? 1 : 0;
}

/// Frees all entities with nothing after `floor`, except for those that a
/// checkpoint or recovery still needs.
void sliding_table::free_forgotten(time_ms floor, uint64_t index) {
  for (auto slot = uint32_t{0}; slot < slots_; ++slot) {
    auto& rec = at(slot);
    if (rec.in_use() && rec.last() <= floor && !rec.pending
        && !covered(slot, index))
      free(slot);
  }
  searched_through_ = floor;
  kept_ = 0;
  for (auto slot = uint32_t{0}; slot < slots_; ++slot)
    if (at(slot).in_use() && at(slot).last() <= floor)
      ++kept_;
  // Places found for a batch at hand may be somebody else's now.
  std::fill(found_.begin(), found_.end(), slot_index::none);
}

/// Frees all through `floor`, so that a lower one doesn't bring it back.
void sliding_table::forget_for_good(time_ms floor, uint64_t index) {
  for (auto slot = uint32_t{0}; slot < slots_; ++slot) {
    auto& rec = at(slot);
    if (!rec.in_use() || covered(slot, index))
      continue;
    prune(rec, floor, 0);
    if (rec.last() <= floor)
      set_last(rec, time_least);
  }
  free_forgotten(time_least, index);
}

/// True if as many entities as there may be have a reading after `limit_floor`.
bool sliding_table::is_full(uint64_t index) {
  if (count_ - kept_ < options_.entities_max)
    return false;
  auto floor = limit_floor();
  if (floor > searched_through_)
    free_forgotten(floor, index);
  return count_ - kept_ >= options_.entities_max;
}

bool sliding_table::sweep(size_t entities_max) {
  if (recovering_)
    return true;
  auto floor = floor_at(clock_);
  auto limit = limit_floor();
  for (; entities_max > 0 && sweep_cursor_ < slots_; --entities_max) {
    auto slot = sweep_cursor_++;
    auto& rec = at(slot);
    if (!rec.in_use())
      continue;
    if (rec.last() <= limit && !rec.pending)
      free(slot);
    else
      prune(rec, floor, items_worth_sweeping);
  }
  if (sweep_cursor_ < slots_)
    return false;
  sweep_cursor_ = 0;
  return true;
}

void sliding_table::reserve(size_t entities) {
  index_.reserve(entities);
  pages_.reserve((entities + page_records - 1) / page_records);
}

size_t sliding_table::bytes() const {
  auto lists = free_slots_.capacity() + dirty_.capacity() + pending_.capacity()
               + chunk_numbers_.capacity() + found_.capacity()
               + metric_ids_.capacity();
  return heap_ + pages_.size() * sizeof(entity_record) * page_records
         + index_.heap_bytes() + names_.heap_bytes() + lists * sizeof(uint32_t)
         + covers_.capacity() * sizeof(uint64_t);
}

// -- asking ------------------------------------------------------------------

sliding_answer sliding_table::average(std::string_view entity, uint64_t hash,
                                      std::string_view metric, time_ms at,
                                      time_ms width, time_ms now_clock) const {
  auto res = sliding_answer{};
  auto floor = floor_at(std::max(clock_, now_clock));
  auto from = subtract(at, width);
  res.complete = from >= std::max(floor, lost_through_);
  auto rec = known(entity, hash, floor);
  if (rec == nullptr)
    return res;
  res.known_entity = true;
  for (auto& x : *rec) {
    if (x.expired(floor) || names_.name(x.metric()) != metric)
      continue;
    auto found = x.average(from, at, floor);
    auto most = static_cast<double>(std::numeric_limits<int64_t>::max());
    res.known_metric = true;
    res.count = static_cast<uint64_t>(std::min(found.count, most) + 0.5);
    res.average = res.count > 0 ? found.mean : 0;
    res.overflow = found.overflow;
    res.exact = found.exact;
    res.resolution = found.resolution;
  }
  return res;
}

std::vector<std::string> sliding_table::metrics_of(std::string_view entity,
                                                   uint64_t hash,
                                                   time_ms now_clock) const {
  auto res = std::vector<std::string>{};
  auto floor = floor_at(std::max(clock_, now_clock));
  if (auto rec = known(entity, hash, floor))
    for (auto& x : *rec)
      if (!x.expired(floor))
        res.emplace_back(names_.name(x.metric()));
  std::sort(res.begin(), res.end());
  return res;
}

uint64_t sliding_table::digest() const {
  auto floor = floor_at(clock_);
  auto res = uint64_t{0};
  for (auto slot = uint32_t{0}; slot < slots_; ++slot) {
    auto& rec = at(slot);
    if (!rec.in_use() || rec.last() <= floor)
      continue;
    auto id = mix(0, rec.id());
    for (auto& x : rec)
      if (!x.expired(floor))
        res += mix(mix(id, names_.name(x.metric())), x.digest(floor));
  }
  return res;
}

} // namespace weir
