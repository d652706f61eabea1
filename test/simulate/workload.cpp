#include "test/simulate/simulation.hpp"

#include <algorithm>

// The work of a simulation's shard: readings and checkpoints.

namespace weir::test {

void simulation::produce(const std::string& id) {
  if (!nodes.at(id).up)
    return;
  // It does not know what became of what it sent.
  if (dice(6) == 0)
    sent_ = acked();
  if (sent_ >= total_)
    return;
  auto n = std::min<uint64_t>(1 + dice(3), total_ - sent_);
  auto res = send(id, sent_, n);
  if (res.code == ec::none)
    sent_ += n;
  else if (res.code == ec::sequence_gap || res.code == ec::not_found)
    sent_ = acked();
}

void simulation::checkpoint(const std::string& id) {
  auto& node = nodes.at(id);
  if (!node.up || node.core->state().applied().index == 0)
    return;
  sync(id);
  if (!node.up || node.disk.full)
    return;
  node.disk.save(node.core->state());
  auto upto = std::min(node.disk.saved->meta.from_index - 1,
                       node.core->log_needed_after());
  notes.add(now, "{} has a checkpoint of {}, and forgets up to {}", id,
            node.disk.saved->meta.end.index, upto);
  node.disk.truncate(upto);
  node.core->truncated(upto);
}

} // namespace weir::test
