#include "windows/rollup_table.hpp"

#include "windows/int128.hpp"

#include <algorithm>
#include <cassert>

namespace weir {

rollup_table::rollup_table(rollup_options options) : options_(options) {
  // nop
}

void rollup_table::configure(rollup_options options) {
  options_ = options;
}

// -- rules -------------------------------------------------------------------

rollup_correction rollup_table::set_plan(const window_plan& plan,
                                         time_ms greatest) {
  if (plan.version() <= plan_.version())
    return {};
  plan_ = plan;
  forget_recent();
  for (auto& x : plan_.segments())
    if (x.closed)
      keep_closed({x.from, x.until});
  auto res = rollup_correction{};
  res.in_to_outside = drop_unannounced();
  auto coming = plan_.pending().value_or(0);
  if (coming == 0 || coming != coming_plan_.every()) {
    res.outside_to_in = promote();
    coming_plan_ = coming == 0 ? window_plan{} : window_plan::periodic(coming);
    coming_from_ = coming == 0 ? 0 : greatest;
  }
  // From one duration to another, the same readings leave and enter.
  auto both = std::min(res.in_to_outside, res.outside_to_in);
  res.in_to_outside -= both;
  res.outside_to_in -= both;
  return res;
}

/// Returns how many readings that drops.
uint64_t rollup_table::drop_unannounced() {
  auto res = uint64_t{0};
  for (auto i = windows_.begin(); i != windows_.end();) {
    auto& bounds = i->second.bounds();
    if (is_sealed(bounds) || plan_.find(bounds.start) == bounds) {
      ++i;
      continue;
    }
    res += i->second.count();
    i = drop(windows_, i);
  }
  return res;
}

/// Turns windows of the rule that was prepared into those that hold, as far as
/// the plan says so, and drops the others.
/// @returns how many readings are in the former.
uint64_t rollup_table::promote() {
  auto res = uint64_t{0};
  while (!coming_.empty()) {
    auto first = coming_.begin();
    auto segment = plan_.segment_at(first->first);
    if (segment == nullptr || segment->every != coming_plan_.every()
        || windows_.count(first->first) != 0
        || is_taken(first->second.bounds())) {
      drop(coming_, first);
      continue;
    }
    res += first->second.count();
    windows_.insert(coming_.extract(first));
  }
  return res;
}

bool rollup_table::is_sealed(const window_bounds& x) const {
  if (x.end <= sealed_through_)
    return true;
  return closed_.count({x.start, x.end}) > 0;
}

void rollup_table::seal(time_ms through) {
  if (through <= sealed_through_)
    return;
  sealed_through_ = through;
  forget_recent();
  for (auto i = closed_.begin(); i != closed_.end();)
    i = i->second <= through ? closed_.erase(i) : std::next(i);
}

bool rollup_table::close(window_bounds bounds) {
  auto segment = plan_.segment_at(bounds.start);
  if (segment == nullptr || segment->every != 0 || segment->from != bounds.start
      || segment->until != bounds.end)
    return false;
  keep_closed(bounds);
  forget_recent();
  return true;
}

void rollup_table::keep_closed(const window_bounds& x) {
  if (x.end > sealed_through_)
    closed_.emplace(x.start, x.end);
}

/// Another window has a part of its time: a sealed one that the plan doesn't
/// know, as it may be after the loss of a coordinator. That one stays as it is.
bool rollup_table::is_taken(const window_bounds& x) const {
  auto i = first_ending_after(x.start);
  return i != windows_.end() && i->first < x.end && i->second.bounds() != x;
}

bool rollup_table::holds_sealed(time_ms through) const {
  for (auto& x : windows_) {
    if (x.second.bounds().end > through)
      return false;
    if (is_sealed(x.second.bounds()))
      return true;
  }
  return false;
}

void rollup_table::release(time_ms through) {
  forget_recent();
  for (auto i = windows_.begin();
       i != windows_.end() && i->second.bounds().end <= through;)
    i = is_sealed(i->second.bounds()) ? drop(windows_, i) : std::next(i);
}

void rollup_table::release(window_bounds bounds) {
  auto i = windows_.find(bounds.start);
  if (i == windows_.end() || i->second.bounds() != bounds || !is_sealed(bounds))
    return;
  forget_recent();
  drop(windows_, i);
}

rollup_table::window_map::iterator rollup_table::drop(window_map& windows,
                                                      window_map::iterator i) {
  for (auto& x : i->second.cells()) {
    if (--holders_[x.metric] == 0)
      --metrics_;
    names_.release(x.metric);
  }
  cells_ -= i->second.cells().size();
  return windows.erase(i);
}

// -- readings ----------------------------------------------------------------

rollup_counts rollup_table::apply(const reading_batch& batch,
                                  const std::vector<uint32_t>& skip) {
  assert(std::is_sorted(skip.begin(), skip.end()));
  // Held to the end, so that no number changes its meaning in between.
  for (auto name : batch.metrics)
    metric_ids_.push_back(names_.acquire(name));
  holders_.resize(std::max(holders_.size(), names_.numbers()));
  uint64_t counts[verdicts] = {};
  auto next_skip = skip.begin();
  auto n = batch.readings.size();
  for (auto i = size_t{0}; i < n; ++i) {
    if (next_skip != skip.end() && *next_skip == i)
      ++next_skip;
    else
      ++counts[static_cast<size_t>(apply_one(batch.readings[i]))];
  }
  for (auto id : metric_ids_)
    names_.release(id);
  metric_ids_.clear();
  auto count = [&](verdict x) {
    return counts[static_cast<size_t>(x)];
  };
  return {count(verdict::in), count(verdict::late), count(verdict::outside),
          count(verdict::refused)};
}

rollup_table::verdict rollup_table::apply_one(const reading& r) {
  auto metric = metric_ids_[r.metric];
  auto& recent = recent_at(r.time);
  if (r.time >= recent.bounds.start && r.time < recent.bounds.end) {
    if (auto cell = recent.window->find(metric)) {
      recent.window->lift(*cell, r.value);
      return verdict::in;
    }
  }
  if (coming_plan_.periodic())
    return apply_both(r);
  auto bounds = plan_.find(r.time);
  if (!bounds)
    return verdict::outside;
  if (is_sealed(*bounds))
    return verdict::late;
  auto i = windows_.find(bounds->start);
  if (i == windows_.end() ? is_taken(*bounds) : i->second.bounds() != *bounds)
    return verdict::late;
  auto cell = i == windows_.end() ? nullptr : i->second.find(metric);
  if (cell == nullptr) {
    if (!has_room(metric, 1))
      return verdict::refused;
    if (i == windows_.end())
      i = windows_.emplace(bounds->start, rollup_window{*bounds}).first;
    cell = new_cell(i->second, metric);
  }
  recent = {*bounds, &i->second};
  i->second.lift(*cell, r.value);
  return verdict::in;
}

/// Where the window of `time` is, if it is a recent one: the quotient may be
/// one off, which costs a lookup and nothing else.
rollup_table::recent_window& rollup_table::recent_at(time_ms time) {
  auto product = static_cast<uint128>(static_cast<uint64_t>(time)) * inverse_;
  return recent_[static_cast<uint64_t>(product >> 64) % recent_max];
}

void rollup_table::forget_recent() {
  recent_.fill({});
  auto every = static_cast<uint64_t>(plan_.every());
  inverse_ = every == 0 ? 0 : std::numeric_limits<uint64_t>::max() / every;
}

/// While a change of duration is prepared. What is late for the rule that holds
/// is before the change begins, and so is late for good; and a limit that
/// either rule meets refuses a reading for both, so that the outcome doesn't
/// depend on when the change is settled.
rollup_table::verdict rollup_table::apply_both(const reading& r) {
  auto metric = metric_ids_[r.metric];
  auto now = plan_.find(r.time);
  if (now && (is_sealed(*now) || is_taken(*now)))
    return verdict::late;
  auto coming = r.time > coming_from_ ? coming_plan_.find(r.time)
                                      : std::optional<window_bounds>{};
  auto cells_needed = [&](window_map& windows,
                          const std::optional<window_bounds>& x) {
    if (!x)
      return size_t{0};
    auto i = windows.find(x->start);
    return i != windows.end() && i->second.find(metric) ? size_t{0} : size_t{1};
  };
  auto needed = cells_needed(windows_, now) + cells_needed(coming_, coming);
  if (needed > 0 && !has_room(metric, needed))
    return verdict::refused;
  if (now)
    add(windows_, *now, r);
  if (coming)
    add(coming_, *coming, r);
  return now ? verdict::in : verdict::outside;
}

bool rollup_table::has_room(uint32_t metric, size_t more) const {
  return cells_ + more <= options_.cells_max
         && (holders_[metric] > 0 || metrics_ < options_.metrics_max);
}

partial* rollup_table::new_cell(rollup_window& window, uint32_t metric) {
  names_.retain(metric);
  if (holders_[metric]++ == 0)
    ++metrics_;
  ++cells_;
  return window.add(metric);
}

void rollup_table::add(window_map& windows, const window_bounds& bounds,
                       const reading& r) {
  auto metric = metric_ids_[r.metric];
  auto& window = windows.try_emplace(bounds.start, bounds).first->second;
  auto cell = window.find(metric);
  if (cell == nullptr)
    cell = new_cell(window, metric);
  window.lift(*cell, r.value);
}

// -- answers -----------------------------------------------------------------

rollup_table::window_map::const_iterator rollup_table::first_ending_after(
  time_ms time) const {
  auto i = windows_.upper_bound(time);
  if (i != windows_.begin() && std::prev(i)->second.bounds().end > time)
    --i;
  return i;
}

std::vector<window_partial> rollup_table::sealed(time_ms after_end,
                                                 time_ms through,
                                                 size_t bytes_max,
                                                 time_ms& upto) const {
  auto res = std::vector<window_partial>{};
  auto named = std::vector<bool>(names_.numbers());
  auto bytes = size_t{0};
  upto = through;
  for (auto i = first_ending_after(after_end);
       i != windows_.end() && i->second.bounds().end <= through; ++i) {
    if (!is_sealed(i->second.bounds()))
      continue;
    bytes += encoded_bytes(i->second, named);
    if (!res.empty() && bytes > bytes_max) {
      upto = res.back().bounds.end;
      break;
    }
    res.push_back(export_window(i->second, true));
  }
  return res;
}

std::vector<window_partial> rollup_table::windows(time_ms from, time_ms until,
                                                  bool with_metrics,
                                                  size_t count_max) const {
  auto res = std::vector<window_partial>{};
  for (auto i = first_ending_after(from);
       i != windows_.end() && i->first < until && res.size() < count_max; ++i)
    res.push_back(export_window(i->second, with_metrics));
  return res;
}

window_partial rollup_table::export_window(const rollup_window& x,
                                           bool with_metrics) const {
  auto res = window_partial{};
  res.bounds = x.bounds();
  res.sealed = is_sealed(x.bounds());
  res.count = x.count();
  if (!with_metrics)
    return res;
  for (auto& cell : x.cells())
    res.metrics.push_back({std::string{names_.name(cell.metric)}, cell.total});
  std::sort(res.metrics.begin(), res.metrics.end(),
            [](const metric_partial& a, const metric_partial& b) {
              return a.metric < b.metric;
            });
  return res;
}

/// About the bytes of `x` in a list that has the names of `named` already.
size_t rollup_table::encoded_bytes(const rollup_window& x,
                                   std::vector<bool>& named) const {
  static const auto integers_bytes = [] {
    auto bytes = std::string{};
    auto out = byte_writer{bytes};
    partial{}.encode(out);
    return bytes.size();
  }();
  auto res = size_t{0};
  for (auto& cell : x.cells()) {
    // Digits of doubles have 8 bytes here and 4 there.
    res += integers_bytes + cell.total.heap_bytes() / 2;
    if (named[cell.metric])
      continue;
    named[cell.metric] = true;
    res += names_.name(cell.metric).size();
  }
  return res;
}

size_t rollup_table::bytes() const {
  // A node of a map has three pointers and a colour, and the allocator's word.
  constexpr auto node_bytes = sizeof(window_map::value_type) + 40;
  auto res = names_.heap_bytes() + holders_.capacity() * sizeof(uint32_t)
             + windows_held() * node_bytes;
  for (auto xs : {&windows_, &coming_})
    for (auto& x : *xs)
      res += x.second.heap_bytes();
  return res;
}

} // namespace weir
