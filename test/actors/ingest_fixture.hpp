#pragma once

#include "actors/ingest_host.hpp"
#include "cluster/producers.hpp"
#include "test/actors/scripted.hpp"
#include "test/cluster/records.hpp"
#include "test/support/results.hpp"

#include <algorithm>
#include <functional>
#include <memory>

// A session of a producer between a scripted coordinator and scripted nodes.

namespace weir::test {

/// The shards of a cluster, wherever they are served: who has sent what.
struct shard_model {
  uint64_t epoch = 1;
  producer_table producers;
  /// Positions of the blocks that were taken, in order.
  std::vector<uint64_t> log;
};

/// What becomes of a block on its way.
enum class fate { taken, lost, busy, unavailable, answer_lost };

/// Two nodes at ports 11 and 12, a coordinator at port 1.
struct ingest_fixture : actor_fixture {
  static constexpr auto producer = producer_id{5, 6};

  std::vector<shard_model> shards{4};
  /// By port: the blocks that came there.
  std::map<uint16_t, size_t> blocks;
  std::function<fate(uint32_t shard, uint64_t position)> decide
    = [](uint32_t, uint64_t) {
        return fate::taken;
      };
  size_t sessions_opened = 0;

  routes known;
  producer_opened opened{producer, 1, 0, 0, 0, 0};
  std::vector<open_producer> opens;
  std::vector<report_session> reports;
  std::optional<failure> refuse_reports;
  /// Reports are answered by `answer_reports` only.
  bool hold_reports = false;
  size_t routes_asked = 0;

  scripted_dialer dialer;
  caf::actor dialer_hdl = spawn([this] {
    return dialer.behavior();
  });
  ingest_context context;
  ingest_actor ingest;

  /// The reader's side.
  std::shared_ptr<ingest_gate> gate = std::make_shared<ingest_gate>();
  uint64_t record = 0;
  std::map<uint32_t, uint64_t> last;
  /// What a refusal by epoch says.
  std::string named_primary;

  ingest_fixture() {
    known.cluster = "c1";
    known.nodes = {{"id1", "n1", {"127.0.0.1", 11}, true},
                   {"id2", "n2", {"127.0.0.1", 12}, true}};
    for (auto i = uint32_t{0}; i < shards.size(); ++i)
      known.shards.push_back({i % 2, {}, 1, {}});
    start_coordinator();
    start_node(11);
    start_node(12);
    context.process.join = {"127.0.0.1", 1};
    context.dialer = play<dialer_actor>(dialer_hdl);
    context.gate = gate;
  }

  ~ingest_fixture() {
    end();
  }

  void start_coordinator() {
    dialer.doors[1] = {spawn([this](caf::event_based_actor* host) {
                         return coordinator(host);
                       }),
                       "coordinator"};
  }

  void start_node(uint16_t port) {
    dialer.doors[port] = {spawn([this, port](caf::event_based_actor* host) {
                            return node(host, port);
                          }),
                          "node"};
  }

  /// The process at `port` is gone.
  void stop(uint16_t port) {
    auto gone = dialer.doors[port].actor;
    dialer.doors.erase(port);
    kill(gone);
  }

  void begin() {
    ingest = spawn(ingest_host, context);
    advance(1s);
  }

  result<session_start> start() {
    return gate->wait_open(0ms);
  }

  void answer_reports() {
    hold_reports = false;
    tell(dialer.doors[1].actor, timer{});
  }

  /// A record for each of `to`, in blocks of their own; that with number N is
  /// of second N.
  void feed(const std::vector<uint32_t>& to, bool end = false) {
    auto parcel = outgoing_parcel{};
    auto bytes = uint64_t{0};
    for (auto shard : to) {
      ++record;
      auto block = std::make_shared<const std::string>(
        block_of({shard, producer, opened.session, last[shard], record},
                 {event("e", 1'000'000, 1)}));
      bytes += block->size();
      parcel.blocks.push_back({shard, {record, last[shard], record, block}});
      last[shard] = record;
    }
    parcel.mark.record = record;
    parcel.mark.digest = 7 * record;
    parcel.mark.greatest = record == 0 ? -1 : seconds_of(record);
    parcel.handed_over = record;
    parcel.end = end;
    gate->read(record);
    gate->handed_over(bytes);
    tell(ingest, std::move(parcel));
  }

  void end_of_input() {
    feed({}, true);
  }

  static time_ms seconds_of(uint64_t number) {
    return 1'000 * static_cast<time_ms>(number);
  }

  /// The input pauses, as far as the coordinator has been told.
  bool idle() const {
    return !reports.empty() && reports.back().idle;
  }

  session_progress progress() const {
    return gate->progress();
  }

  bool ended() {
    return must(gate->wait_end(0ms));
  }

  /// Why the session failed.
  failure trouble() {
    auto res = gate->wait_end(0ms);
    return res ? failure{} : res.error();
  }

private:
  caf::behavior coordinator(caf::event_based_actor* host) {
    return {
      [this](const get_routes&) {
        ++routes_asked;
        return known;
      },
      [this](const open_producer& x) {
        opens.push_back(x);
        return opened;
      },
      [this, host](const report_session& x) -> caf::result<session_reported> {
        reports.push_back(x);
        if (hold_reports)
          return held_reports_.emplace_back(
            host->make_response_promise<session_reported>());
        if (refuse_reports)
          return to_error(*refuse_reports);
        return session_reported{x.session};
      },
      [this](const timer&) {
        for (auto& x : std::exchange(held_reports_, {}))
          x.deliver(session_reported{opened.session});
      },
    };
  }

  caf::behavior node(caf::event_based_actor* host, uint16_t port) {
    auto answer = [host](append_ack x) {
      host->send(caf::actor_cast<caf::actor>(host->current_sender()), x);
    };
    return {
      [this, port, answer](const append_frame& x) {
        for (auto& block : x.blocks) {
          ++blocks[port];
          if (auto ack = take(port, block))
            answer(*ack);
        }
      },
      [this, answer](const open_session& x) {
        ++sessions_opened;
        auto known_state = shards[x.shard].producers.find(x.producer);
        auto newest = known_state == nullptr ? 0 : known_state->session;
        if (newest <= x.session)
          shards[x.shard].producers.enter(x.producer, x.session, 0, 0);
        answer(make_ack(x.shard, 0, x.session,
                        newest <= x.session ? ec::none : ec::stale_session));
      },
    };
  }

  std::optional<append_ack> take(uint16_t port, const block_message& x) {
    auto header = must(decode_block_header(x.bytes));
    auto& shard = shards[x.shard];
    auto ack = [&](ec code) {
      return make_ack(x.shard, x.attempt, header.session, code);
    };
    auto what = decide(x.shard, header.position);
    if (what == fate::lost)
      return std::nullopt;
    if (what == fate::busy)
      return ack(ec::busy);
    if (what == fate::unavailable)
      return ack(ec::unavailable);
    if (x.epoch != shard.epoch
        || known.nodes[known.shards[x.shard].node].listens.port != port)
      return ack(ec::stale_epoch);
    auto outcome = shard.producers.check(header.producer, header.session,
                                         header.after, header.position, 9);
    if (outcome == admission::stale_session)
      return ack(ec::stale_session);
    if (outcome == admission::gap || outcome == admission::unknown_producer)
      return ack(ec::sequence_gap);
    if (outcome == admission::fresh) {
      shard.log.push_back(header.position);
      ++shard.producers
          .enter(header.producer, header.session, header.position, 0)
          .counts.accepted;
    }
    if (what == fate::answer_lost)
      return std::nullopt;
    return ack(ec::none);
  }

  append_ack make_ack(uint32_t shard, uint32_t attempt, uint64_t session,
                      ec code) const {
    auto res = append_ack{};
    res.shard = shard;
    res.epoch = shards[shard].epoch;
    res.attempt = attempt;
    res.producer = producer;
    res.session = session;
    res.code = code;
    res.text = code == ec::none ? "" : "not now";
    if (code == ec::stale_epoch)
      res.primary = named_primary;
    if (auto state = shards[shard].producers.find(producer)) {
      res.last = state->last;
      if (code == ec::none) {
        res.session = state->session;
        res.position = state->last;
        res.counts = state->counts;
        res.copies = 1;
      }
    }
    return res;
  }

  std::vector<caf::typed_response_promise<session_reported>> held_reports_;
};

} // namespace weir::test
