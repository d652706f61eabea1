#pragma once

#include "cluster/replica.hpp"
#include "test/cluster/memory_config_store.hpp"
#include "test/simulate/trace.hpp"
#include "test/support/memory_disk.hpp"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

// A shard on several nodes, with a network, disks and a config store that do
// nothing unless they are told to.

namespace weir::test {

/// The wall clock.
constexpr auto world_now = time_ms{1'700'000'000'000};

/// What the shards of a cluster have in common.
struct surroundings {
  memory_config_store store;
  /// Nodes between which nothing gets through.
  std::set<std::pair<std::string, std::string>> cut_off;
  /// Nothing gets through from the first one to the second one.
  std::set<std::pair<std::string, std::string>> one_way;
  int64_t now = 1'000;
  trace notes;
};

struct world_node {
  member self;
  bool up = false;
  /// Of its process's clock before the world's, ms.
  int64_t ahead = 0;
  memory_disk disk;
  std::unique_ptr<replica> core;
  /// Answers of the own disk to questions.
  std::deque<std::function<void()>> local;
  /// The checkpoints that are open for others.
  std::map<std::string, memory_disk::checkpoint> open;
  /// How often its old copy was replaced.
  size_t installed = 0;
  /// Its copy did not load: it is of no use, until it may be put aside.
  bool damaged = false;
  /// How often one was put aside.
  size_t quarantined = 0;
};

/// Whatever fails here without being told to throws a `broken_rule`.
struct world {
  explicit world(std::shared_ptr<surroundings> shared
                 = std::make_shared<surroundings>(),
                 uint32_t shard = 0, uint32_t of = 1);

  world(const world&) = delete;
  world& operator=(const world&) = delete;

  struct letter {
    std::string from;
    std::string to;
    peer_message message;
  };

  struct coordinator_letter {
    std::string from;
    coordinator_message message;
  };

  std::shared_ptr<surroundings> around;
  /// Of the shard, among so many.
  uint32_t number;
  uint32_t count;
  replica_options options;
  std::map<std::string, world_node> nodes;
  std::deque<letter> network;
  std::deque<coordinator_letter> to_coordinator;
  memory_config_store& store;
  replica_goals goals;
  /// The coordinator takes proposals; answers them.
  bool coordinator_up = true;
  bool answers_get_through = true;
  /// Why it takes no proposal; empty: it does.
  std::string refusal;
  std::set<std::pair<std::string, std::string>>& cut_off;
  int64_t& now;
  std::vector<fence_report> reports;
  std::vector<proposal> proposals;
  /// Acknowledged positions, the greatest one by producer.
  std::map<producer_id, uint64_t> acknowledged;
  /// The copies of the last acknowledgement.
  uint32_t copies = 0;
  /// Messages between replicas so far.
  uint64_t delivered = 0;
  /// Told of each acknowledgement, before it counts.
  std::function<void(const world_node&, const producers_acknowledge&)>
    on_acknowledge;
  trace& notes;

  // -- nodes

  member identity(const std::string& id);

  replica& at(const std::string& id);

  void add(const std::string& id);

  /// A process finds what is on the disk. A copy that was told to be damaged
  /// takes no part.
  void start(const std::string& id);

  /// What the coordinator says; a damaged copy is put aside, if nobody counts
  /// on it by then. What it had promised stays.
  void announce(const std::string& id, const announcement& what);

  /// The process goes on; the replica's actor begins anew with what is on the
  /// disk.
  void restart_actor(const std::string& id);

  result<void> recover(world_node& x);

  /// Of the node's process, ms: does not go back within one life.
  int64_t clock(const std::string& id) const {
    return now + nodes.at(id).ahead;
  }

  void crash(const std::string& id);

  /// With a new disk.
  void wipe(const std::string& id);

  // -- effects

  void carry_out(const std::string& id);

  template <class Write>
  void carry_out(const std::string&, world_node& node, Write& x) {
    node.disk.put(std::move(x));
  }

  void carry_out(const std::string& id, world_node&, peer_send& x);

  void carry_out(const std::string& id, world_node&, coordinator_send& x);

  void carry_out(const std::string& id, world_node& node,
                 producers_acknowledge& x);

  void carry_out(const std::string& id, world_node& node, journal_read& x);

  void carry_out(const std::string& id, world_node& node, copy_open& x);

  void carry_out(const std::string& id, world_node& node, copy_read_chunk& x);

  void carry_out(const std::string&, world_node& node, copy_close& x);

  // -- steps

  /// Makes one write of a node durable, and tells it.
  void sync_one(const std::string& id);

  void sync(const std::string& id);

  void answer_locally(const std::string& id);

  bool passes(const std::string& from, const std::string& to) const;

  void deliver(size_t i);

  void deliver(const letter& x);

  void announce(const std::string& id);

  void announce();

  /// The coordinator takes its oldest letter.
  void coordinate();

  /// Everything that is on its way arrives, and every disk keeps up.
  void settle();

  void tick(int64_t ms);

  /// Each process looks at its clock.
  void tick_all();

  /// Time goes by, and everything goes well.
  void pass(int64_t ms);

  // -- configurations

  /// Whoever decides has decided.
  void configure(const std::string& primary, const std::vector<member>& members,
                 const std::vector<node_disk>& eligible = {},
                 uint32_t min_copies = 1);

  const shard_config& config();

  /// These nodes are members, the first one the primary, which serves.
  void serve(const std::vector<std::string>& ids, uint32_t min_copies = 1);

  /// The primary fails, and `id` takes its place among those who remain.
  void promote(const std::string& id, std::vector<member> members,
               std::vector<node_disk> eligible = {});

  // -- producers

  /// Records `after` + 1 to `after` + n, of an entity each.
  std::string block(producer_id producer, uint64_t after, uint64_t n) const;

  offer send(const std::string& id, uint64_t after, uint64_t n = 1,
             producer_id producer = {1, 2});

  uint64_t acked(producer_id producer = {1, 2});

  /// Readings that the replica's windows hold.
  uint64_t counted(const std::string& id);
};

} // namespace weir::test
