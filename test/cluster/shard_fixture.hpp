#pragma once

#include "cluster/shard.hpp"
#include "test/cluster/records.hpp"
#include "test/support/results.hpp"

#include <memory>
#include <string>
#include <vector>

namespace weir::test {

/// A producer with a name, and one with a random id.
constexpr auto ann = producer_id{1, 2};
constexpr auto stray = producer_id{1, 1};

/// The wall clock of most tests.
constexpr auto shard_now = time_ms{1'700'000'000'000};

/// Nothing beyond what is committed has reached the disk.
inline void forget_tail(shard& x) {
  auto served = x.serving();
  x.cut(x.applied().index);
  if (!served)
    x.stop_leading();
}

/// What a journal and a checkpoint store keep of a shard.
struct shard_disk {
  std::vector<log_entry> log;
  bool has_meta = false;
  shard_meta meta;
  std::vector<std::pair<std::string, uint64_t>> chunks;
};

/// The only shard of a cluster, at its primary, with what is on its disk and
/// what is on the way there.
struct shard_fixture {
  std::unique_ptr<shard> self = std::make_unique<shard>(0, 1);
  shard_disk disk;
  std::vector<std::shared_ptr<const log_entry>> on_the_way;

  /// To the journal.
  offer store(offer x) {
    if (x.entry != nullptr)
      on_the_way.push_back(x.entry);
    return x;
  }

  offer lead(uint64_t epoch) {
    return store(self->lead(epoch));
  }

  offer send(const std::string& block, time_ms now = shard_now) {
    auto bytes = std::make_shared<const std::string>(block);
    return store(self->admit_block(*bytes, bytes, now));
  }

  /// Records `after` + 1 to `after` + n of a producer.
  offer send(producer_id producer, uint64_t session, uint64_t after,
             const std::vector<plain_record>& records,
             time_ms now = shard_now) {
    return send(
      block_of({0, producer, session, after, after + records.size()}, records),
      now);
  }

  /// The journal has made `n` entries durable, and says so.
  std::vector<producer_id> commit(size_t n) {
    if (n == 0)
      return {};
    for (auto i = size_t{0}; i < n; ++i)
      disk.log.push_back(*on_the_way[i]);
    on_the_way.erase(on_the_way.begin(),
                     on_the_way.begin() + static_cast<ptrdiff_t>(n));
    return self->commit(disk.log.back().index);
  }

  std::vector<producer_id> commit() {
    return commit(on_the_way.size());
  }

  /// The journal has refused what is on the way.
  void refuse() {
    on_the_way.clear();
    forget_tail(*self);
  }

  void checkpoint(bool full = true, size_t entities = 10) {
    if (self->begin_checkpoint(full))
      disk.chunks.clear();
    auto chunk = std::string{};
    while (self->table().next_chunk(entities, chunk)) {
      disk.chunks.emplace_back(chunk, self->applied().index);
      chunk.clear();
    }
    disk.meta = self->checkpoint_meta();
    disk.has_meta = true;
  }

  /// The process dies with what is on the way, and another one finds the disk.
  result<void> restart() {
    on_the_way.clear();
    self = std::make_unique<shard>(0, 1);
    if (disk.has_meta)
      if (auto res = self->load_meta(disk.meta); !res)
        return res;
    for (auto& [bytes, covers] : disk.chunks)
      if (auto res = self->load_chunk(bytes, covers); !res)
        return res;
    for (auto& x : disk.log)
      if (x.index > self->replay_start().index)
        if (auto res = self->replay(x); !res)
          return res;
    return self->finish_recovery();
  }

  /// Leads epoch 1, with nothing else in its log.
  void serve() {
    lead(1);
    commit();
  }

  sliding_answer average(const std::string& entity, time_ms at,
                         time_ms width = 60'000) const {
    auto resolved = time_ms{0};
    return self->average(entity, entity_hash(entity), default_metric, at, width,
                         -1, shard_now, resolved);
  }
};

/// All that a shard says of itself, as text: equal for equal shards.
inline std::string describe(const shard& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.varint(x.applied().index);
  out.varint(x.applied().epoch);
  out.fixed(x.applied().chain);
  out.varint(x.tail().index);
  out.varint(x.tail().epoch);
  out.fixed(x.tail().chain);
  out.varint(x.uncommitted());
  out.fixed(static_cast<uint8_t>(x.leading()));
  out.fixed(static_cast<uint8_t>(x.serving()));
  out.fixed(static_cast<uint8_t>(x.empty()));
  out.varint(x.ledger().accepted);
  out.varint(x.ledger().late);
  out.varint(x.ledger().future);
  out.varint(x.ledger().refused);
  out.zigzag(x.clock(INT64_MAX));
  out.string(x.settings().encode());
  out.zigzag(x.table().clock());
  out.fixed(x.table().digest());
  x.producers().encode(out);
  x.rollups().encode(out);
  out.varint(x.rollup_ledger().in);
  out.varint(x.rollup_ledger().late);
  out.varint(x.rollup_ledger().outside);
  out.varint(x.rollup_ledger().refused);
  out.zigzag(x.plan_greatest());
  return res;
}

} // namespace weir::test
