#include "actors/node_peers.hpp"

#include "actors/farewell.hpp"
#include "messages/types.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace weir {

namespace {

/// An attempt to connect to a process that is there takes a millisecond.
constexpr auto dial_timeout = std::chrono::milliseconds{1000};
constexpr auto backoff_min = std::chrono::milliseconds{50};
constexpr auto backoff_max = std::chrono::milliseconds{2000};

/// How often the one that has connected asks whether the other one is there:
/// not every end of a connection is told of (docs/decisions/0009).
constexpr auto meet_every = std::chrono::milliseconds{1000};

/// Twice as long as a connection may be silent (actors/process.cpp), since the
/// question has to wait for whatever else is on its way.
constexpr auto meet_timeout = std::chrono::milliseconds{10'000};

/// A connection that is lost, and not replaced after this long, means that
/// there is no process any more, or no way to it.
constexpr auto reconnect_within = std::chrono::milliseconds{300};

} // namespace

void node_peers::init(local_node_actor::pointer self, dialer_actor dialer,
                      meet_node us,
                      std::function<void(const std::string& node)> lost) {
  self_ = self;
  dialer_ = std::move(dialer);
  us_ = std::move(us);
  lost_ = std::move(lost);
}

void node_peers::know(const peer_list& x, const std::string& cluster) {
  cluster_ = cluster;
  // At the address of one that is gone, another one may listen by now.
  for (auto& [id, link] : links_)
    link.where.dial = false;
  for (auto& node : x.nodes) {
    auto& link = links_[node.node];
    // A process that was started anew listens elsewhere.
    if (!(link.where.listens == node.listens)) {
      link.not_before = {};
      link.backoff = {};
      link.asking = 0;
      link.asked = nullptr;
    }
    link.where = node;
  }
  // Nodes come under new ids for ever; those that are gone are not kept.
  for (auto i = links_.begin(); i != links_.end();) {
    auto listed = std::any_of(x.nodes.begin(), x.nodes.end(), [&](auto& node) {
      return node.node == i->first;
    });
    if (listed || i->second.actor || i->second.asking > 0)
      ++i;
    else
      i = links_.erase(i);
  }
  tick();
}

void node_peers::dial(const std::string& node, peer_link& x) {
  auto attempt = x.asking = ++asked_;
  self_
    ->request(dialer_, 3 * dial_timeout,
              weir::dial{x.where.listens,
                         {wire_version, cluster_, "node", us_.node},
                         dial_timeout})
    .then(
      [=](const dialed& y) {
        if (auto link = find(node, attempt))
          meet(node, *link, caf::actor_cast<node_actor>(y.actor));
      },
      [=](caf::error&) {
        no_answer(node, attempt);
      });
}

void node_peers::meet(const std::string& node, peer_link& x,
                      const node_actor& actor) {
  auto attempt = x.asking = ++asked_;
  x.asked = actor;
  // Nobody answers for one that is gone.
  watch(self_, actor);
  self_->request(actor, meet_timeout, us_)
    .then(
      [=](const meet_node& who) {
        answered(node, attempt, actor, who);
      },
      [=](caf::error&) {
        no_answer(node, attempt);
      });
}

void node_peers::answered(const std::string& node, uint64_t attempt,
                          const node_actor& actor, const meet_node& who) {
  if (find(node, attempt) == nullptr)
    return;
  // One that was wiped listens where it did, under another id, and takes this
  // for the only connection between the two.
  connected(links_[who.node], actor);
  if (who.node != node)
    return no_answer(node, attempt);
  auto& link = links_[node];
  link.asking = 0;
  link.asked = nullptr;
  link.not_before = self_->clock().now() + meet_every;
}

void node_peers::no_answer(const std::string& node, uint64_t attempt) {
  auto link = find(node, attempt);
  if (link == nullptr)
    return;
  auto asked = std::exchange(link->asked, node_actor{});
  link->asking = 0;
  link->backoff = std::clamp(2 * link->backoff, backoff_min, backoff_max);
  link->not_before = self_->clock().now() + link->backoff;
  auto was_it = link->actor && link->actor == asked;
  if (!was_it && (link->actor || !link->missed_since))
    return; // It was about another connection, or nobody misses it.
  link->actor = nullptr;
  link->missed_since.reset();
  lost_(node);
}

/// Null if that attempt is over.
node_peers::peer_link* node_peers::find(const std::string& node,
                                        uint64_t attempt) {
  auto i = links_.find(node);
  return i != links_.end() && i->second.asking == attempt ? &i->second
                                                          : nullptr;
}

void node_peers::connected(peer_link& x, const node_actor& actor) {
  if (x.actor == actor)
    return;
  x.actor = actor;
  x.backoff = {};
  x.missed_since.reset();
  x.since = self_->clock().now();
  watch(self_, actor);
}

const meet_node& node_peers::met(const meet_node& x,
                                 const caf::strong_actor_ptr& sender) {
  if (sender != nullptr)
    connected(links_[x.node], caf::actor_cast<node_actor>(sender));
  return us_;
}

void node_peers::send(const std::string& node, std::string bytes) {
  auto i = links_.find(node);
  if (i != links_.end() && i->second.actor)
    self_->send(i->second.actor, replica_message{std::move(bytes)});
}

bool node_peers::down(const caf::down_msg& x) {
  auto found = false;
  for (auto& [node, link] : links_) {
    auto asked = link.asked && link.asked.address() == x.source;
    auto linked = link.actor && link.actor.address() == x.source;
    if (asked) {
      link.asking = 0;
      link.asked = nullptr;
      link.not_before = self_->clock().now() + backoff_min;
    }
    found = found || asked || linked;
    if (!linked)
      continue;
    auto now = self_->clock().now();
    link.actor = nullptr;
    if (is_farewell(x)) {
      link.not_before = now + backoff_min;
      lost_(node);
      continue;
    }
    link.missed_since = now;
    // One that did not last is not dialed at once: it may be what CAF remembers
    // of a process that is gone.
    if (now - link.since < backoff_max)
      link.not_before = now + backoff_min;
    else if (link.where.dial && link.asking == 0)
      dial(node, link);
  }
  return found;
}

void node_peers::tick() {
  auto now = self_->clock().now();
  for (auto& [node, link] : links_) {
    if (link.missed_since && now - *link.missed_since >= reconnect_within) {
      link.missed_since.reset();
      lost_(node);
    }
    if (!link.where.dial || link.asking > 0 || now < link.not_before)
      continue;
    if (link.actor)
      meet(node, link, link.actor);
    else
      dial(node, link);
  }
}

} // namespace weir
