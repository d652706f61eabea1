#include "test/simulate/rule.hpp"
#include "test/simulate/simulation.hpp"

#include <fmt/format.h>

#include <algorithm>

// Windows over all entities: what the coordinator and the nodes of a simulation
// say to one another of plans, seals and totals.

namespace weir::test {

namespace {

/// Totals in one answer, in bytes: few windows, so that several are needed.
constexpr size_t answer_bytes = 300;

} // namespace

time_ms simulation::wall() const {
  return world_now + coordinator_clock();
}

void simulation::found_windows() {
  windows_ = std::make_unique<rollup_registry>(
    shards, [this](auto& record, auto& finals) {
      return catalog_.save(record, finals);
    });
  if (auto known = catalog_.rollup())
    windows_->load(std::move(*known), window_wishes_, wall());
  else
    done(windows_->create(window_wishes_, wall()));
}

/// What a primary enters without being asked.
void simulation::enter_rules(world& x, const std::string& id) {
  auto& core = x.at(id);
  auto& machine = machines_[id];
  auto enter = [&](auto f) {
    core.admit(f);
    x.carry_out(id);
  };
  enter([](shard& y) {
    auto settings = shard_settings{};
    settings.version = 1;
    return y.admit_settings(settings);
  });
  enter([&](shard& y) {
    return y.admit_plan(machine.plan);
  });
  enter([&](shard& y) {
    return y.admit_seal({before_time, machine.sealed_through, false});
  });
  if (core.serving())
    enter([&](shard& y) {
      return y.admit_release(machine.final_through);
    });
}

void simulation::ask_for_seals() {
  // What could not be stored is tried again.
  static_cast<void>(windows_->advance(wall()));
  static_cast<void>(windows_->seal());
  auto& sealer = windows_->sealer();
  if (!sealer.range())
    return;
  for (auto shard : sealer.due(wall())) {
    auto& config = coordinator_->config(shard);
    if (!chance(5))
      seals_.push_back({config.primary, shard, config.epoch,
                        windows_->plan().version(), *sealer.range()});
  }
}

void simulation::take_seal() {
  if (seals_.empty())
    return;
  auto i = static_cast<ptrdiff_t>(chance(20) ? any(seals_.size()) : 0);
  auto letter = seals_[static_cast<size_t>(i)];
  seals_.erase(seals_.begin() + i);
  auto& machine = machines_[letter.node];
  auto& x = *shards_[letter.shard];
  if (!runs(letter.node) || !machine.joined
      || !hears("coordinator", letter.node)
      || letter.plan_version > machine.plan.version())
    return;
  auto& core = x.at(letter.node);
  if (!core.serving() || core.config().epoch != letter.epoch)
    return; // Whoever waits asks again.
  note("{} seals shard {} up to {}", letter.node, x.number,
       letter.range.through);
  core.admit([&](shard& y) {
    return y.admit_plan(machine.plan);
  });
  x.carry_out(letter.node);
  core.admit([&](shard& y) {
    return y.admit_seal(letter.range);
  });
  x.carry_out(letter.node);
  machine.sealing[x.number] = letter.range;
  if (!letter.range.single)
    machine.sealed_through
      = std::max(machine.sealed_through, letter.range.through);
}

/// Shards of a node that have sealed the same answer together.
void simulation::answer_seals(const std::string& id) {
  auto& waiting = machines_[id].sealing;
  if (!runs(id) || waiting.empty())
    return;
  auto letter = sealed_letter{};
  letter.node = id;
  for (auto i = waiting.begin(); i != waiting.end();) {
    auto& [number, range] = *i;
    auto& core = shards_[number]->at(id);
    auto fits = letter.shards.empty() || letter.range == range;
    if (!fits || !core.serving() || !core.state().sealed(range)) {
      ++i;
      continue;
    }
    auto upto = time_ms{0};
    auto windows = core.state().rollups().sealed(range.after, range.through,
                                                 answer_bytes, upto);
    letter.upto = letter.shards.empty() ? upto : std::min(letter.upto, upto);
    letter.range = range;
    letter.shards.push_back(number);
    merge(letter.windows, windows);
    i = waiting.erase(i);
    if (chance(30))
      break;
  }
  if (letter.shards.empty())
    return;
  auto& windows = letter.windows;
  windows.erase(std::remove_if(windows.begin(), windows.end(),
                               [&](auto& y) {
                                 return y.bounds.end > letter.upto;
                               }),
                windows.end());
  sealed_.push_back(std::move(letter));
}

void simulation::take_sealed() {
  if (sealed_.empty() || around_->now < coordinator_stands_until_)
    return;
  auto i = chance(20) ? any(sealed_.size()) : 0;
  auto letter = sealed_[i];
  if (!chance(5)) // Else it comes twice.
    sealed_.erase(sealed_.begin() + static_cast<ptrdiff_t>(i));
  if (chance(5) || !hears(letter.node, "coordinator"))
    return;
  if (!windows_->sealer().take(letter.range, letter.shards, letter.upto,
                               letter.windows))
    return;
  auto finals = windows_->finish();
  if (finals)
    for (auto& x : *finals)
      note("the window from {} to {} is final, with {} readings",
           x.bounds.start, x.bounds.end, readings_of(x));
}

/// An operator changes the windows' duration, or closes one by hand.
void simulation::change_windows() {
  auto done = result<void>{};
  if (dice(2) == 0) {
    auto next = window_wishes_;
    next.every = 500 * (1 + dice(4));
    done = windows_->configure(next);
    if (done) {
      note("windows shall be of {} ms", next.every);
      window_wishes_ = next;
    }
    return;
  }
  auto& input = producers_[any(producers)].input();
  auto time = input[any(input.size())].time;
  if (auto closed = windows_->close_window(time))
    note("the window up to {} is closed by hand", closed->end);
}

const char* simulation::missing_windows() {
  auto counted = uint64_t{0};
  for (auto& [end, x] : catalog_.finals())
    counted += readings_of(x);
  auto in = uint64_t{0};
  for (auto& x : shards_)
    in += x->at(x->config().primary).state().rollup_ledger().in;
  // More than there are is a rule of its own.
  return counted < in ? "when all goes well, every reading is in a final result"
                      : nullptr;
}

void simulation::check_windows() {
  auto counted = uint64_t{0};
  for (auto& [end, x] : catalog_.finals()) {
    auto readings = uint64_t{0};
    auto sum = int128{0};
    for (auto& input : producers_)
      for (auto& record : input.input())
        if ((record.what == input_record::kind::plain
             || record.what == input_record::kind::old)
            && record.time >= x.bounds.start && record.time < end) {
          ++readings;
          sum += record.value;
        }
    auto here = readings_of(x);
    counted += here;
    auto wrong = here == readings && here > 0
                 && !(x.metrics.front().total.lower<sum_aggregate>()
                      == aggregate_value::of(sum));
    if (here > readings || wrong)
      throw broken_rule{
        "a final result has each of its readings once",
        fmt::format("the one up to {} has {} of {}", end, here, readings)};
  }
  auto in = uint64_t{0};
  for (auto& x : shards_)
    in += x->at(x->config().primary).state().rollup_ledger().in;
  auto lost = uint64_t{0};
  for (auto& x : rules_)
    lost += x->lost_in();
  if (counted < in || counted > in + lost)
    throw broken_rule{"each reading that entered a window is in one final "
                      "result",
                      fmt::format("{} did, {} are", in, counted)};
}

} // namespace weir::test
