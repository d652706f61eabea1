#include "cluster/config_recovery.hpp"

#include <algorithm>

namespace weir {

namespace {

template <class T>
bool contains(const std::vector<T>& xs, const T& x) {
  return std::find(xs.begin(), xs.end(), x) != xs.end();
}

std::vector<node_disk> disks_of(const shard_config& x) {
  auto res = x.eligible;
  for (auto& m : x.members)
    if (auto disk = node_disk{m.node, m.disk}; !contains(res, disk))
      res.push_back(disk);
  return res;
}

} // namespace

recovered_config recover_config(uint32_t shard,
                                const std::vector<shard_config>& copied,
                                const std::vector<config_witness>& witnesses,
                                const std::vector<node_disk>& missing,
                                uint32_t min_copies) {
  auto res = recovered_config{};
  auto best = shard_config{};
  auto greatest = uint64_t{0};
  auto consider = [&](const shard_config& x) {
    greatest = std::max(greatest, x.epoch);
    if (x.epoch > best.epoch)
      best = x;
  };
  for (auto& x : copied)
    consider(x);
  auto promised = uint64_t{0};
  for (auto& x : witnesses) {
    consider(x.config);
    promised = std::max(promised, x.promised);
  }
  greatest = std::max(greatest, promised);
  if (best.epoch == 0) {
    // Where nobody is missing, nothing was ever acknowledged.
    res.at_risk = !missing.empty();
    return res;
  }
  auto disks = disks_of(best);
  auto named = std::any_of(disks.begin(), disks.end(), [&](auto& x) {
    return contains(missing, x);
  });
  // One that a missing disk may have led.
  auto later = promised > best.epoch && !missing.empty();
  auto leads_on = std::any_of(
    witnesses.begin(), witnesses.end(), [&](const config_witness& x) {
      return x.who.node == best.primary && contains(best.members, x.who)
             && x.config.epoch == best.epoch;
    });
  res.kept = !named && !later;
  res.at_risk = !missing.empty()
                && missing.size() >= std::min(best.min_copies, min_copies)
                && !(res.kept && leads_on);
  res.config = best;
  res.config.shard = shard;
  res.config.epoch = greatest + lost_epochs_max;
  if (res.kept)
    return res;
  // Nobody leads, and the longest log of all disks shall: also of those that
  // may have been members of what is not known.
  if (later)
    for (auto& x : witnesses)
      if (auto disk = node_disk{x.who.node, x.who.disk};
          x.promised > best.epoch && !contains(disks, disk))
        disks.push_back(disk);
  res.config.primary.clear();
  res.config.members.clear();
  res.config.eligible = std::move(disks);
  return res;
}

} // namespace weir
