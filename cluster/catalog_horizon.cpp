#include "cluster/catalog_horizon.hpp"

#include "cluster/shard.hpp"
#include "windows/bytes.hpp"

namespace weir {

catalog_horizon::catalog_horizon(const rollup_record& windows,
                                 uint64_t settings_version,
                                 const std::vector<producer_record>& producers)
  : settings_version_(settings_version),
    plan_version_(windows.plan.version()),
    sealed_through_(windows.sealed_through),
    final_through_(windows.final_through) {
  for (auto& x : producers)
    sessions_[x.id] = x.session;
}

bool catalog_horizon::knows_session(producer_id producer,
                                    uint64_t session) const {
  // One with a random id is stored late, or never, and no other one gets its
  // id.
  if (is_random(producer))
    return true;
  auto i = sessions_.find(producer);
  return i != sessions_.end() && session <= i->second;
}

bool catalog_horizon::covers(const log_entry& x) const {
  auto in = byte_reader{x.envelope};
  switch (x.kind) {
    case entry_kind::block:
    case entry_kind::session:
      return knows_session(x.producer, x.session);
    case entry_kind::settings: {
      auto settings = shard_settings{};
      return !settings.decode(x.envelope)
             || settings.version <= settings_version_;
    }
    case entry_kind::plan: {
      auto plan = window_plan{};
      return !plan.decode(in) || plan.version() <= plan_version_;
    }
    case entry_kind::seal: {
      auto single = in.fixed<uint8_t>() != 0;
      in.fixed<time_ms>();
      // One that was closed by hand is in the plan, which precedes the seal.
      return single || in.fixed<time_ms>() <= sealed_through_;
    }
    case entry_kind::release:
      return in.fixed<time_ms>() <= final_through_;
    case entry_kind::noop:
    case entry_kind::clock:
    case entry_kind::expire:
      break;
  }
  return true;
}

} // namespace weir
