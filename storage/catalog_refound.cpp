#include "storage/catalog_rows.hpp"

#include <array>

// One cluster's catalog becomes another one's.

namespace weir {

using namespace catalog_rows;

result<void> catalog::refound(const refounding& x) {
  auto forget = std::array<statement, 5>{};
  auto prepared = db_.prepare({
    {forget[0], "DELETE FROM cluster", "forget the cluster"},
    {forget[1], "DELETE FROM node", "forget the nodes"},
    {forget[2], "DELETE FROM gone_disk", "forget disks"},
    {forget[3], "DELETE FROM shard", "forget the shards' configurations"},
    {forget[4], "DELETE FROM known_commit", "forget the commits"},
  });
  if (!prepared)
    return prepared;
  return db_.transact([&] {
    auto done = result<void>{};
    for (auto& y : forget)
      if (done)
        done = y.run();
    auto& cluster = x.cluster;
    if (done)
      done = put_cluster_.run(cluster.id, cluster.created, cluster.format,
                              crc_of(cluster));
    for (auto& y : x.nodes)
      if (done)
        done = write_node(y);
    for (auto& y : x.shards)
      if (done)
        done = write_shard(y);
    for (auto& y : x.known)
      if (done)
        done = write_known(y);
    return done ? write_event(x.event) : done;
  });
}

} // namespace weir
