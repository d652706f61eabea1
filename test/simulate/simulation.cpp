#include "test/simulate/simulation.hpp"

#include "test/simulate/describe.hpp"

namespace weir::test {

simulation::simulation(uint64_t seed, trace::mode how)
  : random_(seed), rules_(*this) {
  notes = trace{how};
  wishes_.replicas = 1 + dice(3);
  wishes_.replace_after = 3'000;
  options.part_bytes = 300;
  options.copy_timeout = 2'000;
  for (auto id : {"a", "b", "c", "d"})
    add(id);
  found();
}

uint32_t simulation::dice(uint32_t n) {
  return static_cast<uint32_t>(random_() % n);
}

bool simulation::chance(uint32_t percent) {
  return !quiet_ && dice(100) < percent;
}

std::string simulation::any_node() {
  return std::string(1, "abcd"[dice(4)]);
}

void simulation::run() {
  for (auto i = uint32_t{0}; i < events; ++i)
    step();
  recover();
  rules_.check_end(total_);
}

void simulation::check() {
  auto& now_led = config();
  if (now_led.epoch != epoch_seen_) {
    epoch_seen_ = now_led.epoch;
    notes.add(now, "now: {}", describe(now_led));
    if (!led_by_.empty() && led_by_ != now_led.primary)
      ++failovers_;
    led_by_ = now_led.primary;
  }
  rules_.check();
}

void simulation::step() {
  auto id = any_node();
  auto& node = nodes.at(id);
  switch (dice(12)) {
    case 0:
    case 1:
    case 2:
    case 3:
      if (!network.empty())
        pass_letter();
      break;
    case 4:
    case 5:
      if (node.up && node.disk.waiting() > 0)
        sync_one(id);
      break;
    case 6:
      if (node.up && !node.local.empty()) {
        auto f = std::move(node.local.front());
        node.local.pop_front();
        f();
        carry_out(id);
      }
      break;
    case 7:
      if (!to_coordinator.empty())
        answer_proposals();
      break;
    case 8:
      if (!instructions_.empty())
        instruct(chance(20) ? dice(static_cast<uint32_t>(instructions_.size()))
                            : 0);
      break;
    case 9:
      tick(10 + dice(60));
      beat(id);
      plan();
      if (dice(2) == 0 && !node.up)
        start(id);
      break;
    case 10:
      produce(dice(3) == 0               ? id
              : config().primary.empty() ? id
                                         : config().primary);
      break;
    default:
      if (chance(6))
        hurt();
      if (chance(3))
        checkpoint(id);
      break;
  }
  check();
}

} // namespace weir::test
