#pragma once

#include "cluster/rollups.hpp"
#include "cluster/sessions.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::test {

/// What the coordinator's disk holds beside the configurations: what it may
/// hold, and never take back, is checked with each write.
class catalog {
public:
  /// While true, nothing is taken.
  bool full = false;

  /// Throws `broken_rule` if a final result changes, comes twice or overlaps
  /// another one, or if the watermark goes back.
  result<void> save(const rollup_record& record,
                    const std::vector<final_window>& finals);

  result<void> save(const std::vector<producer_record>& put,
                    const std::vector<producer_id>& removed);

  std::optional<rollup_record> rollup() const;

  const std::map<producer_id, producer_record>& producers() const {
    return producers_;
  }

  /// By end.
  const std::map<time_ms, final_window>& finals() const {
    return finals_;
  }

private:
  void check_order(const rollup_record& next) const;
  void check_new(const final_window& x) const;

  std::optional<std::string> rollup_;
  std::map<time_ms, final_window> finals_;
  std::map<producer_id, producer_record> producers_;
};

/// Readings in a window.
uint64_t readings_of(const final_window& x);

} // namespace weir::test
