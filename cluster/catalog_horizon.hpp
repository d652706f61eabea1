#pragma once

#include "cluster/log.hpp"
#include "cluster/rollups.hpp"
#include "cluster/sessions.hpp"

#include <map>
#include <vector>

namespace weir {

/// How far a copy of the coordinator's catalog can see. The coordinator stores
/// what it decides before a shard hears of it: so an entry that follows from
/// something that the copy does not know came after the copy was made, and so
/// did all entries behind it.
///
/// A shard's log that goes on beyond the copy and is cut before its first such
/// entry fits to that copy: it has sealed every window that is final there, has
/// forgotten none that isn't, and knows no plan, settings or sessions whose
/// numbers the coordinator would give to others.
class catalog_horizon {
public:
  /// Before anything is known.
  catalog_horizon() = default;

  catalog_horizon(const rollup_record& windows, uint64_t settings_version,
                  const std::vector<producer_record>& producers);

  /// False for the first entry that the copy does not account for.
  bool covers(const log_entry& x) const;

private:
  bool knows_session(producer_id producer, uint64_t session) const;

  uint64_t settings_version_ = 0;
  uint64_t plan_version_ = 0;
  time_ms sealed_through_ = before_time;
  time_ms final_through_ = before_time;
  std::map<producer_id, uint64_t> sessions_;
};

} // namespace weir
