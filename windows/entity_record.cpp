#include "windows/entity_record.hpp"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace weir {

static_assert(sizeof(sliding_series) == 32);
static_assert(sizeof(entity_record) == 32);

void entity_record::assign(std::string_view id, uint64_t hash) {
  assert(!in_use());
  assert(id.size() <= name_bytes_max);
  hash_ = hash;
  id_size_ = static_cast<uint16_t>(id.size());
  block_ = static_cast<char*>(::operator new(block_bytes(0)));
  std::memcpy(block_, id.data(), id.size());
}

void entity_record::clear() {
  for (auto& x : *this)
    x.~sliding_series();
  ::operator delete(block_);
  block_ = nullptr;
  hash_ = 0;
  last_ = std::numeric_limits<time_ms>::min();
  id_size_ = 0;
  count_ = 0;
  capacity_ = 0;
}

sliding_series* entity_record::add(uint32_t metric) {
  assert(count_ < series_max);
  if (count_ == capacity_)
    reserve(std::min<size_t>(series_max, count_ + 1u + count_ / 2u));
  auto res = new (end()) sliding_series(metric);
  ++count_;
  return res;
}

void entity_record::remove(sliding_series* x) {
  auto back = end() - 1;
  if (x != back)
    *x = std::move(*back);
  back->~sliding_series();
  --count_;
}

void entity_record::reserve(size_t series) {
  assert(in_use() && series <= series_max);
  if (series <= capacity_)
    return;
  auto block = static_cast<char*>(::operator new(block_bytes(series)));
  std::memcpy(block + series * sizeof(sliding_series), id().data(), id_size_);
  auto to = block;
  for (auto& x : *this) {
    new (to) sliding_series(std::move(x));
    x.~sliding_series();
    to += sizeof(sliding_series);
  }
  ::operator delete(block_);
  block_ = block;
  capacity_ = static_cast<uint16_t>(series);
}

} // namespace weir
