#include "cluster/sharding.hpp"
#include "windows/sliding_table.hpp"

#include <simdjson.h>
#include <tsl/robin_map.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

// What one thread does with a file of events when nothing is asked of it but
// the averages: no network, no disk, no checks of what it reads. The measure
// for a cluster that does the same for good. Prints one JSON object a way.
//
//   bench-loop [--batch READINGS] FILE [ENTITY...]
//
// Answers for the entities, at the greatest time, go with it.

namespace weir {
namespace {

using clock = std::chrono::steady_clock;

/// Readings that are applied together: misses of the cache overlap, and a name
/// that comes again is looked up once. Fewer or more were slower.
constexpr size_t batch_readings = 4096;

constexpr time_ms window = 60'000;
constexpr time_ms lateness = 10'000;

/// As in the documentation of `iterate_many`: the bytes that are indexed at
/// once, which stay in a second-level cache.
constexpr size_t window_bytes = 1'000'000;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "bench-loop: %s\n", why.c_str());
  std::exit(1);
}

struct arguments {
  size_t batch = batch_readings;
  std::string path;
  std::vector<std::string> entities;
};

struct event {
  time_ms time;
  std::string_view entity;
  double value;
};

/// The averages of all entities, with the settings that a cluster has unless
/// told otherwise.
class windows {
public:
  windows() : table_({window + lateness, 1024, 64, 4'000'000}) {
    batch_.metrics.emplace_back(default_metric);
  }

  const sliding_table& table() const {
    return table_;
  }

  /// Readings that were not refused.
  uint64_t count() const {
    return count_;
  }

  time_ms newest() const {
    return newest_;
  }

  sliding_answer average(const std::string& entity) const {
    return table_.average(entity, entity_hash(entity), default_metric, newest_,
                          window, newest_);
  }

  void apply_one(const event& x) {
    batch_.entities.push_back(x.entity);
    batch_.entity_hashes.push_back(entity_hash(x.entity));
    batch_.readings.push_back({0, 0, x.time, number::of(x.value)});
    apply();
  }

  /// Keeps `x` until `per_batch` are there.
  void collect(const event& x, size_t per_batch) {
    auto hash = entity_hash(x.entity);
    auto i = numbers_.find(x.entity, hash);
    if (i == numbers_.end()) {
      // Within what was reserved, so that views stay.
      if (names_.size() + x.entity.size() > names_.capacity()) {
        apply_collected();
        names_.reserve(std::max(per_batch * 64, x.entity.size()));
      }
      auto offset = names_.size();
      names_ += x.entity;
      auto name = std::string_view{names_}.substr(offset);
      auto number = static_cast<uint32_t>(batch_.entities.size());
      batch_.entities.push_back(name);
      batch_.entity_hashes.push_back(hash);
      i = numbers_.emplace(name, number).first;
    }
    batch_.readings.push_back({i->second, 0, x.time, number::of(x.value)});
    if (batch_.readings.size() >= per_batch)
      apply_collected();
  }

  void apply_collected() {
    apply();
    numbers_.clear();
    names_.clear();
  }

private:
  struct hash_of {
    size_t operator()(std::string_view x) const {
      return entity_hash(x);
    }
  };

  void apply() {
    for (auto& x : batch_.readings)
      newest_ = std::max(newest_, x.time);
    count_ += batch_.readings.size() - table_.apply(batch_, {}, ++index_);
    table_.advance(newest_);
    batch_.entities.clear();
    batch_.entity_hashes.clear();
    batch_.readings.clear();
  }

  sliding_table table_;
  reading_batch batch_;
  tsl::robin_map<std::string_view, uint32_t, hash_of> numbers_;
  std::string names_;
  time_ms newest_ = time_min;
  uint64_t index_ = 0;
  uint64_t count_ = 0;
};

/// Calls `f` with every event of the file.
template <class F>
void parse(const simdjson::padded_string& bytes, F f) {
  auto parser = simdjson::ondemand::parser{};
  parser.threaded = false; // One thread is the measure.
  auto documents = simdjson::ondemand::document_stream{};
  if (parser.iterate_many(bytes, window_bytes).get(documents))
    give_up("the file can't be parsed");
  for (auto document : documents) {
    auto x = event{};
    if (document["timestamp"].get(x.time) || document["entity"].get(x.entity)
        || document["value"].get(x.value))
      give_up("a line is no event");
    f(x);
  }
}

void print_answers(const windows& w, const std::vector<std::string>& entities) {
  auto separator = "";
  for (auto& entity : entities) {
    auto x = w.average(entity);
    std::printf("%s{\"entity\": \"%s\", \"count\": %" PRIu64
                ", \"average\": %.17g, \"exact\": %s}",
                separator, entity.c_str(), x.count, x.average,
                x.exact ? "true" : "false");
    separator = ", ";
  }
}

/// Prints speed, and answers to be compared with those of others.
template <class F>
void measure(const char* way, const arguments& args, F feed) {
  auto start = clock::now();
  auto bytes = simdjson::padded_string{};
  if (auto error = simdjson::padded_string::load(args.path).get(bytes))
    give_up(args.path + ": " + simdjson::error_message(error));
  auto w = windows{};
  auto events = uint64_t{0};
  parse(bytes, [&](const event& x) {
    ++events;
    feed(w, x);
  });
  w.apply_collected();
  auto seconds = std::chrono::duration<double>(clock::now() - start).count();
  if (w.count() != events)
    give_up("not all events were counted");
  std::printf("{\"way\": \"%s\", \"events\": %" PRIu64 ", \"seconds\": %.4f, "
              "\"events_per_second\": %.0f, \"entities\": %zu, "
              "\"window_bytes\": %zu, \"at\": %" PRId64 ", \"answers\": [",
              way, events, seconds, static_cast<double>(events) / seconds,
              w.table().entities(), w.table().bytes(), w.newest());
  print_answers(w, args.entities);
  std::printf("]}\n");
}

int run(const arguments& args) {
  measure("plain", args, [](windows& w, const event& x) {
    w.apply_one(x);
  });
  measure("batched", args, [&](windows& w, const event& x) {
    w.collect(x, args.batch);
  });
  return 0;
}

} // namespace
} // namespace weir

int main(int argc, char** argv) {
  auto args = weir::arguments{};
  for (auto i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--batch") == 0 && i + 1 < argc)
      args.batch = std::strtoull(argv[++i], nullptr, 10);
    else if (args.path.empty())
      args.path = argv[i];
    else
      args.entities.emplace_back(argv[i]);
  }
  if (args.path.empty() || args.batch == 0)
    weir::give_up("bench-loop [--batch READINGS] FILE [ENTITY...]");
  return weir::run(args);
}
