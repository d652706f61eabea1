#include "cluster/checksum.hpp"
#include "cluster/sharding.hpp"
#include "test/fuzz/shards.hpp"

#include <algorithm>

// Input: the entries of a log, each a kind (one byte) and then, for any kind,
// session and position (varints), envelope and block without its checksum
// (strings). Kinds from 128 on are blocks as a primary admits them: records of
// one field each, for the last five bits of the kind, see `admitted`.

using namespace weir;
using namespace weir::fuzz;

namespace {

constexpr auto start = time_ms{1'700'000'000'000};
constexpr auto entities = std::string_view{"abcd"};
constexpr std::string_view metrics[] = {"value", "load", "heat"};

/// A block entry that makes sense: for each record one byte for its names, and
/// time and value.
void admitted(byte_reader& in, size_t records, log_entry& x, std::string& block,
              const shard& to) {
  auto builder = block_builder{};
  for (auto i = size_t{0}; i <= records; ++i) {
    auto names = in.fixed<uint8_t>();
    auto time = std::clamp(start + in.zigzag() % (1 << 30), time_min, time_max);
    auto entity = entities.substr(names % entities.size(), 1);
    auto value = number::of(in.zigzag());
    if ((names & 0x80) != 0)
      value = number::of(static_cast<double>(in.zigzag()) * 0x1p-20);
    auto only = field{metrics[names / 8 % 3], value};
    builder.add(entity, entity_hash(entity), time, &only, 1);
  }
  auto known = to.producers().find(x.producer);
  auto after = known != nullptr ? known->last : 0;
  if (after > uint64_t{1} << 60)
    after = 0;
  block = builder.finish({0, x.producer, 1, after, after + records + 1});
  x.session = 1;
  x.after = after;
  x.position = after + records + 1;
  auto decoded = decoded_block{};
  require(decode_block(block, 1, decoded).has_value(), "what is built decodes");
  auto now = start + 1000;
  x.envelope = encode_verdict(
    decide(decoded.batch.readings, {}, to.settings().verdicts, now));
}

std::shared_ptr<const log_entry> settings_entry() {
  auto x = std::make_shared<log_entry>();
  x->kind = entry_kind::settings;
  x->index = 1;
  x->epoch = 1;
  x->envelope = shard_settings{}.encode();
  x->crc = entry_crc(*x);
  x->chain = chain_after(0, x->crc);
  return x;
}

std::shared_ptr<const log_entry> next_entry(byte_reader& in, const shard& to) {
  auto x = std::make_shared<log_entry>();
  auto kind = in.fixed<uint8_t>();
  auto block = std::make_shared<std::string>();
  x->kind = kind < 128 ? static_cast<entry_kind>(kind) : entry_kind::block;
  x->index = to.applied().index + 1;
  x->epoch = 1;
  x->producer = {1, 2};
  if (kind >= 128) {
    admitted(in, kind % 32, *x, *block, to);
  } else {
    x->session = in.varint();
    x->position = in.varint();
    x->envelope = std::string{in.string()};
    *block = std::string{in.string()};
    if (!block->empty())
      byte_writer{*block}.fixed(checksum(*block));
  }
  x->block = *block;
  x->keep = std::move(block);
  x->crc = entry_crc(*x);
  x->chain = chain_after(to.applied().chain, x->crc);
  return x;
}

} // namespace

WEIR_FUZZ_TARGET(log) {
  auto in = byte_reader{bytes};
  auto recovered = shard{0, 1};
  auto follower = shard{0, 1};
  // A log begins with settings.
  auto first = settings_entry();
  require(recovered.replay(*first).has_value(), "settings can be replayed");
  require(follower.follow(first).has_value(), "settings can be followed");
  follower.commit(1);
  while (in.remaining() > 0) {
    auto entry = next_entry(in, recovered);
    auto replayed = recovered.replay(*entry);
    auto followed = follower.follow(entry);
    require(replayed.has_value() == followed.has_value(),
            "what is replayed can be followed");
    if (!replayed) {
      require(replayed.error().code == ec::damaged
                && followed.error().code == ec::damaged,
              "a bad entry is damage");
      continue;
    }
    follower.commit(entry->index);
    require(recovered.applied() == follower.applied(),
            "each entry is applied where it is");
  }
  require(recovered.finish_recovery().has_value(), "a log can be recovered");
  require(recovered.digest() == follower.digest(),
          "a log has the same outcome at each copy");
  look(recovered);
  require_checkpoint(recovered);
  lead(recovered);
}
