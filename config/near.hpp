#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace weir {

/// The one of `candidates` that `word` most likely meant: the fewest letters
/// added, dropped, changed or swapped (optimal string alignment), at most a
/// third of the word and at least one. Case does not matter. Of equals, the
/// first.
std::optional<std::string_view> nearest(
  std::string_view word, const std::vector<std::string_view>& candidates);

} // namespace weir
