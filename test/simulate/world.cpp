#include "test/simulate/world.hpp"

#include "cluster/block.hpp"
#include "cluster/peer_codec.hpp"
#include "cluster/sharding.hpp"
#include "test/simulate/describe.hpp"
#include "test/simulate/rule.hpp"

#include <algorithm>

namespace weir::test {

world::world(std::shared_ptr<surroundings> shared, uint32_t shard, uint32_t of)
  : around(std::move(shared)),
    number(shard),
    count(of),
    store(around->store),
    cut_off(around->cut_off),
    now(around->now),
    notes(around->notes) {
  // nop
}

member world::identity(const std::string& id) {
  return nodes.at(id).self;
}

replica& world::at(const std::string& id) {
  return *nodes.at(id).core;
}

void world::add(const std::string& id) {
  nodes[id].self = {id, "disk-" + id, 0};
  start(id);
}

void world::start(const std::string& id) {
  auto& x = nodes.at(id);
  x.up = true;
  ++x.self.incarnation;
  notes.add(now, "{} starts, life {}; its log of shard {} ends at {}", id,
            x.self.incarnation, number, x.disk.end().index);
  restart_actor(id);
}

void world::restart_actor(const std::string& id) {
  auto& x = nodes.at(id);
  x.local.clear();
  x.open.clear();
  x.disk.abandon_save();
  auto res = recover(x);
  x.damaged = !res && x.disk.damaged;
  if (x.damaged) {
    notes.add(now, "{} finds its copy of shard {} damaged: {}", id, number,
              res.error().text);
    return x.core->fail_for_good(res.error());
  }
  done(std::move(res));
  x.disk.damaged = false;
}

void world::announce(const std::string& id, const announcement& what) {
  auto& x = nodes.at(id);
  x.core->announce(what, clock(id));
  if (!x.damaged || !x.core->expendable() || x.disk.full || x.disk.failing)
    return;
  notes.add(now, "{} puts its copy of shard {} aside", id, number);
  ++x.quarantined;
  carry_out(id);
  while (x.disk.waiting() > 0)
    x.disk.sync_one();
  auto record = x.disk.record;
  x.disk = {};
  x.disk.record = record;
  restart_actor(id);
}

result<void> world::recover(world_node& x) {
  x.core = std::make_unique<replica>(x.self, number, count, options);
  x.core->load_record(x.disk.record);
  if (auto res = x.disk.check(); !res)
    return res;
  if (x.disk.saved) {
    if (auto res = x.core->load_meta(x.disk.saved->meta); !res)
      return res;
    for (auto& [bytes, covers] : x.disk.saved->chunks)
      if (auto res = x.core->load_chunk(bytes, covers); !res)
        return res;
  }
  for (auto& entry : x.disk.log)
    if (entry.index > x.core->replay_start().index)
      if (auto res = x.core->replay(std::make_shared<const log_entry>(entry),
                                    x.disk.committed);
          !res)
        return res;
  return x.core->recovered();
}

void world::crash(const std::string& id) {
  auto& x = nodes.at(id);
  notes.add(now, "{} crashes; {} writes are lost", id, x.disk.waiting());
  x.up = false;
  x.disk.crash();
  x.local.clear();
  x.open.clear();
  x.core.reset();
}

void world::wipe(const std::string& id) {
  auto& x = nodes.at(id);
  x.disk = {};
  x.self.disk += "'";
  notes.add(now, "{} loses its disk, and gets {}", id, x.self.disk);
}

void world::carry_out(const std::string& id) {
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

void world::carry_out(const std::string& id, world_node&, peer_send& x) {
  network.push_back({id, x.node, std::move(x.message)});
}

void world::carry_out(const std::string& id, world_node&, coordinator_send& x) {
  to_coordinator.push_back({id, std::move(x.message)});
}

void world::carry_out(const std::string& id, world_node& node,
                      producers_acknowledge& x) {
  if (on_acknowledge)
    on_acknowledge(node, x);
  copies = x.copies;
  for (auto& producer : x.producers) {
    auto known = node.core->state().producers().find(producer);
    if (known == nullptr)
      throw broken_rule{"what is acknowledged is committed",
                        id
                          + " acknowledges to a producer that it has nothing "
                            "of"};
    auto& last = acknowledged[producer];
    last = std::max(last, known->last);
    notes.add(now, "{} acknowledges record {}, on {} copies", id, known->last,
              x.copies);
  }
}

void world::carry_out(const std::string& id, world_node& node,
                      journal_read& x) {
  node.local.push_back([this, id, x] {
    auto& self = nodes.at(id);
    while (self.disk.waiting() > 0)
      sync_one(id);
    self.core->log_read(x.node, self.disk.read(x.from, 3), clock(id));
  });
}

void world::carry_out(const std::string& id, world_node& node, copy_open& x) {
  node.local.push_back([this, id, x] {
    auto& self = nodes.at(id);
    if (!self.disk.saved)
      return self.core->copy_opened(x.node, x.transfer, {}, 0, clock(id));
    self.open[x.node] = *self.disk.saved;
    self.core->copy_opened(x.node, x.transfer, self.disk.saved->meta,
                           self.disk.saved->chunks.size(), clock(id));
  });
}

void world::carry_out(const std::string& id, world_node& node,
                      copy_read_chunk& x) {
  node.local.push_back([this, id, x] {
    auto& self = nodes.at(id);
    auto open = self.open.find(x.node);
    if (open == self.open.end())
      return;
    auto& [bytes, covers] = open->second.chunks[x.number];
    self.core->copy_read(x.node, x.transfer, x.number, bytes, covers,
                         clock(id));
  });
}

void world::carry_out(const std::string&, world_node& node, copy_close& x) {
  node.open.erase(x.node);
}

void world::sync_one(const std::string& id) {
  auto& node = nodes.at(id);
  auto news = node.disk.sync_one();
  if (!news)
    return;
  notes.add(now, "{} has on its disk {}", id, describe(*news));
  if (auto stored = std::get_if<log_position>(&*news))
    node.core->stored(*stored, clock(id));
  else if (auto promised = std::get_if<uint64_t>(&*news))
    node.core->record_stored(*promised, clock(id));
  else if (auto refused = std::get_if<failure>(&*news))
    node.core->not_stored(*refused, clock(id));
  else {
    ++node.installed;
    node.core->copy_installed(std::get<new_copy_install>(*news).transfer,
                              clock(id));
  }
  carry_out(id);
}

void world::sync(const std::string& id) {
  while (nodes.at(id).up && nodes.at(id).disk.waiting() > 0)
    sync_one(id);
}

void world::answer_locally(const std::string& id) {
  auto& local = nodes.at(id).local;
  while (!local.empty()) {
    auto f = std::move(local.front());
    local.pop_front();
    f();
    carry_out(id);
  }
}

bool world::passes(const std::string& from, const std::string& to) const {
  return cut_off.count({from, to}) == 0 && cut_off.count({to, from}) == 0
         && around->one_way.count({from, to}) == 0;
}

void world::deliver(size_t i) {
  auto x = std::move(network[i]);
  network.erase(network.begin() + static_cast<ptrdiff_t>(i));
  deliver(x);
}

void world::deliver(const letter& x) {
  auto to = nodes.find(x.to);
  if (to == nodes.end() || !to->second.up || !passes(x.from, x.to))
    return;
  notes.add(now, "{} -> {}: {}", x.from, x.to, describe(x.message));
  // What is said is what is heard; not each time, for it takes time.
  constexpr auto encoded_each = 4;
  if (++delivered % encoded_each == 0) {
    auto bytes
      = std::make_shared<const std::string>(encode_peer_message(x.message));
    to->second.core->receive(done(decode_peer_message(bytes)), clock(x.to));
  } else {
    to->second.core->receive(x.message, clock(x.to));
  }
  carry_out(x.to);
}

void world::announce(const std::string& id) {
  if (!nodes.at(id).up || store.configs.count(number) == 0)
    return;
  announce(id, {store.configs[number], goals});
  carry_out(id);
}

void world::announce() {
  for (auto& [id, x] : nodes)
    announce(id);
}

void world::coordinate() {
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
    done(store.compare_and_set(asked.expected, asked.next));
  if (!answers_get_through || !nodes.at(x.from).up)
    return;
  at(x.from).decide({store.configs[number], refusal}, clock(x.from));
  carry_out(x.from);
  announce();
}

void world::settle() {
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

void world::tick(int64_t ms) {
  now += ms;
  tick_all();
}

void world::tick_all() {
  for (auto& [id, x] : nodes)
    if (x.up) {
      x.core->tick(clock(id));
      carry_out(id);
    }
}

void world::pass(int64_t ms) {
  for (auto end = now + ms; now < end;) {
    announce();
    tick(100);
    settle();
  }
}

void world::configure(const std::string& primary,
                      const std::vector<member>& members,
                      const std::vector<node_disk>& eligible,
                      uint32_t min_copies) {
  auto& x = store.configs[number];
  auto epoch = x.epoch + 1;
  for (auto& [id, node] : nodes)
    if (node.up)
      epoch = std::max(epoch, node.core->report().promised + 1);
  x = {number, epoch, primary, members, eligible, min_copies};
}

const shard_config& world::config() {
  return store.configs[number];
}

void world::serve(const std::vector<std::string>& ids, uint32_t min_copies) {
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

void world::promote(const std::string& id, std::vector<member> members,
                    std::vector<node_disk> eligible) {
  configure(id, std::move(members), std::move(eligible), config().min_copies);
  announce();
}

std::string world::block(producer_id producer, uint64_t after,
                         uint64_t n) const {
  auto builder = block_builder{};
  auto value = field{default_metric, number::of(int64_t{1})};
  for (auto i = after + 1; i <= after + n; ++i) {
    auto entity = "e" + std::to_string(i);
    builder.add(entity, entity_hash(entity), world_now, &value, 1);
  }
  return builder.finish({number, producer, 1, after, after + n});
}

offer world::send(const std::string& id, uint64_t after, uint64_t n,
                  producer_id producer) {
  auto bytes = std::make_shared<const std::string>(block(producer, after, n));
  auto res = at(id).admit_block(*bytes, bytes, world_now);
  notes.add(now, "{} is sent records {} to {}{}", id, after + 1, after + n,
            res.code == ec::none ? "" : ", and refuses: " + res.text);
  carry_out(id);
  return res;
}

uint64_t world::acked(producer_id producer) {
  return acknowledged[producer];
}

uint64_t world::counted(const std::string& id) {
  return at(id).state().ledger().accepted;
}

} // namespace weir::test
