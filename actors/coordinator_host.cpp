#include "actors/coordinator_host.hpp"

#include "actors/dialer.hpp"
#include "messages/types.hpp"

#include <caf/actor_system.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <random>

namespace weir {

namespace {

/// How often the greatest known commits are written down: a log that lost its
/// end is noticed if it lost more than what came since.
constexpr time_ms save_commits_every = 5'000;

/// Time constant of the smoothed rates.
constexpr double rate_window_ms = 3'000;

uint64_t random_word() {
  auto device = std::random_device{};
  return uint64_t{device()} << 32 | device();
}

} // namespace

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
  directory_ = std::make_unique<directory>(*context_.store, settings_.shards);
  if (auto res = directory_->load(); !res)
    return res;
  for (auto& x : contents.known)
    directory_->remember_commit(x.shard, {x.index, x.epoch, x.chain});
  for (auto& x : contents.nodes) {
    auto where = parse_endpoint(x.address);
    directory_->remember({{x.id, x.disk, x.incarnation},
                          x.name,
                          where ? where->host : std::string{},
                          where ? where->port : uint16_t{0},
                          false,
                          x.last_seen});
  }
  sessions_ = std::make_unique<session_registry>(
    [store = context_.store](const std::vector<producer_record>& put,
                             const std::vector<producer_id>& removed) {
      return store->put_producers(put, removed);
    });
  sessions_->load(contents.producers);
  if (auto res = init_windows(); !res)
    return res;
  alarm();
  return {};
}

// -- nodes

caf::result<welcome> coordinator_host_state::greet(const hello& x) const {
  return open_door(x, context_.cluster, "coordinator", context_.name);
}

std::string coordinator_host_state::choose_name(const join_node& x) const {
  if (!x.name.empty())
    return x.name;
  auto known = directory_->nodes().find(x.node);
  if (known != directory_->nodes().end())
    return known->second.name;
  for (auto i = directory_->nodes().size() + 1;; ++i)
    if (auto free = fmt::format("n{}", i);
        directory_->find_name(free) == nullptr)
      return free;
}

caf::result<joined> coordinator_host_state::join(
  const join_node& x, const caf::strong_actor_ptr& sender) {
  auto now = context_.now();
  auto node = known_node{{x.node, x.disk, x.incarnation},
                         choose_name(x),
                         x.listens.host,
                         x.listens.port,
                         true,
                         now};
  auto held = std::map<uint32_t, log_position>{};
  for (auto& log : x.held)
    held.emplace(log.shard, log_position{log.index, log.epoch, log.chain});
  if (auto res = directory_->join(node, held); !res)
    return to_error(res.error());
  auto record = node_record{};
  record.id = x.node;
  record.disk = x.disk;
  record.name = node.name;
  record.address = to_string(endpoint{node.host, node.port});
  record.incarnation = x.incarnation;
  record.last_seen = now;
  if (auto res = context_.store->put_node(record); !res)
    return to_error(res.error());
  auto& member = members_[x.node];
  member.actor = caf::actor_cast<node_actor>(sender);
  self_->monitor(member.actor);
  spdlog::info("node {} has joined from {}", node.name, record.address);
  // The answer first: a node can't take shards before it knows the settings.
  self_->send(self_, timer{});
  return joined{context_.cluster, node.name, settings_text_};
}

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
              heartbeat_ack{clock_, rollups_->final_through()});
  if (x.plan_version < rollups_->plan().version())
    self_->send(i->second.actor, plan_to_send());
  if (x.settings_version < settings_text_.version)
    self_->send(i->second.actor, settings_text_);
}

void coordinator_host_state::take(const heartbeat& x) {
  auto i = members_.find(x.node);
  auto known = directory_->nodes().find(x.node);
  if (i == members_.end() || known == directory_->nodes().end()
      || known->second.self.incarnation != x.incarnation)
    return;
  auto now = context_.now();
  directory_->seen(x.node, now);
  i->second.news = x;
  measure(i->second, now);
  auto news = std::map<uint32_t, shard_news>{};
  for (auto& shard : x.shards) {
    if (shard.shard >= directory_->shards())
      continue;
    news.emplace(shard.shard,
                 shard_news{shard.epoch,
                            shard.state == shard_state::serving,
                            shard.empty,
                            shard.text,
                            {shard.index, shard.epoch, shard.chain}});
    // A node that has let go of a shard is no witness any more.
    if (directory_->config(shard.shard).primary == x.node) {
      reports_[shard.shard] = shard;
      note_windows(shard);
    }
    // Never past the wall clock, whatever a shard says.
    clock_ = std::max(clock_, std::min(shard.clock, now));
  }
  directory_->report(x.node, news);
  plan();
}

void coordinator_host_state::released(const shard_released& x) {
  auto res = directory_->released(x.node, x.shard, x.epoch, x.released);
  if (!res)
    spdlog::error("shard {} can't be handed on: {}", x.shard, res.error().text);
  plan();
}

void coordinator_host_state::plan() {
  auto res = directory_->plan();
  if (!res) {
    spdlog::error("no shard can be assigned: {}", res.error().text);
    return;
  }
  auto assignments = std::map<std::string, assign_shards>{};
  for (auto& x : *res) {
    if (x.kind == directive::what::assign) {
      auto& to = assignments[x.node];
      to.shards.push_back({x.shard, x.epoch});
      to.plan = plan_to_send();
      to.sealed_through = rollups_->sealed_through();
      rollups_->sealer().ask_again(x.shard);
    } else if (auto i = members_.find(x.node); i != members_.end())
      self_->send(i->second.actor, release_shard{x.shard, x.epoch});
  }
  for (auto& [node, x] : assignments)
    if (auto i = members_.find(node); i != members_.end())
      self_->send(i->second.actor, x);
}

void coordinator_host_state::alarm() {
  auto now = context_.now();
  for (auto& node :
       directory_->silent(now - context_.process.failure_timeout)) {
    spdlog::warn("node {} is silent",
                 directory_->nodes().find(node)->second.name);
    directory_->leave(node);
  }
  plan();
  // A shard's first commit is written down at once: else damage to its log
  // would show no loss.
  auto begun = size_t{0};
  for (auto i = uint32_t{0}; i < directory_->shards(); ++i)
    begun += directory_->committed(i).index > 0 ? 1 : 0;
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
  for (auto i = uint32_t{0}; i < directory_->shards(); ++i) {
    auto& x = directory_->committed(i);
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

void coordinator_host_state::down(const caf::down_msg& x) {
  for (auto& [id, member] : members_) {
    if (!member.actor || member.actor.address() != x.source)
      continue;
    spdlog::warn("node {} is gone", directory_->nodes().find(id)->second.name);
    directory_->leave(id);
    member.rate = 0;
    return;
  }
  for (auto i = live_.begin(); i != live_.end(); ++i) {
    if (i->second->address() != x.source)
      continue;
    live_.erase(i);
    return;
  }
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
  self->delayed_send(self, interval, timer{1});
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
    [self](const shard_released& x) {
      self->state.released(x);
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
    [self, interval](const timer& x) {
      self->state.alarm();
      if (x.what == 1) // The regular one; others are for once.
        self->delayed_send(self, interval, x);
    },
  };
}

} // namespace weir
