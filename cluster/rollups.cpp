#include "cluster/rollups.hpp"

#include "windows/bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace weir {

namespace {

constexpr uint8_t record_version = 1;

/// Windows closed by hand that wait for their shards: operators close few.
constexpr size_t closing_max = 1'000;

/// Past windows that a plan remembers beyond need, to tell late readings from
/// those outside of all windows.
constexpr size_t segments_kept = window_plan::segments_max / 2;

} // namespace

std::string rollup_record::encode() const {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.fixed(record_version);
  plan.encode(out);
  out.zigzag(watermark.watermark);
  out.zigzag(watermark.flushed);
  out.fixed(static_cast<uint8_t>(watermark.live));
  out.fixed(sealed_through);
  out.fixed(final_through);
  out.varint(closing.size());
  for (auto& x : closing) {
    out.zigzag(x.start);
    out.zigzag(x.end);
  }
  return res;
}

result<rollup_record> rollup_record::decode(std::string_view bytes) {
  auto in = byte_reader{bytes};
  if (auto version = in.fixed<uint8_t>(); version != record_version)
    return fail(ec::version_mismatch,
                fmt::format("the rollups of the catalog have format {}; this "
                            "weir reads {}: upgrade weir",
                            version, record_version));
  auto damaged = [] {
    return fail(ec::damaged, "the rollups of the catalog do not decode: "
                             "restore the newest copy of it");
  };
  auto res = rollup_record{};
  if (!res.plan.decode(in))
    return damaged();
  res.watermark.watermark = in.zigzag();
  res.watermark.flushed = in.zigzag();
  res.watermark.live = in.fixed<uint8_t>() != 0;
  res.sealed_through = in.fixed<time_ms>();
  res.final_through = in.fixed<time_ms>();
  auto size = in.varint();
  for (auto i = uint64_t{0}; i < size && in.remaining() > 0; ++i) {
    auto start = in.zigzag();
    res.closing.push_back({start, in.zigzag()});
  }
  if (!in.done() || res.closing.size() != size)
    return damaged();
  return res;
}

rollup_registry::rollup_registry(uint32_t shards, save_function save)
  : save_(std::move(save)), sealer_(shards), notes_(shards) {
  // nop
}

result<void> rollup_registry::save(rollup_record next,
                                   const std::vector<final_window>& finals) {
  if (auto done = save_(next, finals); !done)
    return done;
  record_ = std::move(next);
  return {};
}

void rollup_registry::load(rollup_record x, const rollup_settings& settings,
                           time_ms now) {
  record_ = std::move(x);
  settings_ = settings;
  watermark_.configure(settings.idle_after, settings.future_limit);
  watermark_.load(record_.watermark, now);
}

result<void> rollup_registry::create(const rollup_settings& settings,
                                     time_ms now) {
  settings_ = settings;
  watermark_.configure(settings.idle_after, settings.future_limit);
  watermark_.load({}, now);
  auto next = rollup_record{};
  if (settings.every > 0)
    next.plan = window_plan::periodic(settings.every);
  return save(std::move(next));
}

result<void> rollup_registry::configure(const rollup_settings& settings) {
  auto& plan = record_.plan;
  auto present = plan.pending().value_or(plan.every());
  if (present != settings.every) {
    if (plan.pending())
      return fail(ec::conflict,
                  "the windows' duration is being changed already; try again "
                  "in a moment");
    auto greatest = record_.sealed_through;
    for (auto& x : notes_)
      greatest = std::max(greatest, x.greatest);
    auto next = record_;
    if (auto res = next.plan.prepare(settings.every); !res)
      return res;
    auto trial = next.plan;
    if (auto res = trial.settle(greatest); !res)
      return tl::unexpected(std::move(res.error()));
    if (auto res = save(std::move(next)); !res)
      return res;
  }
  settings_ = settings;
  watermark_.configure(settings.idle_after, settings.future_limit);
  return {};
}

// -- plan

time_ms rollup_registry::seal_level() const {
  auto watermark = record_.watermark.watermark;
  return watermark < 0 ? before_time : watermark - settings_.lateness;
}

result<void> rollup_registry::open_window(window_bounds x) {
  auto& plan = record_.plan;
  if (plan.pending() || plan.periodic())
    return fail(ec::conflict,
                "windows of a fixed duration are in force: an explicit one "
                "would overlap them; switch them off first, with `weir window "
                "every off`");
  if (x.end <= std::max(seal_level(), record_.sealed_through))
    return fail(ec::invalid_argument,
                "the watermark has passed the window's end and lateness: "
                "whatever it could hold is late by now");
  auto next = record_;
  if (auto res = next.plan.open(x); !res)
    return res;
  return save(std::move(next));
}

result<window_bounds> rollup_registry::close_window(time_ms inside) {
  auto found = record_.plan.find(inside);
  if (!found)
    return fail(ec::not_found, "no window is announced for this time");
  if (state_of(*found) == window_state::final || closing(*found))
    return *found;
  if (record_.plan.pending())
    return fail(ec::conflict, "the windows' duration is being changed; try "
                              "again in a moment");
  auto next = record_;
  if (record_.plan.segment_at(inside)->every == 0) {
    if (next.closing.size() >= closing_max)
      return fail(ec::limit_reached,
                  fmt::format("{} windows wait to be sealed; try again when "
                              "their shards are there",
                              closing_max));
    if (auto res = next.plan.close(inside); !res)
      return res;
    next.closing.push_back(*found);
  } else {
    next.sealed_through = std::max(next.sealed_through, found->end);
  }
  if (auto res = save(std::move(next)); !res)
    return tl::unexpected(std::move(res.error()));
  return *found;
}

result<void> rollup_registry::note_shard(uint32_t shard, uint64_t version,
                                         time_ms greatest) {
  if (shard >= notes_.size() || version < notes_[shard].version)
    return {};
  notes_[shard] = {version, greatest};
  if (!record_.plan.pending() || !behind().empty())
    return {};
  // A boundary that nothing has reached yet, nor was sealed beyond.
  auto limit = record_.sealed_through;
  if (limit > before_time)
    --limit;
  for (auto& x : notes_)
    limit = std::max(limit, x.greatest);
  auto next = record_;
  if (auto res = next.plan.settle(limit); !res) {
    next = record_;
    next.plan.abandon();
  }
  return save(std::move(next));
}

std::vector<uint32_t> rollup_registry::behind() const {
  auto res = std::vector<uint32_t>{};
  for (auto i = uint32_t{0}; i < notes_.size(); ++i)
    if (notes_[i].version < record_.plan.version())
      res.push_back(i);
  return res;
}

// -- watermark

result<void> rollup_registry::save_watermark(time_ms now) {
  watermark_.advance(now);
  if (watermark_.record() == record_.watermark)
    return {};
  auto next = record_;
  next.watermark = watermark_.record();
  return save(std::move(next));
}

result<void> rollup_registry::open_session(producer_id producer, time_ms now) {
  watermark_.open(producer, now);
  return save_watermark(now);
}

result<void> rollup_registry::report_session(producer_id producer,
                                             session_times x, bool flush,
                                             time_ms now) {
  // Beyond the limit it is no progress, nor a time to reckon with.
  auto counts = x.greatest >= 0 && x.greatest <= now + settings_.future_limit;
  if (x.ended && flush && counts) {
    auto last = record_.plan.find(x.greatest);
    x.flush_to = (last ? last->end : x.greatest) + settings_.lateness;
  }
  watermark_.report(producer, x, now);
  return save_watermark(now);
}

result<void> rollup_registry::advance(time_ms now) {
  return save_watermark(now);
}

// -- sealing

result<void> rollup_registry::seal() {
  // While a duration changes, which windows there are is not settled.
  if (sealer_.range() || record_.plan.pending())
    return {};
  if (!record_.closing.empty()) {
    auto& x = record_.closing.front();
    sealer_.begin({x.start, x.end, true});
    return {};
  }
  auto through
    = std::max(record_.plan.last_end(seal_level()), record_.sealed_through);
  // No reading is older than the epoch.
  if (through <= std::max(record_.final_through, time_min))
    return {};
  if (through > record_.sealed_through) {
    auto next = record_;
    next.sealed_through = through;
    if (auto res = save(std::move(next)); !res)
      return res;
  }
  sealer_.begin({record_.final_through, through, false});
  return {};
}

result<std::vector<final_window>> rollup_registry::finish() {
  auto range = sealer_.range();
  auto upto = time_ms{0};
  auto finals = sealer_.finish(upto);
  if (!finals)
    return std::vector<final_window>{};
  auto next = record_;
  if (range->single) {
    auto closed = next.closing.front();
    next.closing.erase(next.closing.begin());
    // That it was empty must be known too: no watermark has passed it.
    if (finals->empty())
      finals->push_back({closed, {}});
  } else {
    next.final_through = upto;
    if (next.plan.segments().size() > segments_kept)
      next.plan.prune(upto);
  }
  // What is not saved is collected again.
  if (auto res = save(std::move(next), *finals); !res)
    return tl::unexpected(std::move(res.error()));
  return std::move(*finals);
}

bool rollup_registry::closing(const window_bounds& x) const {
  return std::any_of(record_.closing.begin(), record_.closing.end(),
                     [&](auto& y) {
                       return x == y;
                     });
}

window_state rollup_registry::state_of(const window_bounds& x) const {
  if (x.end <= record_.final_through)
    return window_state::final;
  return x.end <= record_.watermark.watermark ? window_state::complete
                                              : window_state::open;
}

} // namespace weir
