#include "test/simulate/simulation.hpp"

#include "test/simulate/describe.hpp"

namespace weir::test {

namespace {

/// One letter each.
constexpr auto node_names = std::string_view{"abcd"};

/// A third of what is usual, so that as much happens in a third of the time.
replica_options quick_options() {
  auto res = replica_options{};
  res.heartbeat = 70;
  res.stall_timeout = 700;
  res.resend_after = 170;
  res.hand_over_timeout = 300;
  res.join_timeout = 300;
  res.copy_timeout = 700;
  // A few entries.
  res.part_bytes = 300;
  return res;
}

} // namespace

simulation::simulation(uint64_t seed, trace::mode how)
  : random_(seed),
    around_(std::make_shared<surroundings>()),
    epochs_seen_(shards),
    led_by_(shards) {
  around_->notes = trace{how};
  wishes_.replicas = any_number_of_copies();
  wishes_.replace_after = 1'000;
  wishes_.settle = 500;
  wishes_.repeat = 200;
  trust_.failure_timeout = 700;
  trust_.flapping_deaths = 4;
  trust_.flapping_window = 10'000;
  trust_.backup_only_min = 2'000;
  trust_.backup_only_max = 8'000;
  window_wishes_.every = 1'000;
  window_wishes_.lateness = 500;
  window_wishes_.idle_after = 3'000;
  roughness_ = 5 + dice(30);
  for (auto i = size_t{0}; i < producers; ++i)
    producers_.emplace_back(i, shards, input_size);
  for (auto name : node_names)
    machines_[std::string(1, name)].pace = 950 + dice(101);
  for (auto i = uint32_t{0}; i < shards; ++i) {
    auto& x = *shards_.emplace_back(
      std::make_unique<world>(around_, i, uint32_t{shards}));
    x.options = quick_options();
    for (auto& [id, machine] : machines_)
      x.add(id);
    rules_.push_back(std::make_unique<rules>(x, producers_));
    x.on_acknowledge = [this, &x](auto& node, auto& news) {
      rules_[x.number]->acknowledged(node, news);
      acknowledge(x, node, news);
    };
  }
  found();
}

uint32_t simulation::dice(uint32_t n) {
  return static_cast<uint32_t>(random_() % n);
}

bool simulation::chance(uint32_t percent) {
  return !quiet_ && dice(100) < percent;
}

std::string simulation::any_node() {
  return std::string(1, node_names[any(node_names.size())]);
}

/// Mostly so many that something can go wrong between them.
uint32_t simulation::any_number_of_copies() {
  return dice(5) == 0 ? 1 : 2 + dice(2);
}

world& simulation::any_shard() {
  return *shards_[dice(shards)];
}

uint64_t simulation::committed() const {
  auto res = uint64_t{0};
  for (auto& x : rules_)
    res += x->committed();
  return res;
}

bool simulation::runs(const std::string& id) const {
  return shards_.front()->nodes.at(id).up
         && around_->now >= machines_.at(id).stands_until;
}

bool simulation::hears(const std::string& from, const std::string& to) const {
  return shards_.front()->passes(from, to);
}

void simulation::run() {
  for (auto i = uint32_t{0}; i < events; ++i)
    step();
  recover();
  for (auto& x : rules_)
    x->check_end();
  check_windows();
  check_sessions();
}

void simulation::check() {
  for (auto& x : shards_)
    check(*x);
}

void simulation::check(world& x) {
  auto& config = x.config();
  if (config.epoch != epochs_seen_[x.number]) {
    epochs_seen_[x.number] = config.epoch;
    note("shard {} now: {}", x.number, describe(config));
    auto& leader = led_by_[x.number];
    if (!leader.empty() && leader != config.primary)
      ++failovers_;
    leader = config.primary;
  }
  rules_[x.number]->check();
}

void simulation::pass_time(int64_t ms) {
  around_->now += ms;
  for (auto& [id, x] : machines_) {
    auto stands = around_->now < x.stands_until;
    auto gained
      = stands && x.clock_stands ? -ms : ms * (x.pace - 1'000) / 1'000;
    for (auto& shard : shards_) {
      auto& node = shard->nodes.at(id);
      node.ahead += gained;
      if (node.up && !stands) {
        node.core->tick(shard->clock(id));
        shard->carry_out(id);
      }
    }
  }
}

void simulation::step() {
  auto id = any_node();
  auto& x = any_shard();
  auto& node = x.nodes.at(id);
  switch (dice(18)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      for (auto n = 0; n < 2 && !x.network.empty(); ++n)
        pass_letter(x);
      if (is_copying(x) && chance(10))
        interrupt_copy(x);
      break;
    case 5:
    case 6:
    case 7:
      if (runs(id) && node.disk.waiting() > 0
          && dice(machines_[id].disk_slowness) == 0)
        x.sync_one(id);
      break;
    case 8:
      if (runs(id) && !node.local.empty()) {
        auto f = std::move(node.local.front());
        node.local.pop_front();
        f();
        x.carry_out(id);
      }
      break;
    case 9:
      answer_proposals(x);
      break;
    case 10:
      if (!instructions_.empty())
        instruct(chance(20) ? any(instructions_.size()) : 0);
      return check();
    case 11:
      pass_time(3 + dice(20));
      if (chance(1))
        ease();
      beat(id);
      plan();
      if (dice(2) == 0 && !node.up)
        start(id);
      return check();
    case 12:
    case 13:
      work(producers_[any(producers)]);
      break;
    case 14:
      if (!appends_.empty())
        pass_append(chance(20) ? any(appends_.size()) : 0);
      return check();
    case 15:
      take_seal();
      answer_seals(id);
      take_sealed();
      break;
    case 16:
      if (chance(30))
        query(x, id);
      if (node.up)
        rules_[x.number]->check_same(node);
      for (auto& y : shards_)
        if (chance(60))
          checkpoint(*y, id);
      if (chance(5))
        pass_late_letter();
      if (chance(20))
        pass_boast(x);
      if (chance(50))
        hear_of_broken_link();
      break;
    default:
      if (chance(roughness_) && dice(6) == 0) {
        hurt();
        return check();
      }
      break;
  }
  check(x);
}

} // namespace weir::test
