#pragma once

#include "windows/aggregates/average.hpp"
#include "windows/aggregates/count.hpp"
#include "windows/aggregates/max.hpp"
#include "windows/aggregates/min.hpp"
#include "windows/aggregates/sum.hpp"
#include "windows/aggregates/variance.hpp"
#include "windows/bytes.hpp"
#include "windows/reading.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace weir {

/// Every aggregate function, in the order in which they are shown. A new one is
/// a file of its own and a row here. A function has
///
/// - `id`, which is stored: it never changes and is never used again;
/// - `name`, as people see it;
/// - `state`: what it remembers; `state{}` is the identity, the empty struct
///   means that it is made of other functions' states;
/// - `lift(state&, reading)`: combines with the state of one reading, in place;
/// - `combine(state&, other)`: in any order and grouping with the same outcome;
/// - `lower(partial)`: the answer; it asks `has` before it uses others' states;
/// - `encode`, `decode`: the same bytes for the same state, whatever its past;
/// - `heap_bytes(state)`, if there is something on the heap.
///
/// The words are those of Tangwongsan et al., "General incremental
/// sliding-window aggregation" (2015).
using aggregate_functions
  = std::tuple<count_aggregate, sum_aggregate, min_aggregate, max_aggregate,
               average_aggregate, variance_aggregate>;

namespace detail {

template <class Functions>
struct states_of;

template <class... Fs>
struct states_of<std::tuple<Fs...>> {
  using type = std::tuple<typename Fs::state...>;
};

template <class F, class Functions>
struct index_of;

template <class F, class... Fs>
struct index_of<F, std::tuple<F, Fs...>> {
  static constexpr size_t value = 0;
};

template <class F, class G, class... Fs>
struct index_of<F, std::tuple<G, Fs...>> {
  static constexpr size_t value = 1 + index_of<F, std::tuple<Fs...>>::value;
};

template <class F>
constexpr bool has_state = !std::is_empty_v<typename F::state>;

template <class F, class = void>
struct has_heap : std::false_type {};

template <class F>
struct has_heap<F, std::void_t<decltype(&F::heap_bytes)>> : std::true_type {};

template <class Fn, class... Fs>
void for_each_type(Fn& fn, const std::tuple<Fs...>*) {
  (fn(static_cast<const Fs*>(nullptr)), ...);
}

} // namespace detail

/// What all aggregate functions remember of some readings of one metric.
class partial {
public:
  void lift(const number& reading) {
    each([&](auto* f) {
      using F = function_of<decltype(f)>;
      if constexpr (detail::has_state<F>)
        F::lift(mutable_state<F>(), reading);
    });
  }

  /// What one of both lacks, see `has`, the outcome lacks.
  void combine(const partial& other) {
    each([&](auto* f) {
      using F = function_of<decltype(f)>;
      if constexpr (detail::has_state<F>)
        F::combine(mutable_state<F>(), other.get<F>());
    });
    lacking_ |= other.lacking_;
  }

  template <class F>
  const typename F::state& get() const {
    return std::get<position<F>>(states_);
  }

  /// False after the decoding of what was stored before there was F: its state
  /// doesn't tell of all readings, and so it answers nothing.
  template <class F>
  bool has() const {
    return (lacking_ & bit<F>) == 0;
  }

  template <class F>
  aggregate_value lower() const {
    return has<F>() ? F::lower(*this) : aggregate_value::nothing();
  }

  /// Calls `fn(name, value)` for every function, in the order of the table.
  template <class Fn>
  void for_each_aggregate(Fn&& fn) const {
    each([&](auto* f) {
      using F = function_of<decltype(f)>;
      fn(std::string_view{F::name}, lower<F>());
    });
  }

  /// Appends the number of states, and for each its function's id (1 byte), its
  /// length and its bytes. The same readings have the same bytes, whatever
  /// their order and grouping; those of integers have a fixed length.
  void encode(byte_writer& out) const;

  /// Replaces the content by what `encode` wrote, be it that of a program with
  /// more functions, which are skipped, or with fewer, see `has`. Any bytes are
  /// safe.
  /// @returns false if no partial encodes to such bytes.
  bool decode(byte_reader& in);

  /// Bytes on the heap, without the allocator's overhead.
  size_t heap_bytes() const {
    auto res = size_t{0};
    each([&](auto* f) {
      using F = function_of<decltype(f)>;
      if constexpr (detail::has_heap<F>::value)
        res += F::heap_bytes(get<F>());
    });
    return res;
  }

  friend bool operator==(const partial& x, const partial& y);

private:
  template <class Pointer>
  using function_of = std::remove_const_t<std::remove_pointer_t<Pointer>>;

  template <class F>
  static constexpr size_t position
    = detail::index_of<F, aggregate_functions>::value;

  template <class F>
  static constexpr uint32_t bit = uint32_t{1} << position<F>;

  static_assert(std::tuple_size_v<aggregate_functions> <= 32);

  template <class Fn>
  static void each(Fn fn) {
    detail::for_each_type(fn, static_cast<const aggregate_functions*>(nullptr));
  }

  template <class F>
  typename F::state& mutable_state() {
    return std::get<position<F>>(states_);
  }

  bool decode_state(uint8_t id, byte_reader& in);

  typename detail::states_of<aggregate_functions>::type states_;
  /// The bits of functions without a complete state.
  uint32_t lacking_ = 0;
};

} // namespace weir
