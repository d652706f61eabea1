#include "actors/coordinator_host.hpp"

#include "actors/dialer.hpp"
#include "messages/types.hpp"

#include <caf/actor_system.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>
#include <type_traits>
#include <utility>

namespace weir {

namespace {

/// How often the greatest known commits are written down: a log that lost its
/// end is noticed if it lost more than what came since.
constexpr time_ms save_commits_every = 5'000;

/// The same is said to a node again after this long, ms: more than it takes
/// from one heartbeat to the next one.
constexpr int64_t announce_again_after = 500;

/// In one message, which must stay below a megabyte.
constexpr size_t announcements_max = 512;

/// Time constant of the smoothed rates.
constexpr double rate_window_ms = 3'000;

uint64_t random_word() {
  auto device = std::random_device{};
  return uint64_t{device()} << 32 | device();
}

} // namespace

configuration_options to_configuration_options(const cluster_settings& x,
                                               const process_settings& y) {
  auto res = configuration_options{};
  res.replicas = x.replicas;
  res.min_copies = x.min_copies;
  res.settle = y.failure_timeout;
  res.replace_after = y.replace_after;
  res.moves_per_node = y.moves_per_node;
  return res;
}

int64_t coordinator_host_state::ticks() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
           self_->clock().now().time_since_epoch())
    .count();
}

result<void> coordinator_host_state::init(
  local_coordinator_actor::stateful_pointer<coordinator_host_state> self,
  coordinator_context context) {
  self_ = self;
  context_ = std::move(context);
  auto& contents = context_.contents;
  auto& [version, values] = *contents.settings.rbegin();
  settings_text_ = {version, {values.begin(), values.end()}};
  auto parsed = cluster_settings_from(settings_text_.values);
  if (!parsed)
    return tl::unexpected(std::move(parsed.error()));
  settings_ = *parsed;
  auto patience = membership_options{};
  patience.failure_timeout = context_.process.failure_timeout;
  patience.step_max = 2 * context_.process.heartbeat;
  configs_ = std::make_unique<configurations>(
    *context_.store, settings_.shards,
    to_configuration_options(settings_, context_.process), patience);
  told_.resize(settings_.shards);
  auto now = ticks();
  if (auto res = configs_->load(now); !res)
    return res;
  for (auto& x : contents.known)
    configs_->remember_commit(x.shard, {x.index, x.epoch, x.chain});
  for (auto& x : contents.nodes) {
    auto node = cluster_node{};
    node.self = {x.id, x.disk, x.incarnation};
    node.name = x.name;
    node.draining = x.state == node_state::draining;
    // It has as long to come back as one that is lost just now.
    node.last_seen = now;
    if (x.state == node_state::dead)
      node.last_seen -= context_.process.replace_after;
    configs_->nodes().remember(std::move(node));
    auto where = parse_endpoint(x.address);
    auto& member = members_[x.id];
    if (where)
      member.listens = {where->host, where->port};
    member.last_seen = x.last_seen;
    configs_->nodes().note_time(x.id, x.last_seen);
  }
  for (auto& x : contents.gone)
    configs_->nodes().declare_gone(x);
  sessions_ = std::make_unique<session_registry>(
    [store = context_.store](const std::vector<producer_record>& put,
                             const std::vector<producer_id>& removed) {
      return store->put_producers(put, removed);
    });
  sessions_->load(contents.producers);
  if (auto res = init_windows(); !res)
    return res;
  if (auto res = init_copies(); !res)
    return res;
  alarm();
  return {};
}

// -- nodes

void coordinator_host_state::measure(member_node& x, time_ms now) const {
  auto accepted = uint64_t{0};
  for (auto& shard : x.news.shards) {
    // What it finds again in its log it has not just received.
    if (shard.state == shard_state::recovering) {
      x.measured = 0;
      return;
    }
    accepted += shard.ledger.accepted;
  }
  auto elapsed = static_cast<double>(now - x.measured);
  if (x.measured > 0 && elapsed > 0 && accepted >= x.accepted) {
    auto rate = static_cast<double>(accepted - x.accepted) * 1000 / elapsed;
    auto weight = std::min(1.0, elapsed / rate_window_ms);
    x.rate += (rate - x.rate) * weight;
  }
  x.accepted = accepted;
  x.measured = now;
}

void coordinator_host_state::beat(const heartbeat& x,
                                  const caf::strong_actor_ptr& sender) {
  auto i = members_.find(x.node);
  if (i == members_.end() || i->second.actor.address() != sender)
    return; // Of an earlier connection.
  take(x);
  self_->send(i->second.actor,
              heartbeat_ack{clock_, settled_through(), context_.store->mark()});
  if (x.plan_version < rollups_->plan().version())
    self_->send(i->second.actor, plan_to_send());
  if (x.settings_version < settings_text_.version)
    self_->send(i->second.actor, settings_text_);
}

void coordinator_host_state::take(const heartbeat& x) {
  auto i = members_.find(x.node);
  auto known = configs_->nodes().find(x.node);
  if (i == members_.end() || known == nullptr
      || known->self.incarnation != x.incarnation)
    return;
  auto now = context_.now();
  i->second.last_seen = now;
  configs_->nodes().note_time(x.node, now);
  i->second.news = x;
  measure(i->second, now);
  auto reports = std::vector<replica_report>{};
  for (auto& shard : x.shards)
    if (shard.state != shard_state::recovering)
      reports.push_back(shard.replica);
  configs_->report(known->self, reports, ticks());
  for (auto& shard : x.shards) {
    if (shard.shard >= configs_->shards())
      continue;
    auto& config = configs_->config(shard.shard);
    // Who leads no more is no witness any more.
    if (config.primary == x.node && config.epoch == shard.replica.epoch
        && shard.state != shard_state::recovering) {
      reports_[shard.shard] = shard;
      note_windows(shard);
    }
    // Never past the wall clock, whatever a shard says.
    clock_ = std::max(clock_, std::min(shard.clock, now));
  }
  plan();
}

// -- configurations

void coordinator_host_state::propose(const proposal& x) {
  auto res = configs_->propose(x);
  if (!res) {
    // It will ask again.
    spdlog::error("shard {} can't be changed: {}", x.next.shard,
                  res.error().text);
    return;
  }
  if (auto i = members_.find(x.from.node);
      i != members_.end() && i->second.actor)
    self_->send(i->second.actor, shard_decision{x.next.shard, *res});
  plan();
}

void coordinator_host_state::report(const fence_report& x) {
  configs_->report(x);
  plan();
}

/// Once, for all that has come until then: reports and proposals of hundreds of
/// shards come together. And a node is taken for dead only when all it has said
/// is read, however long this actor was busy; for a process that stood still,
/// see `membership::advance`.
void coordinator_host_state::plan() {
  if (!plan_is_due_)
    self_->send(self_, timer{plan_timer});
  plan_is_due_ = true;
}

/// Nodes need time to do what they were told, and to say so.
bool coordinator_host_state::is_news(member_node& to, const announcement& x,
                                     int64_t now) const {
  auto& last = to.told[x.config.shard];
  if (last.epoch == x.config.epoch && last.goals == x.goals
      && now - last.at < announce_again_after)
    return false;
  last = {x.config.epoch, x.goals, now};
  return true;
}

void coordinator_host_state::plan_now() {
  plan_is_due_ = false;
  auto now = ticks();
  auto res = configs_->plan(now);
  if (!res) {
    spdlog::error("no shard can be assigned: {}", res.error().text);
    return;
  }
  note_changes();
  auto announcements = std::map<std::string, announce_shards>{};
  auto send = [&](const std::string& node, const auto& what) {
    if (auto i = members_.find(node); i != members_.end() && i->second.actor)
      self_->send(i->second.actor, what);
  };
  for (auto& x : *res) {
    auto what = std::get_if<announcement>(&x.message);
    if (what == nullptr) {
      std::visit(
        [&](auto& y) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(y)>,
                                        announcement>)
            send(x.node, y);
        },
        x.message);
      continue;
    }
    auto member = members_.find(x.node);
    if (member == members_.end() || !member->second.actor
        || !is_news(member->second, *what, now))
      continue;
    auto& to = announcements[x.node];
    to.shards.push_back(std::move(*what));
    if (to.shards.size() < announcements_max)
      continue;
    to.plan = plan_to_send();
    to.sealed_through = rollups_->sealed_through();
    send(x.node, std::exchange(to, {}));
  }
  for (auto& [node, x] : announcements) {
    if (x.shards.empty())
      continue;
    x.plan = plan_to_send();
    x.sealed_through = rollups_->sealed_through();
    send(node, x);
  }
}

void coordinator_host_state::note_changes() {
  for (auto i = uint32_t{0}; i < configs_->shards(); ++i) {
    auto& config = configs_->config(i);
    auto& [primary, epoch] = told_[i];
    if (config.epoch == epoch)
      continue;
    if (config.primary != primary) {
      // What the old one was asked for, the new one has to be asked.
      rollups_->sealer().ask_again(i);
      if (!primary.empty())
        spdlog::info("shard {} goes from node {} to node {} in epoch {}", i,
                     name_of(primary), name_of(config.primary), config.epoch);
    }
    primary = config.primary;
    epoch = config.epoch;
  }
}

void coordinator_host_state::fire(const timer& x) {
  if (x.what == plan_timer)
    return plan_now();
  if (x.what == introduce_timer)
    introduce();
  alarm();
}

void coordinator_host_state::alarm() {
  auto now = context_.now();
  plan();
  // A shard's first commit is written down at once: else damage to its log
  // would show no loss.
  auto begun = size_t{0};
  for (auto i = uint32_t{0}; i < configs_->shards(); ++i)
    begun += configs_->committed(i).index > 0 ? 1 : 0;
  if (now - commits_saved_ >= save_commits_every
      || begun > context_.contents.known.size()) {
    save_commits();
    expire_windows();
  }
  if (auto res = rollups_->advance(now); !res)
    spdlog::error("the watermark can't be stored: {}", res.error().text);
  seal_windows_due();
  serve_followers();
}

void coordinator_host_state::save_commits() {
  commits_saved_ = context_.now();
  if (auto res = sessions_->expire(commits_saved_, settings_.producer_expiry);
      !res)
    spdlog::error("the catalog can't be written: {}", res.error().text);
  auto changed = std::vector<known_commit>{};
  for (auto i = uint32_t{0}; i < configs_->shards(); ++i) {
    auto& x = configs_->committed(i);
    if (x.index > 0)
      changed.push_back({i, x.epoch, x.index, x.chain});
  }
  if (changed == context_.contents.known)
    return;
  if (auto res = context_.store->put_known(changed); !res)
    spdlog::error("the catalog can't be written: {}", res.error().text);
  else
    context_.contents.known = std::move(changed);
}

// -- producers

caf::result<producer_opened> coordinator_host_state::open(
  const open_producer& x, const caf::strong_actor_ptr& sender) {
  if (live_.size() >= context_.process.sessions_max)
    return to_error(
      {ec::limit_reached,
       fmt::format("{} producers are connected, the limit of sessions-max; "
                   "try again when some have ended, or raise it",
                   live_.size())});
  if (x.name.size() > name_bytes_max)
    return to_error(
      {ec::invalid_argument,
       fmt::format("the name of the producer has {} bytes; at most {} are "
                   "possible",
                   x.name.size(), name_bytes_max)});
  auto id = x.name.empty() ? random_producer(random_word(), random_word())
                           : named_producer(x.name);
  auto res = sessions_->open(id, x.name, context_.now());
  if (!res)
    return to_error(res.error());
  if (auto held = rollups_->open_session(id, context_.now()); !held)
    return to_error(held.error());
  live_[id] = sender;
  self_->monitor(caf::actor_cast<caf::actor>(sender));
  return producer_opened{id,          res->session, res->base,
                         res->prefix, res->digest,  res->digest_at};
}

caf::result<session_reported> coordinator_host_state::report(
  const report_session& x) {
  auto now = context_.now();
  if (auto res = sessions_->report(x, now); !res)
    return to_error(res.error());
  auto times = session_times{x.greatest, x.idle, x.ended, -1};
  if (auto res = rollups_->report_session(x.producer, times, x.flush, now);
      !res)
    return to_error(res.error());
  seal_windows_due();
  if (x.ended)
    live_.erase(x.producer);
  return session_reported{x.session};
}

// -- settings

settings_text coordinator_host_state::settings() const {
  return settings_text_;
}

caf::result<settings_text> coordinator_host_state::change(
  const change_settings& x) {
  if (auto res = apply_change(x); !res)
    return to_error(res.error());
  send_plan();
  return settings_text_;
}

result<void> coordinator_host_state::apply_change(const change_settings& x) {
  auto next = settings_;
  for (auto& [option, value] : x.values)
    if (auto res = assign(next, option, value); !res)
      return res;
  if (auto res = validate(next); !res)
    return res;
  if (auto res = check_change(settings_, next); !res)
    return res;
  auto text = settings_text{settings_text_.version + 1, to_pairs(next)};
  // Also if the text is the same: an earlier change may have been given up.
  if (auto res = rollups_->configure(to_rollup_settings(next)); !res)
    return res;
  if (text.values == settings_text_.values)
    return {};
  if (auto res = context_.store->put_settings(
        text.version, {text.values.begin(), text.values.end()});
      !res)
    return res;
  settings_ = next;
  settings_text_ = text;
  configs_->set_options(to_configuration_options(settings_, context_.process));
  for (auto& [id, member] : members_)
    if (member.actor)
      self_->send(member.actor, text);
  return {};
}

// -- behavior

local_coordinator_actor::behavior_type coordinator_host(
  local_coordinator_actor::stateful_pointer<coordinator_host_state> self,
  coordinator_context context) {
  auto interval = std::chrono::milliseconds{context.process.heartbeat};
  self->set_down_handler([self](const caf::down_msg& x) {
    self->state.down(x);
  });
  if (auto res = self->state.init(self, std::move(context)); !res) {
    spdlog::critical("the catalog is of no use: {}", res.error().text);
    self->quit(to_error(res.error()));
  }
  self->delayed_send(self, interval,
                     timer{coordinator_host_state::regular_timer});
  return {
    [self](const hello& x) {
      return self->state.greet(x);
    },
    [self](const join_node& x) {
      return self->state.join(x, self->current_sender());
    },
    [self](const heartbeat& x) {
      self->state.beat(x, self->current_sender());
    },
    [self](const proposal& x) {
      self->state.propose(x);
    },
    [self](const fence_report& x) {
      self->state.report(x);
    },
    [self](const open_producer& x) {
      return self->state.open(x, self->current_sender());
    },
    [self](const report_session& x) {
      return self->state.report(x);
    },
    [self](const get_routes&) {
      return self->state.where();
    },
    [self](const get_status&) {
      return self->state.status();
    },
    [self](const drain_node& x) {
      return self->state.drain(x);
    },
    [self](const remove_node& x) {
      return self->state.remove(x);
    },
    [self](const forget_node& x) {
      return self->state.forget(x);
    },
    [self](const promote_replica& x) {
      return self->state.promote(x);
    },
    [self](const plan_moves& x) {
      return self->state.preview(x);
    },
    [self](const get_settings&) {
      return self->state.settings();
    },
    [self](const change_settings& x) {
      return self->state.change(x);
    },
    [self](const change_windows& x) {
      return self->state.change_plan(x);
    },
    [self](const get_windows& x) {
      return self->state.list(x);
    },
    [self](const window_query& x) {
      return self->state.query(x);
    },
    [self](const follow_windows& x) {
      return self->state.follow(x);
    },
    [self](const sealed_partials& x) {
      self->state.sealed(x);
    },
    [self](const copy_catalog& x) {
      return self->state.copy(x);
    },
    [self](const get_catalog& x) {
      return self->state.give(x);
    },
    [self, interval](const timer& x) {
      self->state.fire(x);
      if (x.what == coordinator_host_state::regular_timer)
        self->delayed_send(self, interval, x);
    },
  };
}

} // namespace weir
