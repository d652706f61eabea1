#include "apps/commands.hpp"
#include "apps/output.hpp"

namespace weir {

namespace {

runner declare(CLI::App&) {
  return []() -> result<exit_code> {
    print_line(program_version());
    return exit_code::ok;
  };
}

} // namespace

const char* program_version() {
  return "weir " WEIR_VERSION;
}

command version_command() {
  return {"version", "Print the version", {"weir version"}, declare, {}};
}

} // namespace weir
