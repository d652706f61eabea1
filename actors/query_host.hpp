#pragma once

#include "actors/links.hpp"
#include "config/settings.hpp"
#include "messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <map>
#include <memory>
#include <optional>

namespace weir {

struct query_context {
  process_settings process;
  dialer_actor dialer;
  coordinator_actor coordinator;
  std::string cluster;
};

/// Finds the shards that can answer, and puts their answers in order.
class query_host_state {
public:
  static inline constexpr const char* name = "query";

  void init(query_actor::stateful_pointer<query_host_state> self,
            query_context context);

  caf::result<average_answers> ask(const ask_averages& x);
  void wake();
  void down(const caf::down_msg& x);

private:
  using clock = std::chrono::steady_clock;

  /// Questions that are being answered.
  struct round {
    std::vector<average_request> requests;
    average_answers answers;
    std::vector<bool> done;
    /// On its way to a node.
    std::vector<bool> asked;
    /// The primary could not answer.
    std::vector<bool> turned_away;
    size_t left = 0;
    /// Of routes, when they came.
    uint64_t lookups = 0;
    clock::time_point deadline;
    caf::typed_response_promise<average_answers> promise;
  };

  using round_ptr = std::shared_ptr<round>;

  /// Those of a round that are at a node.
  struct errand {
    round_ptr questions;
    std::vector<size_t> which;
    std::string node_name;
    caf::actor_addr node;
    bool of_backup = false;
  };

  void refresh();
  void dial_coordinator();
  void alarm();
  void send(const round_ptr& x);
  void send(const round_ptr& x, uint32_t shard, std::vector<size_t> which);
  bool has_backups(uint32_t shard) const;
  enum class attempt : uint8_t { nobody_there, connecting, asked };
  attempt ask_backup(const round_ptr& x, uint32_t shard,
                     const std::vector<size_t>& which);
  void ask(const round_ptr& x, uint32_t shard, std::vector<size_t> which,
           const std::string& node_name, const node_actor& node,
           bool of_backup = false);
  std::optional<errand> take(uint64_t id);
  void answered(uint64_t id, std::vector<average_answer>& answers);
  void failed(uint64_t id, const failure& why);
  void settle(const round_ptr& x, size_t i, average_answer answer);
  void try_again(const round_ptr& x, const std::vector<size_t>& which,
                 const failure& why);

  query_actor::stateful_pointer<query_host_state> self_ = nullptr;
  query_context context_;
  node_links<query_actor::pointer> links_;
  std::optional<routes> routes_;
  /// Null while it is dialed again.
  coordinator_actor coordinator_;
  bool refreshing_ = false;
  /// How often the coordinator was asked for routes, with or without success.
  uint64_t lookups_ = 0;
  bool alarmed_ = false;
  std::map<uint64_t, errand> under_way_;
  uint64_t last_errand_ = 0;
  /// Rounds that wait for routes or connections.
  std::vector<round_ptr> waiting_;
};

query_actor::behavior_type query_host(
  query_actor::stateful_pointer<query_host_state> self, query_context context);

} // namespace weir
