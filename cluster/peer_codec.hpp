#pragma once

#include "cluster/replication.hpp"
#include "windows/failure.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

// How the messages between the copies of a shard look on their way. Blocks are
// not touched: they travel as the producer made them.

namespace weir {

std::string encode_peer_message(const peer_message& x);

/// Reads what `encode_peer_message` wrote. Entries point into `bytes` and keep
/// them alive. `malformed` if they are anything else; whether entries are what
/// a primary wrote is for the log to find out.
result<peer_message> decode_peer_message(
  const std::shared_ptr<const std::string>& bytes);

/// Shard of an encoded message; nothing if there can't be one.
std::optional<uint32_t> shard_of_peer_message(std::string_view bytes);

} // namespace weir
