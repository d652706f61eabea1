#pragma once

#include "cluster/checksum.hpp"
#include "windows/bytes.hpp"

#include <string>
#include <string_view>
#include <type_traits>

namespace weir {

namespace detail {

template <class T>
void add_column(byte_writer& out, const T& x) {
  if constexpr (std::is_integral_v<T>)
    out.fixed(static_cast<uint64_t>(x));
  else
    out.string(std::string_view{x});
}

} // namespace detail

/// Checksum of a row's columns: integers as 64 bits, strings with their length
/// before them. Stored in the row's last column, so it never changes.
template <class... Ts>
uint64_t row_crc(const Ts&... columns) {
  auto bytes = std::string{};
  auto out = byte_writer{bytes};
  (detail::add_column(out, columns), ...);
  return checksum(bytes);
}

} // namespace weir
