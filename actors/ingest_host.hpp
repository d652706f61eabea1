#pragma once

#include "actors/ingest_gate.hpp"
#include "actors/links.hpp"
#include "cluster/outbox.hpp"
#include "config/settings.hpp"
#include "messages/interfaces.hpp"

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <deque>
#include <memory>

namespace weir {

struct ingest_context {
  process_settings process;
  dialer_actor dialer;
  /// Empty: a producer for this run alone.
  std::string producer;
  bool resume = false;
  std::shared_ptr<ingest_gate> gate;
};

/// One session of a producer.
class ingest_host_state {
public:
  static inline constexpr const char* name = "ingest";

  void init(ingest_actor::stateful_pointer<ingest_host_state> self,
            ingest_context context);

  void send(outgoing_parcel& x);
  void answer(const append_ack& x);
  void alarm(const timer& x);
  void down(const caf::down_msg& x);

private:
  using clock = std::chrono::steady_clock;

  enum alarms : uint8_t { tick, pump_now };

  enum class phase : uint8_t { connecting, opening, streaming, over };

  /// What a shard is to this session, beside its blocks.
  struct shard_lane {
    /// Its log's end for us, once the session is open there.
    bool open = false;
    uint64_t last = 0;
    verdict_counts counts;
    /// Blocks wait until then, because the shard refused them.
    clock::time_point not_before{};
    bool refused = false;
    std::chrono::milliseconds backoff{0};
    clock::time_point progress{};
    /// When something was acknowledged, or began to wait, last; and the longest
    /// that it took from there to the next acknowledgement.
    clock::time_point waiting_since{};
    clock::duration longest_wait{0};
    std::chrono::milliseconds patience{0};
  };

  void dial_coordinator();
  void refresh();
  void routes_arrived(const routes& x);
  void open_producer_session();
  void open_shards();
  void open_shard(uint32_t shard);
  void begin_streaming();
  void pump_later();
  void pump();
  void pump(const address& to, const node_actor& node,
            const std::vector<uint32_t>& shards);
  void refused(const append_ack& x);
  void go_on(shard_lane& lane);
  bool redirected(const append_ack& x);
  void connect(const address& to);
  void connect_all();
  void node_is_up(const address& to);
  void look_after(uint32_t shard, clock::time_point now);
  void give_up(failure why);
  session_progress progress() const;
  std::vector<int64_t> waits() const;
  const node_route* node_of(uint32_t shard) const;
  void follow_moves(const routes& before);
  void count_nodes();
  void count(uint32_t shard, uint64_t added, uint64_t removed);

  // What the coordinator is told: ingest_reports.cpp.
  void take_mark(const input_mark& x);
  void pass_marks();
  uint64_t prefix() const;
  void note_input();
  bool idle() const;
  bool owes_head() const;
  bool owes_report() const;
  report_session next_report() const;
  void report_if_due();
  void report();
  void tell(const report_session& x);
  void finish();

  ingest_actor::stateful_pointer<ingest_host_state> self_ = nullptr;
  ingest_context context_;
  phase phase_ = phase::connecting;
  node_links<ingest_actor::pointer> links_;
  coordinator_actor coordinator_;
  bool dialing_ = false;
  bool refreshing_ = false;
  bool refresh_is_due_ = false;
  clock::time_point refreshed_{};

  std::optional<routes> routes_;
  /// As last read in `routes_`.
  cluster_settings cluster_;
  /// By node of `routes_`: the shards that it serves.
  std::vector<std::vector<uint32_t>> shards_of_;
  /// By node: bytes on their way to it.
  std::vector<uint64_t> bytes_of_;
  producer_opened opened_;
  session_start start_;
  std::unique_ptr<outbox> outbox_;
  std::vector<shard_lane> lanes_;
  bool pump_is_due_ = false;

  std::deque<input_mark> marks_;
  uint64_t handed_over_ = 0;
  /// The last one before which all is acknowledged; none: the session has
  /// acknowledged nothing that goes beyond those before it.
  std::optional<input_mark> passed_;
  bool input_ended_ = false;
  bool flush_ = false;
  bool reporting_ = false;
  /// What the coordinator knows: what it said at first, then what it was told.
  report_session told_;
  /// What tells this input from others is at the coordinator.
  bool head_is_known_ = false;
  /// Of the last report that was sent, whether it arrived or not.
  bool sent_idle_ = false;
  bool sent_head_ = false;
  clock::time_point last_report_{};
  /// Last record known to be read, and when that was.
  uint64_t seen_ = 0;
  clock::time_point last_input_{};
  uint32_t copies_ = 0;
  std::string trouble_;
};

ingest_actor::behavior_type ingest_host(
  ingest_actor::stateful_pointer<ingest_host_state> self,
  ingest_context context);

} // namespace weir
