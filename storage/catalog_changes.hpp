#pragma once

#include "storage/catalog_page.hpp"

#include <cstdint>
#include <map>

namespace weir {

/// Changes that are remembered: with some 200 bytes each, 20 MB. Whoever has
/// missed more lists everything.
constexpr size_t catalog_changes_max = 100'000;

/// Which rows were changed since a program has begun, in the order of their
/// last change: what a copy lacks is what comes behind the last change that it
/// has seen.
class catalog_changes {
public:
  explicit catalog_changes(size_t limit = catalog_changes_max) : limit_(limit) {
    // nop
  }

  void note(catalog_key x) {
    auto [i, added] = last_.emplace(x, 0);
    if (!added)
      keys_.erase(i->second);
    i->second = ++count_;
    keys_.emplace(count_, std::move(x));
    if (keys_.size() <= limit_)
      return;
    floor_ = keys_.begin()->first;
    last_.erase(keys_.begin()->second);
    keys_.erase(keys_.begin());
  }

  /// Number of the last change.
  uint64_t count() const {
    return count_;
  }

  /// Whether all changes after number `count` are remembered.
  bool reaches(uint64_t count) const {
    return count >= floor_ && count <= count_;
  }

  /// Calls `f(number, key) -> bool` for rows whose last change has a greater
  /// number, in the order of these, until it returns false.
  /// @pre `reaches(count)`
  template <class F>
  void each_after(uint64_t count, F f) const {
    for (auto i = keys_.upper_bound(count); i != keys_.end(); ++i)
      if (!f(i->first, i->second))
        return;
  }

private:
  size_t limit_;
  uint64_t count_ = 0;
  uint64_t floor_ = 0;
  std::map<uint64_t, catalog_key> keys_;
  std::map<catalog_key, uint64_t> last_;
};

} // namespace weir
