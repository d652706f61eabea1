#include "apps/commands.hpp"
#include "apps/output.hpp"

namespace weir {

namespace {

runner declare(CLI::App&) {
  return []() -> result<exit_code> {
    print_line("weir " WEIR_VERSION);
    return exit_code::ok;
  };
}

} // namespace

command version_command() {
  return {"version", "Print the version", {"weir version"}, declare, {}};
}

} // namespace weir
