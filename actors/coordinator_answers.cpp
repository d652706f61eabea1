#include "actors/coordinator_host.hpp"

#include "messages/types.hpp"

#include <fmt/format.h>

#include <algorithm>

// What the coordinator says of windows over all entities.

namespace weir {

namespace {

/// A node that takes longer is missing from a partial answer.
constexpr auto gather_timeout = std::chrono::seconds{2};

/// Totals in one answer: a message should stay below a megabyte.
constexpr size_t answer_bytes_max = 512 << 10;

/// Windows in one answer.
constexpr size_t answer_windows_max = 10'000;

/// Windows whose totals so far are asked for at a time, for the same reason.
constexpr uint32_t partial_windows_max = 1'000;

/// Clients that wait for windows at a time; further ones are told to come
/// again at once.
constexpr size_t followers_max = 1'000;

/// Longest wait for windows, so that a lost client is not remembered for long.
constexpr time_ms follow_max = 60'000;

/// Shards or producers named as what a window waits for; more would not be
/// read.
constexpr size_t holders_max = 20;

metric_total total_of(const metric_partial& x) {
  auto res = metric_total{x.metric, {}};
  auto out = byte_writer{res.total};
  x.total.encode(out);
  return res;
}

result<window_answer> answer_of(const final_row& x) {
  auto res = window_answer{};
  res.start = x.start;
  res.end = x.end;
  res.state = window_state::final;
  res.sequence = x.sequence;
  res.readings = x.readings;
  if (x.totals.empty())
    return res; // Only the heading was asked for.
  auto windows = decode_windows(x.totals);
  if (!windows)
    return tl::unexpected(std::move(windows.error()));
  for (auto& window : *windows)
    for (auto& metric : window.metrics)
      res.metrics.push_back(total_of(metric));
  return res;
}

/// Since when there are windows of the present duration, or none of any.
time_ms rule_begins(const window_plan& x) {
  auto& segments = x.segments();
  auto last = std::find_if(segments.rbegin(), segments.rend(), [](auto& y) {
    return y.every > 0;
  });
  if (last == segments.rend())
    return window_plan::always;
  return x.periodic() ? last->from : last->until;
}

/// Asks for the window of one moment.
bool is_single(const window_query& x) {
  return x.to - x.from == 1;
}

void keep_metric(window_answer& x, const std::string& metric) {
  if (metric.empty())
    return;
  x.metrics.erase(std::remove_if(x.metrics.begin(), x.metrics.end(),
                                 [&](auto& y) {
                                   return y.metric != metric;
                                 }),
                  x.metrics.end());
}

} // namespace

void coordinator_host_state::gather(
  const get_partials& x, std::function<void(gathered_windows)> then) {
  struct gathering {
    size_t left = 1;
    std::vector<bool> heard;
    gathered_windows res;
  };
  auto max = x.windows_max;
  auto all = std::make_shared<gathering>();
  all->heard.resize(configs_->shards());
  auto done = [all, max, then = std::move(then)] {
    if (--all->left > 0)
      return;
    keep_first(all->res.windows, all->res.reach, max);
    all->res.reach = reach_of(all->res.windows, max);
    for (auto i = size_t{0}; i < all->heard.size(); ++i)
      if (!all->heard[i])
        all->res.missing.push_back(static_cast<uint32_t>(i));
    then(std::move(all->res));
  };
  for (auto& [id, member] : members_) {
    if (!member.actor || !is_up(id))
      continue;
    ++all->left;
    self_->request(member.actor, gather_timeout, x)
      .then(
        [this, all, max, done, id = id](const held_partials& y) {
          auto windows = decode_windows(y.windows);
          // What moved meanwhile may be told by two nodes: it would count
          // twice.
          auto ours = windows
                      && std::all_of(
                        y.shards.begin(), y.shards.end(), [&](uint32_t shard) {
                          return shard < all->heard.size() && !all->heard[shard]
                                 && configs_->config(shard).primary == id;
                        });
          if (ours) {
            for (auto shard : y.shards)
              all->heard[shard] = true;
            all->res.reach = std::min(all->res.reach, reach_of(*windows, max));
            merge(all->res.windows, *windows);
          }
          done();
        },
        [done](caf::error&) {
          done(); // Its shards are missing from the answer.
        });
  }
  done();
}

window_answer coordinator_host_state::answer_of(window_partial x) const {
  auto res = window_answer{};
  res.start = x.bounds.start;
  res.end = x.bounds.end;
  res.state = rollups_->state_of(x.bounds);
  res.closing = rollups_->closing(x.bounds);
  res.readings = x.count;
  for (auto& metric : x.metrics)
    res.metrics.push_back(total_of(metric));
  return res;
}

/// A page of final ones. `more` of them may be left only if there are any.
result<window_answers> coordinator_host_state::stored_answers(
  const window_query& x) {
  auto res = window_answers{};
  auto rows = context_.store->finals(x.from, x.to, answer_windows_max,
                                     answer_bytes_max);
  if (!rows)
    return tl::unexpected(std::move(rows.error()));
  for (auto& row : *rows) {
    auto answer = weir::answer_of(row);
    if (!answer)
      return tl::unexpected(std::move(answer.error()));
    keep_metric(*answer, x.metric);
    res.windows.push_back(std::move(*answer));
  }
  if (is_single(x) || rows->empty())
    return res;
  // Whether that was all is known when nothing more comes.
  auto next = context_.store->finals(rows->back().end, x.to, 1, 1);
  if (!next)
    return tl::unexpected(std::move(next.error()));
  res.more = !next->empty();
  return res;
}

/// A page of final ones and of others, after these were gathered.
result<window_answers> coordinator_host_state::all_answers(
  const window_query& x, const gathered_windows& found) {
  // Read after the others: what has become final meanwhile is among these.
  auto res = stored_answers(x);
  if (!res || (is_single(x) && !res->windows.empty()))
    return res;
  auto& windows = res->windows;
  auto upto = found.reach;
  if (res->more)
    upto = std::min(upto, windows.back().end);
  auto finals = windows.size();
  for (auto& y : found.windows) {
    // What is final and not yet forgotten has been answered.
    auto known = std::any_of(
      windows.begin(), windows.begin() + static_cast<ptrdiff_t>(finals),
      [&](auto& z) {
        return z.start == y.bounds.start && z.end == y.bounds.end;
      });
    if (known || y.bounds.end <= rollups_->final_through())
      continue;
    windows.push_back(answer_of(y));
    keep_metric(windows.back(), x.metric);
  }
  windows.erase(std::remove_if(windows.begin(), windows.end(),
                               [&](auto& y) {
                                 return y.end > upto;
                               }),
                windows.end());
  // One closed by hand may be final before one that ends earlier.
  std::sort(windows.begin(), windows.end(), [](auto& y, auto& z) {
    return y.end < z.end;
  });
  res->more = upto < window_plan::forever;
  res->missing = found.missing;
  if (auto window = rollups_->plan().find(x.from);
      is_single(x) && windows.empty() && window)
    windows.push_back(answer_of({*window, false, 0, {}}));
  return res;
}

caf::result<window_answers> coordinator_host_state::query(
  const window_query& x) {
  auto stored = stored_answers(x);
  if (!stored)
    return to_error(stored.error());
  auto& res = *stored;
  auto from = std::max(x.from, rollups_->final_through());
  if (is_single(x)) {
    if (!res.windows.empty())
      return res;
    auto window = rollups_->plan().find(x.from);
    if (!window) {
      res.code = ec::not_found;
      res.text = "no window is announced for this time";
      return res;
    }
    auto state = rollups_->state_of(*window);
    auto removed = context_.store->removed_through();
    if (!removed)
      return to_error(removed.error());
    // That it was empty can't be told any more.
    if (state == window_state::final && window->end <= *removed) {
      res.code = ec::not_found;
      res.text = "the window became final, and its result is no longer kept: "
                 "see rollup-keep and rollup-keep-windows";
      return res;
    }
    if (state == window_state::final || !x.partial) {
      res.windows.push_back(answer_of({*window, false, 0, {}}));
      return res;
    }
    from = x.from;
  } else if (res.more && res.windows.back().end <= rollups_->final_through()) {
    return res;
  }
  auto promise = self_->make_response_promise<window_answers>();
  gather({from, x.to, x.partial, partial_windows_max},
         [this, promise, x](const gathered_windows& found) mutable {
           if (auto answers = all_answers(x, found))
             promise.deliver(std::move(*answers));
           else
             promise.deliver(to_error(answers.error()));
         });
  return promise;
}

// -- following

window_answers coordinator_host_state::finals_after(uint64_t sequence) {
  auto res = window_answers{};
  auto rows = context_.store->finals_after(sequence, answer_windows_max,
                                           answer_bytes_max);
  if (!rows) {
    res.code = rows.error().code;
    res.text = rows.error().text;
    return res;
  }
  for (auto& row : *rows) {
    auto answer = weir::answer_of(row);
    if (!answer) {
      res.code = answer.error().code;
      res.text = answer.error().text;
      return res;
    }
    res.windows.push_back(std::move(*answer));
  }
  res.more = !res.windows.empty();
  return res;
}

caf::result<window_answers> coordinator_host_state::follow(
  const follow_windows& x) {
  auto found = finals_after(x.after);
  if (found.code != ec::none)
    return to_error({found.code, found.text});
  if (!found.windows.empty() || x.wait <= 0
      || followers_.size() >= followers_max)
    return found;
  auto promise = self_->make_response_promise<window_answers>();
  followers_.push_back(
    {promise, x.after, context_.now() + std::min(x.wait, follow_max)});
  return promise;
}

void coordinator_host_state::serve_followers() {
  auto now = context_.now();
  auto waiting = std::move(followers_);
  followers_.clear();
  for (auto& x : waiting) {
    auto found = finals_after(x.after);
    if (found.windows.empty() && found.code == ec::none && now < x.until)
      followers_.push_back(std::move(x));
    else
      x.promise.deliver(std::move(found));
  }
}

// -- how the windows stand

std::vector<window_holder> coordinator_host_state::holders(time_ms end) const {
  auto res = std::vector<window_holder>{};
  auto add_shard = [&](window_holder::what kind, uint32_t shard) {
    auto x = window_holder{};
    x.kind = kind;
    x.shard = shard;
    x.node = name_of(configs_->config(shard).primary);
    x.text = configs_->trouble(shard);
    if (res.size() < holders_max)
      res.push_back(std::move(x));
  };
  for (auto shard : rollups_->behind())
    add_shard(window_holder::what::plan, shard);
  auto& sealer = rollups_->sealer();
  if (sealer.range() && end <= sealer.range()->through) {
    for (auto i = uint32_t{0}; i < configs_->shards(); ++i)
      if (!sealer.covered(i))
        add_shard(window_holder::what::shard, i);
    return res;
  }
  auto now = context_.now();
  auto x = window_holder{};
  auto& watermark = rollups_->watermark();
  auto wanted = end + settings_.effective_rollup_lateness();
  auto holder = watermark.held_by();
  if (now < watermark.settles_at()) {
    x.kind = window_holder::what::settling;
    x.time = watermark.settles_at();
  } else if (holder && holder->greatest < wanted) {
    x.kind = window_holder::what::producer;
    x.time = holder->greatest;
    auto known = sessions_->producers().find(holder->producer);
    if (known != sessions_->producers().end())
      x.producer = known->second.name;
    if (x.producer.empty())
      x.producer = fmt::format("{:016x}{:016x}", holder->producer.high,
                               holder->producer.low);
  } else if (holder || watermark.record().flushed >= wanted) {
    x.kind = window_holder::what::clock;
    x.time = wanted;
  } else {
    x.kind = window_holder::what::nobody;
  }
  if (wanted > watermark.record().watermark)
    res.push_back(std::move(x));
  return res;
}

caf::result<window_list> coordinator_host_state::list(const get_windows& x) {
  auto res = window_list{};
  auto& plan = rollups_->plan();
  res.every = plan.every();
  res.every_from = rule_begins(plan);
  res.every_pending = plan.pending().value_or(-1);
  res.lateness = settings_.effective_rollup_lateness();
  res.version = plan.version();
  res.watermark = rollups_->watermark().record().watermark;
  auto others
    = static_cast<uint32_t>(std::min<size_t>(x.others, answer_windows_max));
  auto promise = self_->make_response_promise<window_list>();
  gather({rollups_->final_through(), window_plan::forever, false, others},
         [this, promise, res, others,
          most = x.finals](gathered_windows found) mutable {
           // After the others, so that none is missing from both.
           auto finals = context_.store->last_finals(
             std::clamp<size_t>(most, 1, answer_windows_max));
           if (!finals) {
             promise.deliver(to_error(finals.error()));
             return;
           }
           for (auto row = finals->rbegin(); row != finals->rend(); ++row)
             if (auto answer = weir::answer_of(*row))
               res.windows.push_back(std::move(*answer));
           res.final_through = rollups_->final_through();
           res.missing = std::move(found.missing);
           // Announced one by one, and empty so far.
           auto announced = std::vector<window_partial>{};
           for (auto& y : rollups_->plan().segments())
             if (y.every == 0 && y.until > rollups_->final_through()
                 && y.until <= found.reach)
               announced.push_back({{y.from, y.until}, false, 0, {}});
           merge(found.windows, announced);
           res.more = found.reach < window_plan::forever;
           auto oldest = time_ms{-1};
           for (auto& y : found.windows) {
             auto known = std::any_of(
               res.windows.begin(), res.windows.end(), [&](auto& z) {
                 return z.start == y.bounds.start && z.end == y.bounds.end;
               });
             if (known || y.bounds.end <= rollups_->final_through())
               continue;
             if (oldest < 0)
               oldest = y.bounds.end;
             if (others == 0) {
               res.more = true;
               break;
             }
             --others;
             res.windows.push_back(answer_of(y));
           }
           res.held_by
             = holders(oldest < 0 ? window_plan::forever / 2 : oldest);
           promise.deliver(std::move(res));
         });
  return promise;
}

} // namespace weir
