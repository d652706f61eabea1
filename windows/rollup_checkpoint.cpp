#include "windows/rollup_table.hpp"

#include "windows/int128.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

// Bytes of a table: version (one byte), plan, sealed through (zigzag), windows
// closed by hand (number, start and end as zigzags), the time that readings of
// the prepared rule are later than (zigzag), the sorted names of metrics
// (number, strings), the windows of the rule that holds, and those of the one
// that is prepared (number, and for each: start as zigzag, length, count,
// number of metrics, and for each its name's position and the partial).

namespace weir {

namespace {

constexpr uint8_t format_version = 1;

} // namespace

// -- writing -----------------------------------------------------------------

void rollup_table::encode(byte_writer& out) const {
  out.fixed(format_version);
  plan_.encode(out);
  out.zigzag(sealed_through_);
  out.varint(closed_.size());
  for (auto& x : closed_) {
    out.zigzag(x.first);
    out.zigzag(x.second);
  }
  out.zigzag(coming_from_);
  auto names = std::vector<std::pair<std::string_view, uint32_t>>{};
  for (auto id = uint32_t{0}; id < holders_.size(); ++id)
    if (holders_[id] > 0)
      names.emplace_back(names_.name(id), id);
  std::sort(names.begin(), names.end());
  auto positions = std::vector<uint32_t>(holders_.size());
  out.varint(names.size());
  for (auto i = size_t{0}; i < names.size(); ++i) {
    out.string(names[i].first);
    positions[names[i].second] = static_cast<uint32_t>(i);
  }
  encode_map(windows_, positions, out);
  encode_map(coming_, positions, out);
}

void rollup_table::encode_map(const window_map& xs,
                              const std::vector<uint32_t>& positions,
                              byte_writer& out) const {
  out.varint(xs.size());
  auto cells = std::vector<std::pair<uint32_t, const partial*>>{};
  for (auto& x : xs) {
    auto& window = x.second;
    out.zigzag(window.bounds().start);
    out.varint(static_cast<uint64_t>(window.bounds().end)
               - static_cast<uint64_t>(window.bounds().start));
    out.varint(window.count());
    cells.clear();
    for (auto& cell : window.cells())
      cells.emplace_back(positions[cell.metric], &cell.total);
    std::sort(cells.begin(), cells.end());
    out.varint(cells.size());
    for (auto& cell : cells) {
      out.varint(cell.first);
      cell.second->encode(out);
    }
  }
}

// -- loading -----------------------------------------------------------------

bool rollup_table::decode(byte_reader& in) {
  auto res = rollup_table{options_};
  if (!res.decode_all(in))
    return false;
  *this = std::move(res);
  return true;
}

bool rollup_table::decode_all(byte_reader& in) {
  if (in.fixed<uint8_t>() != format_version || !plan_.decode(in))
    return false;
  sealed_through_ = in.zigzag();
  for (auto n = in.varint(); n > 0 && in.ok(); --n) {
    auto start = in.zigzag();
    auto end = in.zigzag();
    if (start >= end || end <= sealed_through_
        || (!closed_.empty() && *closed_.rbegin() >= std::pair{start, end}))
      return false;
    closed_.emplace_hint(closed_.end(), start, end);
  }
  coming_from_ = in.zigzag();
  auto ids = std::vector<uint32_t>{};
  for (auto n = in.varint(); n > 0 && in.ok(); --n) {
    auto name = in.string();
    if (name.size() > name_bytes_max
        || (!ids.empty() && names_.name(ids.back()) >= name))
      return false;
    ids.push_back(names_.acquire(name));
  }
  holders_.resize(names_.numbers());
  if (plan_.pending().value_or(0) != 0)
    coming_plan_ = window_plan::periodic(*plan_.pending());
  if (!in.ok() || !decode_map(in, ids, windows_)
      || !decode_map(in, ids, coming_))
    return false;
  for (auto id : ids)
    names_.release(id);
  forget_recent();
  return metrics_ == ids.size() && is_consistent();
}

bool rollup_table::decode_map(byte_reader& in, const std::vector<uint32_t>& ids,
                              window_map& xs) {
  for (auto n = in.varint(); n > 0 && in.ok(); --n) {
    auto start = in.zigzag();
    auto end = int128{start} + int128{in.varint()};
    if (end <= start || end > window_plan::forever
        || (!xs.empty() && xs.rbegin()->second.bounds().end > start))
      return false;
    auto x = rollup_window{{start, static_cast<time_ms>(end)}};
    if (!decode_window(in, ids, x))
      return false;
    xs.emplace_hint(xs.end(), start, std::move(x));
  }
  return in.ok();
}

bool rollup_table::decode_window(byte_reader& in,
                                 const std::vector<uint32_t>& ids,
                                 rollup_window& x) {
  x.set_count(in.varint());
  auto n = in.varint();
  auto least_position = uint64_t{0};
  if (n == 0)
    return false;
  for (; n > 0; --n) {
    auto position = in.varint();
    if (!in.ok() || position < least_position || position >= ids.size())
      return false;
    least_position = position + 1;
    if (!new_cell(x, ids[static_cast<size_t>(position)])->decode(in))
      return false;
  }
  return true;
}

/// Windows are those that the plan has.
bool rollup_table::is_consistent() const {
  if (!coming_plan_.periodic() && coming_from_ != 0)
    return false;
  auto announced = [&](const window_map::value_type& x) {
    auto& bounds = x.second.bounds();
    return is_sealed(bounds) || plan_.find(bounds.start) == bounds;
  };
  auto coming = [&](const window_map::value_type& x) {
    return coming_plan_.find(x.first) == x.second.bounds();
  };
  return std::all_of(windows_.begin(), windows_.end(), announced)
         && std::all_of(coming_.begin(), coming_.end(), coming);
}

uint64_t rollup_table::digest() const {
  auto bytes = std::string{};
  auto out = byte_writer{bytes};
  encode(out);
  // FNV-1a: these bytes don't depend on the order of readings.
  auto hash = uint64_t{14695981039346656037u};
  for (auto x : bytes)
    hash = (hash ^ static_cast<uint8_t>(x)) * 1099511628211u;
  return hash;
}

} // namespace weir
