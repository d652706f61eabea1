#pragma once

#include "cluster/replica.hpp"
#include "test/cluster/memory_config_store.hpp"
#include "test/cluster/records.hpp"
#include "test/support/memory_disk.hpp"
#include "test/support/results.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

// One shard on several nodes, with a network, disks and a config store that do
// nothing unless they are told to.

namespace weir::test {

/// The wall clock.
constexpr auto world_now = time_ms{1'700'000'000'000};

struct world_node {
  member self;
  bool up = false;
  memory_disk disk;
  std::unique_ptr<replica> core;
  /// Answers of the own disk to questions.
  std::deque<std::function<void()>> local;
  /// The checkpoints that are open for others.
  std::map<std::string, memory_disk::checkpoint> open;
  /// How often its old copy was replaced.
  size_t installed = 0;
};

struct world {
  struct letter {
    std::string from;
    std::string to;
    peer_message message;
  };

  struct coordinator_letter {
    std::string from;
    coordinator_message message;
  };

  replica_options options;
  std::map<std::string, world_node> nodes;
  std::deque<letter> network;
  std::deque<coordinator_letter> to_coordinator;
  memory_config_store store;
  replica_goals goals;
  /// The coordinator takes proposals; answers them.
  bool coordinator_up = true;
  bool answers_get_through = true;
  /// Why it takes no proposal; empty: it does.
  std::string refusal;
  /// Nodes between which nothing gets through.
  std::set<std::pair<std::string, std::string>> cut_off;
  int64_t now = 1'000;
  std::vector<fence_report> reports;
  std::vector<proposal> proposals;
  /// Acknowledged positions, the greatest one by producer.
  std::map<producer_id, uint64_t> acknowledged;
  /// The copies of the last acknowledgement.
  uint32_t copies = 0;
  /// What was acknowledged as committed, by index; the same for ever.
  std::map<uint64_t, uint64_t> committed_chains;

  // -- nodes

  member identity(const std::string& id) {
    return nodes.at(id).self;
  }

  replica& at(const std::string& id) {
    return *nodes.at(id).core;
  }

  void add(const std::string& id) {
    nodes[id].self = {id, "disk-" + id, 0};
    start(id);
  }

  /// A process finds what is on the disk.
  void start(const std::string& id) {
    auto& x = nodes.at(id);
    x.up = true;
    ++x.self.incarnation;
    x.core = std::make_unique<replica>(x.self, 0, 1, options);
    x.core->load_record(x.disk.record);
    if (x.disk.saved) {
      must(x.core->load_meta(x.disk.saved->meta));
      for (auto& [bytes, covers] : x.disk.saved->chunks)
        must(x.core->load_chunk(bytes, covers));
    }
    for (auto& entry : x.disk.log)
      if (entry.index > x.core->replay_start().index)
        must(x.core->replay(std::make_shared<const log_entry>(entry),
                            x.disk.committed));
    must(x.core->recovered());
  }

  void crash(const std::string& id) {
    auto& x = nodes.at(id);
    x.up = false;
    x.disk.crash();
    x.local.clear();
    x.open.clear();
    x.core.reset();
  }

  /// With a new disk.
  void wipe(const std::string& id) {
    auto& x = nodes.at(id);
    x.disk = {};
    x.self.disk += "'";
  }

  // -- effects

  void carry_out(const std::string& id) {
    auto& node = nodes.at(id);
    if (!node.up)
      return;
    for (auto& x : node.core->take_effects())
      std::visit(
        [&](auto& y) {
          carry_out(id, node, y);
        },
        x);
  }

  template <class Write>
  void carry_out(const std::string&, world_node& node, Write& x) {
    node.disk.put(std::move(x));
  }

  void carry_out(const std::string& id, world_node&, peer_send& x) {
    network.push_back({id, x.node, std::move(x.message)});
  }

  void carry_out(const std::string& id, world_node&, coordinator_send& x) {
    to_coordinator.push_back({id, std::move(x.message)});
  }

  void carry_out(const std::string&, world_node& node,
                 producers_acknowledge& x) {
    copies = x.copies;
    for (auto& producer : x.producers) {
      auto& last = acknowledged[producer];
      last
        = std::max(last, node.core->state().producers().find(producer)->last);
    }
  }

  void carry_out(const std::string& id, world_node& node, journal_read& x) {
    node.local.push_back([this, id, x] {
      auto& self = nodes.at(id);
      while (self.disk.waiting() > 0)
        sync_one(id);
      self.core->log_read(x.node, self.disk.read(x.from, 3), now);
    });
  }

  void carry_out(const std::string& id, world_node& node, copy_open& x) {
    node.local.push_back([this, id, x] {
      auto& self = nodes.at(id);
      if (!self.disk.saved)
        return self.core->copy_opened(x.node, x.transfer, {}, 0, now);
      self.open[x.node] = *self.disk.saved;
      self.core->copy_opened(x.node, x.transfer, self.disk.saved->meta,
                             self.disk.saved->chunks.size(), now);
    });
  }

  void carry_out(const std::string& id, world_node& node, copy_read_chunk& x) {
    node.local.push_back([this, id, x] {
      auto& self = nodes.at(id);
      auto open = self.open.find(x.node);
      if (open == self.open.end())
        return;
      auto& [bytes, covers] = open->second.chunks[x.number];
      self.core->copy_read(x.node, x.transfer, x.number, bytes, covers, now);
    });
  }

  void carry_out(const std::string&, world_node& node, copy_close& x) {
    node.open.erase(x.node);
  }

  // -- steps

  /// Makes one write of a node durable, and tells it.
  void sync_one(const std::string& id) {
    auto& node = nodes.at(id);
    auto news = node.disk.sync_one();
    if (!news)
      return;
    if (auto stored = std::get_if<log_position>(&*news))
      node.core->stored(*stored, now);
    else if (auto promised = std::get_if<uint64_t>(&*news))
      node.core->record_stored(*promised, now);
    else if (auto refused = std::get_if<failure>(&*news))
      node.core->not_stored(*refused, now);
    else {
      ++node.installed;
      node.core->copy_installed(std::get<new_copy_install>(*news).transfer,
                                now);
    }
    carry_out(id);
  }

  void sync(const std::string& id) {
    while (nodes.at(id).up && nodes.at(id).disk.waiting() > 0)
      sync_one(id);
  }

  void answer_locally(const std::string& id) {
    auto& local = nodes.at(id).local;
    while (!local.empty()) {
      auto f = std::move(local.front());
      local.pop_front();
      f();
      carry_out(id);
    }
  }

  bool passes(const std::string& from, const std::string& to) const {
    return cut_off.count({from, to}) == 0 && cut_off.count({to, from}) == 0;
  }

  void deliver(size_t i) {
    auto x = std::move(network[i]);
    network.erase(network.begin() + static_cast<ptrdiff_t>(i));
    deliver(x);
  }

  void deliver(const letter& x) {
    auto to = nodes.find(x.to);
    if (to == nodes.end() || !to->second.up || !passes(x.from, x.to))
      return;
    to->second.core->receive(x.message, now);
    carry_out(x.to);
  }

  void announce(const std::string& id) {
    if (!nodes.at(id).up || store.configs.count(0) == 0)
      return;
    at(id).announce({store.configs[0], goals}, now);
    carry_out(id);
  }

  void announce() {
    for (auto& [id, x] : nodes)
      announce(id);
  }

  /// The coordinator takes its oldest letter.
  void coordinate() {
    auto x = std::move(to_coordinator.front());
    to_coordinator.pop_front();
    if (!coordinator_up)
      return;
    if (auto report = std::get_if<fence_report>(&x.message)) {
      reports.push_back(*report);
      return;
    }
    auto& asked = std::get<proposal>(x.message);
    proposals.push_back(asked);
    if (refusal.empty())
      must(store.compare_and_set(0, asked.expected, asked.next));
    if (!answers_get_through || !nodes.at(x.from).up)
      return;
    at(x.from).decide({store.configs[0], refusal}, now);
    carry_out(x.from);
    announce();
  }

  /// Everything that is on its way arrives, and every disk keeps up.
  void settle() {
    for (auto busy = true; busy;) {
      busy = false;
      for (auto& [id, x] : nodes) {
        carry_out(id);
        if (!x.up)
          continue;
        busy = busy || x.disk.waiting() > 0 || !x.local.empty();
        sync(id);
        answer_locally(id);
      }
      busy = busy || !network.empty() || !to_coordinator.empty();
      while (!network.empty())
        deliver(0);
      while (!to_coordinator.empty())
        coordinate();
    }
  }

  void tick(int64_t ms) {
    now += ms;
    for (auto& [id, x] : nodes)
      if (x.up) {
        x.core->tick(now);
        carry_out(id);
      }
  }

  /// Time goes by, and everything goes well.
  void pass(int64_t ms) {
    for (auto end = now + ms; now < end;) {
      announce();
      tick(100);
      settle();
    }
  }

  // -- configurations

  /// Whoever decides has decided.
  void configure(const std::string& primary, const std::vector<member>& members,
                 const std::vector<node_disk>& eligible = {},
                 uint32_t min_copies = 1) {
    auto& x = store.configs[0];
    auto epoch = x.epoch + 1;
    for (auto& [id, node] : nodes)
      if (node.up)
        epoch = std::max(epoch, node.core->report().promised + 1);
    x = {0, epoch, primary, members, eligible, min_copies};
  }

  const shard_config& config() {
    return store.configs[0];
  }

  /// These nodes are members, the first one the primary, which serves.
  void serve(const std::vector<std::string>& ids, uint32_t min_copies = 1) {
    auto members = std::vector<member>{};
    for (auto& id : ids) {
      if (nodes.count(id) == 0)
        add(id);
      members.push_back(identity(id));
    }
    configure(ids.front(), members, {}, min_copies);
    announce();
    settle();
  }

  /// The primary fails, and `id` takes its place among those who remain.
  void promote(const std::string& id, std::vector<member> members,
               std::vector<node_disk> eligible = {}) {
    configure(id, std::move(members), std::move(eligible), config().min_copies);
    announce();
  }

  // -- producers

  /// Records `after` + 1 to `after` + n, of an entity each.
  std::string block(producer_id producer, uint64_t after, uint64_t n) const {
    auto records = std::vector<plain_record>{};
    for (auto i = after + 1; i <= after + n; ++i)
      records.push_back(event("e" + std::to_string(i), world_now, 1));
    return block_of({0, producer, 1, after, after + n}, records);
  }

  offer send(const std::string& id, uint64_t after, uint64_t n = 1,
             producer_id producer = {1, 2}) {
    auto bytes = std::make_shared<const std::string>(block(producer, after, n));
    auto res = at(id).admit_block(*bytes, bytes, world_now);
    carry_out(id);
    return res;
  }

  uint64_t acked(producer_id producer = {1, 2}) {
    return acknowledged[producer];
  }

  /// Readings that the replica's windows hold.
  uint64_t counted(const std::string& id) {
    return at(id).state().ledger().accepted;
  }

  /// Positions of committed entries never change, wherever they are seen.
  void check_committed() {
    for (auto& [id, x] : nodes) {
      if (!x.up)
        continue;
      auto& applied = x.core->state().applied();
      auto [known, is_new]
        = committed_chains.emplace(applied.index, applied.chain);
      CHECK((is_new || known->second == applied.chain));
    }
  }
};

} // namespace weir::test
