#pragma once

#include "storage/data_dir.hpp"
#include "storage/journal.hpp"
#include "storage/state_store.hpp"

#include <string>
#include <vector>

namespace weir {

/// A node's copy of the coordinator's directory, beside its databases.
constexpr auto coordinator_copy_name = "coordinator-copy.db";

/// A node's two databases, open.
struct node_store {
  journal log;
  state_store state;
  /// What became of the ones before, if these are new in a directory that is
  /// not; else empty.
  std::string news;
};

/// Opens both, and reads all of them: SQLite itself must find nothing wrong.
/// Whether rows are what was written is found out by whoever reads them.
///
/// They belong together: where one of them is missing or corrupt, neither is of
/// use, and both are moved to DIR/quarantine, with a copy of the identity. New
/// ones take their place, and the directory gets another disk id first: what
/// the old disk had promised to hold nobody may believe of the new one.
///
/// Nothing is moved if that would hide the only copy of a shard: `damaged`
/// then, with what to do. `known` are shards' configurations, as the
/// coordinator of the same process has them. Without any, those in the journal
/// and in the copy of the coordinator's directory are believed, as far as they
/// can be read; if neither can, any shard may have its only copy here.
///
/// Other errors are those of opening, after which nothing has changed.
/// @param now wall clock
result<node_store> open_node_store(data_dir& dir,
                                   const std::vector<shard_config>& known,
                                   time_ms now);

} // namespace weir
