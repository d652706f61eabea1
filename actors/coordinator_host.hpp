#pragma once

#include "actors/clock.hpp"
#include "cluster/directory.hpp"
#include "cluster/sessions.hpp"
#include "config/settings.hpp"
#include "messages/interfaces.hpp"
#include "storage/catalog.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <functional>
#include <map>
#include <memory>

namespace weir {

/// What a coordinator is made of.
struct coordinator_context {
  std::string cluster;
  std::string name;
  process_settings process;
  std::shared_ptr<catalog> store;
  catalog_contents contents;
  /// Milliseconds since the epoch.
  std::function<time_ms()> now = wall_clock;
};

/// Keeps the catalog and tells nodes and producers what they need to know.
class coordinator_host_state {
public:
  static inline constexpr const char* name = "coordinator";

  /// Fails if the catalog can't be read.
  result<void> init(
    local_coordinator_actor::stateful_pointer<coordinator_host_state> self,
    coordinator_context context);

  caf::result<welcome> greet(const hello& x) const;
  caf::result<joined> join(const join_node& x,
                           const caf::strong_actor_ptr& sender);
  void beat(const heartbeat& x, const caf::strong_actor_ptr& sender);
  void take(const heartbeat& x);
  void released(const shard_released& x);
  caf::result<producer_opened> open(const open_producer& x,
                                    const caf::strong_actor_ptr& sender);
  caf::result<session_reported> report(const report_session& x);
  routes where() const;
  caf::result<cluster_status> status();
  settings_text settings() const;
  caf::result<settings_text> change(const change_settings& x);
  void alarm();
  void down(const caf::down_msg& x);

private:
  struct member_node {
    node_actor actor;
    heartbeat news;
    uint64_t accepted = 0;
    time_ms measured = 0;
    /// Readings a second, smoothed.
    double rate = 0;
  };

  cluster_status known_status() const;
  void plan();
  void measure(member_node& x, time_ms now) const;
  std::string choose_name(const join_node& x) const;
  void save_commits();

  local_coordinator_actor::stateful_pointer<coordinator_host_state> self_
    = nullptr;
  coordinator_context context_;
  cluster_settings settings_;
  settings_text settings_text_;
  std::unique_ptr<directory> directory_;
  std::map<std::string, member_node> members_;
  /// The last report of every shard, whoever made it.
  std::map<uint32_t, shard_report> reports_;
  std::unique_ptr<session_registry> sessions_;
  /// The sessions whose processes are connected.
  std::map<producer_id, caf::strong_actor_ptr> live_;
  time_ms clock_ = -1;
  time_ms commits_saved_ = 0;
};

/// @pre the contents hold at least one version of the settings
local_coordinator_actor::behavior_type coordinator_host(
  local_coordinator_actor::stateful_pointer<coordinator_host_state> self,
  coordinator_context context);

} // namespace weir
