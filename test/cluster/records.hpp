#pragma once

#include "cluster/block.hpp"
#include "cluster/sharding.hpp"
#include "test/windows/sliding_fixture.hpp"

#include <string>
#include <utility>
#include <vector>

// Words for the tests of blocks and of what is made of them.

namespace weir::test {

struct plain_record {
  std::string entity;
  time_ms time = 0;
  std::vector<std::pair<std::string, number>> fields;
};

/// A record with the one metric of an event.
inline plain_record event(std::string entity, time_ms time, int64_t value) {
  return {std::move(entity),
          time,
          {{std::string{default_metric}, number::of(value)}}};
}

inline void add(block_builder& to, const plain_record& x, uint64_t hash) {
  auto fields = std::vector<field>{};
  for (auto& [metric, value] : x.fields)
    fields.push_back({metric, value});
  to.add(x.entity, hash, x.time, fields.data(), fields.size());
}

inline void add(block_builder& to, const plain_record& x) {
  add(to, x, entity_hash(x.entity));
}

inline std::string block_of(const block_header& header,
                            const std::vector<plain_record>& records) {
  auto builder = block_builder{};
  for (auto& x : records)
    add(builder, x);
  return builder.finish(header);
}

/// Names of the form e1, e2, ... whose shard is `shard`.
inline std::vector<std::string> entities_of(uint32_t shard, uint32_t shards,
                                            size_t n) {
  auto res = std::vector<std::string>{};
  for (auto i = size_t{1}; res.size() < n; ++i)
    if (auto id = "e" + std::to_string(i);
        shard_of(entity_hash(id), shards) == shard)
      res.push_back(std::move(id));
  return res;
}

/// A reading with its names, as tests compare them.
struct named_reading {
  std::string entity;
  std::string metric;
  time_ms time = 0;
  number value;

  friend bool operator==(const named_reading& x, const named_reading& y) {
    return x.entity == y.entity && x.metric == y.metric && x.time == y.time
           && x.value == y.value;
  }
};

inline std::vector<named_reading> flatten(
  const std::vector<plain_record>& records) {
  auto res = std::vector<named_reading>{};
  for (auto& x : records)
    for (auto& [metric, value] : x.fields)
      res.push_back({x.entity, metric, x.time, value});
  return res;
}

inline std::vector<named_reading> flatten(const reading_batch& x) {
  auto res = std::vector<named_reading>{};
  for (auto& r : x.readings)
    res.push_back({std::string{x.entities[r.entity]},
                   std::string{x.metrics[r.metric]}, r.time, r.value});
  return res;
}

/// Records as nature and its enemies invent them.
inline rc::Gen<plain_record> any_record() {
  auto name = [](std::string x) {
    x.resize(std::min(x.size(), name_bytes_max));
    return x.empty() ? std::string{"?"} : x;
  };
  auto pool = rc::gen::map(rc::gen::inRange(0, 20), [](int i) {
    return "sensor-" + std::to_string(i);
  });
  auto entity = rc::gen::weightedOneOf<std::string>(
    {{8, pool},
     {2, rc::gen::map(rc::gen::arbitrary<std::string>(), name)},
     {1, rc::gen::just(std::string(name_bytes_max, 'x'))}});
  auto time
    = rc::gen::oneOf(rc::gen::inRange<time_ms>(1'000'000, 1'100'000),
                     rc::gen::inRange<time_ms>(time_min, time_max),
                     rc::gen::element(time_ms{time_min}, time_ms{time_max}));
  auto metric = rc::gen::map(rc::gen::inRange(0, 6), [](int i) {
    return "m" + std::to_string(i);
  });
  auto fields = rc::gen::nonEmpty(rc::gen::resize(
    6, rc::gen::container<std::vector<std::pair<std::string, number>>>(
         rc::gen::pair(metric, any_number()))));
  return rc::gen::map(rc::gen::tuple(entity, time, fields), [](auto x) {
    return plain_record{std::get<0>(x), std::get<1>(x), std::get<2>(x)};
  });
}

inline void showValue(const plain_record& x, std::ostream& out) {
  out << x.entity << " at " << x.time;
  for (auto& [metric, value] : x.fields)
    out << ' ' << metric << '=' << value.to_double();
}

} // namespace weir::test
