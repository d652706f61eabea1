#include "test/simulate/rules.hpp"

#include "cluster/sharding.hpp"
#include "test/simulate/rule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
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

bool holds(const memory_disk& disk, uint64_t index, uint64_t known) {
  if (index == 0)
    return true;
  auto chain = chain_at(disk, index);
  return chain ? *chain == known : in_checkpoint(disk, index);
}

/// About all of an entity's readings.
sliding_answer answer_of(const shard& x, const std::string& entity) {
  auto ignored = time_ms{0};
  return x.average(entity, entity_hash(entity), default_metric, std::nullopt,
                   x.settings().verdicts.retention, 0, world_now, ignored);
}

/// Who is who, whatever `member` takes for the same.
bool same(const member& x, const member& y) {
  return x.node == y.node && x.disk == y.disk && x.incarnation == y.incarnation;
}

} // namespace

rules::rules(world& x, const std::vector<producer>& inputs)
  : world_(x), inputs_(inputs) {
  // nop
}

void rules::acknowledged(const world_node& node,
                         const producers_acknowledge& x) {
  if (node.core->role() != replica_role::primary)
    broken("only a primary acknowledges", name_of(node.self));
  auto epoch = node.core->config().epoch;
  auto [known, is_new] = acknowledged_.emplace(epoch, node.self);
  if (!is_new && !same(known->second, node.self))
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
  if (!is_new && !same(known->second, x.self))
    broken("one primary serves in an epoch",
           fmt::format("{} and {} did in epoch {}", name_of(known->second),
                       name_of(x.self), epoch));
  auto committed = x.core->state().applied().epoch;
  if (committed < x.core->leads_since())
    broken("who serves has committed an entry of its own",
           fmt::format("{} leads since epoch {}, the last one is of epoch {}",
                       name_of(x.self), x.core->leads_since(), committed));
}

void rules::check_applied(const world_node& x) {
  auto& state = x.core->state();
  auto& applied = state.applied();
  if (lost_.count(applied.chain) == 0) {
    auto [known, is_new] = committed_.emplace(applied.index, applied);
    if (!is_new && known->second.chain != applied.chain)
      broken("what is committed is the same everywhere",
             fmt::format("entry {} of {} is another one than before",
                         applied.index, name_of(x.self)));
  }
  auto& ledger = state.ledger();
  auto wanted = uint64_t{0};
  for (auto& input : inputs_)
    if (auto found = state.producers().find(input.id()); found != nullptr)
      wanted += input.records(world_.number, found->last);
  if (ledger.total() != wanted)
    broken("each record is counted once",
           fmt::format("{} counts {} readings in {} records", name_of(x.self),
                       ledger.total(), wanted));
  in_windows_ = std::max(in_windows_, state.rollup_ledger().in);
  auto windows = state.rollup_ledger().total();
  if (windows != ledger.accepted + ledger.late)
    broken("each reading is in a window, late or outside, once",
           fmt::format("{} counts {} of {}", name_of(x.self), windows,
                       ledger.accepted + ledger.late));
}

void rules::spoiled(const member& x) {
  spoiled_[{x.node, x.disk}] = x.incarnation;
}

void rules::give_up_all_but(const std::string& node) {
  auto& kept = world_.nodes.at(node).disk;
  auto give_up = [&](const log_position& x) {
    if (!holds(kept, x.index, x.chain))
      lost_.insert(x.chain);
  };
  for (auto& [id, x] : world_.nodes) {
    for (auto& entry : x.disk.log)
      give_up({entry.index, entry.epoch, entry.chain});
    if (x.disk.saved)
      give_up(x.disk.saved->meta.end);
    if (!x.up || id == node)
      continue;
    auto& state = x.core->state();
    give_up(state.applied());
    for (auto i = state.applied().index + 1; i <= state.tail().index; ++i) {
      auto entry = state.uncommitted_at(i);
      give_up({entry->index, entry->epoch, entry->chain});
    }
  }
  for (auto i = committed_.begin(); i != committed_.end();) {
    give_up(i->second);
    i = lost_.count(i->second.chain) > 0 ? committed_.erase(i) : std::next(i);
  }
  if (lost_.count(acknowledged_to_.chain) > 0)
    acknowledged_to_
      = committed_.empty() ? log_position{} : committed_.rbegin()->second;
  world_.acknowledged.clear();
  // It may have crashed again: then nobody knows what it has.
  auto& core = world_.nodes.at(node).core;
  auto kept_in = core != nullptr ? core->state().rollup_ledger().in : 0;
  lost_in_ = in_windows_ - std::min(in_windows_, kept_in);
}

bool rules::is_spoiled(const member& x) const {
  auto known = spoiled_.find({x.node, x.disk});
  return known != spoiled_.end() && x.incarnation <= known->second;
}

log_position rules::given_up_on(const world_node& x) const {
  auto& config = world_.config();
  auto is_here = [&](auto& y) {
    return y.node == x.self.node && y.disk == x.self.disk;
  };
  auto res = log_position{};
  if (std::none_of(config.members.begin(), config.members.end(), is_here)
      && std::none_of(config.eligible.begin(), config.eligible.end(), is_here))
    return res;
  if (x.disk.saved && lost_.count(x.disk.saved->meta.end.chain) > 0)
    res = x.disk.saved->meta.end;
  for (auto& entry : x.disk.log)
    if (lost_.count(entry.chain) > 0)
      res = {entry.index, entry.epoch, entry.chain};
  return res;
}

bool rules::survives_without(const std::string& node, bool members_only) const {
  auto last = given_up_on(world_.nodes.at(node));
  if (committed_.empty() && last.index == 0)
    return true;
  if (!committed_.empty() && committed_.rbegin()->first >= last.index)
    last = committed_.rbegin()->second;
  auto counts = [&](const std::string& id, const std::string& disk) {
    auto& x = world_.nodes.at(id);
    return id != node && x.self.disk == disk && !x.disk.damaged
           && holds(x.disk, last.index, last.chain);
  };
  auto& config = world_.config();
  for (auto& x : config.members)
    if (counts(x.node, x.disk))
      return true;
  // What is committed in this epoch, the primary knows to be so, and may be
  // about to say that nobody else is needed.
  if (members_only || last.epoch >= config.epoch)
    return false;
  for (auto& x : config.eligible)
    if (counts(x.node, x.disk))
      return true;
  return false;
}

void rules::check_in_sync(const member& x) const {
  auto& node = world_.nodes.at(x.node);
  if (node.self.disk != x.disk || is_spoiled(x))
    return; // It was destroyed, or has lost its end at rest.
  auto& disk = node.disk;
  if (!holds(disk, acknowledged_to_.index, acknowledged_to_.chain))
    broken(
      "what was acknowledged is on the disk of each in-sync member",
      fmt::format("{} lacks entry {}", name_of(x), acknowledged_to_.index));
  // A chain value stands for all entries up to its own.
  if (disk.log.empty())
    return;
  auto known = committed_.upper_bound(disk.log.back().index);
  if (known == committed_.begin())
    return;
  --known;
  auto chain = chain_at(disk, known->first);
  if (chain && *chain != known->second.chain)
    broken(
      "in-sync logs agree on what is committed",
      fmt::format("entry {} of {} is another one", known->first, name_of(x)));
}

void rules::check_answer(const world_node& x, const producer& input,
                         const input_record& record) const {
  auto answer = answer_of(x.core->state(), record.entity);
  auto acknowledged = world_.acknowledged.find(input.id());
  auto least = uint64_t{0};
  // One that was replaced and has not heard of it answers as of then.
  auto leads
    = x.core->serving() && x.core->config().epoch == world_.config().epoch;
  if (leads && acknowledged != world_.acknowledged.end())
    least = input.readings(record.entity, world_.number, acknowledged->second);
  auto most
    = input.readings(record.entity, world_.number, input.sent(world_.number));
  if (answer.count < least || answer.count > most)
    broken("an answer has all that was acknowledged, and no more than was sent",
           fmt::format("{} counts {} readings of {}; {} were acknowledged, {} "
                       "were sent",
                       name_of(x.self), answer.count, record.entity, least,
                       most));
}

void rules::check_same(const world_node& x) const {
  // What is known to be damaged is asked nothing.
  if (x.core->report().failed)
    return;
  auto& mine = x.core->state();
  for (auto& [id, node] : world_.nodes) {
    if (!node.up || node.core->report().failed
        || !(node.core->state().applied() == mine.applied()))
      continue;
    auto& state = node.core->state();
    if (state.table().digest() != mine.table().digest()
        || state.rollups().digest() != mine.rollups().digest())
      broken("replicas that have applied the same are the same",
             fmt::format("{} and {} are not at entry {}", name_of(x.self), id,
                         mine.applied().index));
  }
}

/// Nothing lost, nothing twice, nothing invented: each record has a value of
/// its own, so that their sum tells which ones there are.
void rules::check_end(const world_node& x, const producer& input,
                      const std::string& entity) const {
  auto answer = answer_of(x.core->state(), entity);
  auto all = input.input().size();
  auto sum = std::llround(answer.average * static_cast<double>(answer.count));
  if (answer.count != input.readings(entity, world_.number, all)
      || sum != input.sum(entity, world_.number, all))
    broken("in the end an average is that of each record, once",
           fmt::format("{} counts {} readings of {}, whose sum is {}",
                       name_of(x.self), answer.count, entity, sum));
}

void rules::check_end() {
  for (auto& x : world_.config().members) {
    auto& node = world_.nodes.at(x.node);
    auto& state = node.core->state();
    check_same(node);
    for (auto& input : inputs_) {
      auto known = state.producers().find(input.id());
      auto had
        = known != nullptr ? input.records(world_.number, known->last) : 0;
      if (had != input.records(world_.number, input.input().size()))
        broken("nothing acknowledged is lost at the end",
               fmt::format("{} has {} records of {}", name_of(x), had,
                           input.name()));
      for (auto& record : input.input())
        if (record.what == input_record::kind::plain
            && record.shard == world_.number)
          check_end(node, input, record.entity);
    }
  }
}

} // namespace weir::test
