#include "actors/shard_host.hpp"

#include "actors/clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

// A shard and its producers: what it takes of them, and whom it tells to go
// elsewhere.

namespace weir {

namespace {

/// Producers that are told who leads, of those that were refused. The others
/// ask the coordinator.
constexpr size_t refused_max = 10'000;

} // namespace

bool shard_host_state::serving() const {
  return phase_ == phase::ready && replica_->serving();
}

std::string shard_host_state::not_serving() const {
  switch (phase_) {
    case phase::recovering:
      return fmt::format("shard {} is recovering on node {}", context_.shard,
                         context_.node_name);
    case phase::failed:
      return fmt::format("shard {} on node {}: {}", context_.shard,
                         context_.node_name, trouble_);
    case phase::dropped:
      return fmt::format("shard {} has left node {}", context_.shard,
                         context_.node_name);
    case phase::ready:
      break;
  }
  if (replica_->serving())
    return {};
  auto why = replica_->trouble();
  return fmt::format("shard {} on node {}: {}", context_.shard,
                     context_.node_name,
                     why.empty() ? "it is about to lead" : why);
}

void shard_host_state::refuse(const caf::strong_actor_ptr& to, append_ack ack,
                              ec code, std::string text) const {
  ack.code = code;
  ack.text = std::move(text);
  self_->send(caf::actor_cast<producer_actor>(to), std::move(ack));
}

/// The node to go to, if that is clear: one that leads says so when it serves.
std::string shard_host_state::who_serves() const {
  auto& primary = replica_->config().primary;
  auto clear = phase_ == phase::ready
               && (primary != context_.self.node
                   || (serving() && !replica_->hands_over()));
  return clear ? primary : std::string{};
}

/// A refusal names who serves the shard, now or as soon as that is known.
/// @param epoch that the sender knows: of an older one it wants no news
void shard_host_state::redirect(const caf::strong_actor_ptr& to, append_ack ack,
                                uint64_t epoch, ec code, std::string text) {
  if (epoch <= replica_->config().epoch)
    ack.primary = who_serves();
  auto may_change = phase_ == phase::recovering || phase_ == phase::ready;
  if (!ack.primary.empty())
    code = ec::stale_epoch;
  else if (may_change && refused_.size() < refused_max)
    refused_[ack.producer] = {to, ack.attempt, ack.session, 0, epoch};
  refuse(to, std::move(ack), code, std::move(text));
}

void shard_host_state::redirect_refused() {
  if (refused_.empty() || who_serves().empty())
    return;
  auto ack = append_ack{};
  ack.shard = context_.shard;
  ack.epoch = replica_->config().epoch;
  ack.primary = who_serves();
  for (auto i = refused_.begin(); i != refused_.end();) {
    auto& x = i->second;
    if (x.epoch > ack.epoch) {
      ++i;
      continue;
    }
    ack.producer = i->first;
    ack.session = x.session;
    ack.attempt = x.attempt;
    refuse(x.actor, ack, ec::stale_epoch,
           fmt::format("shard {} has a primary in epoch {}", context_.shard,
                       ack.epoch));
    i = refused_.erase(i);
  }
}

bool shard_host_state::turn_away(const caf::strong_actor_ptr& to,
                                 const append_ack& ack, uint64_t epoch) {
  auto since = replica_->leads_since();
  auto present = replica_->config().epoch;
  // Whoever knows an older primary must ask who is the present one; which
  // epoch of this one's it knows does not matter.
  auto wrong
    = phase_ == phase::ready && since > 0 && (epoch < since || epoch > present);
  if (!wrong && serving())
    return false;
  if (phase_ == phase::failed || phase_ == phase::dropped) {
    refuse(to, ack,
           phase_ == phase::dropped ? ec::stale_epoch : ec::unavailable,
           not_serving());
    return true;
  }
  auto text = wrong ? fmt::format("shard {} is in epoch {}, not {}",
                                  context_.shard, present, epoch)
                    : not_serving();
  auto elsewhere = phase_ == phase::ready && since == 0;
  redirect(to, ack, epoch,
           wrong || elsewhere ? ec::stale_epoch : ec::unavailable,
           std::move(text));
  return true;
}

void shard_host_state::append(const local_block& x) {
  auto ack = append_ack{};
  ack.shard = context_.shard;
  ack.epoch = replica_->config().epoch;
  ack.attempt = x.attempt;
  auto header = decode_block_header(*x.bytes);
  if (!header)
    return refuse(x.reply_to, std::move(ack), header.error().code,
                  header.error().text);
  ack.producer = header->producer;
  ack.session = header->session;
  if (turn_away(x.reply_to, ack, x.epoch))
    return;
  auto res = replica_->admit_block(*x.bytes, x.bytes, wall_clock());
  if (res.code != ec::none) {
    ack.last = res.last;
    auto where = res.code == ec::disk_full || res.code == ec::busy
                   ? fmt::format("node {}: ", context_.node_name)
                   : std::string{};
    if (replica_->hands_over())
      return redirect(x.reply_to, std::move(ack), x.epoch, res.code,
                      where + res.text);
    return refuse(x.reply_to, std::move(ack), res.code, where + res.text);
  }
  // What it repeats may be committed while what came after it is not.
  auto& from = callers_[header->producer];
  auto position = from.session == header->session
                    ? std::max(from.position, header->position)
                    : header->position;
  from = {x.reply_to, x.attempt, header->session, position};
  act();
}

void shard_host_state::open(const open_session& x,
                            caf::strong_actor_ptr sender) {
  auto ack = append_ack{};
  ack.shard = context_.shard;
  ack.epoch = replica_->config().epoch;
  ack.producer = x.producer;
  ack.session = x.session;
  if (turn_away(sender, ack, x.epoch))
    return;
  auto res = replica_->admit_session(x.producer, x.session, wall_clock());
  if (res.code != ec::none)
    return refuse(sender, std::move(ack), res.code, std::move(res.text));
  callers_[x.producer] = {std::move(sender), 0, x.session, 0};
  act();
}

} // namespace weir
