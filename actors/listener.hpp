#pragma once

#include "messages/interfaces.hpp"

#include <caf/actor_system.hpp>

#include <set>
#include <string>

namespace weir {

/// Why a process may not listen at `host`, or nothing: without encryption only
/// loopback addresses are allowed.
result<void> check_listen_host(const std::string& host, bool encrypted);

/// Opens `host`:`port` (0: any free port) and publishes an actor there, with
/// the system's encryption.
/// @param interface `system.message_types(handle)`
/// @returns the port
result<uint16_t> listen(caf::actor_system& system, const std::string& host,
                        uint16_t port, const caf::strong_actor_ptr& actor,
                        std::set<std::string> interface);

/// Nobody may connect to `port` any more, if there is no encryption: with it,
/// that is so once the actor behind the port has ended. Connections stay.
/// Blocks until it is done.
void stop_listening(caf::actor_system& system, uint16_t port);

} // namespace weir
