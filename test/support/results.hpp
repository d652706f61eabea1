#pragma once

#include "windows/failure.hpp"

#include <doctest/doctest.h>

#include <string>
#include <type_traits>

namespace weir::test {

/// The value of `x`, or a failed test that shows the failure's sentence.
template <class T>
T must(result<T> x) {
  if (!x)
    FAIL(x.error().text);
  if constexpr (!std::is_void_v<T>)
    return std::move(*x);
}

template <class T>
ec code_of(const result<T>& x) {
  return x ? ec::none : x.error().code;
}

template <class T>
std::string text_of(const result<T>& x) {
  return x ? std::string{} : x.error().text;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

} // namespace weir::test
