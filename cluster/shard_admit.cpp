#include "cluster/shard.hpp"

#include "cluster/sessions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

// What a primary takes into the log.

namespace weir {

std::shared_ptr<log_entry> shard::next_entry(entry_kind kind) {
  auto res = std::make_shared<log_entry>();
  res->shard = id_;
  res->index = tail_.index + 1;
  res->epoch = tail_.epoch;
  res->kind = kind;
  return res;
}

offer shard::append(std::shared_ptr<log_entry> entry,
                    std::unique_ptr<decoded_block> block,
                    block_verdict verdict) {
  entry->crc = entry_crc(*entry);
  entry->chain = chain_after(tail_.chain, entry->crc);
  tail_.index = entry->index;
  tail_.chain = entry->chain;
  auto res = offer{};
  res.entry = entry;
  pending_.push_back({std::move(entry), std::move(block), std::move(verdict)});
  return res;
}

offer shard::lead(uint64_t epoch) {
  assert(epoch >= tail_.epoch);
  tail_.epoch = epoch;
  auto entry = next_entry(entry_kind::noop);
  lead_index_ = entry->index;
  leading_ = true;
  return append(std::move(entry));
}

offer shard::admit_block(std::string_view bytes,
                         std::shared_ptr<const void> keep, time_ms now) {
  auto header = decode_block_header(bytes);
  if (!header)
    return {header.error().code, nullptr, header.error().text};
  if (header->shard != id_)
    return {
      ec::malformed, nullptr,
      fmt::format("a block of shard {} came to shard {}", header->shard, id_)};
  switch (tail_producers_.check(header->producer, header->session,
                                header->after, header->position,
                                tail_settings_.producers_max)) {
    case admission::fresh:
      break;
    case admission::duplicate:
      return {};
    case admission::gap:
      return {ec::sequence_gap,
              nullptr,
              {},
              tail_producers_.find(header->producer)->last};
    case admission::stale_session:
      return {ec::stale_session, nullptr,
              "another process has taken over this producer's name"};
    case admission::unknown_producer:
      return {ec::not_found, nullptr,
              fmt::format("shard {} does not know this producer (any more), "
                          "which says that it has sent {} records before",
                          id_, header->after)};
    case admission::too_many:
      return {ec::limit_reached, nullptr,
              fmt::format("shard {} knows {} producers already, the limit of "
                          "producers-max; raise it, or forget some",
                          id_, tail_settings_.producers_max)};
  }
  auto block = spare_block();
  if (auto res = decode_block(bytes, shards_, *block); !res)
    return {res.error().code, nullptr, res.error().text};
  auto verdict
    = decide(block->batch.readings, tail_clock_, tail_settings_.verdicts, now);
  auto entry = next_entry(entry_kind::block);
  entry->producer = header->producer;
  entry->session = header->session;
  entry->after = header->after;
  entry->position = header->position;
  entry->envelope = encode_verdict(verdict);
  entry->block = bytes;
  entry->keep = std::move(keep);
  tail_clock_ = verdict.clock;
  tail_producers_.enter(header->producer, header->session, header->position,
                        now);
  return append(std::move(entry), std::move(block), std::move(verdict));
}

offer shard::admit_session(producer_id producer, uint64_t session,
                           time_ms now) {
  auto known = tail_producers_.find(producer);
  if (known != nullptr && known->session >= session) {
    if (known->session == session)
      return {};
    return {ec::stale_session, nullptr,
            "another process has taken over this producer's name"};
  }
  if (known == nullptr
      && tail_producers_.all().size() >= tail_settings_.producers_max)
    return {ec::limit_reached, nullptr,
            fmt::format("shard {} knows {} producers already, the limit of "
                        "producers-max; raise it, or forget some",
                        id_, tail_settings_.producers_max)};
  auto entry = next_entry(entry_kind::session);
  entry->producer = producer;
  entry->session = session;
  byte_writer{entry->envelope}.zigzag(now);
  tail_producers_.enter(producer, session, 0, now);
  return append(std::move(entry));
}

offer shard::admit_settings(const shard_settings& settings) {
  if (settings.version <= tail_settings_.version)
    return {};
  auto entry = next_entry(entry_kind::settings);
  entry->envelope = settings.encode();
  tail_settings_ = settings;
  return append(std::move(entry));
}

offer shard::admit_clock(time_ms cluster_clock) {
  // Often enough that memory does not outlast the retention by much, seldom
  // enough that an idle shard's log stays short.
  auto step = std::max<time_ms>(1000, tail_settings_.verdicts.retention / 8);
  if (table_.entities() == 0 || cluster_clock < tail_clock_.clock
      || cluster_clock - tail_clock_.clock < step)
    return {};
  auto entry = next_entry(entry_kind::clock);
  byte_writer{entry->envelope}.zigzag(cluster_clock);
  tail_clock_.clock = cluster_clock;
  return append(std::move(entry));
}

offer shard::admit_expiry(time_ms now) {
  auto entry = std::shared_ptr<log_entry>{};
  for (auto& [id, x] : tail_producers_.all()) {
    if (!is_random(id) || now - x.heard < tail_settings_.producer_expiry)
      continue;
    if (entry == nullptr)
      entry = next_entry(entry_kind::expire);
    auto out = byte_writer{entry->envelope};
    out.fixed(id.high);
    out.fixed(id.low);
  }
  if (entry == nullptr)
    return {};
  auto in = byte_reader{entry->envelope};
  while (in.remaining() > 0) {
    auto id = producer_id{in.fixed<uint64_t>(), 0};
    id.low = in.fixed<uint64_t>();
    tail_producers_.forget(id);
  }
  return append(std::move(entry));
}

offer shard::admit_plan(const window_plan& plan) {
  if (plan.version() <= tail_plan_)
    return {};
  auto entry = next_entry(entry_kind::plan);
  auto out = byte_writer{entry->envelope};
  plan.encode(out);
  tail_plan_ = plan.version();
  return append(std::move(entry));
}

offer shard::admit_seal(const seal_range& range) {
  auto& x = tail_seals_;
  if (range.single ? x.alone == range || sealed(range)
                   : x.sealed_through >= range.through)
    return {};
  auto entry = next_entry(entry_kind::seal);
  auto out = byte_writer{entry->envelope};
  out.fixed(static_cast<uint8_t>(range.single));
  out.fixed(range.after);
  out.fixed(range.through);
  if (range.single)
    x.alone = range;
  else
    x.sealed_through = range.through;
  return append(std::move(entry));
}

offer shard::admit_release(time_ms through) {
  through = std::min(through, seals_.sealed_through);
  if (through <= tail_seals_.released_through
      || !rollups_.holds_sealed(through))
    return {};
  auto entry = next_entry(entry_kind::release);
  byte_writer{entry->envelope}.fixed(through);
  tail_seals_.released_through = through;
  return append(std::move(entry));
}

bool shard::sealed(const seal_range& range) const {
  return range.single ? rollups_.is_sealed({range.after, range.through})
                      : rollups_.sealed_through() >= range.through;
}

} // namespace weir
