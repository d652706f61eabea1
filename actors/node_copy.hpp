#pragma once

#include "messages/interfaces.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace weir {

/// Keeps a node's copy of the coordinator's directory up to date, so that it
/// can be rebuilt when it is lost. A node in the coordinator's own process
/// keeps none: all calls are harmless then.
class node_copy {
public:
  using clock = std::chrono::steady_clock;

  /// @param copy null: none is kept
  void init(local_node_actor::pointer self, copy_actor copy);

  /// Finds out what there is; calls `then` after that.
  void begin(std::function<void()> then);

  /// Whom to ask from now on; null: nobody. What waits is given up: the next
  /// connection begins with all of it.
  void connect(coordinator_actor x);

  /// So much there is to copy.
  void heard(const catalog_mark& x);

  /// Calls `then` when the copy has every row that the coordinator has by now.
  /// What is told to shards has to be there first: their logs must not refer to
  /// what is known nowhere else. At once if there is no copy, and also if it
  /// can't be written: a full disk has to be lived with.
  void when_current(std::function<void()> then);

  void tick();

  /// It has every result of windows that end by then.
  time_ms final_through() const {
    return state_.final_through;
  }

  uint64_t promised() const {
    return state_.promised;
  }

  /// Why it can't be written; empty if it can.
  const std::string& trouble() const {
    return trouble_;
  }

  /// For whoever rebuilds the directory; null if none is kept.
  const copy_actor& actor() const {
    return copy_;
  }

  /// It has promised, and that is on the disk.
  void promised(const copy_state& x) {
    state_ = x;
  }

private:
  void ask();
  void take(const catalog_part& x, uint64_t number);
  void taken(const copy_state& x, uint64_t number);
  void failed(const failure& why);
  void release(uint64_t number);

  local_node_actor::pointer self_ = nullptr;
  copy_actor copy_;
  coordinator_actor source_;
  copy_state state_;
  catalog_mark known_;
  bool asking_ = false;
  /// Requests so far.
  uint64_t asked_ = 0;
  clock::time_point not_before_{};
  std::string trouble_;
  /// What waits, with the first request whose answer may end that.
  std::vector<std::pair<uint64_t, std::function<void()>>> waiting_;
};

} // namespace weir
