#include "test/fuzz/shards.hpp"

// Input: the place where the log goes on (varint), meta (string), and chunks
// to the end: how much of the log each covers (varint), and its bytes (string).

using namespace weir;
using namespace weir::fuzz;

namespace {

void require_damage(const failure& x) {
  require(x.code == ec::damaged || x.code == ec::version_mismatch,
          "a bad checkpoint is damage");
}

} // namespace

WEIR_FUZZ_TARGET(checkpoint) {
  auto in = byte_reader{bytes};
  auto meta = shard_meta{};
  meta.from_index = in.varint() >> 1;
  meta.end.index = meta.from_index;
  meta.bytes = std::string{in.string()};
  auto x = shard{0, 1};
  if (auto loaded = x.load_meta(meta); !loaded)
    return require_damage(loaded.error());
  while (in.remaining() > 0) {
    auto covers = in.varint();
    if (auto loaded = x.load_chunk(in.string(), covers); !loaded)
      return require_damage(loaded.error());
  }
  require(x.finish_recovery().has_value(), "a checkpoint is whole");
  look(x);
  // The two settings of a checkpoint may contradict each other.
  auto settings = x.settings();
  if (settings.version++ == UINT64_MAX || x.epoch() == UINT64_MAX)
    return;
  lead(x);
  x.admit_settings(settings);
  x.commit(x.tail().index);
  require_checkpoint(x);
}
