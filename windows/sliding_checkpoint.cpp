#include "windows/sliding_table.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

// A chunk: version (one byte), number of entities (4 bytes), the time that a
// growing retention could not bring back (zigzag), the names of its metrics
// (number, strings), and its entities one after the other. An entity: hash (8
// bytes), id (string), time of its latest reading (zigzag), number of series,
// and for each the number of its metric's name and the series itself, for which
// see sliding_series_codec.cpp.

namespace weir {

namespace {

constexpr uint8_t chunk_version = 1;

failure damage(uint64_t covers, const std::string& what) {
  return {ec::damaged, "the checkpoint chunk through log index "
                         + std::to_string(covers) + " is damaged: " + what
                         + "; rebuild this replica from another one"};
}

} // namespace

/// The metrics of a chunk.
struct sliding_table::dictionary {
  /// Their numbers in this table. No metric is there twice.
  std::vector<uint32_t> ids;
  /// Number of the last entity that had each, so that a metric that comes twice
  /// is found without a search.
  std::vector<uint32_t> last_entity;
  /// Number of the entity at hand, from 1.
  uint32_t entity = 0;
};

// -- writing -----------------------------------------------------------------

bool sliding_table::begin_checkpoint(bool full) {
  assert(!recovering_);
  if (round_open_)
    abort_checkpoint();
  round_open_ = true;
  full = full || full_needed_;
  full_was_needed_ = std::exchange(full_needed_, false);
  pending_.clear();
  taken_ = 0;
  if (full) {
    pending_.reserve(count_);
    for (auto slot = uint32_t{0}; slot < slots_; ++slot) {
      at(slot).dirty = false;
      at(slot).pending = at(slot).in_use();
      if (at(slot).pending)
        pending_.push_back(slot);
    }
    dirty_.clear();
    return true;
  }
  for (auto slot : dirty_) {
    at(slot).dirty = false;
    at(slot).pending = at(slot).in_use();
    if (at(slot).pending)
      pending_.push_back(slot);
  }
  dirty_.clear();
  return false;
}

bool sliding_table::next_chunk(size_t entities_max, std::string& out) {
  assert(entities_max > 0);
  auto body = std::string{};
  auto body_out = byte_writer{body};
  auto metrics = std::vector<uint32_t>{};
  chunk_numbers_.assign(names_.numbers(), 0);
  auto n = uint32_t{0};
  while (taken_ < pending_.size() && n < entities_max
         && body.size() < chunk_bytes_soft_max) {
    // Forgotten ones, too: an older chunk may know them with more in them.
    auto& rec = at(pending_[taken_++]);
    rec.pending = false;
    encode_entity(rec, body_out, metrics);
    ++n;
  }
  if (n == 0) {
    round_open_ = false;
    return false;
  }
  auto head = byte_writer{out};
  head.fixed(chunk_version);
  head.fixed(n);
  head.zigzag(lost_through_);
  head.varint(metrics.size());
  for (auto id : metrics)
    head.string(names_.name(id));
  out += body;
  return true;
}

void sliding_table::encode_entity(const entity_record& rec, byte_writer& out,
                                  std::vector<uint32_t>& metrics) {
  auto floor = floor_at(clock_);
  auto n = size_t{0};
  for (auto& x : rec)
    n += x.expired(floor) ? 0 : 1;
  out.fixed(rec.hash());
  out.string(rec.id());
  out.zigzag(rec.last());
  out.varint(n);
  for (auto& x : rec) {
    if (x.expired(floor))
      continue;
    auto& number = chunk_numbers_[x.metric()];
    if (number == 0) {
      metrics.push_back(x.metric());
      number = static_cast<uint32_t>(metrics.size());
    }
    out.varint(number - 1);
    x.encode(out, floor);
  }
}

void sliding_table::abort_checkpoint() {
  for (auto slot : pending_) {
    at(slot).pending = false;
    if (at(slot).in_use())
      mark_dirty(slot);
  }
  pending_.clear();
  taken_ = 0;
  round_open_ = false;
  full_needed_ = full_needed_ || full_was_needed_;
}

// -- loading -----------------------------------------------------------------

result<size_t> sliding_table::load_chunk(std::string_view chunk,
                                         uint64_t covers,
                                         const hash_check& is_right) {
  if (!std::exchange(recovering_, true))
    covers_.resize(slots_);
  auto in = byte_reader{chunk};
  auto version = in.fixed<uint8_t>();
  if (in.ok() && version != chunk_version)
    return fail(
      ec::version_mismatch,
      "the checkpoint chunk through log index " + std::to_string(covers)
        + " has version " + std::to_string(version)
        + ", and this program reads version " + std::to_string(chunk_version)
        + "; run the program that wrote it, or a newer one");
  auto n = in.fixed<uint32_t>();
  auto lost_through = in.zigzag();
  auto metrics = dictionary{};
  auto& ids = metrics.ids;
  for (auto left = in.varint(); left > 0 && in.ok(); --left) {
    auto name = in.string();
    if (name.size() > name_bytes_max)
      in.fail();
    if (in.ok())
      ids.push_back(names_.acquire(name));
  }
  auto sorted = ids;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end())
    in.fail();
  metrics.last_entity.resize(ids.size());
  auto what = std::string{};
  if (!in.ok())
    what = "its header makes no sense";
  for (auto i = uint32_t{1}; i <= n && what.empty(); ++i) {
    auto start = chunk.size() - in.remaining();
    metrics.entity = i;
    if (!load_entity(in, covers, metrics, is_right))
      what = "entity " + std::to_string(i) + " of " + std::to_string(n)
             + ", at byte " + std::to_string(start) + ", makes no sense";
  }
  if (what.empty() && !in.done())
    what = std::to_string(in.remaining()) + " bytes follow its last entity";
  for (auto id : ids)
    names_.release(id);
  if (!what.empty())
    return tl::unexpected(damage(covers, what));
  lost_through_ = std::max(lost_through_, lost_through);
  return n;
}

bool sliding_table::load_entity(byte_reader& in, uint64_t covers,
                                dictionary& metrics,
                                const hash_check& is_right) {
  auto hash = in.fixed<uint64_t>();
  auto id = in.string();
  auto last = in.zigzag();
  auto n = in.varint();
  if (!in.ok() || id.size() > name_bytes_max || n > entity_record::series_max
      || n > in.remaining() || (is_right && !is_right(id, hash)))
    return false;
  auto slot = find(id, hash);
  if (slot == slot_index::none)
    slot = create(id, hash);
  auto newer = covers_[slot] <= covers;
  auto& rec = at(slot);
  if (newer) {
    covers_[slot] = covers;
    clear_series(rec);
    set_last(rec, last);
    heap_ -= rec.heap_bytes();
    rec.reserve(static_cast<size_t>(n));
    heap_ += rec.heap_bytes();
  }
  for (; n > 0; --n) {
    auto number = in.varint();
    if (number >= metrics.ids.size())
      return false;
    auto place = static_cast<size_t>(number);
    if (std::exchange(metrics.last_entity[place], metrics.entity)
        == metrics.entity)
      return false;
    auto metric = metrics.ids[place];
    auto x = sliding_series{metric};
    if (!x.decode(in) || x.last() > last)
      return false;
    if (!newer)
      continue;
    names_.retain(metric);
    heap_ += x.heap_bytes();
    *rec.add(metric) = std::move(x);
  }
  return true;
}

void sliding_table::finish_recovery() {
  recovering_ = false;
  covers_ = std::vector<uint64_t>{};
}

} // namespace weir
