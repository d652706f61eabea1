#pragma once

#include "cluster/configurations.hpp"
#include "cluster/rollups.hpp"
#include "cluster/sessions.hpp"
#include "test/simulate/catalog.hpp"
#include "test/simulate/producer.hpp"
#include "test/simulate/rules.hpp"
#include "test/simulate/world.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

namespace weir::test {

/// Nodes, a coordinator and producers, to which everything happens that one
/// seed says. The same seed is the same story, on any machine.
class simulation {
public:
  /// On all nodes.
  static constexpr uint32_t shards = 3;

  static constexpr size_t producers = 3;

  /// Records of each producer's input.
  static constexpr uint64_t input_size = 200;

  /// Events before all goes well: enough for some twenty failovers.
  static constexpr uint32_t events = 10'000;

  explicit simulation(uint64_t seed, trace::mode how = trace::mode::off);

  simulation(const simulation&) = delete;
  simulation& operator=(const simulation&) = delete;

  /// Lets everything happen.
  /// @throws broken_rule
  void run();

  /// How often a shard got another primary.
  uint64_t failovers() const {
    return failovers_;
  }

  /// Entries of all shards.
  uint64_t committed() const;

  /// Windows with a final result.
  uint64_t finals() const {
    return catalog_.finals().size();
  }

  const trace& story() const {
    return around_->notes;
  }

private:
  /// A node as a process on a machine.
  struct machine_state {
    /// Its clock's pace, in thousandths of the right one.
    int64_t pace = 1'000;
    /// It does nothing until then, and its clock may stand still, too.
    int64_t stands_until = 0;
    bool clock_stands = false;
    /// Its disk is this many times slower than others.
    uint32_t disk_slowness = 1;
    /// The process has joined; and what it knows of windows since.
    bool joined = false;
    window_plan plan;
    time_ms final_through = before_time;
    time_ms sealed_through = before_time;
    /// Its shards that are to be sealed and have not answered yet.
    std::map<uint32_t, seal_range> sealing;
    /// An operator empties it, for what is damaged on its disk.
    bool emptied = false;
  };

  /// A connection to another node that is lost, and its end that has not heard
  /// of it yet.
  struct broken_link {
    std::string at;
    std::string to;
  };

  /// An instruction on its way, and up to where windows were sealed when it was
  /// given.
  struct instruction_letter {
    instruction what;
    time_ms sealed_through = before_time;
  };

  /// An operator has asked for this node to lead, whatever is lost by that.
  struct forced_leader {
    std::string node;
    uint64_t epoch = 0;
  };

  /// Who leads a shard, as far as a producer knows.
  struct route {
    std::string node;
    uint64_t epoch = 0;
  };

  /// A request to seal, on its way to a node.
  struct seal_letter {
    std::string node;
    uint32_t shard = 0;
    uint64_t epoch = 0;
    uint64_t plan_version = 0;
    seal_range range;
  };

  /// The answer.
  struct sealed_letter {
    std::string node;
    seal_range range;
    std::vector<uint32_t> shards;
    time_ms upto = 0;
    std::vector<window_partial> windows;
  };

  /// A message between replicas that comes late, perhaps a second time.
  struct late_letter {
    uint32_t shard = 0;
    world::letter letter;
  };

  uint32_t dice(uint32_t n);
  size_t any(size_t size) {
    return dice(static_cast<uint32_t>(size));
  }
  bool chance(uint32_t percent);
  std::string any_node();
  uint32_t any_number_of_copies();
  world& any_shard();
  bool runs(const std::string& id) const;
  bool hears(const std::string& from, const std::string& to) const;
  void step();
  void check();
  void check(world& x);
  void pass_time(int64_t ms);

  template <class... Ts>
  void note(fmt::format_string<Ts...> text, Ts&&... xs) {
    around_->notes.add(around_->now, text, std::forward<Ts>(xs)...);
  }

  // The coordinator: coordinator.cpp.
  void found();
  void join(const std::string& id);
  void beat(const std::string& id);
  void plan();
  void note_losses();
  void instruct(size_t i);
  void drop_copy_of(world& x, const std::string& id);
  void answer_proposals(world& x);
  int64_t coordinator_clock() const;

  // Windows over all entities: windows.cpp.
  time_ms wall() const;
  void found_windows();
  void enter_rules(world& x, const std::string& id);
  void ask_for_seals();
  void take_seal();
  void answer_seals(const std::string& id);
  void take_sealed();
  void change_windows();
  const char* missing_windows();
  void check_windows();

  // Producers: workload.cpp.
  bool is_killed();
  void work(producer& x);
  void open(producer& x);
  void ask(producer& x);
  route& learn_route(producer& x, uint32_t shard);
  bool leads(world& x, const route& by) const;
  void send(producer& x);
  void report(producer& x);
  void pass_append(size_t i);
  void acknowledge(world& x, const world_node& node,
                   const producers_acknowledge& news);
  void query(world& x, const std::string& id);
  void check_sessions();
  void checkpoint(world& x, const std::string& id);

  // What goes wrong: faults.cpp.
  void hurt();
  void ease();
  void crash(const std::string& id);
  void start(const std::string& id);
  void hear_of_broken_link();
  void lose_disk(const std::string& id);
  void spoil_disk(const std::string& id);
  void restart_actor(world& x, const std::string& id);
  void cut_off(const std::string& id);
  void hurt_disk(const std::string& id);
  void pause(const std::string& id);
  void cut_link(world& x);
  void change_copies();
  void pass_letter(world& x);
  void pass_late_letter();
  void pass_boast(world& x);

  // Stories of several troubles: stories.cpp.
  std::string newcomer(world& x);
  void restart_in_time(const std::string& id);
  void depose(world& x);
  void interrupt_copy(world& x);
  bool is_copying(world& x) const;
  void lead_twice(world& x);
  void promote_by_force(world& x);
  std::string heir(world& x) const;
  bool all_run(const shard_config& x) const;
  void go_on(world& x, bool with_work);

  // And right again: recover.cpp.
  void heal();
  void recover();
  void replace_damaged_disks();
  void empty_damaged_nodes();
  bool finish_all();
  bool finish_round();
  /// What is not as it should be after quiet, or null.
  const char* missing();
  const char* missing(world& x);
  std::string describe_all();

  std::mt19937_64 random_;
  std::shared_ptr<surroundings> around_;
  std::vector<producer> producers_;
  std::map<std::pair<producer_id, uint32_t>, route> routes_;
  std::vector<std::unique_ptr<world>> shards_;
  std::vector<std::unique_ptr<rules>> rules_;
  std::map<std::string, machine_state> machines_;
  /// How much goes wrong, in percent of the events that may.
  uint32_t roughness_ = 0;
  bool quiet_ = false;

  catalog catalog_;
  std::unique_ptr<configurations> coordinator_;
  std::unique_ptr<rollup_registry> windows_;
  std::unique_ptr<session_registry> sessions_;
  configuration_options wishes_;
  membership_options trust_;
  rollup_settings window_wishes_;
  /// It stands still until then.
  int64_t coordinator_stands_until_ = 0;
  int64_t coordinator_ahead_ = 0;
  std::deque<instruction_letter> instructions_;
  std::deque<seal_letter> seals_;
  std::deque<sealed_letter> sealed_;
  std::deque<append_letter> appends_;
  std::deque<late_letter> late_;
  /// By shard, who sent it and to whom: all acknowledgements of that life, by
  /// what they claim.
  std::map<std::tuple<uint32_t, std::string, std::string>,
           std::map<uint64_t, world::letter>>
    boasts_;
  std::deque<broken_link> broken_;
  /// By shard; each is promoted by force once in a story at most.
  std::map<uint32_t, forced_leader> forced_;
  /// What each session has reported, by producer and session: malformed,
  /// duplicate.
  std::map<std::pair<std::string, uint64_t>, std::pair<uint64_t, uint64_t>>
    reported_;
  /// Disks that are no more.
  std::vector<node_disk> lost_;

  uint64_t failovers_ = 0;
  std::vector<uint64_t> epochs_seen_;
  std::vector<std::string> led_by_;
};

} // namespace weir::test
