#include "cluster/shard.hpp"

#include "cluster/sessions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace weir {

namespace {

constexpr uint8_t meta_version = 1;

/// Decoded blocks kept for reuse: as many as a journal commit usually takes.
constexpr size_t spare_blocks_max = 16;

} // namespace

std::string shard_settings::encode() const {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.varint(version);
  out.zigzag(verdicts.retention);
  out.zigzag(verdicts.future_limit);
  out.fixed(static_cast<uint8_t>(verdicts.wall_clock));
  out.varint(sliding.cells_max);
  out.varint(sliding.metrics_per_entity_max);
  out.varint(sliding.entities_max);
  out.varint(producers_max);
  out.zigzag(producer_expiry);
  return res;
}

bool shard_settings::decode(std::string_view bytes) {
  auto in = byte_reader{bytes};
  version = in.varint();
  verdicts.retention = in.zigzag();
  verdicts.future_limit = in.zigzag();
  verdicts.wall_clock = in.fixed<uint8_t>() != 0;
  sliding.retention = verdicts.retention;
  sliding.cells_max = static_cast<uint32_t>(in.varint());
  sliding.metrics_per_entity_max = static_cast<uint32_t>(in.varint());
  sliding.entities_max = static_cast<uint32_t>(in.varint());
  producers_max = in.varint();
  producer_expiry = in.zigzag();
  return in.done();
}

shard::shard(uint32_t id, uint32_t shards)
  : id_(id), shards_(shards), table_(shard_settings{}.sliding) {
  // nop
}

// -- recovery

result<void> shard::load_meta(const shard_meta& x) {
  auto in = byte_reader{x.bytes};
  auto version = in.fixed<uint8_t>();
  if (version != meta_version)
    return fail(ec::version_mismatch,
                fmt::format("the checkpoint of shard {} has format {}; this "
                            "weir reads {}: upgrade weir",
                            id_, version, meta_version));
  auto from_chain = in.fixed<uint64_t>();
  auto from_epoch = in.varint();
  auto from_clock = in.zigzag();
  auto from_lost_through = in.zigzag();
  auto from_settings = shard_settings{};
  auto ok = from_settings.decode(in.string());
  clock_.event_max = in.zigzag();
  clock_.clock = in.zigzag();
  ok = settings_.decode(in.string()) && ok;
  ledger_.accepted = in.varint();
  ledger_.late = in.varint();
  ledger_.future = in.varint();
  ledger_.refused = in.varint();
  has_data_ = in.fixed<uint8_t>() != 0;
  ok = applied_producers_.decode(in) && ok;
  if (!ok || !in.done())
    return fail(ec::damaged,
                fmt::format("the checkpoint of shard {} does not decode", id_));
  // Entities between the two ends are replayed as they were applied: under the
  // clock and the settings of their time.
  replay_start_ = {x.from_index, from_epoch, from_chain};
  meta_index_ = x.end.index;
  applied_ = replay_start_;
  table_.configure(from_settings.sliding);
  table_.advance(from_clock);
  table_.lose_through(from_lost_through);
  return {};
}

result<void> shard::load_chunk(std::string_view chunk, uint64_t covers) {
  auto res = table_.load_chunk(chunk, covers);
  if (!res)
    return tl::unexpected<failure>(std::move(res.error()));
  return {};
}

result<void> shard::replay(const log_entry& x) {
  assert(x.index == applied_.index + 1);
  if (x.kind != entry_kind::block) {
    apply(x, nullptr, {});
    return {};
  }
  auto block = spare_block();
  auto damaged = [&](const failure& why) {
    return fail(ec::damaged, fmt::format("entry {} of shard {}: {}", x.index,
                                         id_, why.text));
  };
  if (auto res = decode_block(x.block, shards_, *block); !res)
    return damaged(res.error());
  auto verdict = decode_verdict(x.envelope, block->batch.readings.size());
  if (!verdict)
    return damaged(verdict.error());
  apply(x, block.get(), *verdict);
  spare_.push_back(std::move(block));
  return {};
}

result<void> shard::finish_recovery() {
  if (applied_.index < meta_index_)
    return fail(ec::damaged,
                fmt::format("the log of shard {} ends at entry {}, but its "
                            "checkpoint holds entries up to {}",
                            id_, applied_.index, meta_index_));
  table_.finish_recovery();
  tail_ = applied_;
  tail_clock_ = clock_;
  tail_producers_ = applied_producers_;
  tail_settings_ = settings_;
  return {};
}

// -- as the primary

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

std::vector<producer_id> shard::commit(uint64_t index) {
  auto res = std::vector<producer_id>{};
  while (!pending_.empty() && pending_.front().entry->index <= index) {
    auto& x = pending_.front();
    apply(*x.entry, x.block.get(), x.verdict);
    if (x.entry->kind == entry_kind::block
        || x.entry->kind == entry_kind::session) {
      auto known = std::find(res.begin(), res.end(), x.entry->producer);
      if (known == res.end())
        res.push_back(x.entry->producer);
    }
    if (x.block != nullptr && spare_.size() < spare_blocks_max)
      spare_.push_back(std::move(x.block));
    pending_.pop_front();
  }
  return res;
}

bool shard::awaits(const log_entry& x) const {
  return std::any_of(pending_.begin(), pending_.end(), [&](auto& y) {
    return y.entry.get() == &x;
  });
}

void shard::abandon_tail() {
  pending_.clear();
  tail_ = applied_;
  tail_clock_ = clock_;
  tail_producers_ = applied_producers_;
  tail_settings_ = settings_;
  leading_ = leading_ && applied_.index >= lead_index_;
}

void shard::apply(const log_entry& entry, const decoded_block* block,
                  const block_verdict& verdict) {
  // Below the checkpoint's end only entities are behind; the rest came with
  // the checkpoint itself.
  auto behind = entry.index <= meta_index_;
  switch (entry.kind) {
    case entry_kind::noop:
      break;
    case entry_kind::block: {
      auto counts = verdict.counts;
      auto refused = table_.apply(block->batch, verdict.skip, entry.index);
      counts.accepted -= refused;
      counts.refused += refused;
      if (verdict.clock.clock >= 0)
        table_.advance(verdict.clock.clock);
      if (!behind) {
        clock_ = verdict.clock;
        ledger_ += counts;
        applied_producers_
          .enter(entry.producer, entry.session, entry.position, verdict.decided)
          .counts
          += counts;
        has_data_ = true;
      }
      break;
    }
    case entry_kind::session:
      if (!behind) {
        applied_producers_.enter(entry.producer, entry.session, 0,
                                 byte_reader{entry.envelope}.zigzag());
        has_data_ = true;
      }
      break;
    case entry_kind::settings: {
      auto x = shard_settings{};
      if (x.decode(entry.envelope)) {
        table_.configure(x.sliding, entry.index);
        if (!behind)
          settings_ = x;
      }
      break;
    }
    case entry_kind::clock: {
      auto clock = byte_reader{entry.envelope}.zigzag();
      table_.advance(clock);
      if (!behind)
        clock_.clock = std::max(clock_.clock, clock);
      break;
    }
    case entry_kind::expire: {
      auto in = byte_reader{entry.envelope};
      while (!behind && in.remaining() > 0) {
        auto high = in.fixed<uint64_t>();
        applied_producers_.forget({high, in.fixed<uint64_t>()});
      }
      break;
    }
  }
  applied_ = {entry.index, entry.epoch, entry.chain};
}

// -- what others ask

time_ms shard::clock(time_ms now) const {
  return std::min(clock_.event_max, now);
}

sliding_answer shard::average(std::string_view entity, uint64_t hash,
                              std::string_view metric,
                              std::optional<time_ms> at, time_ms width,
                              time_ms cluster_clock, time_ms now,
                              time_ms& resolved_at) const {
  auto present = settings_.verdicts.wall_clock
                   ? now
                   : std::max({clock(now), clock_.clock, cluster_clock});
  resolved_at = at.value_or(present);
  return table_.average(entity, hash, metric, resolved_at, width, present);
}

// -- checkpoint

bool shard::begin_checkpoint(bool full) {
  from_.at = applied_;
  from_.clock = table_.clock();
  from_.lost_through = table_.lost_through();
  from_.settings = settings_;
  return table_.begin_checkpoint(full);
}

shard_meta shard::checkpoint_meta() const {
  auto res = shard_meta{};
  res.from_index = from_.at.index;
  res.end = applied_;
  auto out = byte_writer{res.bytes};
  out.fixed(meta_version);
  out.fixed(from_.at.chain);
  out.varint(from_.at.epoch);
  out.zigzag(from_.clock);
  out.zigzag(from_.lost_through);
  out.string(from_.settings.encode());
  out.zigzag(clock_.event_max);
  out.zigzag(clock_.clock);
  out.string(settings_.encode());
  out.varint(ledger_.accepted);
  out.varint(ledger_.late);
  out.varint(ledger_.future);
  out.varint(ledger_.refused);
  out.fixed(static_cast<uint8_t>(has_data_));
  applied_producers_.encode(out);
  return res;
}

std::unique_ptr<decoded_block> shard::spare_block() {
  if (spare_.empty())
    return std::make_unique<decoded_block>();
  auto res = std::move(spare_.back());
  spare_.pop_back();
  return res;
}

} // namespace weir
