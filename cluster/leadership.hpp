#pragma once

#include "cluster/peer.hpp"
#include "cluster/replica_effects.hpp"
#include "cluster/shard_copy.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir {

/// What a replica shares with its parts.
struct replica_context {
  member self;
  uint32_t shard = 0;
  const replica_options* options = nullptr;
  shard_copy* copy = nullptr;
  effects* out = nullptr;
};

/// A replica's time as primary, through any number of epochs without a break:
/// sends its log to those that follow, commits what all members hold, and
/// proposes who shall be a member.
class leadership {
public:
  /// Begins with the no-op of the configuration's epoch.
  /// @pre the epoch is above those of the log; the context's self is a member
  leadership(replica_context context, shard_config config, int64_t now);

  /// The same primary, in a later epoch.
  void begin_epoch(shard_config config, int64_t now);

  void pursue(const replica_goals& goals, int64_t now);

  /// Another one leads. What is not committed stays in the log.
  void end();

  /// The shard has made an entry: sends it on its way.
  void appended(const entry_ptr& entry, int64_t now);

  // -- from those that follow

  void receive(const replicated& x, int64_t now);
  void receive(const log_claim& x, int64_t now);
  void receive(const not_followed& x, int64_t now);
  void receive(const copy_taken& x, int64_t now);
  void disconnected(const std::string& node);

  // -- from the own disk

  /// Something more has reached it.
  void stored(int64_t now);

  /// Nothing reaches the disk any more, or has not for long: another member
  /// should lead.
  void resign(int64_t now);

  void log_read(const std::string& node, const std::vector<entry_ptr>& entries,
                int64_t now);
  void copy_opened(const std::string& node, uint64_t transfer,
                   const std::optional<shard_meta>& meta, uint64_t chunks,
                   int64_t now);
  void copy_read(const std::string& node, uint64_t transfer, uint64_t number,
                 std::string bytes, uint64_t covers, int64_t now);

  // -- from the coordinator

  /// A proposal was not even tried.
  void refused(int64_t now);

  void tick(int64_t now);

  /// Everything that was acknowledged under its predecessors is committed.
  bool serving() const {
    return serving_;
  }

  /// Why nothing is admitted at present; `none` if it is.
  failure obstacle() const;

  /// Nothing may be entered: another one is about to lead.
  bool closing() const {
    return closing_;
  }

  uint64_t since() const {
    return since_;
  }

  /// When the last one of the other members was heard of; nothing without any.
  std::optional<int64_t> confirmed() const;

  /// The journal must keep the entries after this index.
  uint64_t log_needed_after() const;

private:
  // What is sent: leadership.cpp.
  peer* find(const member& x);
  peer* find(const std::string& node);
  void send(const peer& to, peer_message x);
  void send_heartbeat(peer& to, int64_t now);
  void send_part(peer& to, const std::vector<entry_ptr>& entries, int64_t now);
  void pump(peer& to, int64_t now);
  void resend(peer& to, int64_t now);
  std::optional<log_position> agreement(const log_claim& x) const;
  void meet_peers(int64_t now);

  // Checkpoints: leadership_copy.cpp.
  void begin_copy(peer& to, int64_t now);
  void send_begin(peer& to, int64_t now);
  void pump_copy(peer& to);
  void resend_copy(peer& to, int64_t now);
  void end_copy(peer& to);

  // Commits and configurations: leadership_members.cpp.
  uint64_t held_by(const member& x) const;
  uint64_t held_by_all(const std::vector<member>& xs) const;
  std::vector<member> required() const;
  void settle(int64_t now);
  void consider(int64_t now);
  bool remove_lost(int64_t now);
  bool take_in(int64_t now);
  bool let_go(int64_t now);
  bool hand_over(int64_t now);
  bool is_stalled(const peer& x, int64_t now) const;
  bool has_caught_up(const peer& x) const;
  shard_config successor_config() const;
  void propose(shard_config next, int64_t now);
  void send_proposal(const shard_config& next);

  replica_context context_;
  shard_config config_;
  replica_goals goals_;
  /// By node.
  std::map<std::string, peer> peers_;
  uint64_t since_ = 0;
  bool serving_ = false;
  bool resigned_ = false;
  uint64_t transfers_ = 0;

  /// Sizes of what is not committed.
  std::deque<std::pair<uint64_t, uint64_t>> uncommitted_;
  uint64_t uncommitted_bytes_ = 0;

  /// What was proposed in this epoch: each may have happened, until a later
  /// epoch is read.
  std::vector<shard_config> proposed_;
  bool withdrawn_ = false;
  int64_t proposed_at_ = 0;
  /// Long ago, whatever the clock says.
  int64_t refused_at_ = INT64_MIN / 2;
  /// A learner whose acknowledgements are required already, so that it holds
  /// all that is committed when it is proposed.
  std::optional<member> joining_;
  int64_t joining_since_ = 0;
  /// Nothing is admitted, so that another one can take over.
  bool closing_ = false;
  int64_t closing_since_ = 0;
};

} // namespace weir
