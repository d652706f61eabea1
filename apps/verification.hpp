#pragma once

#include "messages/cluster_wire.hpp"
#include "messages/window_wire.hpp"
#include "windows/failure.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace weir {

/// What a verification found, a sentence each.
struct findings {
  /// Is not as it has to be.
  std::vector<std::string> wrong;
  /// Could not be looked at this time.
  std::vector<std::string> unchecked;
  /// Is as it has to be, but worth knowing.
  std::vector<std::string> notes;
};

/// Compares what the nodes say of their copies, with one another and with what
/// the coordinator says. What a log determines is the same wherever as much of
/// it is applied; so copies are compared at equal indexes, whenever each of
/// them was there.
class verification {
public:
  /// @param before what the coordinator says at the beginning
  explicit verification(cluster_status before);

  /// What a node says of its copy of a shard; again and again. Copies that no
  /// configuration counts on are passed over: they may have parted from the
  /// log.
  void add(const std::string& node, const shard_check& x);

  /// A node could not be asked.
  void add_unreachable(const std::string& node, const failure& why);

  /// Shards whose copies have not all been seen at a common index yet: ask
  /// again.
  std::vector<uint32_t> open() const;

  /// @param after what the coordinator says in the end
  /// @param windows likewise
  findings conclude(const cluster_status& after,
                    const window_list& windows) const;

  /// What was seen of each copy last, as an array of shards.
  nlohmann::ordered_json to_json() const;

  /// Copies that were looked at.
  size_t copies() const;

  /// Entries of journals that were read.
  uint64_t journal_entries() const;

private:
  /// A copy when this much of the log was applied.
  struct sight {
    std::string node;
    uint64_t chain = 0;
    uint64_t digest = 0;
  };

  struct copy {
    /// The last answer that was no failure.
    shard_check last;
    bool seen = false;
    /// Of the last answer.
    failure trouble;
    /// Of the answers that came with the journal read.
    uint64_t journal_entries = 0;
  };

  struct entry {
    /// Members on nodes that are up, the primary first.
    std::vector<std::string> members;
    std::map<std::string, copy> copies;
    /// By index of the last applied entry.
    std::map<uint64_t, std::vector<sight>> sights;
    /// Of itself; a set, since answers repeat.
    std::set<std::string> wrong;
  };

  void compare(entry& to, uint32_t shard, const std::string& node,
               const shard_check& x);
  void check_counts(entry& to, const std::string& node, const shard_check& x);
  void check_journal(entry& to, const std::string& node, const shard_check& x);
  bool is_compared(const entry& x) const;
  bool is_quiet(const cluster_status& after) const;

  void conclude_copies(findings& to) const;
  void conclude_status(const cluster_status& after, findings& to) const;
  void conclude_totals(const cluster_status& after, findings& to) const;

  cluster_status before_;
  std::vector<entry> shards_;
  std::map<std::string, failure> unreachable_;
};

/// What the windows over all entities lack, or wait for.
void check_windows(const window_list& x, findings& to);

} // namespace weir
