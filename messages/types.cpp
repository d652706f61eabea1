#include "messages/types.hpp"

#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace weir {

namespace {

constexpr auto category = caf::atom("weir");

std::string sentence(const caf::message& context) {
  return context.match_elements<std::string>() ? context.get_as<std::string>(0)
                                               : to_string(context);
}

} // namespace

void add_messages(caf::actor_system_config& cfg) {
  cfg.add_message_types<caf::id_block::weir_wire>();
  // Not add_error_category<ec>(): that overload does not compile in 0.17.6.
  cfg.add_error_category(
    category, [](uint8_t, caf::atom_value, const caf::message& context) {
      return sentence(context);
    });
}

caf::error to_error(const failure& x) {
  return caf::error{static_cast<uint8_t>(x.code), category,
                    caf::make_message(x.text)};
}

failure to_failure(const caf::error& x, const std::string& whom) {
  if (x.category() == category)
    return {static_cast<ec>(x.code()), sentence(x.context())};
  if (x == caf::sec::cannot_connect_to_node)
    return {ec::unreachable, "nobody listens at " + whom};
  if (x == caf::sec::request_timeout)
    return {ec::timeout, whom + " did not answer in time"};
  return {ec::unreachable, whom + " is not reachable any more"};
}

} // namespace weir
