#pragma once

#include "messages/interfaces.hpp"

#include <caf/typed_event_based_actor.hpp>

namespace weir {

dialer_actor::behavior_type dialer(dialer_actor::pointer self);

/// What a published actor answers to a hello.
/// @param cluster hex id of its own cluster; empty: none yet
caf::result<welcome> open_door(const hello& x, const std::string& cluster,
                               const std::string& role,
                               const std::string& name);

} // namespace weir
