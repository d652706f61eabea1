#include "actors/query_host.hpp"

#include "cluster/sharding.hpp"
#include "messages/types.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir {

namespace {

/// What could not be asked is tried again after this long.
constexpr auto retry_every = std::chrono::milliseconds{50};

/// A primary that has not answered by then, which is far more than it takes
/// under full load, may never do: a backup answers at once, if a little behind.
constexpr auto backup_after = std::chrono::milliseconds{500};

} // namespace

void query_host_state::init(
  query_actor::stateful_pointer<query_host_state> self, query_context context) {
  self_ = self;
  context_ = std::move(context);
  links_.init(self, context_.dialer, context_.cluster,
              std::chrono::milliseconds{context_.process.timeout});
  coordinator_ = context_.coordinator;
  self_->monitor(coordinator_);
  refresh();
}

void query_host_state::dial_coordinator() {
  refreshing_ = true;
  auto timeout = std::chrono::milliseconds{context_.process.timeout};
  auto& to = context_.process.join;
  auto tried = [this] {
    refreshing_ = false;
    ++lookups_;
  };
  self_
    ->request(context_.dialer, 3 * timeout,
              dial{{to.host, to.port},
                   {wire_version, context_.cluster, "client", {}},
                   timeout})
    .then(
      [this, tried](const dialed& x) {
        tried();
        if (x.who.role != "coordinator")
          return;
        coordinator_ = caf::actor_cast<coordinator_actor>(x.actor);
        self_->monitor(coordinator_);
        refresh();
      },
      [tried](caf::error&) {
        tried();
      });
}

void query_host_state::refresh() {
  if (refreshing_)
    return;
  if (!coordinator_)
    return dial_coordinator();
  refreshing_ = true;
  self_
    ->request(coordinator_, std::chrono::milliseconds{context_.process.timeout},
              get_routes{})
    .then(
      [this](const routes& x) {
        refreshing_ = false;
        ++lookups_;
        auto first = !routes_;
        routes_ = x;
        // Whoever was refused by older routes waits for its next try, or else a
        // shard on the move would be asked as fast as the network can.
        if (first)
          alarm();
      },
      [this](caf::error&) {
        // The routes that we know may still be right; each question tells.
        refreshing_ = false;
        ++lookups_;
      });
}

caf::result<average_answers> query_host_state::ask(const ask_averages& x) {
  auto res = std::make_shared<round>();
  res->requests = x.requests;
  res->answers.answers.resize(x.requests.size());
  res->done.resize(x.requests.size());
  res->asked.resize(x.requests.size());
  res->turned_away.resize(x.requests.size());
  res->left = x.requests.size();
  res->lookups = lookups_;
  res->deadline = self_->clock().now()
                  + std::chrono::milliseconds{context_.process.timeout};
  if (res->left == 0)
    return average_answers{};
  res->promise = self_->make_response_promise<average_answers>();
  send(res);
  return res->promise;
}

void query_host_state::send(const round_ptr& x) {
  auto missing = std::vector<size_t>{};
  if (!routes_) {
    for (auto i = size_t{0}; i < x->requests.size(); ++i)
      missing.push_back(i);
    return try_again(x, missing,
                     {ec::unreachable, "the coordinator does not answer"});
  }
  auto shards = static_cast<uint32_t>(routes_->shards.size());
  auto by_shard = std::map<uint32_t, std::vector<size_t>>{};
  for (auto i = size_t{0}; i < x->requests.size(); ++i)
    if (!x->done[i] && !x->asked[i])
      by_shard[shard_of(entity_hash(x->requests[i].entity), shards)].push_back(
        i);
  for (auto& [shard, which] : by_shard)
    send(x, shard, std::move(which));
}

bool query_host_state::has_backups(uint32_t shard) const {
  return routes_ && shard < routes_->shards.size()
         && !routes_->shards[shard].backups.empty();
}

query_host_state::attempt query_host_state::ask_backup(
  const round_ptr& x, uint32_t shard, const std::vector<size_t>& which) {
  auto res = attempt::nobody_there;
  for (auto index : routes_->shards[shard].backups) {
    if (index >= routes_->nodes.size())
      continue;
    auto& node = routes_->nodes[index];
    if (auto actor = links_.find(node.listens)) {
      ask(x, shard, which, node.name, actor, true);
      return attempt::asked;
    }
    // For the next try.
    if (node.up) {
      links_.connect(node.listens, [this](bool) {
        alarm();
      });
      res = attempt::connecting;
    }
  }
  return res;
}

void query_host_state::send(const round_ptr& x, uint32_t shard,
                            std::vector<size_t> which) {
  auto& route = routes_->shards[shard];
  // Those that the primary could not answer go to a backup, if there is one.
  auto rest = std::vector<size_t>{};
  for (auto i : which)
    if (x->turned_away[i])
      rest.push_back(i);
  auto backups
    = rest.empty() ? attempt::nobody_there : ask_backup(x, shard, rest);
  if (backups == attempt::asked) {
    which.erase(std::remove_if(which.begin(), which.end(),
                               [&](size_t i) {
                                 return x->turned_away[i];
                               }),
                which.end());
    if (which.empty())
      return;
  }
  auto unavailable = [&] {
    auto answer = average_answer{};
    answer.code = ec::unavailable;
    answer.shard = shard;
    answer.epoch = route.epoch;
    answer.text
      = fmt::format("shard {} is unavailable: {}", shard, route.trouble);
    // Routes from before the question may be long out of date.
    if (x->lookups == lookups_) {
      refresh();
      return try_again(x, which, {answer.code, answer.text});
    }
    auto asked = std::all_of(which.begin(), which.end(), [&](size_t i) {
      return x->turned_away[i];
    });
    if (has_backups(shard) && !asked) {
      for (auto i : which)
        x->turned_away[i] = true;
      return try_again(x, which, {answer.code, answer.text});
    }
    if (backups == attempt::connecting)
      return try_again(x, which, {answer.code, answer.text});
    for (auto i : which)
      settle(x, i, answer);
  };
  if (route.node >= routes_->nodes.size())
    return unavailable();
  auto& node = routes_->nodes[route.node];
  auto actor = links_.find(node.listens);
  if (!actor) {
    if (!node.up)
      return unavailable();
    links_.connect(node.listens, [this](bool up) {
      if (!up)
        refresh(); // The coordinator may know more.
      alarm();
    });
    auto why = links_.trouble(node.listens);
    // Nobody listens there: a backup may know.
    if (!why.empty() && has_backups(shard))
      for (auto i : which)
        x->turned_away[i] = true;
    return try_again(x, which,
                     {ec::unreachable,
                      fmt::format("node {} is not reachable: {}", node.name,
                                  why.empty() ? "it has not answered" : why)});
  }
  ask(x, shard, std::move(which), node.name, actor);
}

void query_host_state::ask(const round_ptr& x, uint32_t shard,
                           std::vector<size_t> which,
                           const std::string& node_name, const node_actor& node,
                           bool of_backup) {
  auto batch = average_batch{shard, {}};
  for (auto i : which) {
    batch.requests.push_back(x->requests[i]);
    x->asked[i] = true;
  }
  auto id = ++last_errand_;
  under_way_[id] = {x, std::move(which), node_name, node.address(), of_backup};
  // Whoever is asked again, and late, has just the time that is left.
  auto left = std::max<clock::duration>(x->deadline - self_->clock().now(),
                                        retry_every);
  if (!of_backup && has_backups(shard))
    left = std::min<clock::duration>(left, backup_after);
  self_->request(node, left, std::move(batch))
    .then(
      [=](average_answers& y) {
        answered(id, y.answers);
      },
      [=](caf::error& err) {
        failed(id, to_failure(err, "node " + node_name));
      });
}

std::optional<query_host_state::errand> query_host_state::take(uint64_t id) {
  auto i = under_way_.find(id);
  if (i == under_way_.end())
    return {}; // Its node was lost, and others have been asked since.
  auto res = std::move(i->second);
  under_way_.erase(i);
  for (auto k : res.which)
    res.questions->asked[k] = false;
  return res;
}

void query_host_state::answered(uint64_t id,
                                std::vector<average_answer>& answers) {
  auto x = take(id);
  if (!x)
    return;
  auto again = std::vector<size_t>{};
  auto why = failure{};
  for (auto k = size_t{0}; k < x->which.size(); ++k) {
    if (k >= answers.size()) {
      why = {ec::malformed, "the node left a question unanswered"};
      again.push_back(x->which[k]);
    } else if (answers[k].code == ec::stale_epoch
               || (answers[k].code == ec::unavailable && !x->of_backup
                   && has_backups(answers[k].shard))) {
      x->questions->turned_away[x->which[k]]
        = answers[k].code == ec::unavailable;
      why = {ec::unavailable, answers[k].text};
      again.push_back(x->which[k]);
    } else {
      settle(x->questions, x->which[k], std::move(answers[k]));
    }
  }
  if (again.empty())
    return;
  refresh();
  try_again(x->questions, again, why);
}

void query_host_state::failed(uint64_t id, const failure& why) {
  auto x = take(id);
  if (!x)
    return;
  // The primary and a backup in turn.
  for (auto i : x->which)
    x->questions->turned_away[i] = !x->of_backup;
  refresh();
  try_again(x->questions, x->which, why);
}

void query_host_state::settle(const round_ptr& x, size_t i,
                              average_answer answer) {
  if (x->done[i])
    return;
  x->done[i] = true;
  x->answers.answers[i] = std::move(answer);
  if (--x->left == 0)
    x->promise.deliver(std::move(x->answers));
}

void query_host_state::try_again(const round_ptr& x,
                                 const std::vector<size_t>& which,
                                 const failure& why) {
  if (self_->clock().now() >= x->deadline) {
    auto answer = average_answer{};
    answer.code = why.code;
    answer.text = why.text;
    for (auto i : which)
      settle(x, i, answer);
    return;
  }
  if (std::find(waiting_.begin(), waiting_.end(), x) == waiting_.end())
    waiting_.push_back(x);
  if (!alarmed_) {
    alarmed_ = true;
    self_->delayed_send(self_, retry_every, timer{});
  }
}

void query_host_state::wake() {
  alarmed_ = false;
  alarm();
}

void query_host_state::alarm() {
  if (!routes_ && !waiting_.empty())
    refresh();
  auto rounds = std::move(waiting_);
  waiting_.clear();
  for (auto& x : rounds)
    send(x);
}

void query_host_state::down(const caf::down_msg& x) {
  if (coordinator_ && x.source == coordinator_.address()) {
    coordinator_ = nullptr;
    return;
  }
  if (!links_.lost(x))
    return;
  refresh();
  // No answer will come, and nobody says so before the time is over.
  auto lost = std::vector<uint64_t>{};
  for (auto& [id, y] : under_way_)
    if (y.node == x.source)
      lost.push_back(id);
  for (auto id : lost)
    failed(id,
           {ec::unreachable, fmt::format("the connection to node {} is lost",
                                         under_way_[id].node_name)});
}

query_actor::behavior_type query_host(
  query_actor::stateful_pointer<query_host_state> self, query_context context) {
  self->set_down_handler([self](const caf::down_msg& x) {
    self->state.down(x);
  });
  self->state.init(self, std::move(context));
  return {
    [self](const ask_averages& x) {
      return self->state.ask(x);
    },
    [self](const timer&) {
      self->state.wake();
    },
  };
}

} // namespace weir
