#include "config/near.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace weir {

namespace {

/// Longer words are not compared: the work grows with the square, and nothing
/// of ours is named so.
constexpr size_t word_bytes_max = 64;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Optimal string alignment distance, by the table of all prefixes; anything
/// beyond `limit` if it is more than that.
/// @pre Neither is longer than `word_bytes_max`.
size_t distance(std::string_view x, std::string_view y, size_t limit) {
  std::array<std::array<size_t, word_bytes_max + 1>, 3> rows;
  auto least = std::array<size_t, 3>{};
  for (auto i = size_t{0}; i <= x.size(); ++i) {
    auto& row = rows[i % 3];
    auto& above = rows[(i + 2) % 3];
    auto& before = rows[(i + 1) % 3];
    for (auto j = size_t{0}; j <= y.size(); ++j) {
      if (i == 0 || j == 0) {
        row[j] = i + j;
        continue;
      }
      auto cost = size_t{lower(x[i - 1]) != lower(y[j - 1])};
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + cost});
      if (i > 1 && j > 1 && lower(x[i - 1]) == lower(y[j - 2])
          && lower(x[i - 2]) == lower(y[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    // Each row comes from the two before it, and only grows.
    auto end = row.begin() + static_cast<std::ptrdiff_t>(y.size()) + 1;
    least[i % 3] = *std::min_element(row.begin(), end);
    if (i > 0 && least[i % 3] > limit && least[(i + 2) % 3] > limit)
      return limit + 1;
  }
  return rows[x.size() % 3][y.size()];
}

} // namespace

std::optional<std::string_view> nearest(
  std::string_view word, const std::vector<std::string_view>& candidates) {
  auto res = std::optional<std::string_view>{};
  if (word.size() > word_bytes_max)
    return res;
  auto limit = std::max(size_t{1}, word.size() / 3);
  for (auto x : candidates) {
    // What the lengths alone say costs no table.
    auto longer = std::max(x.size(), word.size());
    auto shorter = std::min(x.size(), word.size());
    if (x.size() > word_bytes_max || longer - shorter > limit)
      continue;
    auto n = distance(word, x, limit);
    if (n > limit || (res && n == limit))
      continue;
    res = x;
    limit = n;
  }
  return res;
}

} // namespace weir
