#include "test/simulate/rule.hpp"
#include "test/simulate/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>

// The work of a simulation's shards: readings, questions and checkpoints.

namespace weir::test {

/// Seldom enough that most runs come to send something: a run begins only when
/// all shards have answered.
bool simulation::is_killed() {
  return chance(1) && dice(5) == 0;
}

void simulation::work(producer& x) {
  using phase = producer::phase;
  switch (x.state()) {
    case phase::away:
      return open(x);
    case phase::asking:
      if (is_killed())
        return x.kill();
      return ask(x);
    case phase::ending:
      return report(x);
    case phase::ended:
      // Somebody starts it again, from the beginning.
      if (chance(3))
        open(x);
      return;
    case phase::sending:
      break;
  }
  if (is_killed()) {
    note("{} is killed", x.name());
    return x.kill();
  }
  auto what = dice(quiet_ ? 3 : 12);
  if (what == 1)
    return report(x);
  if (what == 2)
    // It does not know what became of what it sent.
    for (auto i = uint32_t{0}; i < shards; ++i)
      if (!x.out().empty(i))
        x.out().restart(i, x.out().attempt(i));
  if (what != 2 && x.out().bytes() < 2'000)
    x.read(1 + dice(6));
  if (x.state() == phase::sending)
    send(x);
}

void simulation::open(producer& x) {
  if (around_->now < coordinator_stands_until_)
    return;
  auto known = sessions_->open(x.id(), x.name(), wall());
  if (!known)
    return;
  static_cast<void>(windows_->open_session(x.id(), wall()));
  if (chance(10))
    return; // The answer is lost: the next one has a greater number.
  note("{} begins session {}", x.name(), known->session);
  x.open(*known);
}

/// Producers hear of a new primary sooner or later; what was under way to the
/// old one goes out again.
simulation::route& simulation::learn_route(producer& x, uint32_t shard) {
  auto& known = routes_[{x.id(), shard}];
  auto& config = shards_[shard]->config();
  if (config.epoch > known.epoch && !chance(30)) {
    known = {config.primary, config.epoch};
    if (x.state() == producer::phase::sending)
      x.out().restart(shard, x.out().attempt(shard));
  }
  return known;
}

/// A primary takes what was sent to it under an epoch since it leads, but not
/// what was meant for a later one.
bool simulation::leads(world& x, const route& by) const {
  if (by.node.empty() || !runs(by.node))
    return false;
  auto& core = x.at(by.node);
  return core.leads_since() > 0 && core.leads_since() <= by.epoch
         && by.epoch <= core.config().epoch;
}

/// A shard takes the session into its log, and then says what it has.
void simulation::ask(producer& x) {
  auto& to = *shards_[*x.to_ask()];
  auto& by = learn_route(x, to.number);
  if (!leads(to, by) || chance(10))
    return;
  auto res = to.at(by.node).admit_session(x.id(), x.session(),
                                          world_now + to.clock(by.node));
  to.carry_out(by.node);
  if (res.code == ec::stale_session)
    throw broken_rule{"the newest session is not refused", res.text};
  if (res.code != ec::none || chance(10))
    return;
  auto known = to.at(by.node).state().producers().find(x.id());
  if (known != nullptr && known->session == x.session())
    x.resumes_after(to.number, known->last);
}

void simulation::send(producer& x) {
  for (auto shard = uint32_t{0}; shard < shards; ++shard) {
    auto& by = learn_route(x, shard);
    while (auto block = x.out().take(shard))
      appends_.push_back({static_cast<size_t>(&x - producers_.data()),
                          x.session(), shard, x.out().attempt(shard), by.node,
                          by.epoch, block->bytes});
  }
}

void simulation::pass_append(size_t i) {
  auto letter = appends_[i];
  if (!chance(3)) // Else it comes twice.
    appends_.erase(appends_.begin() + static_cast<ptrdiff_t>(i));
  auto& from = producers_[letter.producer];
  auto& to = *shards_[letter.shard];
  if (chance(3) || !leads(to, {letter.node, letter.epoch}))
    return;
  auto& core = to.at(letter.node);
  auto res = core.admit_block(*letter.bytes, letter.bytes,
                              world_now + to.clock(letter.node));
  if (res.code != ec::none)
    note("{} refuses a block of {} for shard {}: {}", letter.node, from.name(),
         to.number, res.text);
  to.carry_out(letter.node);
  if (chance(10) || from.state() != producer::phase::sending
      || from.session() != letter.session)
    return;
  switch (res.code) {
    case ec::none:
      return;
    case ec::stale_session:
    case ec::not_found:
    case ec::malformed:
      throw broken_rule{"a primary knows the sessions that it has confirmed",
                        res.text};
    case ec::sequence_gap:
      if (auto again
          = from.out().restart_after(to.number, letter.attempt, res.last);
          !again)
        throw broken_rule{"what was acknowledged to a producer stays in the "
                          "log",
                          again.error().text};
      return;
    default:
      from.out().restart(to.number, letter.attempt);
  }
}

/// A primary's answer to its producers, be it lost.
void simulation::acknowledge(world& x, const world_node& node,
                             const producers_acknowledge& news) {
  for (auto& input : producers_) {
    auto& ids = news.producers;
    auto known = node.core->state().producers().find(input.id());
    if (std::find(ids.begin(), ids.end(), input.id()) != ids.end()
        && known != nullptr && !chance(10))
      input.acknowledged(x.number, known->last);
  }
}

void simulation::report(producer& x) {
  if (around_->now < coordinator_stands_until_ || chance(10))
    return;
  auto news = x.report();
  auto taken = sessions_->report(news, wall());
  if (!taken) {
    if (taken.error().code == ec::stale_session)
      throw broken_rule{"the newest session is not refused",
                        taken.error().text};
    return;
  }
  reported_[{x.name(), x.session()}] = {news.malformed, news.duplicate};
  auto times = session_times{};
  times.greatest = news.greatest;
  times.ended = news.ended;
  auto noted = windows_->report_session(x.id(), times, news.flush, wall());
  if (news.ended && noted && !chance(10))
    x.finish();
}

void simulation::query(world& x, const std::string& id) {
  auto& node = x.nodes.at(id);
  if (!runs(id))
    return;
  auto& input = producers_[any(producers)];
  auto& record = input.input()[any(input.input().size())];
  if (record.what == input_record::kind::plain && record.shard == x.number)
    rules_[x.number]->check_answer(node, input, record);
}

void simulation::check_sessions() {
  auto malformed = uint64_t{0};
  auto duplicate = uint64_t{0};
  for (auto& [session, x] : reported_) {
    malformed += x.first;
    duplicate += x.second;
  }
  if (sessions_->malformed() != malformed
      || sessions_->duplicate() != duplicate)
    throw broken_rule{"the ledger has all that sessions reported",
                      fmt::format("of {} malformed and {} duplicate readings "
                                  "it has {} and {}",
                                  malformed, duplicate, sessions_->malformed(),
                                  sessions_->duplicate())};
}

void simulation::checkpoint(world& x, const std::string& id) {
  auto& node = x.nodes.at(id);
  if (!runs(id) || node.disk.full || node.disk.failing
      || node.core->report().failed || node.core->state().applied().index == 0)
    return;
  auto complete = false;
  for (auto chunks = 1 + dice(4); chunks > 0 && !complete; --chunks)
    complete = node.disk.save_more(node.core->state(), 2);
  if (!complete)
    return;
  auto upto = std::min(node.disk.saved->meta.from_index - 1,
                       node.core->log_needed_after());
  note("{} has a checkpoint of shard {}, from {} to {}, and forgets up to {}",
       id, x.number, node.disk.saved->meta.from_index,
       node.disk.saved->meta.end.index, upto);
  node.disk.truncate(upto);
  node.core->truncated(upto);
}

} // namespace weir::test
