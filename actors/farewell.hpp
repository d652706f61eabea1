#pragma once

#include <caf/exit_reason.hpp>
#include <caf/system_messages.hpp>

namespace weir {

/// The actor's process was told to stop, and says so: there is no need to find
/// out whether just the connection is lost.
inline bool is_farewell(const caf::down_msg& x) {
  return x.reason == caf::exit_reason::user_shutdown;
}

/// Monitors it, however often this is called, once.
template <class Actor, class Whom>
void watch(Actor* self, const Whom& whom) {
  self->demonitor(whom.address());
  self->monitor(whom);
}

} // namespace weir
