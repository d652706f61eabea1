#include "cluster/shard.hpp"

#include "cluster/envelope.hpp"
#include "cluster/sharding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace weir {

namespace {

/// 1 knew no windows over all entities.
constexpr uint8_t meta_version = 2;

/// Decoded blocks kept for reuse: some 64 KiB each, in each of what may be
/// thousands of shards.
constexpr size_t spare_blocks_max = 2;

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
  out.varint(rollups.metrics_max);
  out.varint(rollups.cells_max);
  out.fixed(static_cast<uint8_t>(averages));
  return res;
}

bool shard_settings::decode(std::string_view bytes) {
  // A retention that nobody set is the sum of two that were.
  auto is_duration = [](time_ms x) {
    return x >= 0 && x <= 2 * time_max;
  };
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
  // Logs of before there were windows over all entities end here.
  if (in.remaining() > 0) {
    rollups.metrics_max = static_cast<uint32_t>(in.varint());
    rollups.cells_max = static_cast<uint32_t>(in.varint());
    averages = in.fixed<uint8_t>() != 0;
  }
  // Whoever calculates with these need not look out for overflows.
  return in.done() && is_duration(verdicts.retention)
         && is_duration(verdicts.future_limit) && is_duration(producer_expiry);
}

shard::shard(uint32_t id, uint32_t shards)
  : id_(id), shards_(shards), table_(shard_settings{}.sliding) {
  // nop
}

// -- recovery

result<void> shard::load_meta(const shard_meta& x) {
  auto in = byte_reader{x.bytes};
  auto version = in.fixed<uint8_t>();
  if (version == 0 || version > meta_version)
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
  if (version > 1) {
    ok = rollups_.decode(in) && ok;
    rollup_ledger_.in = in.varint();
    rollup_ledger_.late = in.varint();
    rollup_ledger_.outside = in.varint();
    rollup_ledger_.refused = in.varint();
    greatest_ = in.fixed<time_ms>();
    plan_greatest_ = in.fixed<time_ms>();
    seals_.released_through = in.fixed<time_ms>();
  }
  ok = ok && is_clock_time(clock_.event_max) && is_clock_time(clock_.clock);
  for (auto& producer : applied_producers_.all())
    ok = ok && is_clock_time(producer.second.heard);
  if (!ok || !in.done())
    return fail(ec::damaged,
                fmt::format("the checkpoint of shard {} does not decode", id_));
  // Entities between the two ends are replayed as they were applied: under the
  // clock and the settings of their time.
  replay_start_ = {x.from_index, from_epoch, from_chain};
  meta_index_ = x.end.index;
  applied_ = replay_start_;
  seals_.sealed_through = rollups_.sealed_through();
  rollups_.configure(settings_.rollups);
  table_.configure(from_settings.sliding);
  table_.advance(from_clock);
  table_.lose_through(from_lost_through);
  return {};
}

result<void> shard::load_chunk(std::string_view chunk, uint64_t covers) {
  auto is_mine = [this](std::string_view entity, uint64_t hash) {
    return hash == entity_hash(entity) && shard_of(hash, shards_) == id_;
  };
  auto res = table_.load_chunk(chunk, covers, is_mine);
  if (!res)
    return tl::unexpected<failure>(std::move(res.error()));
  return {};
}

result<void> shard::replay(const log_entry& x) {
  assert(x.index == applied_.index + 1);
  auto damaged = [&](const std::string& why) {
    return fail(ec::damaged,
                fmt::format("entry {} of shard {}: {}", x.index, id_, why));
  };
  if (auto why = envelope_complaint(x); !why.empty())
    return damaged(why);
  if (x.kind != entry_kind::block) {
    apply(x, nullptr, {});
    return {};
  }
  auto block = spare_block();
  if (auto res = decode_block(x.block, shards_, *block); !res)
    return damaged(res.error().text);
  auto verdict = decode_verdict(x.envelope, block->batch.readings.size());
  if (!verdict)
    return damaged(verdict.error().text);
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
  reset_tail();
  return {};
}

void shard::reset_tail() {
  tail_ = applied_;
  tail_clock_ = clock_;
  tail_producers_ = applied_producers_;
  tail_settings_ = settings_;
  tail_plan_ = rollups_.plan().version();
  tail_seals_ = seals_;
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
      auto refused = settings_.averages
                       ? table_.apply(block->batch, verdict.skip, entry.index)
                       : 0;
      counts.accepted -= refused;
      counts.refused += refused;
      if (verdict.clock.clock >= 0)
        table_.advance(verdict.clock.clock);
      if (!behind) {
        apply_rollups(*block, verdict);
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
        if (!behind) {
          settings_ = x;
          rollups_.configure(x.rollups);
        }
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
    case entry_kind::plan: {
      auto plan = window_plan{};
      auto in = byte_reader{entry.envelope};
      if (!behind && plan.decode(in)) {
        plan_greatest_ = greatest_;
        rollup_ledger_ += rollups_.set_plan(plan, greatest_);
      }
      break;
    }
    case entry_kind::seal:
      if (!behind)
        apply_seal(entry);
      break;
    case entry_kind::release:
      if (!behind) {
        seals_.released_through = byte_reader{entry.envelope}.fixed<time_ms>();
        rollups_.release(seals_.released_through);
      }
      break;
  }
  applied_ = {entry.index, entry.epoch, entry.chain};
}

void shard::apply_rollups(const decoded_block& block,
                          const block_verdict& verdict) {
  // A reading that came too late for its average is in time for its window, as
  // long as that is open. One from the future, or past a limit, never was
  // there.
  auto limit = verdict.decided + settings_.verdicts.future_limit;
  auto& readings = block.batch.readings;
  auto& refused = table_.refused();
  greatest_ = std::max(greatest_, verdict.clock.event_max);
  rollup_skip_.clear();
  for (auto i : verdict.skip) {
    if (readings[i].time > limit)
      rollup_skip_.push_back(i);
    else
      greatest_ = std::max(greatest_, readings[i].time);
  }
  if (settings_.averages && !refused.empty()) {
    auto middle = static_cast<ptrdiff_t>(rollup_skip_.size());
    rollup_skip_.insert(rollup_skip_.end(), refused.begin(), refused.end());
    std::inplace_merge(rollup_skip_.begin(), rollup_skip_.begin() + middle,
                       rollup_skip_.end());
  }
  rollup_ledger_ += rollups_.apply(block.batch, rollup_skip_);
}

void shard::apply_seal(const log_entry& entry) {
  auto in = byte_reader{entry.envelope};
  auto range = seal_range{};
  range.single = in.fixed<uint8_t>() != 0;
  range.after = in.fixed<time_ms>();
  range.through = in.fixed<time_ms>();
  if (range.single) {
    seals_.alone = range;
    rollups_.close({range.after, range.through});
  } else {
    seals_.sealed_through = std::max(seals_.sealed_through, range.through);
    rollups_.seal(range.through);
  }
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
  rollups_.encode(out);
  out.varint(rollup_ledger_.in);
  out.varint(rollup_ledger_.late);
  out.varint(rollup_ledger_.outside);
  out.varint(rollup_ledger_.refused);
  out.fixed(greatest_);
  out.fixed(plan_greatest_);
  out.fixed(seals_.released_through);
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
