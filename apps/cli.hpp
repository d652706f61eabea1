#pragma once

#include "apps/exit_codes.hpp"
#include "windows/failure.hpp"

#include <functional>
#include <string>
#include <vector>

namespace CLI {
class App;
} // namespace CLI

namespace weir {

/// Does what a command is for, once its options are parsed. A failure is
/// printed by the caller, as "weir: sentence".
using runner = std::function<result<exit_code>()>;

/// A word of the command line. Either `declare` or `group` is set.
struct command {
  const char* name = "";
  /// One line.
  const char* help = "";
  /// Command lines that work, two or three, for the end of its help.
  std::vector<const char*> examples;
  /// Puts the command's options on `app`, and returns what to run after they
  /// are parsed. What they are parsed into belongs to the runner, as in
  /// `auto opts = std::make_shared<my_options>()`.
  runner (*declare)(CLI::App& app) = nullptr;
  /// Commands under this one, as `weir config` has.
  std::vector<command> group;
};

/// For `CLI::Option::check` of every unsigned number: CLI11 reads -1 into it as
/// its greatest value. Returns what is wrong with `text`, or nothing.
std::string refuse_negative(const std::string& text);

/// Finds the command that `args` (without the program's name) call, parses its
/// options and runs it. Prints help, errors and hints itself.
exit_code run_command_line(const std::vector<command>& commands,
                           const std::vector<std::string>& args);

} // namespace weir
