#include "input/generate.hpp"
#include "input/reader.hpp"

#include <benchmark/benchmark.h>
#include <simdjson.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>

// What the reader costs a line, everything included, next to a bare loop over
// simdjson that checks nothing and already holds the bytes in memory.

using namespace weir;

namespace {

constexpr uint64_t lines = 1'000'000;

/// A file of one kind of lines, written once.
const std::string& input_of(const std::string& kind,
                            const std::string& format) {
  static auto dir = [] {
    auto name
      = (std::filesystem::temp_directory_path() / "weir-XXXXXX").string();
    if (!::mkdtemp(name.data()))
      throw std::runtime_error{"no temporary directory"};
    struct guard {
      std::string name;
      ~guard() {
        std::filesystem::remove_all(name);
      }
    };
    static auto owner = guard{name};
    return name;
  }();
  static auto files = std::map<std::string, std::string>{};
  auto& path = files[kind + "." + format];
  if (!path.empty())
    return path;
  path = dir + "/" + kind + "." + format;
  auto options = generate_options{};
  options.events = lines;
  options.entities = 100'000;
  options.kind = kind;
  options.metrics = 10;
  options.format = format;
  auto out = std::fopen(path.c_str(), "w");
  if (!out || !generate(options, out) || std::fclose(out) != 0)
    throw std::runtime_error{"cannot write " + path};
  return path;
}

void report(benchmark::State& state, const std::string& path) {
  auto total = static_cast<int64_t>(lines) * state.iterations();
  state.SetItemsProcessed(total);
  state.SetBytesProcessed(static_cast<int64_t>(std::filesystem::file_size(path))
                          * state.iterations());
}

void reader_of(benchmark::State& state, const std::string& kind,
               const std::string& format) {
  const auto& path = input_of(kind, format);
  for (auto _ : state) {
    auto in = reader::open({path});
    auto count = uint64_t{0};
    while ((*in)->next(std::chrono::milliseconds{0}) == step::record) {
      benchmark::DoNotOptimize((*in)->current().fields->value);
      ++count;
    }
    if (count != lines)
      state.SkipWithError("lines are missing");
  }
  report(state, path);
}

void reader_of_four(benchmark::State& state) {
  const auto& path = input_of("events", "ndjson");
  for (auto _ : state) {
    auto in = reader::open({path, path, path, path});
    while ((*in)->next(std::chrono::milliseconds{0}) == step::record)
      benchmark::DoNotOptimize((*in)->current().fields->value);
  }
  state.SetItemsProcessed(4 * static_cast<int64_t>(lines) * state.iterations());
}

void bare_simdjson(benchmark::State& state) {
  const auto& path = input_of("events", "ndjson");
  auto bytes = simdjson::padded_string{};
  if (simdjson::padded_string::load(path).get(bytes))
    throw std::runtime_error{"cannot read " + path};
  auto parser = simdjson::ondemand::parser{};
  parser.threaded = false; // One thread against one.
  for (auto _ : state) {
    auto documents = simdjson::ondemand::document_stream{};
    if (parser.iterate_many(bytes, size_t{1} << 20).get(documents))
      throw std::runtime_error{"cannot parse"};
    auto count = uint64_t{0};
    for (auto document : documents) {
      auto time = int64_t{0};
      auto entity = std::string_view{};
      auto value = 0.0;
      count += !document["timestamp"].get(time)
               && !document["entity"].get(entity)
               && !document["value"].get(value);
      benchmark::DoNotOptimize(value);
    }
    if (count != lines)
      state.SkipWithError("lines are missing");
  }
  report(state, path);
}

void generator(benchmark::State& state) {
  auto options = generate_options{};
  options.events = lines;
  options.entities = 100'000;
  options.zipf = 1;
  options.disorder = 1000;
  auto out = std::fopen("/dev/null", "w");
  for (auto _ : state)
    if (!generate(options, out))
      state.SkipWithError("cannot write");
  std::fclose(out);
  state.SetItemsProcessed(static_cast<int64_t>(lines) * state.iterations());
}

} // namespace

BENCHMARK_CAPTURE(reader_of, events_ndjson, "events", "ndjson")
  ->Unit(benchmark::kMillisecond);
BENCHMARK(bare_simdjson)->Unit(benchmark::kMillisecond);
BENCHMARK(reader_of_four)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(reader_of, samples_ndjson, "samples", "ndjson")
  ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(reader_of, events_csv, "events", "csv")
  ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(reader_of, samples_csv, "samples", "csv")
  ->Unit(benchmark::kMillisecond);
BENCHMARK(generator)->Unit(benchmark::kMillisecond);

BENCHMARK_MAIN();
