#include "storage/directory_rebuild.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace weir {

namespace {

/// Versions of settings and of plans, and numbers of results, that only the
/// lost directory and a lost node may have known: they are not used again.
constexpr uint64_t lost_versions_max = 1'000;

/// Results read at a time, and bytes of them.
constexpr size_t finals_at_a_time = 1'000;
constexpr size_t finals_bytes = 4 << 20;

template <class T>
bool contains(const std::vector<T>& xs, const T& x) {
  return std::find(xs.begin(), xs.end(), x) != xs.end();
}

/// All of these only grow, so the greater one is the later one.
auto age_of(const rollup_record& x) {
  return std::tuple{x.plan.version(), x.final_through, x.sealed_through,
                    x.watermark.watermark};
}

auto age_of(const node_record& x) {
  return std::tuple{x.incarnation, x.last_seen};
}

auto age_of(const known_commit& x) {
  return std::tuple{x.epoch, x.index};
}

uint32_t number_of(const setting_map& xs, const std::string& name) {
  auto i = xs.find(name);
  return i != xs.end()
           ? static_cast<uint32_t>(std::strtoul(i->second.c_str(), nullptr, 10))
           : 0;
}

std::string joined(const std::vector<std::string>& xs) {
  return fmt::format("{}", fmt::join(xs, ", "));
}

} // namespace

result<void> directory_rebuild::add(surviving_node node,
                                    std::shared_ptr<catalog_copy> copy) {
  nodes_.push_back(std::move(node));
  if (copy == nullptr)
    return {};
  auto& db = copy->contents();
  auto rows = db.load();
  if (!rows)
    return tl::unexpected(std::move(rows.error()));
  if (!rows->cluster)
    return {}; // It had no time to copy anything.
  if (cluster_ && cluster_->id != rows->cluster->id)
    return fail(ec::wrong_cluster,
                fmt::format("node {} belongs to cluster {}, and others to {}",
                            nodes_.back().name, rows->cluster->id,
                            cluster_->id));
  cluster_ = rows->cluster;
  auto mark = copy->lineage().held;
  auto newer = newest_ < mark || copies_.empty();
  for (auto& [version, values] : rows->settings)
    if (newer || settings_.count(version) == 0)
      settings_[version] = values;
  for (auto& x : rows->nodes) {
    auto [i, added] = listed_.emplace(x.id, x);
    if (!added && (age_of(i->second) < age_of(x) || newer))
      i->second = x;
  }
  for (auto& x : rows->shards)
    configs_[x.shard].push_back(x);
  for (auto& x : rows->known) {
    auto [i, added] = known_.emplace(x.shard, x);
    if (!added && age_of(i->second) < age_of(x))
      i->second = x;
  }
  for (auto& x : rows->gone)
    if (!contains(gone_, x))
      gone_.push_back(x);
  if (newer)
    producers_ = std::move(rows->producers);
  newest_ = std::max(newest_, mark);
  auto stored = db.get_rollup();
  if (!stored)
    return tl::unexpected(std::move(stored.error()));
  if (*stored) {
    auto record = rollup_record::decode(**stored);
    if (!record)
      return tl::unexpected(std::move(record.error()));
    if (!rollup_ || age_of(*rollup_) < age_of(*record))
      rollup_ = std::move(*record);
  }
  auto last = db.last_sequence();
  if (!last)
    return tl::unexpected(std::move(last.error()));
  last_sequence_
    = std::max({last_sequence_, *last, copy->lineage().last_sequence});
  final_through_ = std::max(final_through_, copy->lineage().final_through);
  copies_.push_back(std::move(copy));
  return {};
}

uint32_t directory_rebuild::shards() const {
  return settings_.empty() ? 0
                           : number_of(settings_.rbegin()->second, "shards");
}

uint32_t directory_rebuild::min_copies() const {
  return settings_.empty()
           ? 0
           : number_of(settings_.rbegin()->second, "min-copies");
}

std::vector<missing_node> directory_rebuild::missing() const {
  auto res = std::vector<missing_node>{};
  auto require = [&](const node_disk& x) {
    auto there = std::any_of(nodes_.begin(), nodes_.end(), [&](auto& y) {
      return y.self.node == x.node && y.self.disk == x.disk;
    });
    auto known = std::any_of(res.begin(), res.end(), [&](auto& y) {
      return y.self == x;
    });
    if (there || known || contains(gone_, x))
      return;
    auto& missed = res.emplace_back();
    missed.self = x;
    missed.name = x.node;
    if (auto i = listed_.find(x.node); i != listed_.end()) {
      missed.name = i->second.name;
      missed.address = i->second.address;
    }
  };
  for (auto& [id, x] : listed_)
    if (x.state != node_state::removed)
      require({x.id, x.disk});
  for (auto& [shard, x] : configs({})) {
    for (auto& m : x.config.members)
      require({m.node, m.disk});
    for (auto& disk : x.config.eligible)
      require(disk);
  }
  return res;
}

std::map<uint32_t, recovered_config> directory_rebuild::configs(
  const std::vector<node_disk>& without) const {
  auto res = std::map<uint32_t, recovered_config>{};
  for (auto i = uint32_t{0}; i < shards(); ++i) {
    auto witnesses = std::vector<config_witness>{};
    for (auto& node : nodes_)
      if (i < node.records.size())
        witnesses.push_back(node.records[i]);
    auto copied = configs_.find(i);
    res[i] = recover_config(
      i,
      copied != configs_.end() ? copied->second : std::vector<shard_config>{},
      witnesses, without, min_copies());
  }
  return res;
}

result<void> directory_rebuild::write_settings(catalog& target,
                                               rebuilt_directory& out,
                                               bool pass_over) {
  auto last = *settings_.rbegin();
  for (auto& [version, values] : settings_)
    if (auto done = target.put_settings(version, values); !done)
      return done;
  out.settings_version = last.first;
  if (!pass_over)
    return {};
  // Shards may have been told of a version that only a lost node knows.
  out.settings_version += lost_versions_max;
  return target.put_settings(out.settings_version, last.second);
}

result<void> directory_rebuild::write_nodes(catalog& target, int64_t now) {
  auto all = listed_;
  for (auto& x : nodes_) {
    auto& record = all[x.self.node];
    record.id = x.self.node;
    record.disk = x.self.disk;
    record.incarnation = x.self.incarnation;
    record.last_seen = now;
    if (record.name.empty())
      record.name = x.name;
    if (record.address.empty())
      record.address = x.address;
    if (record.state == node_state::dead)
      record.state = node_state::alive;
  }
  for (auto& [id, x] : all)
    if (auto done = target.put_node(x); !done)
      return done;
  return {};
}

result<void> directory_rebuild::write_windows(catalog& target,
                                              rebuilt_directory& out,
                                              bool pass_over) {
  for (auto& copy : copies_) {
    auto after = uint64_t{0};
    for (;;) {
      auto rows
        = copy->contents().finals_after(after, finals_at_a_time, finals_bytes);
      if (!rows)
        return tl::unexpected(std::move(rows.error()));
      if (rows->empty())
        break;
      after = rows->back().sequence;
      if (auto done = target.put_finals(*rows); !done)
        return done;
    }
  }
  if (!rollup_)
    return {};
  // What no copy has is collected again: shards have not forgotten it.
  rollup_->final_through = std::min(rollup_->final_through, final_through_);
  if (pass_over)
    rollup_->plan.pass_over(lost_versions_max);
  out.plan_version = rollup_->plan.version();
  auto count = target.count_results();
  if (!count)
    return tl::unexpected(std::move(count.error()));
  out.finals = *count;
  // A number that was told to somebody must not mean another window.
  return target.restore_rollup(rollup_->encode(),
                               last_sequence_ + lost_versions_max);
}

result<rebuilt_directory> directory_rebuild::write(
  catalog& target, const std::vector<std::string>& without, bool accept_loss,
  int64_t now) {
  auto res = rebuilt_directory{};
  if (!cluster_ || settings_.empty() || !rollup_)
    return fail(ec::not_found,
                "no node that has answered holds a copy of a coordinator's "
                "directory; name other nodes");
  auto given_up = std::vector<node_disk>{};
  auto waiting = std::vector<std::string>{};
  for (auto& x : missing()) {
    if (!contains(without, x.name) && !contains(without, x.self.node)) {
      waiting.push_back(x.address.empty()
                          ? x.name
                          : fmt::format("{} (last at {})", x.name, x.address));
      continue;
    }
    given_up.push_back(x.self);
    res.without.push_back(x.name);
  }
  if (!waiting.empty())
    return fail(
      ec::unavailable,
      fmt::format("{} did not answer, and may know what nobody else "
                  "does; start them, and name their addresses if they "
                  "have changed, or give them up with --without",
                  joined(waiting)));
  for (auto& name : without)
    if (std::none_of(given_up.begin(), given_up.end(), [&](auto& x) {
          auto i = listed_.find(x.node);
          return x.node == name
                 || (i != listed_.end() && i->second.name == name);
        }))
      return fail(ec::invalid_argument,
                  fmt::format("node {} is not missing: it has answered, or "
                              "there is none of that name",
                              name));
  auto all = configs(given_up);
  for (auto& [shard, x] : all) {
    if (x.at_risk)
      res.shards_at_risk.push_back(shard);
    if (x.config.epoch == 0)
      res.shards_unknown.push_back(shard);
    else if (x.kept)
      ++res.shards_kept;
    else
      res.shards_electing.push_back(shard);
  }
  if (!res.shards_at_risk.empty() && !accept_loss)
    return fail(ec::conflict,
                fmt::format("{} of {} shards may have acknowledged something "
                            "that is on {} alone: shards {}; bring it back, or "
                            "add --accept-loss",
                            res.shards_at_risk.size(), all.size(),
                            joined(res.without),
                            fmt::join(res.shards_at_risk, ", ")));
  res.cluster = cluster_->id;
  res.generation = generation_;
  res.producers = producers_.size();
  auto lineage = catalog_lineage{};
  lineage.held.generation = generation_;
  lineage.promised = generation_;
  auto pass_over = !given_up.empty();
  auto what = fmt::format("operator: the directory was rebuilt, as generation "
                          "{}, from {} nodes",
                          generation_, nodes_.size());
  if (!res.without.empty())
    what
      += fmt::format("; without {}, whose disks are gone{}",
                     joined(res.without), accept_loss ? ", loss accepted" : "");
  auto known = std::vector<known_commit>{};
  for (auto& [shard, x] : known_)
    known.push_back(x);
  auto done = target.put_lineage(lineage)
                .and_then([&] {
                  return write_settings(target, res, pass_over);
                })
                .and_then([&] {
                  return write_nodes(target, now);
                })
                .and_then([&] {
                  return target.put_known(known);
                })
                .and_then([&] {
                  return target.put_producers(producers_);
                })
                .and_then([&] {
                  return write_windows(target, res, pass_over);
                })
                .and_then([&] {
                  return target.put_event({now, what});
                })
                .and_then([&]() -> result<void> {
                  auto gone = gone_;
                  gone.insert(gone.end(), given_up.begin(), given_up.end());
                  for (auto& x : gone)
                    if (auto put = target.put_gone(x, now); !put)
                      return put;
                  auto configs = std::vector<config_change>{};
                  for (auto& [shard, x] : all)
                    if (x.config.epoch > 0)
                      configs.push_back({0, x.config});
                  if (auto put = target.change(configs); !put)
                    return tl::unexpected(std::move(put.error()));
                  // The last step: without it this is no cluster.
                  return target.put_cluster(*cluster_);
                });
  if (!done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

} // namespace weir
