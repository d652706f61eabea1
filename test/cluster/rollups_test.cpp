#include "cluster/rollups.hpp"

#include "cluster/shard.hpp"
#include "test/cluster/records.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <limits>
#include <map>
#include <memory>
#include <random>

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto now = time_ms{1'700'000'000'000};

constexpr uint32_t shards = 4;

constexpr auto ann = producer_id{1, 2};

struct totals {
  uint64_t count = 0;
  int64_t sum = 0;

  friend bool operator==(const totals& x, const totals& y) {
    return x.count == y.count && x.sum == y.sum;
  }
};

using window_key = std::pair<time_ms, time_ms>;

/// A coordinator's rollups, and shards of which nothing survives but their
/// logs. The network between them repeats, loses and reorders.
class cluster {
public:
  explicit cluster(rollup_settings settings) : settings_(settings) {
    for (auto i = uint32_t{0}; i < shards; ++i) {
      auto ids = entities_of(i, shards, 3);
      entities_.insert(entities_.end(), ids.begin(), ids.end());
    }
    start_coordinator(true);
    for (auto i = uint32_t{0}; i < shards; ++i)
      start_shard(i);
  }

  rollup_registry& coordinator() {
    return *coordinator_;
  }

  void restart_coordinator() {
    start_coordinator(false);
  }

  void restart_shard(uint32_t i) {
    start_shard(i);
  }

  void send(const std::string& entity, time_ms time, int64_t value) {
    auto i = shard_of(entity_hash(entity), shards);
    auto& to = shards_[i];
    ++position_;
    auto bytes = std::make_shared<const std::string>(
      block_of({i, ann, 1, to.last, position_}, {event(entity, time, value)}));
    auto taken = to.core->admit_block(*bytes, bytes, now);
    RC_ASSERT(taken.code == ec::none);
    to.last = position_;
    commit(i, taken);
    greatest_ = std::max(greatest_, time);
    sent_.push_back({time, value});
  }

  const std::string& entity(size_t i) const {
    return entities_[i % entities_.size()];
  }

  /// Everything sent is acknowledged.
  void report(bool ended = false) {
    auto x = session_times{greatest_, false, ended, -1};
    RC_ASSERT(coordinator_->report_session(ann, x, ended, now).has_value());
  }

  /// Heartbeats of some shards, and the plan back to them.
  void beat(const std::vector<uint32_t>& which) {
    for (auto i : which) {
      auto& x = *shards_[i].core;
      RC_ASSERT(
        coordinator_
          ->note_shard(i, x.rollups().plan().version(), x.plan_greatest())
          .has_value());
      commit(i, x.admit_plan(coordinator_->plan()));
      commit(i, x.admit_release(coordinator_->final_through()));
    }
  }

  /// The coordinator asks; requests and answers arrive as `luck` has it.
  template <class Luck>
  void seal(Luck&& luck) {
    RC_ASSERT(coordinator_->seal().has_value());
    auto& sealer = coordinator_->sealer();
    if (!sealer.range())
      return;
    time_ += window_sealer::ask_again_after;
    auto range = *sealer.range();
    auto due = sealer.due(time_);
    // Two nodes with the shards of even and odd numbers.
    for (auto node : {0u, 1u}) {
      auto covered = std::vector<uint32_t>{};
      auto merged = std::vector<window_partial>{};
      auto upto = range.through;
      for (auto i : due) {
        if (i % 2 != node || luck() == 0)
          continue;
        auto& x = *shards_[i].core;
        commit(i, x.admit_plan(coordinator_->plan()));
        commit(i, x.admit_seal(range));
        auto part_upto = time_ms{0};
        auto part = x.rollups().sealed(range.after, range.through,
                                       64 + 64 * luck(), part_upto);
        upto = std::min(upto, part_upto);
        merge(merged, part);
        covered.push_back(i);
      }
      if (covered.empty() || luck() == 0)
        continue;
      answers_.push_back({range, covered, upto, merged});
    }
    // Old answers come again.
    for (auto n = luck(); n > 0; --n) {
      if (answers_.empty())
        return;
      auto& x = answers_[luck() * answers_.size() / 4 % answers_.size()];
      coordinator_->sealer().take(x.range, x.covered, x.upto, x.windows);
      auto finals = coordinator_->finish();
      RC_ASSERT(finals.has_value());
    }
  }

  bool settled() const {
    return !coordinator_->sealer().range() && !coordinator_->plan().pending();
  }

  rollup_counts ledger() const {
    auto res = rollup_counts{};
    for (auto& x : shards_)
      res += x.core->rollup_ledger();
    return res;
  }

  uint64_t taken() const {
    auto res = uint64_t{0};
    for (auto& x : shards_)
      res += x.core->ledger().accepted + x.core->ledger().late;
    return res;
  }

  std::map<window_key, totals> finals() const {
    auto res = std::map<window_key, totals>{};
    for (auto& [key, xs] : finals_) {
      auto& to = res[key];
      for (auto& x : xs) {
        to.count += x.total.get<count_aggregate>().count;
        auto& sum = x.total.get<sum_aggregate>().sum;
        to.sum += static_cast<int64_t>(sum.integer());
      }
    }
    return res;
  }

  /// What should be there if nothing was late.
  std::map<window_key, totals> expected() const {
    auto res = std::map<window_key, totals>{};
    for (auto& [time, value] : sent_) {
      auto window = coordinator_->plan().find(time);
      if (!window)
        continue;
      auto& to = res[{window->start, window->end}];
      ++to.count;
      to.sum += value;
    }
    return res;
  }

private:
  struct host {
    std::unique_ptr<shard> core;
    std::vector<std::shared_ptr<const log_entry>> log;
    uint64_t last = 0;
  };

  struct answer {
    seal_range range;
    std::vector<uint32_t> covered;
    time_ms upto = 0;
    std::vector<window_partial> windows;
  };

  void commit(uint32_t i, const offer& x) {
    if (x.entry == nullptr)
      return;
    shards_[i].log.push_back(x.entry);
    shards_[i].core->commit(x.entry->index);
  }

  void start_shard(uint32_t i) {
    auto& x = shards_[i];
    x.core = std::make_unique<shard>(i, shards);
    for (auto& entry : x.log)
      RC_ASSERT(x.core->replay(*entry).has_value());
    RC_ASSERT(x.core->finish_recovery().has_value());
    auto settings = shard_settings{};
    settings.version = 1;
    commit(i, x.core->lead(x.core->epoch() + 1));
    commit(i, x.core->admit_settings(settings));
    commit(i, x.core->admit_plan(coordinator_->plan()));
    commit(i, x.core->admit_seal(
                {before_time, coordinator_->sealed_through(), false}));
  }

  void start_coordinator(bool first) {
    auto save = [this](const rollup_record& record,
                       const std::vector<final_window>& finals) {
      auto decoded = rollup_record::decode(record.encode());
      RC_ASSERT(decoded.has_value());
      RC_ASSERT(decoded->plan == record.plan);
      record_ = std::move(*decoded);
      for (auto& x : finals) {
        auto key = window_key{x.bounds.start, x.bounds.end};
        auto [known, added] = finals_.emplace(key, x.metrics);
        // A final result never changes.
        RC_ASSERT(added || known->second == x.metrics || x.metrics.empty());
      }
      return result<void>{};
    };
    coordinator_ = std::make_unique<rollup_registry>(shards, save);
    if (first)
      RC_ASSERT(coordinator_->create(settings_, now).has_value());
    else
      coordinator_->load(record_, settings_, now);
    // Whoever is live has said so again, and time has passed.
    RC_ASSERT(coordinator_->advance(now).has_value());
  }

  rollup_settings settings_;
  rollup_record record_;
  std::map<window_key, std::vector<metric_partial>> finals_;
  std::unique_ptr<rollup_registry> coordinator_;
  host shards_[shards];
  std::vector<std::string> entities_;
  std::vector<answer> answers_;
  std::vector<std::pair<time_ms, int64_t>> sent_;
  uint64_t position_ = 0;
  time_ms greatest_ = -1;
  time_ms time_ = 0;
};

/// Does anything and everything, then lets all windows become final.
void live(cluster& x, std::mt19937_64& random, time_ms lateness, bool changes) {
  auto luck = [&] {
    return random() % 4;
  };
  auto clock = time_ms{1'000'000};
  auto all = std::vector<uint32_t>{0, 1, 2, 3};
  for (auto step = 0; step < 150; ++step) {
    switch (random() % 12) {
      case 0:
        x.report();
        break;
      case 1:
      case 2:
        x.seal(luck);
        break;
      case 3:
        x.beat({static_cast<uint32_t>(random() % shards)});
        break;
      case 4:
        if (random() % 4 == 0)
          x.restart_shard(static_cast<uint32_t>(random() % shards));
        break;
      case 5:
        if (random() % 8 == 0)
          x.restart_coordinator();
        break;
      case 6:
        if (changes && random() % 4 == 0) {
          auto next = rollup_settings{};
          next.every = static_cast<time_ms>(random() % 5) * 500;
          next.lateness = lateness;
          // Refused while another change is under way.
          static_cast<void>(x.coordinator().configure(next));
        }
        break;
      case 7:
        if (random() % 30 == 0)
          clock += 40'000'000'000;
        break;
      default:
        clock += static_cast<time_ms>(random() % 300);
        x.send(x.entity(random()),
               clock
                 - static_cast<time_ms>(random()
                                        % static_cast<uint64_t>(lateness + 1)),
               static_cast<int64_t>(random() % 1'000));
        break;
    }
  }
  for (auto i = 0; i < 200; ++i) {
    x.report(true);
    x.beat(all);
    x.seal([] {
      return 3u;
    });
  }
}

} // namespace

TEST_SUITE("cluster/rollups") {
  TEST_CASE("every reading is in the final result of its window once, whatever "
            "is lost, repeated or restarted") {
    CHECK(rc::check([](uint64_t seed, bool changes) {
      auto random = std::mt19937_64{seed};
      auto settings = rollup_settings{};
      settings.every = 1'000;
      settings.lateness = static_cast<time_ms>(random() % 3) * 700;
      settings.idle_after = 0;
      auto x = cluster{settings};
      live(x, random, settings.lateness, changes);
      RC_ASSERT(x.settled());
      auto ledger = x.ledger();
      RC_ASSERT(ledger.late == 0u);
      RC_ASSERT(ledger.refused == 0u);
      RC_ASSERT(ledger.total() == x.taken());
      auto expected = x.expected();
      RC_ASSERT(x.finals() == expected);
      auto in = uint64_t{0};
      for (auto& [key, window] : expected)
        in += window.count;
      RC_ASSERT(ledger.in == in);
    }));
  }

  TEST_CASE(
    "a session that says it has come to the end of time moves nothing") {
    auto aut = rollup_registry{shards, [](auto&, auto&) -> result<void> {
                                 return {};
                               }};
    REQUIRE(aut.create({}, now));
    auto x = session_times{};
    x.greatest = std::numeric_limits<time_ms>::max();
    x.ended = true;
    CHECK(aut.report_session(ann, x, true, now));
    CHECK(aut.watermark().record().watermark == -1);
    x.greatest = now;
    CHECK(aut.report_session(ann, x, true, now));
    CHECK(aut.watermark().record().watermark == now);
  }
}
