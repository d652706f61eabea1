#pragma once

#include "messages/interfaces.hpp"
#include "messages/types.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <utility>

namespace weir {

/// Connections of an actor to nodes, by address. A lost one is dialed again
/// when somebody wants it, a little later each time.
template <class Self>
class node_links {
public:
  using clock = std::chrono::steady_clock;

  void init(Self self, dialer_actor dialer, std::string cluster,
            std::chrono::milliseconds timeout) {
    self_ = self;
    dialer_ = std::move(dialer);
    cluster_ = std::move(cluster);
    timeout_ = timeout;
  }

  /// The node at `to`, or null while there is no connection.
  node_actor find(const address& to) const {
    auto i = links_.find(key(to));
    return i != links_.end() ? i->second.actor : node_actor{};
  }

  /// Why the last attempt to reach `to` failed; empty if it didn't.
  std::string trouble(const address& to) const {
    auto i = links_.find(key(to));
    return i != links_.end() ? i->second.trouble : std::string{};
  }

  /// Connects, unless that is done, under way, or was just tried.
  /// @param done called with the outcome of an attempt, if one is made
  template <class Done>
  void connect(const address& to, Done done) {
    auto& link = links_[key(to)];
    if (link.actor || link.dialing || self_->clock().now() < link.not_before)
      return;
    link.dialing = true;
    self_
      ->request(dialer_, 3 * timeout_,
                dial{to, {wire_version, cluster_, "client", {}}, timeout_})
      .then(
        [this, to, done](const dialed& x) {
          auto& up = links_[key(to)];
          up.dialing = false;
          if (x.who.role != "node")
            return failed(up, "it is a " + x.who.role + ", not a node", done);
          up.actor = caf::actor_cast<node_actor>(x.actor);
          up.backoff = backoff_min;
          up.trouble.clear();
          self_->monitor(up.actor);
          done(true);
        },
        [this, to, done](caf::error& err) {
          auto& down = links_[key(to)];
          down.dialing = false;
          failed(down, to_failure(err, key(to)).text, done);
        });
  }

  /// Forgets the connection that ended. True if it was one of ours.
  bool lost(const caf::down_msg& x) {
    for (auto& [where, link] : links_) {
      if (!link.actor || link.actor.address() != x.source)
        continue;
      link.actor = nullptr;
      link.trouble = "the connection to " + where + " is lost";
      return true;
    }
    return false;
  }

private:
  static constexpr auto backoff_min = std::chrono::milliseconds{50};
  static constexpr auto backoff_max = std::chrono::milliseconds{2000};

  struct node_link {
    node_actor actor;
    bool dialing = false;
    clock::time_point not_before{};
    std::chrono::milliseconds backoff = backoff_min;
    std::string trouble;
  };

  static std::string key(const address& x) {
    return x.host + ":" + std::to_string(x.port);
  }

  template <class Done>
  void failed(node_link& link, std::string why, Done& done) {
    link.trouble = std::move(why);
    link.not_before = self_->clock().now() + link.backoff;
    link.backoff = std::min(2 * link.backoff, backoff_max);
    done(false);
  }

  Self self_ = nullptr;
  dialer_actor dialer_;
  std::string cluster_;
  std::chrono::milliseconds timeout_{0};
  std::map<std::string, node_link> links_;
};

} // namespace weir
