#pragma once

#include "input/draft.hpp"
#include "input/line_parser.hpp"
#include "windows/failure.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// Cuts a line of CSV (RFC 4180, commas) into cells; spaces around a cell
/// without quotes are dropped. A line break inside quotes is not supported.
class csv_splitter {
public:
  /// Complains of a quote out of place.
  complaint split(std::string_view line);

  /// Views into the line or into this object. Behind one there are readable
  /// bytes up to one that belongs to no number.
  const std::vector<std::string_view>& cells() const {
    return cells_;
  }

private:
  complaint take_quoted(std::string_view& rest);

  std::vector<std::string_view> cells_;
  /// What quoted cells hold.
  std::string unquoted_;
};

/// Lines of CSV under a header. Columns are found by the names in the options,
/// or else, in any case of letters, by the usual ones: timestamp, time, ts,
/// datetime, date or event_time for the time; entity, entity_id, entityid,
/// sensor_id, sensorid, sensor, device_id, device or id for the entity. A time
/// column may end in _s, _ms, _us or _ns, which tells its unit.
///
/// With a value column (named in the options, or `value`) a line is an event.
/// Without one it is a sample: every other column whose first cell with
/// anything in it is a number is a metric by its header's name, and an empty
/// cell is no reading. What is no number in the column of a metric makes its
/// line malformed.
class csv_parser : public line_parser {
public:
  /// Reads the header. Fails with `malformed` if a column that is needed is
  /// missing or two have the same name; the text lists those that are there.
  static result<std::unique_ptr<line_parser>> make(
    std::string_view header, const reader_options& options);

  bool parse(std::string_view line, record& out, std::string& why) override;

private:
  enum class role : uint8_t { ignored, time, entity, metric, undecided };

  struct column {
    std::string name;
    role use = role::undecided;
  };

  result<void> assign_roles(const reader_options& options);
  std::string column_names() const;
  complaint read_metric(column& x, std::string_view cell);
  complaint read_cells();
  complaint read_line(std::string_view line, record& out);

  std::vector<column> columns_;
  time_unit unit_ = time_unit::ms;
  size_t metrics_max_ = 0;
  csv_splitter splitter_;
  draft draft_;
};

} // namespace weir
