#pragma once

#include "cluster/shard.hpp"
#include "messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>

namespace weir {

/// What a shard needs to know of its node.
struct shard_context {
  uint32_t shard = 0;
  /// Of the cluster.
  uint32_t shards = 0;
  uint64_t epoch = 0;
  std::string node_name;
  local_node_actor node;
  journal_actor journal;
  checkpoint_actor checkpoints;
  shard_rules rules;
  /// The cluster's window, ms: what a query without a width asks for.
  time_ms window = 0;
  size_t checkpoint_chunk_entities = 1000;
};

/// Carries messages into and out of a `shard`, which decides.
class shard_host_state {
public:
  static inline constexpr const char* name = "shard";

  void init(shard_actor::stateful_pointer<shard_host_state> self,
            shard_context context);

  void append(const local_block& x);
  void open(const open_session& x, caf::strong_actor_ptr sender);
  average_answers average(const average_batch& x) const;
  void lead(const lead_shard& x);
  void tick(const shard_tick& x);
  shard_report report() const;
  void seal(const seal_shard& x);
  caf::result<shard_windows> windows(const get_partials& x) const;
  caf::result<bool> release(const release_shard& x);
  void checkpoint();
  void committed(uint64_t index);
  void refused(const store_refused& x);

private:
  enum class phase : uint8_t { recovering, leading, failed, released };

  /// Who waits for the acknowledgements of a producer.
  struct caller {
    caf::strong_actor_ptr actor;
    uint32_t attempt = 0;
    uint64_t session = 0;
  };

  void recover();
  void replay(log_position from);
  void take_lead();
  void fail_for_good(failure why);
  void store(const offer& x);
  void answer_seal();
  void acknowledge(producer_id producer);
  void refuse(const caf::strong_actor_ptr& to, append_ack ack, ec code,
              std::string text) const;
  void next_chunk();
  void end_checkpoint(uint64_t upto);
  std::string not_serving() const;

  shard_actor::stateful_pointer<shard_host_state> self_ = nullptr;
  shard_context context_;
  std::unique_ptr<shard> core_;
  phase phase_ = phase::recovering;
  std::string trouble_;
  std::map<producer_id, caller> callers_;
  time_ms cluster_clock_ = -1;
  bool checkpointing_ = false;
  /// What the node waits for, until that is committed.
  std::optional<seal_range> sealing_;
};

shard_actor::behavior_type shard_host(
  shard_actor::stateful_pointer<shard_host_state> self, shard_context context);

} // namespace weir
