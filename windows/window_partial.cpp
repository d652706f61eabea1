#include "windows/window_partial.hpp"

#include "windows/int128.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>

// Bytes of a list: version (one byte), names of metrics (number, strings, in
// order), number of windows, and for each: start (zigzag), length, sealed (one
// byte), count, number of metrics, and for each its name's position and the
// partial.

namespace weir {

namespace {

constexpr uint8_t format_version = 1;

auto order_of(const window_bounds& x) {
  return std::make_tuple(x.end, x.start);
}

/// Merges two sorted lists; `key` tells the order, `combine` adds equals.
template <class T, class Key, class Combine>
void merge_sorted(std::vector<T>& into, const std::vector<T>& from, Key key,
                  Combine combine) {
  auto res = std::vector<T>{};
  res.reserve(std::max(into.size(), from.size()));
  auto i = into.begin();
  auto j = from.begin();
  while (i != into.end() && j != from.end()) {
    if (key(*i) < key(*j)) {
      res.push_back(std::move(*i++));
    } else if (key(*j) < key(*i)) {
      res.push_back(*j++);
    } else {
      combine(*i, *j++);
      res.push_back(std::move(*i++));
    }
  }
  std::move(i, into.end(), std::back_inserter(res));
  std::copy(j, from.end(), std::back_inserter(res));
  into = std::move(res);
}

/// Reads one list.
class list_decoder {
public:
  explicit list_decoder(std::string_view bytes)
    : size_(bytes.size()), in_(bytes) {
    // nop
  }

  result<std::vector<window_partial>> decode() {
    auto version = in_.fixed<uint8_t>();
    if (in_.ok() && version != format_version)
      return fail(ec::version_mismatch,
                  "a list of window totals has version "
                    + std::to_string(version) + ", and this program reads "
                    + std::to_string(format_version)
                    + "; run the same version everywhere");
    if (!decode_names())
      return malformed("a metric's name");
    auto n = in_.varint();
    if (n > list_windows_max)
      return too_long("windows", list_windows_max);
    auto res = std::vector<window_partial>{};
    for (; n > 0; --n) {
      auto x = window_partial{};
      if (!decode_window(x)
          || (!res.empty()
              && order_of(x.bounds) <= order_of(res.back().bounds)))
        return cells_ > list_cells_max ? too_long("totals", list_cells_max)
                                       : malformed("a window");
      res.push_back(std::move(x));
    }
    if (!in_.done())
      return malformed("its end");
    return res;
  }

private:
  tl::unexpected<failure> malformed(const char* what) const {
    return fail(ec::malformed,
                "a list of window totals makes no sense at " + std::string{what}
                  + " before byte " + std::to_string(size_ - in_.remaining())
                  + " of " + std::to_string(size_) + "; ask for it again");
  }

  tl::unexpected<failure> too_long(const char* what, size_t limit) const {
    return fail(ec::limit_reached, "a list of window totals has more than "
                                     + std::to_string(limit) + " " + what
                                     + "; ask for fewer windows at a time");
  }

  bool decode_names() {
    for (auto n = in_.varint(); n > 0 && in_.ok(); --n) {
      auto name = in_.string();
      if (name.size() > name_bytes_max
          || (!names_.empty() && name <= names_.back()))
        return false;
      names_.push_back(name);
    }
    return in_.ok();
  }

  bool decode_window(window_partial& x) {
    x.bounds.start = in_.zigzag();
    auto end = int128{x.bounds.start} + int128{in_.varint()};
    auto sealed = in_.fixed<uint8_t>();
    x.count = in_.varint();
    auto n = in_.varint();
    if (!in_.ok() || end <= x.bounds.start || end > window_plan::forever
        || sealed > 1)
      return false;
    x.bounds.end = static_cast<time_ms>(end);
    x.sealed = sealed == 1;
    auto least_position = uint64_t{0};
    for (; n > 0; --n) {
      auto position = in_.varint();
      if (!in_.ok() || position < least_position || position >= names_.size()
          || ++cells_ > list_cells_max)
        return false;
      least_position = position + 1;
      x.metrics.push_back(
        {std::string{names_[static_cast<size_t>(position)]}, {}});
      if (!x.metrics.back().total.decode(in_))
        return false;
    }
    return true;
  }

  size_t size_;
  byte_reader in_;
  std::vector<std::string_view> names_;
  size_t cells_ = 0;
};

} // namespace

void merge(std::vector<window_partial>& into,
           const std::vector<window_partial>& from) {
  auto metric_of = [](const metric_partial& x) -> const std::string& {
    return x.metric;
  };
  auto add_metric = [](metric_partial& x, const metric_partial& y) {
    x.total.combine(y.total);
  };
  merge_sorted(
    into, from,
    [](const window_partial& x) {
      return order_of(x.bounds);
    },
    [&](window_partial& x, const window_partial& y) {
      x.sealed = x.sealed && y.sealed;
      x.count += y.count;
      merge_sorted(x.metrics, y.metrics, metric_of, add_metric);
    });
}

time_ms reach_of(const std::vector<window_partial>& xs, size_t count_max) {
  return xs.empty() || xs.size() < count_max ? window_plan::forever
                                             : xs.back().bounds.end;
}

void keep_first(std::vector<window_partial>& xs, time_ms reach,
                size_t count_max) {
  auto beyond = std::find_if(xs.begin(), xs.end(), [&](const auto& x) {
    return x.bounds.end > reach;
  });
  xs.erase(beyond, xs.end());
  if (xs.size() > count_max)
    xs.erase(xs.begin() + static_cast<ptrdiff_t>(count_max), xs.end());
}

void encode_windows(const std::vector<window_partial>& xs, byte_writer& out) {
  auto positions = std::map<std::string_view, uint64_t>{};
  for (auto& x : xs)
    for (auto& y : x.metrics)
      positions.emplace(y.metric, 0);
  out.fixed(format_version);
  out.varint(positions.size());
  auto next = uint64_t{0};
  for (auto& x : positions) {
    out.string(x.first);
    x.second = next++;
  }
  out.varint(xs.size());
  for (auto& x : xs) {
    out.zigzag(x.bounds.start);
    out.varint(static_cast<uint64_t>(x.bounds.end)
               - static_cast<uint64_t>(x.bounds.start));
    out.fixed(static_cast<uint8_t>(x.sealed ? 1 : 0));
    out.varint(x.count);
    out.varint(x.metrics.size());
    for (auto& y : x.metrics) {
      out.varint(positions.find(y.metric)->second);
      y.total.encode(out);
    }
  }
}

result<std::vector<window_partial>> decode_windows(std::string_view bytes) {
  return list_decoder{bytes}.decode();
}

} // namespace weir
