#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace weir {

/// Finds numbered places by 64-bit hash: open addressing with linear probing,
/// deletion by shifting back (Knuth, TAOCP 3, 6.4, algorithm R), 8 bytes a
/// bucket. In contrast to a ready-made map, a lookup can be split into steps
/// that fetch memory ahead, for many keys at once.
///
/// Whoever uses it compares the keys, for which it has no room.
class slot_index {
public:
  /// No place.
  static constexpr uint32_t none = std::numeric_limits<uint32_t>::max();

  size_t size() const {
    return size_;
  }

  size_t heap_bytes() const {
    return buckets_.capacity() * sizeof(bucket);
  }

  /// Makes room for so many places at once.
  void reserve(size_t places) {
    auto buckets = buckets_min;
    while (places * 4 > buckets * 3)
      buckets *= 2;
    if (buckets > buckets_.size())
      rehash(buckets);
  }

  /// First step of a lookup: fetches the bucket.
  void prefetch(uint64_t hash) const {
    if (!buckets_.empty())
      __builtin_prefetch(&buckets_[home(tag_of(hash))]);
  }

  /// Second step: the first place that may be it, or none.
  uint32_t candidate(uint64_t hash) const {
    return find(hash, [](uint32_t) {
      return true;
    });
  }

  /// The place with this hash for which `equal(place)` is true, or none.
  template <class Equal>
  uint32_t find(uint64_t hash, Equal equal) const {
    if (buckets_.empty())
      return none;
    auto tag = tag_of(hash);
    for (auto i = home(tag); buckets_[i].place != none; i = next(i))
      if (buckets_[i].tag == tag && equal(buckets_[i].place))
        return buckets_[i].place;
    return none;
  }

  /// @pre `place` isn't in it yet.
  void insert(uint64_t hash, uint32_t place) {
    reserve(size_ + 1);
    insert_bucket({tag_of(hash), place});
    ++size_;
  }

  /// @pre `place` is in it, with this hash.
  void erase(uint64_t hash, uint32_t place) {
    auto gap = home(tag_of(hash));
    while (buckets_[gap].place != place)
      gap = next(gap);
    for (auto i = next(gap); buckets_[i].place != none; i = next(i)) {
      // An entry may fill the gap unless that lies before its home.
      auto to_gap = (gap - home(buckets_[i].tag)) & mask();
      auto to_entry = (i - home(buckets_[i].tag)) & mask();
      if (to_gap <= to_entry) {
        buckets_[gap] = buckets_[i];
        gap = i;
      }
    }
    buckets_[gap].place = none;
    --size_;
  }

private:
  static constexpr size_t buckets_min = 16;

  struct bucket {
    uint32_t tag = 0;
    uint32_t place = none;
  };

  /// The low half: a shard's entities all share the high bits.
  static uint32_t tag_of(uint64_t hash) {
    return static_cast<uint32_t>(hash);
  }

  size_t mask() const {
    return buckets_.size() - 1;
  }

  size_t home(uint32_t tag) const {
    return tag & mask();
  }

  size_t next(size_t i) const {
    return (i + 1) & mask();
  }

  void insert_bucket(bucket x) {
    auto i = home(x.tag);
    while (buckets_[i].place != none)
      i = next(i);
    buckets_[i] = x;
  }

  void rehash(size_t buckets) {
    auto old = std::vector<bucket>(buckets);
    old.swap(buckets_);
    for (auto& x : old)
      if (x.place != none)
        insert_bucket(x);
  }

  std::vector<bucket> buckets_;
  size_t size_ = 0;
};

} // namespace weir
