#include "cluster/peer_codec.hpp"

#include "test/fuzz/fuzz.hpp"

// Input: a message between the copies of a shard.

using namespace weir;
using namespace weir::fuzz;

WEIR_FUZZ_TARGET(peer_codec) {
  auto message = std::make_shared<const std::string>(bytes);
  auto x = decode_peer_message(message);
  if (!x) {
    require(x.error().code == ec::malformed, "a bad message is malformed");
    return;
  }
  auto shard = shard_of_peer_message(*message);
  auto own = std::visit(
    [](auto& y) {
      return y.shard;
    },
    *x);
  require(shard == own, "a message names its shard");
  auto again = std::make_shared<const std::string>(encode_peer_message(*x));
  require(again->size() <= message->size(), "there is no shorter form");
  auto y = decode_peer_message(again);
  require(y && encode_peer_message(*y) == *again,
          "a message keeps what it says");
}
