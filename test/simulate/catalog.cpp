#include "test/simulate/catalog.hpp"

#include "test/simulate/rule.hpp"

#include <fmt/format.h>

namespace weir::test {

namespace {

std::string text(const window_bounds& x) {
  return fmt::format("the one from {} to {}", x.start, x.end);
}

} // namespace

uint64_t readings_of(const final_window& x) {
  auto res = uint64_t{0};
  for (auto& metric : x.metrics)
    res += metric.total.get<count_aggregate>().count;
  return res;
}

std::optional<rollup_record> catalog::rollup() const {
  if (!rollup_)
    return std::nullopt;
  return done(rollup_record::decode(*rollup_));
}

void catalog::check_order(const rollup_record& next) const {
  auto last = rollup();
  if (!last)
    return;
  if (next.watermark.watermark < last->watermark.watermark)
    throw broken_rule{"the watermark never goes back",
                      fmt::format("from {} to {}", last->watermark.watermark,
                                  next.watermark.watermark)};
  if (next.final_through < last->final_through
      || next.sealed_through < last->sealed_through
      || next.plan.version() < last->plan.version())
    throw broken_rule{"windows that are closed stay so",
                      fmt::format("final up to {}, then up to {}",
                                  last->final_through, next.final_through)};
}

void catalog::check_new(const final_window& x) const {
  auto known = finals_.upper_bound(x.bounds.start);
  if (known != finals_.end() && known->second.bounds.start < x.bounds.end)
    throw broken_rule{"a window becomes final once",
                      text(x.bounds) + ", after " + text(known->second.bounds)};
}

result<void> catalog::save(const rollup_record& record,
                           const std::vector<final_window>& finals) {
  if (full)
    return fail(ec::disk_full, "no space");
  check_order(record);
  for (auto& x : finals) {
    check_new(x);
    finals_[x.bounds.end] = x;
  }
  rollup_ = record.encode();
  return {};
}

result<void> catalog::save(const std::vector<producer_record>& put,
                           const std::vector<producer_id>& removed) {
  if (full)
    return fail(ec::disk_full, "no space");
  for (auto& x : put)
    producers_[x.id] = x;
  for (auto& x : removed)
    producers_.erase(x);
  return {};
}

} // namespace weir::test
