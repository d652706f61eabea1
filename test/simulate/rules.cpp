#include "test/simulate/rules.hpp"

#include "test/simulate/rule.hpp"

#include <fmt/format.h>

#include <string>

namespace weir::test {

namespace {

[[noreturn]] void broken(const char* rule, const std::string& how) {
  throw broken_rule{rule, how};
}

/// The chain value of an entry on a disk; nothing if it isn't in the log.
std::optional<uint64_t> chain_at(const memory_disk& disk, uint64_t index) {
  if (disk.log.empty() || index < disk.log.front().index
      || index > disk.log.back().index)
    return std::nullopt;
  return disk.log[static_cast<size_t>(index - disk.log.front().index)].chain;
}

bool in_checkpoint(const memory_disk& disk, uint64_t index) {
  return disk.saved && index <= disk.saved->meta.end.index;
}

std::string name_of(const member& x) {
  return fmt::format("{} (life {})", x.node, x.incarnation);
}

} // namespace

rules::rules(world& x) : world_(x) {
  world_.on_acknowledge = [this](auto& node, auto& news) {
    acknowledged(node, news);
  };
}

void rules::acknowledged(const world_node& node,
                         const producers_acknowledge& x) {
  if (node.core->role() != replica_role::primary)
    broken("only a primary acknowledges", name_of(node.self));
  auto epoch = node.core->config().epoch;
  auto [known, is_new] = acknowledged_.emplace(epoch, node.self);
  if (!is_new && !(known->second == node.self))
    broken("one primary acknowledges in an epoch",
           fmt::format("{} and {} did in epoch {}", name_of(known->second),
                       name_of(node.self), epoch));
  if (x.copies != node.core->config().members.size())
    broken("an acknowledgement names the copies that there are",
           fmt::format("{} said {}", name_of(node.self), x.copies));
  auto& applied = node.core->state().applied();
  if (applied.index > acknowledged_to_.index)
    acknowledged_to_ = applied;
}

void rules::check() {
  for (auto& [id, x] : world_.nodes)
    if (x.up) {
      check_leaders(x);
      check_applied(x);
    }
  for (auto& x : world_.config().members)
    check_in_sync(x);
}

void rules::check_leaders(const world_node& x) {
  if (!x.core->serving())
    return;
  auto epoch = x.core->config().epoch;
  auto [known, is_new] = served_.emplace(epoch, x.self);
  if (!is_new && !(known->second == x.self))
    broken("one primary serves in an epoch",
           fmt::format("{} and {} did in epoch {}", name_of(known->second),
                       name_of(x.self), epoch));
}

void rules::check_applied(const world_node& x) {
  auto& state = x.core->state();
  auto& applied = state.applied();
  auto [known, is_new] = chains_.emplace(applied.index, applied.chain);
  if (!is_new && known->second != applied.chain)
    broken("what is committed is the same everywhere",
           fmt::format("entry {} of {} is another one than before",
                       applied.index, name_of(x.self)));
  // Each record has a position and an entity of its own.
  auto& ledger = state.ledger();
  auto producer = state.producers().find({1, 2});
  auto last = producer != nullptr ? producer->last : 0;
  if (ledger.accepted != last)
    broken("each record is counted once",
           fmt::format("{} counts {} readings in {} records", name_of(x.self),
                       ledger.accepted, last));
}

void rules::check_in_sync(const member& x) {
  auto& node = world_.nodes.at(x.node);
  if (node.self.disk != x.disk)
    return; // It was destroyed.
  auto& disk = node.disk;
  if (auto to = acknowledged_to_.index; to > 0) {
    auto chain = chain_at(disk, to);
    if (chain ? *chain != acknowledged_to_.chain : !in_checkpoint(disk, to))
      broken("what was acknowledged is on the disk of each in-sync member",
             fmt::format("{} lacks entry {}", name_of(x), to));
  }
  // A chain value stands for all entries up to its own.
  if (disk.log.empty())
    return;
  auto known = chains_.upper_bound(disk.log.back().index);
  if (known == chains_.begin())
    return;
  --known;
  auto chain = chain_at(disk, known->first);
  if (chain && *chain != known->second)
    broken(
      "in-sync logs agree on what is committed",
      fmt::format("entry {} of {} is another one", known->first, name_of(x)));
}

void rules::check_end(uint64_t total) {
  for (auto& x : world_.config().members) {
    auto& state = world_.at(x.node).state();
    if (state.ledger().accepted != total || state.table().entities() != total)
      broken("nothing acknowledged is lost or doubled at the end",
             fmt::format("of {} records, {} counts {}, of {} entities", total,
                         name_of(x), state.ledger().accepted,
                         state.table().entities()));
  }
}

} // namespace weir::test
