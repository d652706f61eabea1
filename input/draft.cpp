#include "input/draft.hpp"

#include "input/numbers.hpp"
#include "windows/time_text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir {

namespace {

/// Longest part of a line that a reason repeats.
constexpr size_t shown_bytes_max = 40;

complaint read_time(const draft& x, time_unit unit, time_ms& out) {
  if (x.time_is_string) {
    auto time = parse_iso_time(x.time);
    if (!time)
      return fmt::format("the timestamp {} is no ISO 8601 time between 1970 "
                         "and 9999",
                         shown(x.time));
    out = *time;
    return std::nullopt;
  }
  auto time = x.time_number.is_double()
                ? scale_time(x.time, unit)
                : scale_time(x.time_number.as_integer(), unit);
  if (!time)
    return fmt::format("the timestamp {} in {} is outside of the years 1970 "
                       "to 9999; is it in another unit?",
                       shown(x.time), to_string(unit));
  out = *time;
  return std::nullopt;
}

} // namespace

complaint check_name(std::string_view what, std::string_view name) {
  if (name.empty())
    return fmt::format("the {} is empty", what);
  if (name.size() > name_bytes_max)
    return fmt::format("the {} {} has {} bytes; {} are allowed", what,
                       shown(name), name.size(), name_bytes_max);
  return std::nullopt;
}

std::string shown(std::string_view text) {
  auto res = std::string{text.substr(0, shown_bytes_max)};
  auto is_control = [](char c) {
    return static_cast<unsigned char>(c) < 0x20;
  };
  std::replace_if(res.begin(), res.end(), is_control, '?');
  return '"' + res + (text.size() > shown_bytes_max ? "..." : "") + '"';
}

bool metrics_judge::same_metrics(const draft& x) const {
  auto same = [](const field& f, const std::string& name) {
    return f.metric == name;
  };
  return x.fields.size() == last_metrics_.size()
         && std::equal(x.fields.begin(), x.fields.end(), last_metrics_.begin(),
                       same);
}

complaint metrics_judge::check_metrics(const draft& x, size_t metrics_max) {
  if (x.fields.empty())
    return "there are no readings in it";
  if (x.fields.size() > metrics_max)
    return fmt::format("it has more than {} metrics", metrics_max);
  if (x.fields.size() == 1)
    return check_name("name of a metric", x.fields[0].metric);
  if (same_metrics(x))
    return std::nullopt;
  auto names = std::vector<std::string_view>{};
  for (const auto& f : x.fields) {
    if (auto why = check_name("name of a metric", f.metric))
      return why;
    names.push_back(f.metric);
  }
  std::sort(names.begin(), names.end());
  auto twin = std::adjacent_find(names.begin(), names.end());
  if (twin != names.end())
    return fmt::format("the metric {} comes twice", shown(*twin));
  last_metrics_.clear();
  for (const auto& f : x.fields)
    last_metrics_.emplace_back(f.metric);
  return std::nullopt;
}

complaint finish(const draft& x, time_unit unit, record& out) {
  if (auto why = check_name("entity id", x.entity))
    return why;
  if (auto why = read_time(x, unit, out.time))
    return why;
  out.entity = x.entity;
  out.fields = x.fields.data();
  out.size = x.fields.size();
  return std::nullopt;
}

} // namespace weir
