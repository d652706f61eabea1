#include "config/settings.hpp"

#include "config/option.hpp"
#include "windows/time_text.hpp"

#include <fmt/format.h>

#include <utility>

namespace weir {

namespace {

/// Sets an option that belongs to the cluster in `x`.
result<void> set_value(cluster_settings& x, const option& what,
                       std::string_view text) {
  auto value = parse_value(what, text);
  if (!value)
    return fail(ec::invalid_argument,
                fmt::format("{}: {}", what.name, value.error().text));
  auto all = settings{x, {}};
  what.set(all, *value);
  x = std::move(all.cluster);
  return {};
}

std::string value_text(const option& what, const cluster_settings& x) {
  return format_value(what, what.get(settings{x, {}}));
}

result<void> one_per_line(const std::vector<violation>& all) {
  auto text = std::string{};
  for (auto& x : all) {
    if (!text.empty())
      text += '\n';
    text += x.text;
  }
  if (text.empty())
    return {};
  return fail(ec::invalid_argument, std::move(text));
}

} // namespace

setting_pairs to_pairs(const cluster_settings& x) {
  auto res = setting_pairs{};
  for (auto& what : options())
    if (what.scope == option_scope::cluster)
      res.emplace_back(what.name, value_text(what, x));
  return res;
}

result<cluster_settings> cluster_settings_from(const setting_pairs& pairs) {
  auto res = cluster_settings{};
  for (auto& [name, text] : pairs) {
    auto what = find_option(name);
    if (what == nullptr || what->scope != option_scope::cluster)
      return fail(ec::version_mismatch,
                  fmt::format("the cluster has a setting `{}` that this "
                              "version does not know; run the version that "
                              "the coordinator runs",
                              name));
    if (auto done = set_value(res, *what, text); !done)
      return tl::unexpected(done.error());
  }
  if (auto done = validate(res); !done)
    return tl::unexpected(done.error());
  return res;
}

result<void> assign(cluster_settings& x, std::string_view name,
                    std::string_view text) {
  auto what = find_option(name);
  if (what == nullptr)
    return fail(ec::invalid_argument, fmt::format("`{}` is not a setting.{}",
                                                  name, did_you_mean(name)));
  if (what->scope != option_scope::cluster)
    return fail(ec::invalid_argument,
                fmt::format("`{}` is a setting of a process, not of the "
                            "cluster: start the process with --{}",
                            name, name));
  return set_value(x, *what, text);
}

std::vector<violation> violations(const cluster_settings& x) {
  auto res = std::vector<violation>{};
  auto needed = x.window + x.lateness;
  if (x.effective_retention() < needed)
    res.push_back(
      {"retention", "window",
       fmt::format("retention ({}) must be at least window + lateness ({} + {} "
                   "= {}): raise it, or leave it out to have just that",
                   format_duration(*x.retention), format_duration(x.window),
                   format_duration(x.lateness), format_duration(needed))});
  if (x.rollup_cells_max < x.rollup_metrics_max)
    res.push_back(
      {"rollup-cells-max", "rollup-metrics-max",
       fmt::format("rollup-cells-max ({}) must be at least rollup-metrics-max "
                   "({}), or not even one window fits",
                   x.rollup_cells_max, x.rollup_metrics_max)});
  if (x.min_copies > x.replicas)
    res.push_back(
      {"min-copies", "replicas",
       fmt::format("min-copies ({}) must not pass replicas ({}), or nothing is "
                   "ever acknowledged",
                   x.min_copies, x.replicas)});
  return res;
}

std::vector<violation> violations(const process_settings& x) {
  auto res = std::vector<violation>{};
  auto must_fit = [&res](std::string_view inner, uint64_t inner_bytes,
                         std::string_view outer, uint64_t outer_bytes) {
    if (inner_bytes > outer_bytes)
      res.push_back({inner, outer,
                     fmt::format("{} ({} bytes) must not pass {} ({} bytes), "
                                 "or nothing could be sent",
                                 inner, inner_bytes, outer, outer_bytes)});
  };
  must_fit("block-bytes-max", x.block_bytes_max, "frame-bytes-max",
           x.frame_bytes_max);
  must_fit("frame-bytes-max", x.frame_bytes_max, "inflight-bytes-max",
           x.inflight_bytes_max);
  must_fit("frame-bytes-max", x.frame_bytes_max, "node-pending-bytes-max",
           x.node_pending_bytes_max);
  if (x.failure_timeout < 2 * x.heartbeat)
    res.push_back(
      {"failure-timeout", "heartbeat",
       fmt::format("failure-timeout ({}) must be at least twice the heartbeat "
                   "({}), or a live node is taken for dead",
                   format_duration(x.failure_timeout),
                   format_duration(x.heartbeat))});
  return res;
}

result<void> validate(const cluster_settings& x) {
  return one_per_line(violations(x));
}

result<void> validate(const process_settings& x) {
  return one_per_line(violations(x));
}

result<void> check_change(const cluster_settings& from,
                          const cluster_settings& to) {
  for (auto& what : options()) {
    if (!what.fixed)
      continue;
    auto before = value_text(what, from);
    auto after = value_text(what, to);
    if (before != after)
      return fail(ec::invalid_argument,
                  fmt::format("{} was fixed at {} when the cluster was created "
                              "and cannot become {}: create a new cluster and "
                              "ingest into that",
                              what.name, before, after));
  }
  return {};
}

} // namespace weir
