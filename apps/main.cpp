#include "apps/commands.hpp"
#include "apps/output.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace {

/// Without these, the next file or socket would get the number of a standard
/// stream that the caller has closed, and log lines would go into it. Opened
/// the wrong way round, so that reading and writing fail as they did.
void occupy_standard_streams() {
  for (auto fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(fd, F_GETFD) == -1 && errno == EBADF)
      static_cast<void>(
        open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY));
}

} // namespace

int main(int argc, char** argv) {
  using namespace weir;
  occupy_standard_streams();
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
