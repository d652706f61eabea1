#pragma once

#include "cluster/sealing.hpp"
#include "cluster/watermark.hpp"
#include "windows/failure.hpp"
#include "windows/window_plan.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

/// What of the rollups must survive a restart of the coordinator, beside the
/// final results.
struct rollup_record {
  window_plan plan;
  watermark_record watermark;
  /// Shards may have been told to seal every window that ends by then.
  time_ms sealed_through = before_time;
  /// The result of every window that ends by then is stored.
  time_ms final_through = before_time;
  /// Windows that were closed by hand and are not final yet.
  std::vector<window_bounds> closing;

  std::string encode() const;
  /// Fails with `damaged` or `version_mismatch`.
  static result<rollup_record> decode(std::string_view bytes);
};

struct rollup_settings {
  /// ms; 0: no periodic windows.
  time_ms every = 60'000;
  time_ms lateness = 10'000;
  time_ms idle_after = 10'000;
  time_ms future_limit = 300'000;
};

/// Values travel; they never change meaning.
enum class window_state : uint8_t {
  /// Something may still come, be it but late.
  open = 0,
  /// The watermark has passed its end: only late readings may come.
  complete = 1,
  /// Never changes again.
  final = 2,
};

/// The windows of a cluster, as its coordinator knows them: announces them,
/// closes them when the watermark says so, and collects their totals. Whatever
/// it decides is saved before anyone is told of it.
///
/// It has no messages: `plan` goes to every shard, `sealer` says whom to ask
/// for what, and `final_through` is what shards may forget.
class rollup_registry {
public:
  /// Makes a record, and results beside it, durable, at once or not at all.
  using save_function = std::function<result<void>(
    const rollup_record& record, const std::vector<final_window>& finals)>;

  rollup_registry(uint32_t shards, save_function save);

  /// Continues where an earlier coordinator was.
  void load(rollup_record x, const rollup_settings& settings, time_ms now);

  /// A cluster's first plan. Must be the first call if there is no record.
  result<void> create(const rollup_settings& settings, time_ms now);

  /// A change of `every` is prepared in all shards first; see `note_shard`.
  /// Fails with `conflict` while another is under way.
  result<void> configure(const rollup_settings& settings);

  // -- plan

  const window_plan& plan() const {
    return record_.plan;
  }

  /// Announces an explicit window. Fails with `conflict` if it overlaps another
  /// one or there are periodic ones, and with `invalid_argument` if everything
  /// that it could hold is late by now.
  result<void> open_window(window_bounds x);

  /// Closes the window that holds `inside` by hand, whatever the watermark; of
  /// periodic ones, all before it too.
  result<window_bounds> close_window(time_ms inside);

  /// A shard's log holds the plan of `version`; when it got it, its greatest
  /// event time was `greatest`. Settles a change once all shards have it.
  result<void> note_shard(uint32_t shard, uint64_t version, time_ms greatest);

  /// Shards whose logs don't hold the present plan, as far as is known.
  std::vector<uint32_t> behind() const;

  // -- watermark; each saves what has changed

  result<void> open_session(producer_id producer, time_ms now);

  /// @param flush raise the watermark past the session's last window
  result<void> report_session(producer_id producer, session_times x, bool flush,
                              time_ms now);

  /// Time goes by.
  result<void> advance(time_ms now);

  const watermark_keeper& watermark() const {
    return watermark_;
  }

  // -- sealing

  /// Begins to seal what is due, if nothing is being sealed.
  result<void> seal();

  window_sealer& sealer() {
    return sealer_;
  }

  const window_sealer& sealer() const {
    return sealer_;
  }

  /// Stores what was collected, if it is complete.
  /// @returns the windows that have become final
  result<std::vector<final_window>> finish();

  time_ms final_through() const {
    return record_.final_through;
  }

  time_ms sealed_through() const {
    return record_.sealed_through;
  }

  /// Of a window of the plan that has no stored result. Without one, a window
  /// that ends by `final_through` is final and empty.
  window_state state_of(const window_bounds& x) const;

  /// It is among those closed by hand.
  bool closing(const window_bounds& x) const;

private:
  struct shard_note {
    uint64_t version = 0;
    time_ms greatest = before_time;
  };

  result<void> save(rollup_record next,
                    const std::vector<final_window>& finals = {});
  result<void> save_watermark(time_ms now);
  time_ms seal_level() const;

  save_function save_;
  rollup_settings settings_;
  rollup_record record_;
  watermark_keeper watermark_;
  window_sealer sealer_;
  std::vector<shard_note> notes_;
};

} // namespace weir
