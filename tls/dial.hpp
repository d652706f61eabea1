#pragma once

#include "tls/channel.hpp"

namespace weir {

/// Connects, and waits until the other end has accepted our certificate.
/// Blocks for at most `timeout`, but for the look-up of a name. Errors as for
/// `connect_tcp` and `tls_channel::why`; `ec::timeout` if the handshake takes
/// too long.
result<tls_channel> dial_tls(const tls_context& context,
                             const std::string& host, uint16_t port,
                             std::chrono::milliseconds timeout);

} // namespace weir
