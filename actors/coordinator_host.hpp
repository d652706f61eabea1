#pragma once

#include "actors/clock.hpp"
#include "cluster/configurations.hpp"
#include "cluster/rollups.hpp"
#include "cluster/sessions.hpp"
#include "config/settings.hpp"
#include "messages/interfaces.hpp"
#include "storage/catalog.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace weir {

/// What a coordinator is made of.
struct coordinator_context {
  std::string cluster;
  std::string name;
  process_settings process;
  std::shared_ptr<catalog> store;
  catalog_contents contents;
  /// Counts the starts in this directory.
  uint64_t start = 1;
  /// Finds out whether a node whose connection was lost is there; without one,
  /// it is taken for dead.
  dialer_actor dialer;
  /// Milliseconds since the epoch.
  std::function<time_ms()> now = wall_clock;
};

/// Keeps the catalog and tells nodes and producers what they need to know.
class coordinator_host_state {
public:
  static inline constexpr const char* name = "coordinator";

  /// What a timer is for; all but the regular one are for once.
  static inline constexpr uint8_t regular_timer = 1;
  static inline constexpr uint8_t introduce_timer = 2;
  static inline constexpr uint8_t plan_timer = 3;

  /// Fails if the catalog can't be read.
  result<void> init(
    local_coordinator_actor::stateful_pointer<coordinator_host_state> self,
    coordinator_context context);

  caf::result<welcome> greet(const hello& x) const;
  caf::result<joined> join(const join_node& x,
                           const caf::strong_actor_ptr& sender);
  void beat(const heartbeat& x, const caf::strong_actor_ptr& sender);
  void take(const heartbeat& x);
  void propose(const proposal& x);
  void report(const fence_report& x);
  caf::result<operator_answer> drain(const drain_node& x);
  caf::result<operator_answer> remove(const remove_node& x);
  caf::result<operator_answer> forget(const forget_node& x);
  caf::result<operator_answer> promote(const promote_replica& x);
  caf::result<planned_moves> preview(const plan_moves& x) const;
  caf::result<producer_opened> open(const open_producer& x,
                                    const caf::strong_actor_ptr& sender);
  caf::result<session_reported> report(const report_session& x);
  routes where() const;
  caf::result<cluster_status> status();
  settings_text settings() const;
  caf::result<settings_text> change(const change_settings& x);
  caf::result<windows_changed> change_plan(const change_windows& x);
  caf::result<window_list> list(const get_windows& x);
  caf::result<window_answers> query(const window_query& x);
  caf::result<window_answers> follow(const follow_windows& x);
  void sealed(const sealed_partials& x);
  caf::result<catalog_piece> copy(const copy_catalog& x);
  caf::result<catalog_part> give(const get_catalog& x);
  void alarm();
  void introduce();
  void down(const caf::down_msg& x);
  void fire(const timer& x);

private:
  /// What a node was told of a shard.
  struct last_word {
    uint64_t epoch = 0;
    replica_goals goals;
    int64_t at = 0;
  };

  /// A node, whether it is connected or not.
  struct member_node {
    node_actor actor;
    address listens;
    /// Of the program.
    std::string version;
    /// Wall clock, ms; 0: never.
    time_ms last_seen = 0;
    heartbeat news;
    uint64_t accepted = 0;
    time_ms measured = 0;
    /// Readings a second, smoothed.
    double rate = 0;
    /// By shard: what this process was told last.
    std::map<uint32_t, last_word> told;
  };

  /// The catalog as a backup wants it.
  struct catalog_copy {
    std::string backup;
    page_copy pages;
    /// When it was complete; 0: it isn't.
    time_ms moment = 0;
    uint64_t size = 0;
    int64_t heard = 0;
  };

  /// Waits for windows to become final.
  struct follower {
    caf::typed_response_promise<window_answers> promise;
    uint64_t after = 0;
    time_ms until = 0;
  };

  /// What the shards hold of windows that are not final.
  struct gathered_windows {
    std::vector<window_partial> windows;
    /// Beyond, there may be more.
    time_ms reach = window_plan::forever;
    std::vector<uint32_t> missing;
  };

  result<void> apply_change(const change_settings& x);
  result<void> init_windows();
  result<void> init_copies();
  result<void> check_generation(const join_node& x) const;
  time_ms settled_through() const;
  void note_windows(const shard_report& x);
  void seal_windows_due();
  void serve_followers();
  void expire_windows();
  plan_text plan_to_send() const;
  void send_plan();
  void gather(const get_partials& x,
              std::function<void(gathered_windows)> then);
  window_answers finals_after(uint64_t sequence);
  result<window_answers> stored_answers(const window_query& x);
  result<window_answers> all_answers(const window_query& x,
                                     const gathered_windows& found);
  window_answer answer_of(window_partial x) const;
  std::vector<window_holder> holders(time_ms end) const;
  cluster_status known_status() const;
  node_status node_status_of(const std::string& id) const;
  shard_status shard_status_of(uint32_t shard) const;
  int64_t ticks() const;
  void plan();
  void plan_now();
  bool is_news(member_node& to, const announcement& x, int64_t now) const;
  void note_changes();
  void probe(const std::string& id);
  void lose(const std::string& id);
  bool is_up(const std::string& id) const;
  std::string name_of(const std::string& id) const;
  result<std::string> find_node(const std::string& name) const;
  result<void> check_absent(const std::string& id) const;
  node_record record_of(const cluster_node& x, const address& listens,
                        time_ms last_seen) const;
  result<std::optional<cluster_node>> who_yields(const std::string& name,
                                                 const std::string& id) const;
  void measure(member_node& x, time_ms now) const;
  std::string choose_name(const join_node& x) const;
  void save_commits();

  local_coordinator_actor::stateful_pointer<coordinator_host_state> self_
    = nullptr;
  coordinator_context context_;
  cluster_settings settings_;
  settings_text settings_text_;
  std::unique_ptr<configurations> configs_;
  /// By node id.
  std::map<std::string, member_node> members_;
  /// Primaries and epochs, as they were when nodes were told last.
  std::vector<std::pair<std::string, uint64_t>> told_;
  /// The last report of every shard's primary.
  std::map<uint32_t, shard_report> reports_;
  std::unique_ptr<session_registry> sessions_;
  /// The sessions whose processes are connected.
  std::map<producer_id, caf::strong_actor_ptr> live_;
  time_ms clock_ = -1;
  bool plan_is_due_ = false;
  time_ms commits_saved_ = 0;
  std::unique_ptr<rollup_registry> rollups_;
  std::vector<follower> followers_;
  /// Of one backup at a time.
  std::optional<catalog_copy> copy_;
};

rollup_settings to_rollup_settings(const cluster_settings& x);
configuration_options to_configuration_options(const cluster_settings& x,
                                               const process_settings& y);

/// @pre the contents hold at least one version of the settings
local_coordinator_actor::behavior_type coordinator_host(
  local_coordinator_actor::stateful_pointer<coordinator_host_state> self,
  coordinator_context context);

} // namespace weir
