#pragma once

#include "cluster/config_store.hpp"
#include "cluster/log.hpp"
#include "windows/failure.hpp"
#include "windows/reading.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace weir {

/// A node as the coordinator knows it.
struct known_node {
  /// Node id, disk id and the count of its starts.
  member self;
  std::string name;
  /// Host and port where others reach it.
  std::string host;
  uint16_t port = 0;
  bool up = false;
  /// Wall clock, ms.
  time_ms last_seen = 0;
};

/// What a node says of one of its shards.
struct shard_news {
  uint64_t epoch = 0;
  bool serving = false;
  bool empty = true;
  /// Why it isn't served, if it isn't.
  std::string trouble;
  /// The last committed entry.
  log_position committed;
};

/// Something to tell a node.
struct directive {
  enum class what : uint8_t {
    /// Be primary of `shard` in `epoch`.
    assign,
    /// Let go of `shard`, if it holds nothing.
    release,
  };

  what kind = what::assign;
  /// Node id.
  std::string node;
  uint32_t shard = 0;
  uint64_t epoch = 0;
};

/// Which node serves which shard: the coordinator's decisions, without its
/// messages. Every configuration is in the store before anyone is told of it,
/// so that telling twice, late or never is harmless: a directive is repeated
/// until the node's news show that it was followed.
class directory {
public:
  /// @param store outlives the directory
  directory(config_store& store, uint32_t shards);

  /// Reads all configurations.
  result<void> load();

  /// A node from the catalog, not yet heard of.
  void remember(known_node x);

  /// A node has come (back).
  /// @param held logs that it found on its disk, by shard
  /// Fails with `conflict` if another node goes by the same name.
  result<void> join(known_node x, const std::map<uint32_t, log_position>& held);

  void leave(const std::string& node);

  /// `node` was heard of; it is up, if it wasn't.
  void seen(const std::string& node, time_ms now);

  /// Nodes that count as up but were last heard of before `limit`.
  std::vector<std::string> silent(time_ms limit) const;

  /// All that `node` serves, by shard. What is missing it doesn't serve.
  void report(const std::string& node,
              const std::map<uint32_t, shard_news>& news);

  /// `node` answers a `release`.
  result<void> released(const std::string& node, uint32_t shard, uint64_t epoch,
                        bool gone);

  /// Brings the configurations up to date with the nodes that are there, and
  /// returns everything that some node does not seem to know yet.
  result<std::vector<directive>> plan();

  /// The greatest commit ever reported of a shard that holds something, so that
  /// a log that lost its end is noticed. Loaded from the catalog at a start.
  void remember_commit(uint32_t shard, const log_position& x);

  const std::map<std::string, known_node>& nodes() const {
    return nodes_;
  }

  const known_node* find_name(const std::string& name) const;

  const shard_config& config(uint32_t shard) const {
    return shards_[shard].config;
  }

  /// The primary's last news under the present epoch, or null.
  const shard_news* news(uint32_t shard) const;

  /// Empty when the shard is served; else why not.
  std::string trouble(uint32_t shard) const;

  bool moving(uint32_t shard) const {
    return !shards_[shard].moving_to.empty();
  }

  const log_position& committed(uint32_t shard) const {
    return shards_[shard].committed;
  }

  uint32_t shards() const {
    return static_cast<uint32_t>(shards_.size());
  }

private:
  struct entry {
    shard_config config;
    std::optional<shard_news> news;
    log_position committed;
    /// Node id, while the present owner is asked to let go.
    std::string moving_to;
    /// The owner was asked to let go, and then its connection was lost, perhaps
    /// with its answer: that one must not count under the next epoch.
    bool renew = false;
    /// The owner is back with a log that lacks acknowledged entries.
    std::string damage;
  };

  void stop_move(entry& x);
  result<void> install(uint32_t shard, const member& primary);
  const known_node* owner(const entry& x) const;

  config_store& store_;
  std::map<std::string, known_node> nodes_;
  std::vector<entry> shards_;
};

} // namespace weir
