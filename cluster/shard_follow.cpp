#include "cluster/checksum.hpp"
#include "cluster/envelope.hpp"
#include "cluster/shard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

// A shard whose log is written by another node.

namespace weir {

result<void> shard::follow(std::shared_ptr<const log_entry> x) {
  auto damaged = [&](const std::string& why) {
    return fail(ec::damaged,
                fmt::format("entry {} of shard {}, as it came from "
                            "the primary: {}",
                            x->index, id_, why));
  };
  if (x->shard != id_ || x->index != tail_.index + 1 || x->epoch < tail_.epoch)
    return damaged(fmt::format("it does not follow entry {} of epoch {}",
                               tail_.index, tail_.epoch));
  if (x->crc != entry_crc(*x) || x->chain != chain_after(tail_.chain, x->crc))
    return damaged("its checksum is wrong");
  if (auto why = envelope_complaint(*x); !why.empty())
    return damaged(why);
  auto block = std::unique_ptr<decoded_block>{};
  auto verdict = block_verdict{};
  if (x->kind == entry_kind::block) {
    block = spare_block();
    if (auto res = decode_block(x->block, shards_, *block); !res)
      return damaged(res.error().text);
    auto decided = decode_verdict(x->envelope, block->batch.readings.size());
    if (!decided)
      return damaged(decided.error().text);
    verdict = std::move(*decided);
  }
  enter_tail(*x, verdict);
  pending_.push_back({std::move(x), std::move(block), std::move(verdict)});
  return {};
}

void shard::cut(uint64_t index) {
  assert(applied_.index <= index);
  auto kept = pending_.begin();
  while (kept != pending_.end() && kept->entry->index <= index)
    ++kept;
  pending_.erase(kept, pending_.end());
  reset_tail();
  for (auto& x : pending_)
    enter_tail(*x.entry, x.verdict);
}

std::shared_ptr<const log_entry> shard::uncommitted_at(uint64_t index) const {
  if (index <= applied_.index || index > tail_.index)
    return nullptr;
  return pending_[static_cast<size_t>(index - applied_.index - 1)].entry;
}

void shard::enter_tail(const log_entry& entry, const block_verdict& verdict) {
  auto in = byte_reader{entry.envelope};
  switch (entry.kind) {
    case entry_kind::noop:
      break;
    case entry_kind::block:
      tail_clock_ = verdict.clock;
      tail_producers_.enter(entry.producer, entry.session, entry.position,
                            verdict.decided);
      break;
    case entry_kind::session:
      tail_producers_.enter(entry.producer, entry.session, 0, in.zigzag());
      break;
    case entry_kind::settings:
      if (auto x = shard_settings{}; x.decode(entry.envelope))
        tail_settings_ = x;
      break;
    case entry_kind::clock:
      tail_clock_.clock = std::max(tail_clock_.clock, in.zigzag());
      break;
    case entry_kind::expire:
      while (in.remaining() > 0) {
        auto high = in.fixed<uint64_t>();
        tail_producers_.forget({high, in.fixed<uint64_t>()});
      }
      break;
    case entry_kind::plan:
      if (auto x = window_plan{}; x.decode(in))
        tail_plan_ = x.version();
      break;
    case entry_kind::seal: {
      auto single = in.fixed<uint8_t>() != 0;
      auto after = in.fixed<time_ms>();
      auto through = in.fixed<time_ms>();
      if (single)
        tail_seals_.alone = {after, through, single};
      else
        tail_seals_.sealed_through
          = std::max(tail_seals_.sealed_through, through);
      break;
    }
    case entry_kind::release:
      tail_seals_.released_through = in.fixed<time_ms>();
      break;
  }
  tail_ = {entry.index, entry.epoch, entry.chain};
}

uint64_t shard::digest() const {
  auto bytes = std::string{};
  auto out = byte_writer{bytes};
  out.fixed(table_.digest());
  applied_producers_.encode(out);
  rollups_.encode(out);
  for (auto x : {ledger_.accepted, ledger_.late, ledger_.future,
                 ledger_.refused, rollup_ledger_.in, rollup_ledger_.late,
                 rollup_ledger_.outside, rollup_ledger_.refused})
    out.varint(x);
  out.zigzag(seals_.sealed_through);
  out.zigzag(seals_.released_through);
  return checksum(bytes);
}

} // namespace weir
