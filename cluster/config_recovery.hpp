#pragma once

#include "cluster/config_store.hpp"

#include <cstdint>
#include <string>
#include <vector>

// What becomes of a shard's configuration when the store that kept it is lost.

namespace weir {

/// New epochs begin so far beyond all that are known: the store may have made
/// some that nobody who is asked has heard of, and one number must not mean two
/// configurations. It made at most a few within the moments in which it could
/// tell nobody.
constexpr uint64_t lost_epochs_max = 1'000;

/// What a disk that is there knows of a shard.
struct config_witness {
  /// This life of its node.
  member who;
  /// It refuses older epochs.
  uint64_t promised = 0;
  /// The newest one that it was told; of epoch 0 if none.
  shard_config config;
};

struct recovered_config {
  /// To be stored; of epoch 0 if none was ever known.
  shard_config config;
  /// All members count as before. Else the disks that there are shall elect.
  bool kept = false;
  /// Something acknowledged may be on a disk that is missing, and nowhere else.
  bool at_risk = false;
};

/// Decides by everything that is known.
///
/// Whoever acknowledges under a configuration has it on its disk, and so have
/// all of its members a promise of at least its epoch. So if all disks are
/// there, the newest configuration that one of them knows is the last one under
/// which anything was acknowledged.
///
/// If some are missing, a later one may be known to them alone. With at least
/// as many members as `min_copies` it needs one of those who are there, who
/// would have promised its epoch; so if more copies are needed than disks are
/// missing, the longest log of those who are there has everything. Else it is
/// at risk, unless the newest configuration does not name them, and is led by
/// the same life of the same process still: who was to become a member would
/// have been proposed by that one.
///
/// @param copied what copies of the lost store say, whatever their age
/// @param missing disks that are not there, and are given up
/// @param min_copies of the newest settings
recovered_config recover_config(uint32_t shard,
                                const std::vector<shard_config>& copied,
                                const std::vector<config_witness>& witnesses,
                                const std::vector<node_disk>& missing,
                                uint32_t min_copies);

} // namespace weir
