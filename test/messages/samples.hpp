#pragma once

#include "messages/types.hpp"

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// A sample of any message, made from its own description.

namespace weir::test {

/// Gives every field of a message a value that no other field has: an inspector
/// that writes.
class filler {
public:
  using result_type = void;

  template <class... Ts>
  void operator()(const caf::meta::type_name_t&, Ts&... xs) {
    (fill(xs), ...);
  }

private:
  template <class T>
  void fill(T& x) {
    if constexpr (std::is_same_v<T, bool>)
      x = true;
    else if constexpr (std::is_enum_v<T>)
      x = static_cast<T>(1);
    else if constexpr (std::is_arithmetic_v<T>)
      x = static_cast<T>(++number_);
    else
      inspect(*this, x);
  }

  void fill(as_bits& x) {
    fill(x.value);
  }

  void fill(std::string& x) {
    x = "text " + std::to_string(++number_);
  }

  template <class T, class U>
  void fill(std::pair<T, U>& x) {
    fill(x.first);
    fill(x.second);
  }

  template <class T>
  void fill(std::vector<T>& x) {
    x.resize(2);
    for (auto& y : x)
      fill(y);
  }

  int number_ = 0;
};

/// Counts the fields that `inspect` names.
struct field_counter {
  using result_type = size_t;

  template <class... Ts>
  size_t operator()(const caf::meta::type_name_t&, Ts&...) {
    return sizeof...(Ts);
  }
};

/// Stands for a value of any type, to count the fields of an aggregate.
struct anything {
  template <class T>
  operator T() const;
};

template <class T, class = void, class... Fields>
struct is_made_of : std::false_type {};

template <class T, class... Fields>
struct is_made_of<T, std::void_t<decltype(T{std::declval<Fields>()...})>,
                  Fields...> : std::true_type {};

/// The number of fields of an aggregate.
template <class T, class... Fields>
constexpr size_t field_count() {
  if constexpr (is_made_of<T, void, Fields..., anything>::value)
    return field_count<T, Fields..., anything>();
  else
    return sizeof...(Fields);
}

template <class T>
T sample() {
  auto res = T{};
  auto fill = filler{};
  inspect(fill, res);
  return res;
}

/// Calls `f` with a sample of every message that crosses processes, and its
/// name.
template <caf::type_id_t I = caf::id_block::weir_wire::begin, class F>
void for_each_message(F f) {
  if constexpr (I < caf::id_block::weir_wire::end) {
    f(sample<typename caf::type_by_id<I>::type>(),
      std::string{caf::type_name_by_id<I>::value});
    for_each_message<I + 1>(f);
  }
}

} // namespace weir::test
