#include "apps/cli.hpp"

#include "apps/output.hpp"
#include "config/near.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace weir {

namespace {

/// Columns of help: names to the left, and what fits a terminal of 80.
constexpr size_t names_width = 30;
constexpr size_t texts_width = 49;

/// CLI11's help with descriptions wrapped.
class help_formatter : public CLI::Formatter {
public:
  help_formatter() {
    column_width(names_width);
  }

  std::string make_option_desc(const CLI::Option* x) const override {
    return wrapped(x->get_description(), texts_width);
  }
};

std::string quoted_guess(std::string_view word,
                         const std::vector<std::string_view>& known) {
  auto res = nearest(word, known);
  return res ? fmt::format(" Did you mean `{}`?", *res) : std::string{};
}

exit_code usage_error(std::string_view text, std::string_view path) {
  complain(fmt::format("{} See `{} --help`.", text, path));
  return exit_code::usage;
}

std::string examples_text(const std::vector<const char*>& examples) {
  auto res = std::string{"Examples:\n"};
  for (auto x : examples)
    res += fmt::format("  {}\n", x);
  return res;
}

/// Help of `weir` itself, or of a command that is a group.
std::string group_help(std::string_view path, std::string_view about,
                       const std::vector<command>& commands) {
  auto res = fmt::format("{}.\n\nUsage: {} COMMAND [OPTIONS]\n\nCommands:\n",
                         about, path);
  auto examples = std::vector<const char*>{};
  auto width = size_t{10};
  for (auto& x : commands)
    width = std::max(width, std::string_view{x.name}.size());
  for (auto& x : commands) {
    res += fmt::format("  {:<{}}  {}\n", x.name, width, x.help);
    examples.push_back(x.examples.front());
  }
  res += fmt::format("\n{}\nSee `{} COMMAND --help` for the options of a "
                     "command.\n",
                     examples_text(examples), path);
  return res;
}

std::string exit_codes_text() {
  auto res = std::string{"\nExit codes:\n"};
  for (auto& x : exit_code_meanings)
    res += fmt::format("  {}  {}\n", static_cast<int>(x.code), x.text);
  return res;
}

std::string unexpected_argument(const CLI::App& app, std::string_view arg) {
  if (arg.substr(0, 1) != "-")
    return fmt::format("unexpected argument `{}`.", arg);
  auto name = arg.substr(0, arg.find('='));
  auto known = std::vector<std::string>{};
  for (auto x : app.get_options())
    for (auto& y : x->get_lnames())
      known.push_back("--" + y);
  return fmt::format("unknown option `{}`.{}", name,
                     quoted_guess(name, {known.begin(), known.end()}));
}

/// CLI11 tells an option that lacks its value from one given twice only in its
/// own words, which begin with the option.
std::string mismatch(const CLI::App& app, std::string_view text) {
  auto name = std::string{text.substr(0, text.find(':'))};
  auto x = app.get_option_no_throw(name);
  if (x == nullptr)
    return fmt::format("{}.", text);
  if (x->count() > 1)
    return fmt::format("{} was given {} times; give it once.", name,
                       x->count());
  return fmt::format("{} needs a value.", name);
}

std::string sentence_for(const CLI::App& app, const CLI::ParseError& x) {
  // CLI11 misses a required argument before it sees a misspelt option, which
  // is the better thing to say.
  auto rest = app.remaining();
  if (!rest.empty())
    return unexpected_argument(app, rest.front());
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&x) != nullptr)
    return mismatch(app, x.what());
  return fmt::format("{}.", x.what());
}

exit_code run_one(const command& what, const std::string& path,
                  std::vector<std::string> args) {
  CLI::App app{fmt::format("{}.\n", what.help), path};
  app.formatter(std::make_shared<help_formatter>());
  app.footer(examples_text(what.examples));
  auto run = what.declare(app);
  // CLI11 takes its arguments from the back.
  std::reverse(args.begin(), args.end());
  try {
    app.parse(std::move(args));
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return exit_code::ok;
  } catch (const CLI::ParseError& x) {
    return usage_error(sentence_for(app, x), path);
  }
  auto code = run();
  return code ? *code : report(code.error());
}

exit_code run_group(const std::string& path, const std::string& help,
                    const std::vector<command>& commands,
                    std::vector<std::string> args) {
  if (args.empty()) {
    print(help);
    return exit_code::usage;
  }
  auto word = args.front();
  args.erase(args.begin());
  if (word == "help") {
    args.push_back("--help");
    return run_group(path, help, commands, std::move(args));
  }
  if (word == "--help" || word == "-h") {
    print(help);
    return exit_code::ok;
  }
  auto names = std::vector<std::string_view>{};
  for (auto& x : commands) {
    names.push_back(x.name);
    if (word != x.name)
      continue;
    auto inner = fmt::format("{} {}", path, word);
    if (x.declare != nullptr)
      return run_one(x, inner, std::move(args));
    return run_group(inner, group_help(inner, x.help, x.group), x.group,
                     std::move(args));
  }
  if (word.substr(0, 1) == "-")
    return usage_error(fmt::format("unknown option `{}`: the command comes "
                                   "first, as in `{} COMMAND [OPTIONS]`.",
                                   word, path),
                       path);
  return usage_error(fmt::format("`{} {}` is not a command.{}", path, word,
                                 quoted_guess(word, names)),
                     path);
}

} // namespace

std::string refuse_negative(const std::string& text) {
  if (text.find('-') == std::string::npos)
    return {};
  return fmt::format("{} is negative, and cannot be", text);
}

exit_code run_command_line(const std::vector<command>& commands,
                           const std::vector<std::string>& args) {
  auto about = "Weir keeps exact sliding averages of unordered event streams, "
               "on one machine or\nmany, and never loses or counts twice what "
               "it acknowledged";
  auto help = group_help("weir", about, commands) + exit_codes_text();
  if (args.size() == 1 && args.front() == "--version")
    return run_group("weir", help, commands, {"version"});
  return run_group("weir", help, commands, args);
}

} // namespace weir
