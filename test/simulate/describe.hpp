#pragma once

#include "cluster/replication.hpp"
#include "test/support/memory_disk.hpp"

#include <string>

// Messages and writes, as a trace shows them.

namespace weir::test {

std::string describe(const peer_message& x);
std::string describe(const coordinator_message& x);
std::string describe(const shard_config& x);
std::string describe(const memory_disk::news& x);

} // namespace weir::test
