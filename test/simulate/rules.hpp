#pragma once

#include "test/simulate/world.hpp"

#include <cstdint>
#include <map>
#include <optional>

namespace weir::test {

/// What a replicated shard promises, whatever happens to it. Each check throws
/// a `broken_rule` that names the promise.
class rules {
public:
  /// @param x outlives this; its acknowledgements are watched from now on
  explicit rules(world& x);

  rules(const rules&) = delete;
  rules& operator=(const rules&) = delete;

  /// What holds at any time, to be called after each event.
  void check();

  /// What holds after all has gone well for a while.
  /// @param total records that the one producer has sent, from 1 on
  void check_end(uint64_t total);

  /// The greatest index that was seen committed.
  uint64_t committed() const {
    return chains_.empty() ? 0 : chains_.rbegin()->first;
  }

private:
  void acknowledged(const world_node& node, const producers_acknowledge& x);
  void check_leaders(const world_node& x);
  void check_applied(const world_node& x);
  void check_in_sync(const member& x);

  world& world_;
  /// Who has served, and who has acknowledged, in each epoch.
  std::map<uint64_t, member> served_;
  std::map<uint64_t, member> acknowledged_;
  /// Chain values of what was committed, by index; the same for ever.
  std::map<uint64_t, uint64_t> chains_;
  /// The end of what was acknowledged.
  log_position acknowledged_to_;
};

} // namespace weir::test
