#include "cluster/replica.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

namespace weir {

replica::replica(member self, uint32_t shard, uint32_t shards,
                 replica_options options)
  : self_(std::move(self)),
    shard_(shard),
    shards_(shards),
    options_(options),
    copy_(std::make_unique<shard_copy>(shard, shards)) {
  record_.config.shard = shard;
}

effects replica::take_effects() {
  return std::exchange(effects_, {});
}

replica_context replica::context() {
  return {self_, shard_, &options_, copy_.get(), &effects_};
}

// -- recovery

void replica::load_record(const replica_record& x) {
  record_ = x;
}

result<void> replica::load_meta(const shard_meta& x) {
  return copy_->load_meta(x);
}

result<void> replica::load_chunk(std::string_view chunk, uint64_t covers) {
  return copy_->load_chunk(chunk, covers);
}

const log_position& replica::replay_start() const {
  return copy_->state().applied();
}

result<void> replica::replay(entry_ptr x, uint64_t committed) {
  return copy_->replay(std::move(x), committed);
}

result<void> replica::recovered() {
  if (auto res = copy_->finish_recovery(); !res)
    return res;
  record_.promised
    = std::max({record_.promised, record_.config.epoch, copy_->tail().epoch});
  promised_on_disk_ = record_.promised;
  committed_ = copy_->state().applied().index;
  return {};
}

void replica::fail_for_good(failure why) {
  failed_ = std::move(why);
  if (leadership_)
    leadership_->resign(now_);
}

// -- promises and configurations

void replica::write_record() {
  effects_.push_back(record_write{record_});
}

void replica::promise(uint64_t epoch) {
  if (epoch <= record_.promised)
    return;
  record_.promised = epoch;
  write_record();
  step_down();
}

void replica::promise(const fence& x) {
  if (failed_.code != ec::none)
    return;
  promise(x.epoch);
  fenced_ = std::max(fenced_, x.epoch);
  answer_fence();
}

void replica::answer_fence() {
  // While a new copy takes the place of the old one, it can't be said which of
  // them a restart would find.
  auto installing = rebuild_ && rebuild_->installing();
  if (fenced_ == 0 || promised_on_disk_ < record_.promised || installing)
    return;
  fenced_ = 0;
  effects_.push_back(
    coordinator_send{fence_report{shard_, record_.promised, self_,
                                  copy_->stored(), copy_->state().applied()}});
}

void replica::record_stored(uint64_t promised, int64_t now) {
  now_ = now;
  promised_on_disk_ = std::max(promised_on_disk_, promised);
  answer_fence();
  if (!leadership_)
    acknowledge(false);
}

void replica::announce(const announcement& x, int64_t now) {
  now_ = now;
  take_config(x.config);
  judge(x.config);
  if (leadership_ && x.config.epoch == record_.config.epoch)
    leadership_->pursue(x.goals, now);
}

void replica::decide(const decision& x, int64_t now) {
  now_ = now;
  take_config(x.present);
  if (leadership_ && x.present.epoch == record_.config.epoch
      && !x.refused.empty())
    leadership_->refused(now);
}

void replica::take_config(const shard_config& x) {
  if (x.shard != shard_ || x.epoch <= record_.config.epoch)
    return;
  record_.config = x;
  record_.promised = std::max(record_.promised, x.epoch);
  write_record();
  take_up_role();
}

void replica::judge(const shard_config& x) {
  if (failed_.code == ec::none || x.shard != shard_)
    return;
  auto ours = [this](auto& y) {
    return y.node == self_.node && y.disk == self_.disk;
  };
  auto counts = std::any_of(x.members.begin(), x.members.end(), ours)
                || std::any_of(x.eligible.begin(), x.eligible.end(), ours);
  // Whoever has followed in this very epoch may be about to become a member;
  // whoever has promised a later one, to be elected.
  auto is_late = x.epoch < std::max(record_.promised, copy_->tail().epoch)
                 || x.epoch <= std::max(followed_epoch_, part_through_);
  expendable_ = !counts && !is_late;
}

bool replica::may_lead() const {
  auto& config = record_.config;
  auto known = std::find(config.members.begin(), config.members.end(), self_);
  return failed_.code == ec::none && config.primary == self_.node
         && known != config.members.end()
         && !(rebuild_ && rebuild_->installing());
}

void replica::take_up_role() {
  auto& config = record_.config;
  // An epoch is led by one life of one process only, and never again after a
  // greater one was promised.
  if (!may_lead() || record_.promised > config.epoch
      || copy_->tail().epoch >= config.epoch)
    return step_down();
  abandon_rebuild();
  matched_.reset();
  if (leadership_)
    leadership_->begin_epoch(config, now_);
  else
    leadership_.emplace(context(), config, now_);
}

void replica::step_down() {
  if (leadership_)
    leadership_->end();
  leadership_.reset();
}

void replica::renew() {
  // It is the primary of an epoch that it can't lead: because it died in
  // between, or had promised another one that never came.
  if (leadership_ || !may_lead() || now_ - renewed_at_ < options_.resend_after)
    return;
  renewed_at_ = now_;
  auto next = record_.config;
  next.epoch
    = std::max({next.epoch, record_.promised, copy_->tail().epoch}) + 1;
  effects_.push_back(
    coordinator_send{proposal{self_, next, record_.config.epoch}});
}

bool replica::drop(const drop_copy& x) const {
  // Whoever was counted on in that epoch, or could have become so, holds an
  // entry of it or has followed its primary.
  return x.shard == shard_ && x.epoch >= record_.promised
         && copy_->tail().epoch < x.epoch && followed_epoch_ < x.epoch
         && !leadership_;
}

// -- messages

void replica::receive(const peer_message& x, int64_t now) {
  now_ = now;
  std::visit(
    [this](auto& message) {
      using type = std::decay_t<decltype(message)>;
      if (message.shard != shard_)
        return;
      if constexpr (
        std::is_same_v<
          type,
          replicate> || std::is_same_v<type, copy_begin> || std::is_same_v<type, copy_chunk>) {
        receive(message);
      } else {
        if constexpr (std::is_same_v<type, not_followed>)
          promise(message.promised);
        if (leadership_)
          leadership_->receive(message, now_);
      }
    },
    x);
}

void replica::disconnected(const std::string& node, int64_t now) {
  now_ = now;
  if (!leadership_)
    return;
  leadership_->disconnected(node);
  leadership_->tick(now);
}

// -- the own disk

void replica::stored(const log_position& x, int64_t now) {
  now_ = now;
  if (!copy_->store(x))
    return;
  blocked_ = {};
  if (leadership_)
    return leadership_->stored(now);
  apply_committed();
  acknowledge(false);
}

void replica::not_stored(const failure& why, int64_t now) {
  now_ = now;
  if (why.code != ec::disk_full)
    return fail_for_good(why);
  // What follows is refused with the first one, again and again: that must not
  // put off the next attempt.
  if (blocked_.code == ec::none)
    blocked_since_ = retried_at_ = now;
  blocked_ = why;
}

void replica::retry_from_disk() {
  // What is about to replace the log must not be followed by the old one.
  auto installing = rebuild_ && rebuild_->installing();
  if (blocked_.code == ec::none || failed_.code != ec::none || installing)
    return;
  if (leadership_ && now_ - blocked_since_ >= options_.stall_timeout)
    leadership_->resign(now_);
  if (now_ - retried_at_ < options_.resend_after)
    return;
  retried_at_ = now_;
  auto& state = copy_->state();
  for (auto i = copy_->stored().index + 1; i <= state.tail().index; ++i)
    effects_.push_back(
      journal_append{state.uncommitted_at(i), state.applied().index});
}

void replica::log_read(const std::string& node,
                       const std::vector<entry_ptr>& entries, int64_t now) {
  now_ = now;
  if (leadership_)
    leadership_->log_read(node, entries, now);
}

void replica::copy_opened(const std::string& node, uint64_t transfer,
                          const std::optional<shard_meta>& meta,
                          uint64_t chunks, int64_t now) {
  now_ = now;
  if (leadership_)
    leadership_->copy_opened(node, transfer, meta, chunks, now);
}

void replica::copy_read(const std::string& node, uint64_t transfer,
                        uint64_t number, std::string bytes, uint64_t covers,
                        int64_t now) {
  now_ = now;
  if (leadership_)
    leadership_->copy_read(node, transfer, number, std::move(bytes), covers,
                           now);
}

void replica::truncated(uint64_t index) {
  copy_->drop(index);
}

// -- time

void replica::tick(int64_t now) {
  now_ = now;
  retry_from_disk();
  if (leadership_)
    leadership_->tick(now);
  else
    renew();
}

// -- as the primary

failure replica::refusal() const {
  if (failed_.code != ec::none)
    return {ec::unavailable, failed_.text};
  if (!leadership_)
    return {ec::unavailable, "it is not the primary"};
  if (blocked_.code != ec::none)
    return blocked_;
  return leadership_->obstacle();
}

bool replica::may_write() const {
  return leadership_ && !leadership_->closing() && failed_.code == ec::none
         && blocked_.code == ec::none;
}

offer replica::enter(offer x) {
  if (x.entry != nullptr)
    leadership_->appended(x.entry, now_);
  return x;
}

offer replica::admit_block(std::string_view bytes,
                           std::shared_ptr<const void> keep, time_ms wall) {
  if (auto no = refusal(); no.code != ec::none)
    return {no.code, nullptr, no.text};
  auto res = copy_->state().admit_block(bytes, std::move(keep), wall);
  if (res.code == ec::none && res.entry == nullptr) {
    // A duplicate of what is not committed yet is acknowledged with that.
    auto header = decode_block_header(bytes);
    auto known = copy_->state().producers().find(header->producer);
    if (known != nullptr && known->last >= header->position)
      acknowledge(header->producer);
  }
  return enter(std::move(res));
}

offer replica::admit_session(producer_id producer, uint64_t session,
                             time_ms wall) {
  if (auto no = refusal(); no.code != ec::none)
    return {no.code, nullptr, no.text};
  auto res = copy_->state().admit_session(producer, session, wall);
  if (res.code == ec::none && res.entry == nullptr) {
    auto known = copy_->state().producers().find(producer);
    if (known != nullptr && known->session >= session)
      acknowledge(producer);
  }
  return enter(std::move(res));
}

void replica::acknowledge(producer_id producer) {
  auto copies = static_cast<uint32_t>(record_.config.members.size());
  effects_.push_back(producers_acknowledge{{producer}, copies});
}

// -- what is so

replica_role replica::role() const {
  if (leadership_)
    return replica_role::primary;
  auto& config = record_.config;
  auto is_member
    = std::find(config.members.begin(), config.members.end(), self_)
      != config.members.end();
  if (is_member && config.epoch == record_.promised)
    return replica_role::backup;
  return followed_epoch_ > 0 && followed_epoch_ == record_.promised
           ? replica_role::learner
           : replica_role::idle;
}

bool replica::serving() const {
  return leadership_ && leadership_->serving() && failed_.code == ec::none;
}

std::string replica::trouble() const {
  if (serving())
    return {};
  return refusal().text;
}

uint64_t replica::leads_since() const {
  return leadership_ ? leadership_->since() : 0;
}

uint64_t replica::log_needed_after() const {
  return leadership_ ? leadership_->log_needed_after() : UINT64_MAX;
}

replica_report replica::report() const {
  auto res = replica_report{};
  res.shard = shard_;
  res.epoch = record_.config.epoch;
  res.promised = record_.promised;
  res.role = role();
  res.serving = serving();
  res.empty = copy_->state().empty();
  res.failed = failed_.code != ec::none;
  res.committed = copy_->state().applied();
  res.end = copy_->stored();
  res.text = res.role == replica_role::primary || res.failed ? refusal().text
                                                             : blocked_.text;
  return res;
}

} // namespace weir
