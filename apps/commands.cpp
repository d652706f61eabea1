#include "apps/commands.hpp"

namespace weir {

const std::vector<command>& commands() {
  static const auto instance = std::vector<command>{
    config_command(),
    generate_command(),
    version_command(),
  };
  return instance;
}

} // namespace weir
