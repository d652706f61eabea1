#include "actors/coordinator_host.hpp"

#include "messages/types.hpp"

#include <spdlog/spdlog.h>

// The coordinator's part in windows over all entities.

namespace weir {

namespace {

/// Old results removed at a time, which takes as long as a commit.
constexpr size_t expire_max = 10'000;

uint64_t readings_in(const std::vector<metric_partial>& xs) {
  auto res = uint64_t{0};
  for (auto& x : xs)
    res += x.total.get<count_aggregate>().count;
  return res;
}

final_row row_of(const final_window& x, time_ms now) {
  auto res = final_row{};
  res.stored = now;
  res.start = x.bounds.start;
  res.end = x.bounds.end;
  res.readings = readings_in(x.metrics);
  auto out = byte_writer{res.totals};
  encode_windows({{x.bounds, true, res.readings, x.metrics}}, out);
  return res;
}

} // namespace

rollup_settings to_rollup_settings(const cluster_settings& x) {
  auto res = rollup_settings{};
  res.every = x.rollup_every.value_or(0);
  res.lateness = x.effective_rollup_lateness();
  res.idle_after = x.idle_after;
  res.future_limit = x.future_limit;
  return res;
}

result<void> coordinator_host_state::init_windows() {
  auto save
    = [this, store = context_.store](const rollup_record& record,
                                     const std::vector<final_window>& xs) {
        auto rows = std::vector<final_row>{};
        for (auto& x : xs)
          rows.push_back(row_of(x, context_.now()));
        return store->put_rollup(record.encode(), rows);
      };
  rollups_
    = std::make_unique<rollup_registry>(configs_->shards(), std::move(save));
  auto stored = context_.store->get_rollup();
  if (!stored)
    return tl::unexpected(std::move(stored.error()));
  auto settings = to_rollup_settings(settings_);
  if (!*stored)
    return rollups_->create(settings, context_.now());
  auto record = rollup_record::decode(**stored);
  if (!record)
    return tl::unexpected(std::move(record.error()));
  rollups_->load(std::move(*record), settings, context_.now());
  return {};
}

plan_text coordinator_host_state::plan_to_send() const {
  auto res = plan_text{rollups_->plan().version(), {}};
  auto out = byte_writer{res.bytes};
  rollups_->plan().encode(out);
  return res;
}

void coordinator_host_state::send_plan() {
  auto plan = plan_to_send();
  for (auto& [id, member] : members_)
    if (member.actor)
      self_->send(member.actor, plan);
}

void coordinator_host_state::note_windows(const shard_report& x) {
  if (x.state != shard_state::serving)
    return;
  auto before = rollups_->plan().version();
  if (auto res = rollups_->note_shard(x.shard, x.plan_version, x.plan_greatest);
      !res)
    spdlog::error("the windows can't be stored: {}", res.error().text);
  if (rollups_->plan().version() == before)
    return;
  send_plan();
}

// -- sealing

void coordinator_host_state::seal_windows_due() {
  if (auto res = rollups_->seal(); !res) {
    spdlog::error("windows can't be sealed: {}", res.error().text);
    return;
  }
  auto& sealer = rollups_->sealer();
  if (!sealer.range())
    return;
  auto requests = std::map<std::string, seal_windows>{};
  for (auto shard : sealer.due(context_.now())) {
    auto& config = configs_->config(shard);
    requests[config.primary].shards.push_back({shard, config.epoch});
  }
  for (auto& [node, x] : requests) {
    auto member = members_.find(node);
    if (member == members_.end() || !member->second.actor)
      continue;
    x.range = *sealer.range();
    x.plan_version = rollups_->plan().version();
    self_->send(member->second.actor, x);
  }
}

void coordinator_host_state::sealed(const sealed_partials& x) {
  auto windows = decode_windows(x.windows);
  if (!windows) {
    spdlog::error("totals of node {} do not decode: {}", x.node,
                  windows.error().text);
    return;
  }
  if (!rollups_->sealer().take(x.range, x.shards, x.upto, *windows))
    return;
  auto finals = rollups_->finish();
  if (!finals) {
    spdlog::error("results can't be stored: {}", finals.error().text);
    return;
  }
  if (rollups_->sealer().range())
    return;
  if (!finals->empty())
    serve_followers();
  seal_windows_due();
}

void coordinator_host_state::expire_windows() {
  auto before = context_.now() - settings_.rollup_keep;
  auto gone = context_.store->expire_finals(
    before, settings_.rollup_keep_windows, expire_max);
  if (!gone)
    spdlog::error("old results can't be removed: {}", gone.error().text);
}

// -- changes

caf::result<windows_changed> coordinator_host_state::change_plan(
  const change_windows& x) {
  auto res = windows_changed{};
  switch (x.kind) {
    case change_windows::what::every: {
      auto next = change_settings{};
      auto text = x.every > 0 ? std::to_string(x.every) + "ms" : "off";
      next.values.emplace_back("rollup-every", text);
      if (auto changed = apply_change(next); !changed)
        return to_error(changed.error());
      break;
    }
    case change_windows::what::open:
      if (auto opened = rollups_->open_window({x.start, x.end}); !opened)
        return to_error(opened.error());
      res.start = x.start;
      res.end = x.end;
      break;
    case change_windows::what::close: {
      auto closed = rollups_->close_window(x.start);
      if (!closed)
        return to_error(closed.error());
      res.start = closed->start;
      res.end = closed->end;
      break;
    }
    default:
      return to_error({ec::invalid_argument,
                       "this weir does not know such a change of windows"});
  }
  res.version = rollups_->plan().version();
  // Nodes seal nothing under a plan that they don't have.
  send_plan();
  seal_windows_due();
  return res;
}

} // namespace weir
