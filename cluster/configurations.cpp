#include "cluster/configurations.hpp"
#include "windows/time_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <tuple>

// Who leads a shard, as long as a valid member is there.

namespace weir {

configurations::configurations(config_store& store, uint32_t shards,
                               configuration_options options,
                               membership_options nodes)
  : store_(store), options_(options), nodes_(nodes), shards_(shards) {
  for (auto i = uint32_t{0}; i < shards; ++i)
    shards_[i].config.shard = i;
}

result<void> configurations::load(int64_t now) {
  auto all = store_.get_all();
  if (!all)
    return tl::unexpected(std::move(all.error()));
  for (auto& x : *all) {
    if (x.shard >= shards_.size())
      return fail(ec::damaged,
                  fmt::format("the catalog holds shard {}, but the cluster has "
                              "only {}",
                              x.shard, shards_.size()));
    auto& shard = shards_[x.shard];
    shard.target = {x.primary};
    for (auto& m : x.members)
      if (m.node != x.primary)
        shard.target.push_back(m.node);
    shard.config = std::move(x);
    settled_at_ = now + options_.settle;
  }
  return {};
}

void configurations::remember_commit(uint32_t shard, const log_position& x) {
  if (shard >= shards_.size())
    return;
  // What a later epoch has committed counts, however short its log is: what was
  // known before may have been given up since.
  auto& known = shards_[shard].committed;
  if (std::tie(x.epoch, x.index) > std::tie(known.epoch, known.index))
    known = x;
}

void configurations::report(const member& from,
                            const std::vector<replica_report>& reports,
                            int64_t now) {
  if (!nodes_.seen(from, now))
    return;
  for (auto& x : shards_)
    x.reports.erase(from.node);
  for (auto& report : reports) {
    if (report.shard >= shards_.size())
      continue;
    auto& x = shards_[report.shard];
    // An empty shard has nothing to lose, and a copy that nobody counts on may
    // be of a past that was given up.
    if (!report.empty && report.epoch == x.config.epoch
        && report.role >= replica_role::backup)
      remember_commit(report.shard, report.committed);
    x.reports[from.node] = report;
  }
}

const replica_report* configurations::find_report(
  uint32_t shard, const std::string& node) const {
  auto& reports = shards_[shard].reports;
  auto i = reports.find(node);
  return i != reports.end() ? &i->second : nullptr;
}

bool configurations::is_valid(const entry& x, const member& m) const {
  auto report = find_report(x.config.shard, m.node);
  return nodes_.is_up(m) && (report == nullptr || !report->failed);
}

bool configurations::is_led(const entry& x) const {
  auto& members = x.config.members;
  return std::any_of(members.begin(), members.end(), [&](auto& m) {
    return m.node == x.config.primary && is_valid(x, m);
  });
}

uint64_t configurations::next_epoch(const entry& x) const {
  auto res = std::max(x.config.epoch, x.fence);
  for (auto& [node, report] : x.reports)
    res = std::max(res, report.promised);
  return res + 1;
}

bool configurations::all_are_there() const {
  auto is_up = [this](const member& m) {
    auto node = nodes_.find(m.node);
    return node != nullptr && node->up;
  };
  auto whole = [&](const entry& x) {
    auto& members = x.config.members;
    return std::all_of(members.begin(), members.end(), is_up);
  };
  return nodes_.all_up() && std::all_of(shards_.begin(), shards_.end(), whole);
}

/// All of them in one commit, before anybody is told of any.
result<void> configurations::install(std::vector<change> changes) {
  if (changes.empty())
    return {};
  auto asked = std::vector<config_change>{};
  for (auto& [x, next, accept_loss] : changes) {
    next.shard = x->config.shard;
    asked.push_back({x->config.epoch, next});
  }
  auto done = store_.change(asked);
  if (!done)
    return tl::unexpected(std::move(done.error()));
  for (auto i = size_t{0}; i < changes.size(); ++i) {
    auto& [x, next, accept_loss] = changes[i];
    if (!(*done)[i]) {
      // Somebody else was quicker: what counts is what is stored.
      auto present = store_.get(next.shard);
      if (!present)
        return tl::unexpected(std::move(present.error()));
      if (*present)
        next = std::move(**present);
    }
    x->config = std::move(next);
    x->answers.clear();
    x->fence = 0;
    x->trouble.clear();
    x->unstored.clear();
    x->forced.reset();
    if (accept_loss)
      x->committed = {};
  }
  return {};
}

result<decision> configurations::propose(const proposal& asked) {
  auto& next = asked.next;
  if (next.shard >= shards_.size())
    return fail(ec::invalid_argument,
                fmt::format("there is no shard {}", next.shard));
  auto& x = shards_[next.shard];
  if (x.config.epoch != asked.expected)
    return decision{x.config, {}};
  x.unstored.clear();
  auto& members = x.config.members;
  auto known = [&](const member& m) {
    return std::find(members.begin(), members.end(), m) != members.end();
  };
  if (x.config.primary != asked.from.node || !known(asked.from))
    return decision{x.config, "it does not come from the primary"};
  auto leads
    = std::any_of(next.members.begin(), next.members.end(), [&](auto& m) {
        return m.node == next.primary;
      });
  if (!leads || next.epoch <= asked.expected)
    return decision{x.config, "its primary is no member"};
  for (auto& m : next.members)
    if ((!known(m) || (m.node == next.primary && m.node != asked.from.node))
        && !is_valid(x, m))
      return decision{x.config, fmt::format("node {} is away", m.node)};
  auto config = next;
  config.min_copies = options_.min_copies;
  if (auto done = install({{&x, config}}); !done) {
    auto awaited = [&](const member& m) {
      auto& left = config.members;
      return !is_valid(x, m)
             && std::find(left.begin(), left.end(), m) == left.end();
    };
    if (std::any_of(members.begin(), members.end(), awaited))
      x.unstored
        = fmt::format("it waits for a replica that is down: the coordinator "
                      "can't write down that it counts no more: {}",
                      done.error().text);
    return tl::unexpected(std::move(done.error()));
  }
  return decision{x.config, {}};
}

std::optional<shard_config> configurations::create(const entry& x) const {
  auto next = shard_config{};
  next.epoch = next_epoch(x);
  next.min_copies = options_.min_copies;
  // All of them begin with nothing, and so hold the same.
  for (auto& id : x.target)
    if (auto node = nodes_.find(id); node != nullptr && node->up)
      next.members.push_back(node->self);
  if (next.members.empty())
    return {};
  next.primary = next.members.front().node;
  return next;
}

shard_config configurations::fail_over(const entry& x, leaderships& led,
                                       int64_t now) const {
  auto rank = [&](const member& m) {
    auto node = nodes_.find(m.node);
    return std::tuple{nodes_.backup_only(m.node, now), node->draining,
                      led[m.node]};
  };
  auto next = x.config;
  auto best = static_cast<const member*>(nullptr);
  for (auto& m : x.config.members)
    if (is_valid(x, m) && (best == nullptr || rank(m) < rank(*best)))
      best = &m;
  assert(best != nullptr);
  next.epoch = next_epoch(x);
  next.primary = best->node;
  ++led[best->node];
  next.min_copies = options_.min_copies;
  // The old primary goes, and whoever lives another life. Others may just be
  // slow: only the new primary can tell.
  next.members.clear();
  for (auto& m : x.config.members) {
    auto node = nodes_.find(m.node);
    auto changed = node != nullptr && !(node->self == m) && node->up;
    if (m.node == x.config.primary || changed) {
      auto disk = node_disk{m.node, m.disk};
      if (std::find(next.eligible.begin(), next.eligible.end(), disk)
            == next.eligible.end()
          && !nodes_.is_gone(disk))
        next.eligible.push_back(disk);
    } else {
      next.members.push_back(m);
    }
  }
  return next;
}

/// A primary that lacks copies commits nothing, and so would never propose the
/// configuration that asks for fewer.
std::optional<shard_config> configurations::adopt_min_copies(
  const entry& x) const {
  if (x.config.min_copies == options_.min_copies)
    return {};
  auto next = x.config;
  next.epoch = next_epoch(x);
  next.min_copies = options_.min_copies;
  return next;
}

result<std::vector<instruction>> configurations::plan(int64_t now) {
  auto res = std::vector<instruction>{};
  nodes_.advance(now);
  // There is nobody left to wait for: whoever goes now, goes.
  if (now < settled_at_ && all_are_there())
    settled_at_ = now;
  place(now);
  auto led = leaderships{};
  for (auto& shard : shards_)
    ++led[shard.config.primary];
  auto changes = std::vector<change>{};
  for (auto& x : shards_) {
    auto next = std::optional<shard_config>{};
    auto& members = x.config.members;
    auto valid = [&](const member& m) {
      return is_valid(x, m);
    };
    // What was asked for in need must not be done in another one, much later.
    if (std::any_of(members.begin(), members.end(), valid))
      x.forced.reset();
    auto accept_loss = false;
    if (x.config.epoch == 0) {
      x.trouble.clear();
      next = create(x);
    } else if (is_led(x)) {
      x.trouble.clear();
      next = adopt_min_copies(x);
      if (!next)
        next = call_off(x);
    } else if (now < settled_at_)
      x.trouble = "the coordinator has just started";
    else if (std::any_of(members.begin(), members.end(), valid))
      next = fail_over(x, led, now);
    else {
      next = elect(x, now, res);
      accept_loss = x.forced.has_value() && x.forced->accept_loss;
    }
    if (next)
      changes.push_back({&x, std::move(*next), accept_loss});
  }
  if (auto done = install(changes); !done) {
    for (auto& y : changes)
      if (!is_led(*y.of))
        y.of->trouble
          = fmt::format("the coordinator can't write down who leads it: {}",
                        done.error().text);
    return tl::unexpected(std::move(done.error()));
  }
  tell(now, res);
  return res;
}

std::string configurations::describe(const std::vector<node_disk>& xs) const {
  auto res = std::string{};
  for (auto& x : xs) {
    auto node = nodes_.find(x.node);
    auto sep = res.empty() ? "" : ", ";
    if (node == nullptr)
      res += fmt::format("{}{}", sep, x.node);
    else if (node->self.disk != x.disk)
      res += fmt::format("{}{} (with a disk that it had before)", sep,
                         node->name);
    else if (node->seen_at > 0)
      res += fmt::format("{}{} (last seen {})", sep, node->name,
                         format_time(node->seen_at));
    else
      res += fmt::format("{}{}", sep, node->name);
  }
  return res;
}

std::string configurations::trouble(uint32_t shard) const {
  auto& x = shards_[shard];
  if (!x.trouble.empty())
    return x.trouble;
  if (x.config.epoch == 0)
    return "no node has joined yet";
  auto& config = x.config;
  auto node = nodes_.find(config.primary);
  if (node == nullptr || !node->up)
    return fmt::format("node {} is down",
                       node != nullptr ? node->name : config.primary);
  auto report = find_report(shard, config.primary);
  auto known = report != nullptr && report->epoch == config.epoch;
  if (known && report->serving)
    return x.unstored;
  if (config.members.size() < config.min_copies) {
    auto res
      = fmt::format("it has {} of the {} copies that min-copies asks for",
                    config.members.size(), config.min_copies);
    // Nothing can be committed, and so nobody stops counting on these.
    for (auto& disk : config.eligible)
      if (auto what = damage(x, disk); !what.empty())
        res += fmt::format("; {}; drain that node", what);
    return res;
  }
  return known ? report->text
               : fmt::format("node {} is taking it over", node->name);
}

size_t configurations::count_held(const std::string& node) const {
  auto holds = [&](auto& y) {
    return y.node == node;
  };
  auto counts = [&](auto& x) {
    auto& members = x.config.members;
    auto& eligible = x.config.eligible;
    return std::any_of(members.begin(), members.end(), holds)
           || std::any_of(eligible.begin(), eligible.end(), holds);
  };
  return static_cast<size_t>(
    std::count_if(shards_.begin(), shards_.end(), counts));
}

} // namespace weir
