#include "config/toml_file.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

namespace weir {

namespace {

std::string_view section_name(option_scope scope) {
  return scope == option_scope::cluster ? "cluster" : "process";
}

std::string_view type_name(const toml::node& x) {
  switch (x.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

/// The text that a value stands for. None if no option of that kind is written
/// so.
std::optional<std::string> text_of(const option& what, const toml::node& x) {
  if (auto text = x.as_string())
    return text->get();
  auto number = x.as_integer();
  if (number == nullptr)
    return std::nullopt;
  switch (what.kind) {
    case option_kind::duration:
    case option_kind::count:
    case option_kind::bytes:
      return std::to_string(number->get());
    default:
      return std::nullopt;
  }
}

/// Walks a file that parsed.
class toml_walk {
public:
  toml_walk(const std::string& path, file_contents& out)
    : path_(path), out_(out) {
    // nop
  }

  void read(const toml::table& root) {
    for (auto& [key, node] : root) {
      auto name = key.str();
      if (name == "cluster")
        section(key, node, option_scope::cluster);
      else if (name == "process")
        section(key, node, option_scope::process);
      else if (node.is_table() && find_option(name) == nullptr)
        error(key.source(), fmt::format("[{}] is not a section; write "
                                        "[cluster] or [process]",
                                        name));
      else
        value(key, node, std::nullopt);
    }
    // The parser's tables are sorted by key; people read from top to bottom.
    std::sort(errors_.begin(), errors_.end());
    for (auto& [where, text] : errors_)
      out_.errors.push_back(fmt::format("{}: {}", place(where), text));
  }

private:
  using position = std::pair<uint32_t, uint32_t>;

  static position start(const toml::source_region& x) {
    return {x.begin.line, x.begin.column};
  }

  std::string place(const position& x) const {
    return fmt::format("{}:{}:{}", path_, x.first, x.second);
  }

  void error(const toml::source_region& where, std::string text) {
    errors_.emplace_back(start(where), std::move(text));
  }

  void section(const toml::key& key, const toml::node& node,
               option_scope scope) {
    auto table = node.as_table();
    if (table == nullptr)
      return error(key.source(),
                   fmt::format("`{}` is a section: write [{}], and its options "
                               "below it",
                               key.str(), key.str()));
    for (auto& [inner, x] : *table)
      value(inner, x, scope);
  }

  void value(const toml::key& key, const toml::node& node,
             std::optional<option_scope> scope) {
    auto what = find_option(key.str());
    if (what == nullptr)
      return error(key.source(),
                   fmt::format("`{}` is not an option.{}", key.str(),
                               did_you_mean(key.str())));
    if (scope && *scope != what->scope)
      return error(key.source(),
                   fmt::format("`{}` belongs under [{}]", what->name,
                               section_name(what->scope)));
    for (auto& other : out_.entries)
      if (other.what == what)
        return error(key.source(),
                     fmt::format("`{}` stands at {} too; keep one of them",
                                 what->name, other.place));
    auto text = text_of(*what, node);
    if (!text)
      return error(node.source(),
                   fmt::format("{}: takes {}, not {}", what->name,
                               range_text(*what), type_name(node)));
    auto parsed = parse_value(*what, *text);
    if (!parsed)
      return error(node.source(),
                   fmt::format("{}: {}", what->name, parsed.error().text));
    out_.entries.push_back(
      {what, std::move(*parsed), place(start(key.source()))});
  }

  const std::string& path_;
  file_contents& out_;
  std::vector<std::pair<position, std::string>> errors_;
};

result<std::string> read_text(const std::string& path) {
  auto close = [](std::FILE* x) {
    std::fclose(x);
  };
  auto file = std::unique_ptr<std::FILE, decltype(close)>{
    std::fopen(path.c_str(), "rb"), close};
  if (!file)
    return fail(ec::invalid_argument,
                fmt::format("cannot be opened: {}", std::strerror(errno)));
  auto res = std::string(config_bytes_max + 1, '\0');
  res.resize(std::fread(res.data(), 1, res.size(), file.get()));
  if (std::ferror(file.get()))
    return fail(ec::invalid_argument,
                fmt::format("cannot be read: {}", std::strerror(errno)));
  if (res.size() > config_bytes_max)
    return fail(ec::invalid_argument,
                fmt::format("is larger than {} bytes, and so no configuration",
                            config_bytes_max));
  return res;
}

/// Number of the first line with too many dots, or 0.
uint32_t dotted_line(std::string_view text) {
  for (auto line = uint32_t{1}; !text.empty(); ++line) {
    auto head = text.substr(0, text.find('\n'));
    auto dots = std::count(head.begin(), head.end(), '.');
    if (static_cast<size_t>(dots) > config_line_dots_max)
      return line;
    text.remove_prefix(std::min(head.size() + 1, text.size()));
  }
  return 0;
}

} // namespace

file_contents read_toml_file(const std::string& path) {
  auto res = file_contents{};
  auto text = read_text(path);
  if (!text) {
    res.errors.push_back(fmt::format("{}: {}", path, text.error().text));
    return res;
  }
  if (auto line = dotted_line(*text); line != 0) {
    res.errors.push_back(
      fmt::format("{}:{}:1: has more than {} dots, and so is no option", path,
                  line, config_line_dots_max));
    return res;
  }
  try {
    auto root = toml::parse(*text, path);
    toml_walk{path, res}.read(root);
  } catch (const toml::parse_error& x) {
    auto where = x.source().begin;
    res.errors.push_back(fmt::format("{}:{}:{}: {}", path, where.line,
                                     where.column, x.description()));
  }
  return res;
}

} // namespace weir
