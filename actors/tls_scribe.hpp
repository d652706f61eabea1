#pragma once

#include "tls/channel.hpp"

#include <caf/actor_system.hpp>
#include <caf/io/scribe.hpp>

namespace weir {

/// A connection, as CAF's broker of remote actors has it, over `channel`, whose
/// handshake is done.
caf::io::scribe_ptr make_tls_scribe(caf::actor_system& system,
                                    tls_channel channel);

} // namespace weir
