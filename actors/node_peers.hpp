#pragma once

#include "messages/interfaces.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <string>

namespace weir {

/// A node's connections to the other nodes, one each: of two processes the one
/// that the coordinator names connects, and connects again when the connection
/// is lost. What is sent to a node without a connection is lost, as replication
/// expects it.
class node_peers {
public:
  using clock = std::chrono::steady_clock;

  /// @param lost called when a connection is lost and was not replaced soon
  void init(local_node_actor::pointer self, dialer_actor dialer, meet_node us,
            std::function<void(const std::string& node)> lost);

  /// All other nodes, from the coordinator.
  void know(const peer_list& x, const std::string& cluster);

  /// Another node has connected to us.
  /// @returns who we are
  const meet_node& met(const meet_node& x, const caf::strong_actor_ptr& sender);

  void send(const std::string& node, std::string bytes);

  /// @returns whether it was one of these
  bool down(const caf::down_msg& x);

  /// Dials whoever is due, and gives up on who did not come back.
  void tick();

private:
  struct peer_link {
    peer_address where;
    node_actor actor;
    /// The attempt to connect, or the question, that is on its way; 0: none.
    uint64_t asking = 0;
    /// Whom that question went to.
    node_actor asked;
    clock::time_point since{};
    clock::time_point not_before{};
    std::chrono::milliseconds backoff{0};
    /// Since when it is missed; nobody was told yet.
    std::optional<clock::time_point> missed_since;
  };

  void dial(const std::string& node, peer_link& x);
  void meet(const std::string& node, peer_link& x, const node_actor& actor);
  void answered(const std::string& node, uint64_t attempt,
                const node_actor& actor, const meet_node& who);
  void no_answer(const std::string& node, uint64_t attempt);
  peer_link* find(const std::string& node, uint64_t attempt);
  void connected(peer_link& x, const node_actor& actor);

  local_node_actor::pointer self_ = nullptr;
  dialer_actor dialer_;
  meet_node us_;
  std::string cluster_;
  std::function<void(const std::string&)> lost_;
  /// By node id.
  std::map<std::string, peer_link> links_;
  /// Attempts and questions so far.
  uint64_t asked_ = 0;
};

} // namespace weir
