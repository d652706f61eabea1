#pragma once

#include "input/draft.hpp"
#include "input/line_parser.hpp"
#include "input/ndjson_scan.hpp"

#include <memory>

namespace weir {

/// Lines of JSON objects, each an event or a sample, mixed as they come:
///
///     {"timestamp": 1700000000123, "entity": "s1", "value": 21.5}
///     {"sensor_id": "s1", "timestamp": 1700000000, "data": {"metric1": 10}}
///
/// An entity is called entity, entity_id, EntityID or sensor_id, a time
/// timestamp or Timestamp (a number or an ISO 8601 string), the value of an
/// event value or Value. Other members are ignored, whatever their type. A
/// member that is given twice, under whatever names, makes the line malformed,
/// as does one line that has both a value and data.
class ndjson_parser : public line_parser {
public:
  explicit ndjson_parser(const reader_options& options);

  ~ndjson_parser() override;

  bool parse(std::string_view line, record& out, std::string& why) override;

  /// The same without the scanner for plain lines: what `parse` falls back to.
  bool parse_any(std::string_view line, record& out, std::string& why);

private:
  struct walker;

  /// Judges what is in `draft_`.
  complaint judge(ndjson_kind kind, record& out);
  complaint read_any(std::string_view line, record& out);

  time_unit event_unit_;
  time_unit sample_unit_;
  size_t metrics_max_;
  draft draft_;
  metrics_judge judge_;
  std::unique_ptr<walker> walker_;
};

} // namespace weir
