#pragma once

#include "config/settings.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <cstdint>
#include <string>

namespace weir {

/// CAF as Weir needs it: messages registered, the scheduler that starves
/// nobody, the middleman loaded. Reads no file and no arguments.
class system_config : public caf::actor_system_config {
public:
  system_config();
};

/// The actor system of this process, which lasts as long as that does: taking
/// CAF 0.17.6 down waits, now and then for ever, for detached actors that a
/// time-out in its clock still refers to. Whoever needs an actor to have ended
/// waits for that actor; the process leaves by `std::_Exit`.
caf::actor_system& start_system();

/// Sends the program's log to a file or to standard error. Fails if the file
/// can't be written.
result<void> start_logging(const process_settings& x);

/// Resident memory of this process; 0 where the system doesn't tell.
uint64_t resident_bytes();

/// Bytes of a database with its WAL; 0 if there is none.
uint64_t database_bytes(const std::string& path);

} // namespace weir
