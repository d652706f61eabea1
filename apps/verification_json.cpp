#include "apps/verification.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace weir {

namespace {

using json = nlohmann::ordered_json;

} // namespace

json verification::to_json() const {
  auto res = json::array();
  for (auto i = size_t{0}; i < shards_.size(); ++i) {
    auto& x = shards_[i];
    auto shard = json{{"shard", i},
                      {"compared", !x.members.empty() && is_compared(x)},
                      {"copies", json::array()}};
    for (auto& [node, at] : x.copies) {
      auto what = json{{"node", node}, {"trouble", at.trouble.text}};
      if (at.seen) {
        what["role"] = to_string(at.last.role);
        what["epoch"] = at.last.epoch;
        what["applied"] = at.last.applied.index;
        what["end"] = at.last.end.index;
        // As texts: JSON's readers lose the last digits of 64 bits.
        what["chain"] = fmt::format("{:016x}", at.last.applied.chain);
        what["digest"] = fmt::format("{:016x}", at.last.digest);
        what["accepted"] = at.last.ledger.accepted;
        what["journal_entries"] = at.journal_entries;
      }
      shard["copies"].push_back(std::move(what));
    }
    res.push_back(std::move(shard));
  }
  return res;
}

} // namespace weir
