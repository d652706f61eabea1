#pragma once

#include "test/simulate/producer.hpp"
#include "test/simulate/world.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace weir::test {

/// What a replicated shard promises, whatever happens to it. Each check throws
/// a `broken_rule` that names the promise.
class rules {
public:
  /// @param x outlives this
  /// @param inputs outlive this
  rules(world& x, const std::vector<producer>& inputs);

  rules(const rules&) = delete;
  rules& operator=(const rules&) = delete;

  /// An acknowledgement leaves `node`.
  void acknowledged(const world_node& node, const producers_acknowledge& x);

  /// What holds at any time, to be called after each event.
  void check();

  /// What any replica answers, asked for the input's entity of this record.
  void check_answer(const world_node& x, const producer& input,
                    const input_record& record) const;

  /// Whoever has applied as much as this one, whatever its role, is in the same
  /// state.
  void check_same(const world_node& x) const;

  /// What holds after all has gone well for a while.
  void check_end();

  /// The disk has lost something while nobody looked: members of these lives
  /// need not hold what they did.
  void spoiled(const member& x);

  /// An operator has let `node` lead although it may lack something: what it
  /// lacks is lost, and replicas that have applied it are of no account until
  /// they have begun anew.
  void give_up_all_but(const std::string& node);

  /// Everything that is committed is on the disk of a member, or of one
  /// that is asked when these are gone, other than `node`.
  bool survives_without(const std::string& node,
                        bool members_only = false) const;

  /// The greatest index that was seen committed.
  uint64_t committed() const {
    return committed_.empty() ? 0 : committed_.rbegin()->first;
  }

  /// Readings in windows that were given up, at most: final results may have
  /// them all the same.
  uint64_t lost_in() const {
    return lost_in_;
  }

private:
  void check_leaders(const world_node& x);
  void check_applied(const world_node& x);
  void check_in_sync(const member& x) const;
  void check_end(const world_node& x, const producer& input,
                 const std::string& entity) const;
  bool is_spoiled(const member& x) const;
  /// The last of what was given up and is back: whoever was to lead without it
  /// may die first, and a disk that still has it is the longest log again. At 0
  /// where nobody asks for that disk.
  log_position given_up_on(const world_node& x) const;

  world& world_;
  const std::vector<producer>& inputs_;
  /// Who has served, and who has acknowledged, in each epoch.
  std::map<uint64_t, member> served_;
  std::map<uint64_t, member> acknowledged_;
  /// What was seen committed, by index; the same for ever.
  std::map<uint64_t, log_position> committed_;
  /// The end of what was acknowledged.
  log_position acknowledged_to_;
  /// Readings in windows, the most that any replica has had.
  uint64_t in_windows_ = 0;
  uint64_t lost_in_ = 0;
  /// Chain values of what was given up.
  std::set<uint64_t> lost_;
  /// By node and disk: the life that it was spoiled in.
  std::map<std::pair<std::string, std::string>, uint64_t> spoiled_;
};

} // namespace weir::test
