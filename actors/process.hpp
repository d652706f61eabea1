#pragma once

#include "config/settings.hpp"
#include "tls/context.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace weir {

/// What `--tls-dir` holds, read and checked.
struct loaded_tls {
  /// Null without `--tls-dir`: connections are not encrypted then.
  tls_context_ptr context;
  /// Sentences about what should be mended.
  std::vector<std::string> warnings;
};

/// Fails with `ec::invalid_argument` if anything is wrong with the directory:
/// nothing of it is read later.
result<loaded_tls> load_tls(const process_settings& x);

/// CAF as Weir needs it: messages registered, the scheduler that starves
/// nobody, the middleman loaded. Reads no file and no arguments.
class system_config : public caf::actor_system_config {
public:
  explicit system_config(tls_context_ptr tls);

  const tls_context_ptr& tls() const {
    return tls_;
  }

private:
  tls_context_ptr tls_;
};

/// How the connections of a system are encrypted; null: they aren't.
tls_context_ptr tls_of(const caf::actor_system& system);

/// The actor system of this process, which lasts as long as that does: taking
/// CAF 0.17.6 down waits, now and then for ever, for detached actors that a
/// time-out in its clock still refers to. Whoever needs an actor to have ended
/// waits for that actor; the process leaves by `std::_Exit`.
/// @param tls counts at the first call; all of a process's connections are
/// encrypted, or none
caf::actor_system& start_system(tls_context_ptr tls);

/// Sends the program's log to a file or to standard error. Fails if the file
/// can't be written.
result<void> start_logging(const process_settings& x);

/// Resident memory of this process; 0 where the system doesn't tell.
uint64_t resident_bytes();

/// Bytes of a database with its WAL; 0 if there is none.
uint64_t database_bytes(const std::string& path);

} // namespace weir
