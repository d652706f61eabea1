#pragma once

#include "actors/links.hpp"
#include "config/settings.hpp"
#include "messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

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
    size_t left = 0;
    clock::time_point deadline;
    caf::typed_response_promise<average_answers> promise;
  };

  using round_ptr = std::shared_ptr<round>;

  void refresh();
  void alarm();
  void send(const round_ptr& x);
  void send(const round_ptr& x, uint32_t shard, std::vector<size_t> which);
  void settle(const round_ptr& x, size_t i, average_answer answer);
  void try_again(const round_ptr& x, const std::vector<size_t>& which,
                 const failure& why);

  query_actor::stateful_pointer<query_host_state> self_ = nullptr;
  query_context context_;
  node_links<query_actor::pointer> links_;
  std::optional<routes> routes_;
  bool refreshing_ = false;
  bool alarmed_ = false;
  /// Rounds that wait for routes or connections.
  std::vector<round_ptr> waiting_;
};

query_actor::behavior_type query_host(
  query_actor::stateful_pointer<query_host_state> self, query_context context);

} // namespace weir
