#pragma once

#include "actors/disk_failure.hpp"
#include "messages/interfaces.hpp"
#include "storage/journal.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <map>

namespace weir {

/// Turns the queue of all shards into one transaction a commit.
class journal_writer_state {
public:
  static inline constexpr const char* name = "journal";

  void append(const store_entry& x, caf::strong_actor_ptr sender);
  void record(const put_record& x, caf::strong_actor_ptr sender);
  void commit();
  caf::result<loaded_record> load(const load_record& x);
  caf::result<shard_records> load(const get_records& x);
  caf::result<log_part> read(const read_log& x);
  caf::result<log_checked> check(const check_log& x);
  caf::result<bool> cut(const cut_log& x);
  caf::result<bool> stage(const stage_log& x);
  caf::result<bool> install(const install_log& x);
  caf::result<bool> settle(const settle_log& x);
  void truncate(const truncate_log& x);
  caf::result<bool> remove(const remove_shard& x);
  caf::result<shard_put_aside> put_aside(const put_aside_shard& x);
  caf::result<bool> change(const set_durability& x);

  journal_actor::pointer self = nullptr;
  std::shared_ptr<journal> db;
  on_disk_failure on_failure;

private:
  /// A shard's entries in the open transaction.
  struct queued {
    caf::strong_actor_ptr shard;
    entry_ptr first;
    log_position last;
  };

  /// A record that is not durable yet.
  struct queued_record {
    caf::strong_actor_ptr shard;
    replica_record record;
  };

  /// An entry that was refused, and why.
  struct refusal {
    uint64_t index = 0;
    failure why;
  };

  void commit_soon();
  void look_after();
  void refuse(const caf::strong_actor_ptr& shard, const entry_ptr& first,
              const failure& why);
  void refuse_all(const failure& why);
  void forget_refusal(uint32_t shard, uint64_t after);

  std::map<uint32_t, queued> queue_;
  std::map<uint32_t, queued_record> records_;
  /// By shard, until it takes that entry back: what came after it was on its
  /// way already, and must not get in before it.
  std::map<uint32_t, refusal> refused_;
  bool commit_is_due_ = false;
  bool failure_told_ = false;
};

/// To be spawned detached, since it waits for the disk.
/// @param on_failure called once when the journal takes nothing more; may be
///                   null
journal_actor::behavior_type journal_writer(
  journal_actor::stateful_pointer<journal_writer_state> self,
  std::shared_ptr<journal> db, on_disk_failure on_failure);

} // namespace weir
