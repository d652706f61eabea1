#pragma once

#include <string>
#include <string_view>

namespace weir::test {

/// Two lower-case digits a byte.
inline std::string to_hex(std::string_view bytes) {
  constexpr auto digits = "0123456789abcdef";
  auto res = std::string{};
  for (auto c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    res += digits[byte >> 4];
    res += digits[byte & 15];
  }
  return res;
}

} // namespace weir::test
