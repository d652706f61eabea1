#pragma once

#include "input/options.hpp"
#include "input/record.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// Why a line is malformed; nothing when it is fine.
using complaint = std::optional<std::string>;

/// What a line says, before it is known to make sense. All parsers fill one of
/// these, so that one place judges names, times and limits.
struct draft {
  std::string_view entity;
  bool has_entity = false;
  /// The timestamp as it is written, a string without its quotes.
  std::string_view time;
  bool has_time = false;
  bool time_is_string = false;
  /// When the timestamp is a number.
  number time_number;
  std::vector<field> fields;

  void clear() {
    entity = {};
    has_entity = false;
    time = {};
    has_time = false;
    time_is_string = false;
    fields.clear();
  }
};

/// Judges the metrics of one file's lines.
class metrics_judge {
public:
  /// Whether the metrics of `x` are one to `metrics_max`, each with a name of
  /// its own of the right length.
  complaint check_metrics(const draft& x, size_t metrics_max);

private:
  bool same_metrics(const draft& x) const;

  /// Metrics of the last sample that passed: a source sends the same ones over
  /// and over, and comparing them once each is cheaper than finding twins.
  std::vector<std::string> last_metrics_;
};

/// Sets entity, time and fields of `out` from `x`, whose numeric timestamps are
/// in `unit`.
/// @pre `x.has_entity && x.has_time`; the metrics of `x` are checked.
complaint finish(const draft& x, time_unit unit, record& out);

/// Why `name` can't be that of an entity or a metric, or nothing. `what` it is
/// stands in the sentence.
complaint check_name(std::string_view what, std::string_view name);

/// `text` in quotes, shortened, and without control characters.
std::string shown(std::string_view text);

} // namespace weir
