#include "windows/sliding_series.hpp"
#include "windows/sliding_table.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <ctime>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

// What a sliding window costs, against the two structures that come to mind
// first, and what a shard pays for a reading among many entities.

namespace weir {
namespace {

constexpr size_t readings = 1'000'000;

/// Readings are a millisecond apart, and all within the window.
constexpr time_ms no_floor = -1;

enum order : int64_t { in_order, slightly_disordered, wholly_disordered };

std::vector<time_ms> times(int64_t how) {
  auto res = std::vector<time_ms>(readings);
  for (auto i = size_t{0}; i < readings; ++i)
    res[i] = static_cast<time_ms>(i);
  auto random = std::mt19937_64{7};
  if (how == wholly_disordered)
    std::shuffle(res.begin(), res.end(), random);
  if (how == slightly_disordered)
    for (auto i = size_t{0}; i + 16 < readings; i += 8)
      std::shuffle(res.begin() + static_cast<ptrdiff_t>(i),
                   res.begin() + static_cast<ptrdiff_t>(i + 16), random);
  return res;
}

/// Processor seconds an iteration of `multimap_insert`, which runs first.
std::array<double, 3> multimap_seconds = {};

/// Counts processor time, and says how many times faster than a multimap it
/// was in this very run.
class stopwatch {
public:
  explicit stopwatch(benchmark::State& state)
    : state_(state), start_(std::clock()) {
    // nop
  }

  double seconds() const {
    return static_cast<double>(std::clock() - start_) / CLOCKS_PER_SEC
           / static_cast<double>(state_.iterations());
  }

  void report(double bytes) {
    auto order = static_cast<size_t>(state_.range(0));
    state_.SetItemsProcessed(state_.iterations()
                             * static_cast<int64_t>(readings));
    state_.counters["bytes"] = bytes;
    if (multimap_seconds[order] > 0)
      state_.counters["times_multimap"] = multimap_seconds[order] / seconds();
  }

private:
  benchmark::State& state_;
  std::clock_t start_;
};

void series_insert(benchmark::State& state) {
  auto ts = times(state.range(0));
  auto bytes = size_t{0};
  auto watch = stopwatch{state};
  for (auto _ : state) {
    auto series = sliding_series{};
    for (auto t : ts)
      series.add(t, number::of(t), no_floor,
                 static_cast<uint32_t>(state.range(1)));
    benchmark::DoNotOptimize(series.average(0, readings, no_floor).mean);
    bytes = series.heap_bytes();
  }
  watch.report(static_cast<double>(bytes));
}

void multimap_insert(benchmark::State& state) {
  auto ts = times(state.range(0));
  auto watch = stopwatch{state};
  for (auto _ : state) {
    auto map = std::multimap<time_ms, double>{};
    for (auto t : ts)
      map.emplace(t, static_cast<double>(t));
    auto sum = 0.0;
    for (auto& x : map)
      sum += x.second;
    benchmark::DoNotOptimize(sum / static_cast<double>(map.size()));
  }
  constexpr auto node = allocated(32 + sizeof(std::pair<time_ms, double>));
  multimap_seconds[static_cast<size_t>(state.range(0))] = watch.seconds();
  watch.report(static_cast<double>(node * readings));
}

/// Sorted vector of readings. A million of them wholly disordered would take
/// minutes, so it is spared that.
void vector_insert(benchmark::State& state) {
  auto ts = times(state.range(0));
  auto bytes = size_t{0};
  auto watch = stopwatch{state};
  for (auto _ : state) {
    auto xs = std::vector<std::pair<time_ms, double>>{};
    for (auto t : ts) {
      auto x = std::pair{t, static_cast<double>(t)};
      xs.insert(std::upper_bound(xs.begin(), xs.end(), x), x);
    }
    auto sum = 0.0;
    for (auto& x : xs)
      sum += x.second;
    benchmark::DoNotOptimize(sum / static_cast<double>(xs.size()));
    bytes = xs.capacity() * sizeof(xs[0]);
  }
  watch.report(static_cast<double>(bytes));
}

BENCHMARK(multimap_insert)->DenseRange(in_order, wholly_disordered);
BENCHMARK(vector_insert)->DenseRange(in_order, slightly_disordered);
BENCHMARK(series_insert)
  ->ArgsProduct({{in_order, slightly_disordered, wholly_disordered},
                 {1024, 32'768}});

void series_average(benchmark::State& state) {
  auto series = sliding_series{};
  auto n = state.range(0);
  for (auto t = time_ms{0}; t < n; ++t)
    series.add(t, number::of(t), no_floor, 1024);
  for (auto _ : state)
    benchmark::DoNotOptimize(series.average(0, n, no_floor).mean);
}

BENCHMARK(series_average)->Arg(10)->Arg(1000)->Arg(100'000);

// -- many entities -----------------------------------------------------------

constexpr size_t entities = 100'000;
constexpr size_t tables = 32;
constexpr size_t batch_readings = 2000;

uint64_t hash_of(uint64_t x) {
  x = (x + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr size_t id_bytes = 13;

std::string id_of(size_t x) {
  auto digits = std::to_string(x);
  return "sensor-" + std::string(id_bytes - 7 - digits.size(), '0') + digits;
}

/// Ranks with probability proportional to 1 / rank.
class zipf {
public:
  explicit zipf(size_t n) : sums_(n) {
    auto sum = 0.0;
    for (auto i = size_t{0}; i < n; ++i)
      sums_[i] = sum += 1.0 / static_cast<double>(i + 1);
  }

  template <class Random>
  size_t operator()(Random& random) const {
    auto x = std::uniform_real_distribution<>{0, sums_.back()}(random);
    auto i = std::upper_bound(sums_.begin(), sums_.end(), x);
    return std::min(static_cast<size_t>(i - sums_.begin()), sums_.size() - 1);
  }

private:
  std::vector<double> sums_;
};

/// Batches of one table each, `per_batch` readings at a time, in slight
/// disorder.
struct load {
  /// Of each batch in a row, as decoding leaves them.
  std::vector<std::string> names;
  std::vector<std::pair<size_t, reading_batch>> batches;
  time_ms clock = 0;

  load(size_t count, size_t per_batch) {
    auto random = std::mt19937_64{11};
    auto rank = zipf{entities};
    auto open = std::vector<reading_batch>(tables);
    auto numbers = std::vector<std::map<size_t, uint32_t>>(tables);
    auto ids = std::vector<std::string>(tables);
    names.reserve(count / per_batch + 1); // Views refer to short ones, too.
    for (auto i = size_t{0}; i < count; ++i) {
      auto entity = rank(random);
      auto hash = hash_of(entity);
      auto table = static_cast<size_t>(hash >> 59);
      auto& batch = open[table];
      auto [at, fresh] = numbers[table].emplace(
        entity, static_cast<uint32_t>(batch.entity_hashes.size()));
      if (fresh) {
        ids[table] += id_of(entity);
        batch.entity_hashes.push_back(hash);
      }
      clock = static_cast<time_ms>(i / 100);
      auto late = static_cast<time_ms>(random() % 20);
      batch.readings.push_back(
        {at->second, 0, clock - late,
         number::of(static_cast<int64_t>(random() % 1000))});
      if (batch.readings.size() == per_batch) {
        names.push_back(std::move(ids[table]));
        ids[table] = {};
        auto rest = std::string_view{names.back()};
        for (; !rest.empty(); rest.remove_prefix(id_bytes))
          batch.entities.push_back(rest.substr(0, id_bytes));
        batch.metrics.emplace_back(default_metric);
        batches.emplace_back(table, std::move(batch));
        batch = {};
        numbers[table].clear();
      }
    }
  }
};

void table_apply(benchmark::State& state) {
  auto input = load(8'000'000, static_cast<size_t>(state.range(0)));
  auto bytes = size_t{0};
  auto known = size_t{0};
  for (auto _ : state) {
    state.PauseTiming();
    auto shards = std::vector<sliding_table>{};
    for (auto i = size_t{0}; i < tables; ++i)
      shards.emplace_back(sliding_options{20'000, 1024, 64, 4'000'000});
    // The first half makes the entities and fills their windows; the second
    // one is measured.
    auto half = input.batches.size() / 2;
    auto index = uint64_t{0};
    auto run = [&](size_t first, size_t last) {
      for (auto i = first; i < last; ++i) {
        auto& [table, batch] = input.batches[i];
        shards[table].advance(batch.readings.back().time);
        shards[table].apply(batch, {}, ++index);
      }
    };
    run(0, half);
    state.ResumeTiming();
    run(half, input.batches.size());
    state.PauseTiming();
    bytes = known = 0;
    for (auto& x : shards) {
      bytes += x.bytes();
      known += x.entities();
    }
    shards.clear();
    state.ResumeTiming();
  }
  auto measured = input.batches.size() - input.batches.size() / 2;
  state.SetItemsProcessed(state.iterations() * static_cast<int64_t>(measured)
                          * state.range(0));
  state.counters["entities"] = static_cast<double>(known);
  state.counters["bytes/entity"]
    = static_cast<double>(bytes) / static_cast<double>(known);
}

BENCHMARK(table_apply)
  ->Arg(batch_readings)
  ->Arg(1)
  ->Unit(benchmark::kMillisecond);

/// A million sensors: bytes, and the way through a checkpoint and back.
void recover(benchmark::State& state) {
  constexpr auto sensors = uint64_t{1'000'000};
  auto metrics = state.range(0);
  auto each = state.range(1);
  auto options = sliding_options{};
  auto table = sliding_table{options};
  auto names = std::vector<std::string>{};
  for (auto m = 0; m < metrics; ++m)
    names.push_back("metric-" + std::to_string(m));
  for (auto i = uint64_t{0}; i < sensors; ++i) {
    auto id = "sensor-" + std::to_string(i);
    auto batch = reading_batch{};
    batch.entities = {id};
    batch.entity_hashes = {hash_of(i)};
    batch.metrics = {names.begin(), names.end()};
    for (auto m = uint32_t{0}; m < static_cast<uint32_t>(metrics); ++m)
      for (auto n = 0; n < each; ++n)
        batch.readings.push_back({0, m, n * 1000, number::of(int64_t{n})});
    table.apply(batch, {}, 1);
  }
  auto chunks = std::vector<std::string>{};
  table.begin_checkpoint(true);
  for (auto chunk = std::string{}; table.next_chunk(4096, chunk); chunk.clear())
    chunks.push_back(chunk);
  auto stored = size_t{0};
  for (auto& x : chunks)
    stored += x.size();
  for (auto _ : state) {
    auto loaded = sliding_table{options};
    loaded.reserve(sensors);
    for (auto& x : chunks)
      if (!loaded.load_chunk(x, 1))
        state.SkipWithError("a chunk of ours doesn't load");
    loaded.finish_recovery();
    if (loaded.entities() != sensors)
      state.SkipWithError("entities got lost");
    state.PauseTiming();
    state.counters["bytes/entity"]
      = static_cast<double>(loaded.bytes()) / static_cast<double>(sensors);
    { auto gone = std::move(loaded); }
    state.ResumeTiming();
  }
  state.counters["stored/entity"]
    = static_cast<double>(stored) / static_cast<double>(sensors);
}

BENCHMARK(recover)
  ->Args({1, 3})
  ->Args({5, 2})
  ->Unit(benchmark::kMillisecond)
  ->Iterations(3);

} // namespace
} // namespace weir

BENCHMARK_MAIN();
