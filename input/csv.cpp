#include "input/csv.hpp"

#include "input/numbers.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>

namespace weir {

namespace {

/// In order of preference, as are the entities' names.
constexpr auto time_names = std::array<std::string_view, 6>{
  {"timestamp", "time", "ts", "datetime", "date", "event_time"}};

constexpr auto entity_names = std::array<std::string_view, 9>{
  {"entity", "entity_id", "entityid", "sensor_id", "sensorid", "sensor",
   "device_id", "device", "id"}};

constexpr auto value_names = std::array<std::string_view, 1>{{"value"}};

/// Most columns that an error lists.
constexpr size_t columns_shown_max = 20;

constexpr auto none = std::string_view::npos;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

std::string lower_case(std::string_view text) {
  auto res = std::string{text};
  for (auto& c : res)
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
  return res;
}

std::optional<time_unit> unit_of(std::string_view column) {
  auto suffix = column.rfind('_');
  if (suffix == none)
    return std::nullopt;
  for (auto unit : {time_unit::s, time_unit::ms, time_unit::us, time_unit::ns})
    if (column.substr(suffix + 1) == to_string(unit))
      return unit;
  return std::nullopt;
}

std::string without_unit(const std::string& column) {
  return unit_of(column) ? column.substr(0, column.rfind('_')) : column;
}

number_status parse_cell(std::string_view cell, number& out) {
  // The plain form first; it is the quicker one.
  if (scan_number(cell.data(), out) == cell.data() + cell.size())
    return number_status::ok;
  return parse_decimal(cell, out);
}

/// What programs write for a double that is no number: it tells that the
/// column is one of numbers.
bool is_nan_or_infinity(std::string_view cell) {
  auto text = lower_case(cell);
  if (!text.empty() && (text.front() == '-' || text.front() == '+'))
    text.erase(0, 1);
  return text == "nan" || text == "inf" || text == "infinity";
}

} // namespace

complaint csv_splitter::split(std::string_view line) {
  cells_.clear();
  auto rest = line;
  if (line.find('"') == none) {
    for (auto comma = rest.find(','); comma != none; comma = rest.find(',')) {
      cells_.push_back(trimmed(rest.substr(0, comma)));
      rest.remove_prefix(comma + 1);
    }
    cells_.push_back(trimmed(rest));
    return std::nullopt;
  }
  unquoted_.clear();
  unquoted_.reserve(line.size()); // Never grows: cells are views into it.
  for (;;) {
    if (!rest.empty() && rest.front() == '"') {
      if (auto why = take_quoted(rest))
        return why;
    } else {
      auto cell = rest.substr(0, rest.find(','));
      if (cell.find('"') != none)
        return fmt::format("column {} has a quote inside a cell that does not "
                           "start with one",
                           cells_.size() + 1);
      cells_.push_back(trimmed(cell));
      rest.remove_prefix(cell.size());
    }
    if (rest.empty())
      return std::nullopt;
    rest.remove_prefix(1);
  }
}

/// Takes a cell with its quotes, up to the comma behind it.
complaint csv_splitter::take_quoted(std::string_view& rest) {
  rest.remove_prefix(1);
  auto start = unquoted_.size();
  for (;;) {
    auto quote = rest.find('"');
    if (quote == none)
      return fmt::format(
        "the quotes of column {} do not end in this line; line "
        "breaks inside a cell are not supported",
        cells_.size() + 1);
    unquoted_.append(rest.substr(0, quote));
    rest.remove_prefix(quote + 1);
    if (rest.empty() || rest.front() != '"')
      break;
    unquoted_.push_back('"');
    rest.remove_prefix(1);
  }
  if (!rest.empty() && rest.front() != ',')
    return fmt::format("column {} goes on behind its closing quote",
                       cells_.size() + 1);
  auto size = unquoted_.size() - start;
  cells_.push_back(std::string_view{unquoted_}.substr(start, size));
  return std::nullopt;
}

result<std::unique_ptr<line_parser>> csv_parser::make(
  std::string_view header, const reader_options& options) {
  auto res = std::make_unique<csv_parser>();
  if (!simdjson::validate_utf8(header.data(), header.size()))
    return fail(ec::malformed, "the CSV header is not UTF-8");
  if (auto why = res->splitter_.split(header))
    return fail(ec::malformed, "in the CSV header, " + *why);
  for (auto cell : res->splitter_.cells())
    res->columns_.push_back({std::string{cell}, role::undecided});
  res->metrics_max_ = options.metrics_per_sample_max;
  if (auto done = res->assign_roles(options); !done)
    return tl::unexpected<failure>(std::move(done.error()));
  return res;
}

std::string csv_parser::column_names() const {
  auto res = std::string{};
  for (auto i = size_t{0}; i < columns_.size() && i < columns_shown_max; ++i)
    res += (i == 0 ? "" : ", ") + shown(columns_[i].name);
  if (columns_.size() > columns_shown_max)
    res += fmt::format(" and {} more", columns_.size() - columns_shown_max);
  return res;
}

result<void> csv_parser::assign_roles(const reader_options& options) {
  auto lower = std::vector<std::string>{};
  for (const auto& x : columns_)
    lower.push_back(lower_case(x.name));
  // Index of the column for one purpose, `none` if there is not one.
  auto find = [&](const std::string& wanted, const auto& usual, bool is_time) {
    for (auto i = size_t{0}; i < columns_.size() && !wanted.empty(); ++i)
      if (columns_[i].name == wanted)
        return i;
    if (!wanted.empty())
      return none;
    for (auto name : usual)
      for (auto i = size_t{0}; i < lower.size(); ++i)
        if ((is_time ? without_unit(lower[i]) : lower[i]) == name)
          return i;
    return none;
  };
  auto missing = [&](const char* what, const std::string& wanted) {
    return fail(ec::malformed,
                fmt::format("the CSV header has no column {}; there are {}",
                            wanted.empty() ? fmt::format(
                              "for the {} by any usual name", what)
                                           : shown(wanted),
                            column_names()));
  };
  auto time = find(options.time_column, time_names, true);
  if (time == none)
    return missing("time", options.time_column);
  auto entity = find(options.entity_column, entity_names, false);
  if (entity == none)
    return missing("entity", options.entity_column);
  auto value = find(options.value_column, value_names, false);
  if (value == none && !options.value_column.empty())
    return missing("value", options.value_column);
  if (time == entity || time == value || entity == value)
    return fail(ec::malformed,
                fmt::format("time, entity and value must be columns of their "
                            "own; there are {}",
                            column_names()));
  auto names = std::vector<std::string>{};
  for (auto& x : columns_) {
    if (value != none || x.name.empty())
      x.use = role::ignored;
    else if (auto why = check_name("column name", x.name))
      return fail(ec::malformed, "in the CSV header, " + *why);
    if (!x.name.empty())
      names.push_back(x.name);
  }
  columns_[time].use = role::time;
  columns_[entity].use = role::entity;
  if (value != none) {
    columns_[value].use = role::metric;
    columns_[value].name = default_metric;
  }
  std::sort(names.begin(), names.end());
  auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin != names.end())
    return fail(
      ec::malformed,
      fmt::format("two columns of the CSV header are called {}", shown(*twin)));
  auto chosen = value != none ? options.event_unit : options.sample_unit;
  auto usual = value != none ? time_unit::ms : time_unit::s;
  unit_ = chosen ? *chosen : unit_of(lower[time]).value_or(usual);
  return {};
}

complaint csv_parser::read_metric(column& x, std::string_view cell) {
  if (x.use == role::ignored || cell.empty())
    return std::nullopt;
  auto out = field{x.name, {}};
  auto status = parse_cell(cell, out.value);
  if (x.use == role::undecided)
    x.use = status != number_status::syntax || is_nan_or_infinity(cell)
              ? role::metric
              : role::ignored;
  if (x.use == role::ignored)
    return std::nullopt;
  switch (status) {
    case number_status::ok:
      draft_.fields.push_back(out);
      return std::nullopt;
    case number_status::range:
      return fmt::format("the {} is {}, which is too great for a double",
                         shown(x.name), shown(cell));
    case number_status::syntax:
      break;
  }
  return fmt::format("the {} is {}, which is no number", shown(x.name),
                     shown(cell));
}

complaint csv_parser::read_cells() {
  auto res = complaint{};
  auto& cells = splitter_.cells();
  for (auto i = size_t{0}; i < cells.size(); ++i) {
    auto& x = columns_[i];
    if (x.use == role::entity) {
      draft_.entity = cells[i];
    } else if (x.use == role::time) {
      draft_.time = cells[i];
      draft_.time_is_string
        = parse_cell(cells[i], draft_.time_number) != number_status::ok;
    } else if (auto why = read_metric(x, cells[i]); why && !res) {
      // Goes on, because the first cells decide what the columns are.
      res = std::move(why);
    }
  }
  return res;
}

complaint csv_parser::read_line(std::string_view line, record& out) {
  draft_.clear();
  if (auto why = splitter_.split(line))
    return why;
  auto count = splitter_.cells().size();
  if (count != columns_.size())
    return fmt::format("it has {} columns, the header {}", count,
                       columns_.size());
  if (!simdjson::validate_utf8(line.data(), line.size()))
    return "it is not UTF-8";
  if (auto why = read_cells())
    return why;
  if (draft_.fields.empty())
    return "there are no readings in it";
  if (draft_.fields.size() > metrics_max_)
    return fmt::format("it has more than {} metrics", metrics_max_);
  return finish(draft_, unit_, out);
}

bool csv_parser::parse(std::string_view line, record& out, std::string& why) {
  auto found = read_line(line, out);
  if (found)
    why = std::move(*found);
  return !found;
}

} // namespace weir
