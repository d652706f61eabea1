#include "input/ndjson.hpp"

#include "input/ndjson_keys.hpp"
#include "input/numbers.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <utility>

namespace weir {

namespace {

namespace ondemand = simdjson::ondemand;

static_assert(line_padding >= simdjson::SIMDJSON_PADDING);

/// Deepest value inside a member that is ignored; keeps the stack in bounds.
constexpr auto nesting_max = 64;

std::string not_json(simdjson::error_code code) {
  return fmt::format("it is not JSON: {}", simdjson::error_message(code));
}

std::string_view trimmed(std::string_view text) {
  auto last = text.find_last_not_of(" \t\r\n");
  return text.substr(0, last == std::string_view::npos ? 0 : last + 1);
}

complaint read_number(ondemand::value& in, std::string_view what, number& out,
                      std::string_view& text) {
  text = trimmed(in.raw_json_token());
  switch (parse_number(text, out)) {
    case number_status::ok:
      return std::nullopt;
    case number_status::range:
      return fmt::format("{} is {}, which is too great for a double", what,
                         shown(text));
    case number_status::syntax:
      break;
  }
  return fmt::format("{} is {}, which is no number", what, shown(text));
}

complaint read_string(ondemand::value& in, std::string_view what,
                      std::string_view& out) {
  auto type = ondemand::json_type{};
  if (auto code = in.type().get(type))
    return not_json(code);
  if (type != ondemand::json_type::string)
    return fmt::format("{} is {}, which is no string", what,
                       shown(trimmed(in.raw_json_token())));
  if (auto code = in.get_string().get(out))
    return not_json(code);
  return std::nullopt;
}

complaint check_ignored(ondemand::value in, int depth);

complaint check_ignored_array(ondemand::value& in, int depth) {
  auto array = ondemand::array{};
  if (auto code = in.get_array().get(array))
    return not_json(code);
  for (auto item : array) {
    if (item.error())
      return not_json(item.error());
    if (auto why = check_ignored(item.value_unsafe(), depth + 1))
      return why;
  }
  return std::nullopt;
}

complaint check_ignored_object(ondemand::value& in, int depth) {
  auto object = ondemand::object{};
  if (auto code = in.get_object().get(object))
    return not_json(code);
  for (auto item : object) {
    if (item.error())
      return not_json(item.error());
    auto key = std::string_view{};
    if (auto code = item.unescaped_key().get(key))
      return not_json(code);
    if (auto why = check_ignored(item.value().value_unsafe(), depth + 1))
      return why;
  }
  return std::nullopt;
}

/// On-Demand parsing would pass over damage inside members that nobody asks
/// for, but a line that is damaged anywhere is not to be believed.
complaint check_ignored(ondemand::value in, int depth) {
  if (depth > nesting_max)
    return fmt::format("it nests deeper than {} levels", nesting_max);
  auto type = ondemand::json_type{};
  if (auto code = in.type().get(type))
    return not_json(code);
  switch (type) {
    case ondemand::json_type::array:
      return check_ignored_array(in, depth);
    case ondemand::json_type::object:
      return check_ignored_object(in, depth);
    case ondemand::json_type::string: {
      auto text = std::string_view{};
      return read_string(in, "a member", text);
    }
    case ondemand::json_type::number: {
      auto ignored = number{};
      if (parse_number(trimmed(in.raw_json_token()), ignored)
          != number_status::syntax)
        return std::nullopt;
      break;
    }
    case ondemand::json_type::boolean:
    case ondemand::json_type::null: {
      auto word = trimmed(in.raw_json_token());
      if (word == "true" || word == "false" || word == "null")
        return std::nullopt;
      break;
    }
  }
  return fmt::format("it is not JSON: {} is no value",
                     shown(trimmed(in.raw_json_token())));
}

complaint read_data(ondemand::value& in, size_t metrics_max,
                    std::vector<field>& out) {
  auto type = ondemand::json_type{};
  if (auto code = in.type().get(type))
    return not_json(code);
  if (type != ondemand::json_type::object)
    return "\"data\" is no object of metrics";
  auto object = ondemand::object{};
  if (auto code = in.get_object().get(object))
    return not_json(code);
  for (auto item : object) {
    if (item.error())
      return not_json(item.error());
    auto x = field{};
    auto text = std::string_view{};
    if (auto code = item.unescaped_key().get(x.metric))
      return not_json(code);
    auto what = fmt::format("the metric {}", shown(x.metric));
    auto value = item.value().value_unsafe();
    if (auto why = read_number(value, what, x.value, text))
      return why;
    if (out.size() == metrics_max)
      return fmt::format("it has more than {} metrics", metrics_max);
    out.push_back(x);
  }
  return std::nullopt;
}

} // namespace

struct ndjson_parser::walker {
  ondemand::parser parser;

  complaint walk(std::string_view line, size_t metrics_max, draft& out,
                 ndjson_kind& kind);

  complaint member(std::string_view key, ondemand::value value,
                   size_t metrics_max, draft& out, ndjson_kind& kind);
};

complaint ndjson_parser::walker::member(std::string_view key,
                                        ondemand::value value,
                                        size_t metrics_max, draft& out,
                                        ndjson_kind& kind) {
  auto text = std::string_view{};
  switch (ndjson_key_of(key)) {
    case ndjson_key::other:
      return check_ignored(value, 1);
    case ndjson_key::entity:
      if (std::exchange(out.has_entity, true))
        return "it names its entity twice";
      return read_string(value, "the entity id", out.entity);
    case ndjson_key::time: {
      if (std::exchange(out.has_time, true))
        return "it has two timestamps";
      auto type = ondemand::json_type{};
      if (auto code = value.type().get(type))
        return not_json(code);
      out.time_is_string = type == ondemand::json_type::string;
      if (out.time_is_string)
        return read_string(value, "the timestamp", out.time);
      return read_number(value, "the timestamp", out.time_number, out.time);
    }
    case ndjson_key::value: {
      if (std::exchange(kind, ndjson_kind::event) != ndjson_kind::none)
        return "it has more than one of value and data";
      auto x = field{default_metric, {}};
      auto why = read_number(value, "the value", x.value, text);
      out.fields.push_back(x);
      return why;
    }
    case ndjson_key::data:
      if (std::exchange(kind, ndjson_kind::sample) != ndjson_kind::none)
        return "it has more than one of value and data";
      return read_data(value, metrics_max, out.fields);
  }
  return std::nullopt;
}

complaint ndjson_parser::walker::walk(std::string_view line, size_t metrics_max,
                                      draft& out, ndjson_kind& kind) {
  out.clear();
  kind = ndjson_kind::none;
  auto document = ondemand::document{};
  if (auto code
      = parser.iterate(line.data(), line.size(), line.size() + line_padding)
          .get(document))
    return not_json(code);
  auto type = ondemand::json_type{};
  if (auto code = document.type().get(type))
    return not_json(code);
  if (type != ondemand::json_type::object)
    return "it is no JSON object";
  auto object = ondemand::object{};
  if (auto code = document.get_object().get(object))
    return not_json(code);
  for (auto item : object) {
    if (item.error())
      return not_json(item.error());
    auto key = std::string_view{};
    if (auto code = item.unescaped_key().get(key))
      return not_json(code);
    if (auto why
        = member(key, item.value().value_unsafe(), metrics_max, out, kind))
      return why;
  }
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
    return "something follows the JSON object";
  return std::nullopt;
}

ndjson_parser::ndjson_parser(const reader_options& options)
  : event_unit_(options.event_unit.value_or(time_unit::ms)),
    sample_unit_(options.sample_unit.value_or(time_unit::s)),
    metrics_max_(options.metrics_per_sample_max),
    walker_(std::make_unique<walker>()) {
  // nop
}

ndjson_parser::~ndjson_parser() = default;

complaint ndjson_parser::judge(ndjson_kind kind, record& out) {
  if (auto why = judge_.check_metrics(draft_, metrics_max_))
    return why;
  auto unit = kind == ndjson_kind::event ? event_unit_ : sample_unit_;
  return finish(draft_, unit, out);
}

bool ndjson_parser::parse(std::string_view line, record& out,
                          std::string& why) {
  auto kind = scan_ndjson(line, metrics_max_, draft_);
  if (kind != ndjson_kind::none && !judge(kind, out))
    return true;
  return parse_any(line, out, why);
}

complaint ndjson_parser::read_any(std::string_view line, record& out) {
  auto kind = ndjson_kind::none;
  if (auto why = walker_->walk(line, metrics_max_, draft_, kind))
    return why;
  if (kind == ndjson_kind::none)
    return "it has neither a value nor data";
  if (!draft_.has_entity)
    return "it names no entity";
  if (!draft_.has_time)
    return "it has no timestamp";
  return judge(kind, out);
}

bool ndjson_parser::parse_any(std::string_view line, record& out,
                              std::string& why) {
  auto found = read_any(line, out);
  if (found)
    why = std::move(*found);
  return !found;
}

} // namespace weir
