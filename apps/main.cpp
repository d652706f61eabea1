#include "apps/commands.hpp"
#include "apps/output.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  using namespace weir;
  // A closed pipe is an error of the write, told by `finish_stdout`, and not
  // the end of a process that may hold other people's data.
  std::signal(SIGPIPE, SIG_IGN);
  auto code = exit_code::failure;
  try {
    auto args = std::vector<std::string>{argv + 1, argv + argc};
    code = run_command_line(commands(), args);
  } catch (const std::exception& x) {
    complain(fmt::format("unexpected error: {}; please report it", x.what()));
  }
  code = finish_stdout(code);
  std::fflush(stderr);
  // Not by `return`: actors may still run, see actors/process.hpp.
  std::_Exit(static_cast<int>(code));
}
