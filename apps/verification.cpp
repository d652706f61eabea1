#include "apps/verification.hpp"

#include "apps/exit_codes.hpp"
#include "apps/status_text.hpp"
#include "apps/window_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir {

namespace {

/// Whether the same question may be answered later.
bool is_passing(const failure& x) {
  return to_exit_code(x.code) == exit_code::unreachable;
}

std::string listed(const std::vector<std::string>& xs) {
  auto res = std::string{};
  for (auto& x : xs)
    res += (res.empty() ? "" : ", ") + x;
  return res;
}

} // namespace

verification::verification(cluster_status before)
  : before_(std::move(before)), shards_(before_.shards.size()) {
  for (auto& x : before_.shards) {
    if (x.shard >= shards_.size() || x.state == "unavailable")
      continue;
    auto& members = shards_[x.shard].members;
    auto add_member = [&](const std::string& name) {
      auto node = find_node(before_, name);
      if (node != nullptr && node->state != "down")
        members.push_back(name);
    };
    add_member(x.primary);
    for (auto& name : x.backups)
      add_member(name);
  }
}

// -- what nodes say

void verification::add(const std::string& node, const shard_check& x) {
  if (x.shard >= shards_.size())
    return;
  auto& to = shards_[x.shard];
  if (std::find(to.members.begin(), to.members.end(), node) == to.members.end())
    return;
  auto& at = to.copies[node];
  at.trouble = {x.code, x.text};
  if (x.code != ec::none) {
    if (!is_passing(at.trouble))
      to.wrong.insert(
        fmt::format("shard {} on node {}: {}", x.shard, node, x.text));
    return;
  }
  at.last = x;
  at.seen = true;
  at.journal_entries = std::max(at.journal_entries, x.journal_entries);
  compare(to, x.shard, node, x);
  check_counts(to, node, x);
  check_journal(to, node, x);
}

void verification::compare(entry& to, uint32_t shard, const std::string& node,
                           const shard_check& x) {
  auto& there = to.sights[x.applied.index];
  for (auto& other : there) {
    auto where = other.node == node
                   ? fmt::format("shard {} on node {} has changed without its "
                                 "log:",
                                 shard, node)
                   : fmt::format("shard {} on nodes {} and {}:", shard,
                                 other.node, node);
    if (other.chain != x.applied.chain)
      to.wrong.insert(fmt::format("{} two logs differ up to entry {}", where,
                                  x.applied.index));
    else if (other.digest != x.digest)
      to.wrong.insert(fmt::format("{} the same log has made two states of it "
                                  "at entry {}",
                                  where, x.applied.index));
  }
  auto known = std::any_of(there.begin(), there.end(), [&](auto& other) {
    return other.node == node;
  });
  if (!known)
    there.push_back({node, x.applied.chain, x.digest});
}

void verification::check_counts(entry& to, const std::string& node,
                                const shard_check& x) {
  auto judged = x.ledger.accepted + x.ledger.late;
  if (judged != x.rollup.total())
    to.wrong.insert(
      fmt::format("shard {} on node {}: {} readings were accepted or late, but "
                  "windows over all entities account for {}",
                  x.shard, node, judged, x.rollup.total()));
}

void verification::check_journal(entry& to, const std::string& node,
                                 const shard_check& x) {
  if (x.journal_entries == 0)
    return;
  // `end` was asked for before the journal was read.
  auto last = x.journal_from + x.journal_entries - 1;
  if (last < x.end.index)
    to.wrong.insert(
      fmt::format("shard {} on node {}: its journal ends at entry {}, but "
                  "entry {} was durable",
                  x.shard, node, last, x.end.index));
}

void verification::add_unreachable(const std::string& node,
                                   const failure& why) {
  unreachable_[node] = why;
}

// -- how far that is enough

bool verification::is_compared(const entry& x) const {
  if (x.members.empty())
    return true;
  auto reached = std::set<std::string>{};
  for (auto& [index, sights] : x.sights) {
    if (reached.empty() && !sights.empty())
      reached.insert(sights.front().node);
  }
  // Equality passes on: what A and B had at one index, B and C may have at
  // another one.
  for (auto before = size_t{0}; before != reached.size();) {
    before = reached.size();
    for (auto& [index, sights] : x.sights) {
      auto met = std::any_of(sights.begin(), sights.end(), [&](auto& y) {
        return reached.count(y.node) > 0;
      });
      if (met)
        for (auto& y : sights)
          reached.insert(y.node);
    }
  }
  return reached.size() == x.members.size();
}

std::vector<uint32_t> verification::open() const {
  auto res = std::vector<uint32_t>{};
  for (auto i = size_t{0}; i < shards_.size(); ++i)
    if (shards_[i].wrong.empty() && !is_compared(shards_[i]))
      res.push_back(static_cast<uint32_t>(i));
  return res;
}

size_t verification::copies() const {
  auto res = size_t{0};
  for (auto& x : shards_)
    for (auto& [node, at] : x.copies)
      res += at.seen ? 1 : 0;
  return res;
}

uint64_t verification::journal_entries() const {
  auto res = uint64_t{0};
  for (auto& x : shards_)
    for (auto& [node, at] : x.copies)
      res += at.journal_entries;
  return res;
}

// -- what comes of it

void verification::conclude_copies(findings& to) const {
  // Shards by the nodes that were never seen at a common index.
  auto moved_on = std::map<std::string, std::vector<uint32_t>>{};
  for (auto i = size_t{0}; i < shards_.size(); ++i) {
    auto& x = shards_[i];
    auto shard = static_cast<uint32_t>(i);
    to.wrong.insert(to.wrong.end(), x.wrong.begin(), x.wrong.end());
    if (!x.wrong.empty() || is_compared(x))
      continue;
    auto complete = true;
    for (auto& node : x.members) {
      auto at = x.copies.find(node);
      if (at != x.copies.end() && at->second.seen)
        continue;
      complete = false;
      if (unreachable_.count(node) > 0)
        continue;
      auto why = at != x.copies.end() ? at->second.trouble.text
                                      : std::string{"it holds no copy now"};
      to.unchecked.push_back(
        fmt::format("shard {} on node {}: {}", shard, node, why));
    }
    if (complete)
      moved_on[listed(x.members)].push_back(shard);
  }
  for (auto& [nodes, shards] : moved_on)
    to.unchecked.push_back(
      fmt::format("{}: the copies on {} moved on, and were never seen at the "
                  "same entry; try again when fewer readings come",
                  shards_text(shards), nodes));
  for (auto& [node, why] : unreachable_)
    to.unchecked.push_back(
      fmt::format("node {} could not be asked: {}", node, why.text));
}

void verification::conclude_status(const cluster_status& after,
                                   findings& to) const {
  for (auto& x : after.shards)
    if (x.state == "unavailable" || x.state == "recovering")
      (x.state == "unavailable" ? to.wrong : to.unchecked)
        .push_back(fmt::format("shard {} is {}: {}", x.shard, x.state, x.text));
  for (auto& node : after.nodes)
    if (!node.trouble.empty())
      to.wrong.push_back(fmt::format("node {}: {}", node.name, node.trouble));
  // One node alone was never meant to hold two copies.
  auto possible = std::min<size_t>(copies_wanted(after), after.nodes.size());
  for (auto& x : shortages(after))
    (x.copies < possible ? to.wrong : to.notes).push_back(sentence(x));
}

/// Nothing came while the nodes were asked.
bool verification::is_quiet(const cluster_status& after) const {
  if (after.shards.size() != shards_.size()
      || before_.shards.size() != shards_.size())
    return false;
  for (auto i = size_t{0}; i < shards_.size(); ++i) {
    auto at = shards_[i].copies.find(after.shards[i].primary);
    if (at == shards_[i].copies.end() || !at->second.seen
        || before_.shards[i].index != after.shards[i].index
        || at->second.last.applied.index != after.shards[i].index)
      return false;
  }
  return true;
}

void verification::conclude_totals(const cluster_status& after,
                                   findings& to) const {
  auto& ledger = after.ledger;
  auto judged = ledger.accepted + ledger.late;
  if (judged != after.rollup.total())
    to.wrong.push_back(
      fmt::format("{} readings were accepted or late, but windows over all "
                  "entities account for {}",
                  judged, after.rollup.total()));
  if (!is_quiet(after)) {
    to.notes.push_back("the log grew meanwhile, or not all primaries "
                       "answered: counts were compared shard by shard, and "
                       "not in total");
    return;
  }
  auto sum = verdict_counts{};
  auto rollup = rollup_counts{};
  for (auto& x : after.shards) {
    auto& last = shards_[x.shard].copies.at(x.primary).last;
    sum += last.ledger;
    rollup += last.rollup;
  }
  if (sum.accepted != ledger.accepted || sum.late != ledger.late
      || sum.future != ledger.future || sum.refused != ledger.refused
      || !(rollup == after.rollup))
    to.wrong.push_back(
      fmt::format("the shards hold {} accepted readings and {} late ones, but "
                  "the cluster's ledger has {} and {}",
                  sum.accepted, sum.late, ledger.accepted, ledger.late));
}

findings verification::conclude(const cluster_status& after,
                                const window_list& windows) const {
  auto res = findings{};
  conclude_status(after, res);
  conclude_copies(res);
  conclude_totals(after, res);
  check_windows(windows, res);
  return res;
}

void check_windows(const window_list& x, findings& to) {
  if (!x.missing.empty())
    to.wrong.push_back(
      fmt::format("{} did not tell what is in windows that are not final",
                  shards_text(x.missing)));
  auto shards = std::vector<window_holder>{};
  for (auto& y : x.held_by)
    if (y.kind == window_holder::what::shard
        || y.kind == window_holder::what::plan)
      shards.push_back(y);
  for (auto& text : sentences(std::move(shards)))
    to.notes.push_back("windows wait: " + text);
}

} // namespace weir
