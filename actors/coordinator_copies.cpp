#include "actors/coordinator_host.hpp"

#include "messages/types.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <functional>

// The nodes' copies of the coordinator's directory, from which it can be
// rebuilt.

namespace weir {

namespace {

/// Sessions of a name before the directory was rebuilt: the last ones of them
/// may have been lost with the old one, and their numbers are not used again.
constexpr uint64_t sessions_per_generation = 1'000'000;

} // namespace

result<void> coordinator_host_state::init_copies() {
  auto lineage = context_.store->lineage();
  if (!lineage)
    return tl::unexpected(std::move(lineage.error()));
  if (lineage->held.generation == 0) {
    lineage->held.generation = 1;
    if (auto done = context_.store->put_lineage(*lineage); !done)
      return done;
  }
  auto generation = lineage->held.generation;
  context_.store->begin_feed({generation, context_.start, 0});
  sessions_->begin_at((generation - 1) * sessions_per_generation + 1);
  return {};
}

caf::result<catalog_part> coordinator_host_state::give(const get_catalog& x) {
  auto wish = catalog_wish::decode(x.wish);
  if (!wish)
    return to_error(wish.error());
  auto page = context_.store->page(*wish, rollups_->final_through());
  if (!page)
    return to_error(page.error());
  return catalog_part{page->encode()};
}

result<void> coordinator_host_state::check_generation(
  const join_node& x) const {
  auto ours = context_.store->mark().generation;
  if (x.generation <= ours)
    return {};
  auto text
    = fmt::format("the coordinator's directory at {} is of generation "
                  "{}, but one of generation {} has been rebuilt in its "
                  "place: stop this coordinator, and start the other",
                  to_string(context_.process.listen), ours, x.generation);
  spdlog::error("{}", text);
  // The node goes on looking for the right one.
  return fail(ec::unavailable, std::move(text));
}

/// Up to here shards may forget windows: their results survive the loss of this
/// directory, and of as many nodes as a shard's copies do. What lies on this
/// machine alone does not count; without any other node there is nothing to
/// wait for.
time_ms coordinator_host_state::settled_through() const {
  auto copied = std::vector<time_ms>{};
  for (auto& [id, member] : members_)
    if (member.actor && is_up(id) && member.actor.node() != self_->node())
      copied.push_back(member.news.copied_through);
  auto wanted = std::min<size_t>(settings_.replicas, copied.size());
  if (wanted == 0)
    return rollups_->final_through();
  std::sort(copied.begin(), copied.end(), std::greater<>{});
  return std::min(rollups_->final_through(), copied[wanted - 1]);
}

} // namespace weir
