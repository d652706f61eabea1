#pragma once

#include "cluster/configurations.hpp"
#include "test/simulate/rules.hpp"
#include "test/simulate/world.hpp"

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace weir::test {

/// Replicas, a coordinator and a producer, to which everything happens that one
/// seed says. The same seed is the same story, on any machine.
class simulation : private world {
public:
  /// Events before all goes well: enough for some ten failovers.
  static constexpr uint32_t events = 4'000;

  explicit simulation(uint64_t seed, trace::mode how = trace::mode::off);

  /// Lets everything happen.
  /// @throws broken_rule
  void run();

  /// How often another node became primary.
  uint64_t failovers() const {
    return failovers_;
  }

  uint64_t committed() const {
    return rules_.committed();
  }

  const trace& story() const {
    return notes;
  }

private:
  uint32_t dice(uint32_t n);
  bool chance(uint32_t percent);
  std::string any_node();
  void step();
  void check();

  // The coordinator: coordinator.cpp.
  void found();
  void beat(const std::string& id);
  void plan();
  void instruct(size_t i);
  void answer_proposals();

  // The producer: workload.cpp.
  void produce(const std::string& id);
  void checkpoint(const std::string& id);

  // What goes wrong, and right again: faults.cpp.
  bool may_lose(const std::string& id);
  void hurt();
  void pass_letter();
  void recover();
  bool finish_all();
  /// What is not as it should be after quiet, or null.
  const char* missing();
  std::string describe_all();

  std::mt19937_64 random_;
  std::unique_ptr<configurations> coordinator_;
  configuration_options wishes_;
  std::deque<instruction> instructions_;
  /// The last record that the producer has sent, and that it will ever send.
  uint64_t sent_ = 0;
  uint64_t total_ = 60;
  bool quiet_ = false;
  /// Disks that are no more.
  std::vector<node_disk> lost_;
  uint64_t failovers_ = 0;
  uint64_t epoch_seen_ = 0;
  std::string led_by_;
  rules rules_;
};

} // namespace weir::test
