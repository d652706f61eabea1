#include "cluster/block.hpp"

#include "cluster/sharding.hpp"
#include "windows/bytes.hpp"

#include <xxhash.h>

#include <cassert>
#include <cmath>

namespace weir {

namespace {

constexpr uint8_t block_version = 1;
constexpr size_t initial_slots = 1024;

result<void> bad(const char* what) {
  return fail(ec::malformed,
              std::string{"a block does not decode: "} + what
                + "; the sender or the storage under it is at fault");
}

} // namespace

block_builder::block_builder() : slots_(initial_slots) {
  // nop
}

void block_builder::grow() {
  auto bigger = std::vector<slot>(slots_.size() * 2);
  auto mask = bigger.size() - 1;
  for (auto ref = size_t{0}; ref < hashes_.size(); ++ref) {
    auto i = hashes_[ref] & mask;
    while (bigger[i].generation == generation_)
      i = (i + 1) & mask;
    bigger[i] = {generation_, static_cast<uint16_t>(ref),
                 static_cast<uint32_t>(hashes_[ref] >> 32)};
  }
  slots_ = std::move(bigger);
}

uint32_t block_builder::entity_ref(std::string_view entity, uint64_t hash) {
  auto tag = static_cast<uint32_t>(hash >> 32);
  auto mask = slots_.size() - 1;
  auto i = hash & mask;
  for (; slots_[i].generation == generation_; i = (i + 1) & mask) {
    if (slots_[i].tag != tag)
      continue;
    auto [offset, size] = entities_[slots_[i].ref];
    if (entity == std::string_view{entity_names_.data() + offset, size})
      return slots_[i].ref;
  }
  auto ref = static_cast<uint32_t>(entities_.size());
  slots_[i] = {generation_, static_cast<uint16_t>(ref), tag};
  hashes_.push_back(hash);
  byte_writer{entity_names_}.varint(entity.size());
  entities_.emplace_back(static_cast<uint32_t>(entity_names_.size()),
                         static_cast<uint32_t>(entity.size()));
  entity_names_.append(entity);
  if (entities_.size() * 2 > slots_.size())
    grow();
  return ref;
}

uint32_t block_builder::metric_ref(std::string_view metric) {
  for (auto i = size_t{0}; i < metrics_.size(); ++i)
    if (metrics_[i] == metric)
      return static_cast<uint32_t>(i);
  metrics_.emplace_back(metric);
  byte_writer{metric_names_}.string(metric);
  return static_cast<uint32_t>(metrics_.size() - 1);
}

bool block_builder::matches(const shape& x, const field* fields,
                            size_t n) const {
  if (x.size != n)
    return false;
  for (auto i = size_t{0}; i < n; ++i) {
    auto& field = shape_fields_[x.first + i];
    if (field.is_double != fields[i].value.is_double()
        || metrics_[field.metric] != fields[i].metric)
      return false;
  }
  return true;
}

uint32_t block_builder::shape_ref(const field* fields, size_t n) {
  if (last_shape_ < shapes_.size() && matches(shapes_[last_shape_], fields, n))
    return last_shape_;
  auto key = std::string{};
  auto first = shape_fields_.size();
  for (auto i = size_t{0}; i < n; ++i) {
    auto field
      = shape_field{metric_ref(fields[i].metric), fields[i].value.is_double()};
    byte_writer{key}.varint(uint64_t{field.metric} << 1
                            | (field.is_double ? 1 : 0));
    shape_fields_.push_back(field);
  }
  auto [pos, added]
    = shape_index_.emplace(key, static_cast<uint32_t>(shapes_.size()));
  if (added)
    shapes_.push_back({first, n});
  else
    shape_fields_.resize(first);
  return last_shape_ = pos->second;
}

void block_builder::add(std::string_view entity, uint64_t hash, time_ms time,
                        const field* fields, size_t n) {
  assert(n > 0 && readings_ + n <= block_readings_limit);
  refs_.varint(entity_ref(entity, hash));
  times_.zigzag(time - last_time_);
  last_time_ = time;
  shape_column_.varint(shape_ref(fields, n));
  for (auto i = size_t{0}; i < n; ++i) {
    if (fields[i].value.is_double())
      values_.fixed(fields[i].value.as_double());
    else
      values_.zigzag(fields[i].value.as_integer());
  }
  ++records_;
  readings_ += n;
}

std::string block_builder::finish(const block_header& header) {
  assert(records_ > 0);
  // With a single shape its column is all zeros, and left out.
  if (shapes_.size() == 1)
    shape_column_.clear();
  auto res = std::string{};
  res.reserve(bytes() + 64);
  auto out = byte_writer{res};
  out.fixed(block_version);
  out.varint(header.shard);
  out.fixed(header.producer.high);
  out.fixed(header.producer.low);
  out.varint(header.session);
  out.varint(header.after);
  out.varint(header.position);
  out.varint(records_);
  out.varint(readings_);
  out.varint(entities_.size());
  res += entity_names_;
  out.varint(metrics_.size());
  res += metric_names_;
  out.varint(shapes_.size());
  for (auto& x : shapes_) {
    out.varint(x.size);
    for (auto i = x.first; i < x.first + x.size; ++i)
      out.varint(uint64_t{shape_fields_[i].metric} << 1
                 | (shape_fields_[i].is_double ? 1 : 0));
  }
  for (auto* x : {&refs_, &times_, &shape_column_})
    out.varint(x->size());
  for (auto* x : {&refs_, &times_, &shape_column_, &values_}) {
    res += x->bytes();
    x->clear();
  }
  out.fixed(static_cast<uint64_t>(XXH3_64bits(res.data(), res.size())));
  if (++generation_ == 0) {
    slots_.assign(slots_.size(), {});
    generation_ = 1;
  }
  entity_names_.clear();
  entities_.clear();
  hashes_.clear();
  metric_names_.clear();
  metrics_.clear();
  shape_fields_.clear();
  shapes_.clear();
  shape_index_.clear();
  last_shape_ = 0;
  records_ = readings_ = 0;
  last_time_ = 0;
  return res;
}

namespace {

block_header read_header(byte_reader& in) {
  auto res = block_header{};
  auto shard = in.varint();
  if (shard > UINT32_MAX)
    in.fail();
  res.shard = static_cast<uint32_t>(shard);
  res.producer.high = in.fixed<uint64_t>();
  res.producer.low = in.fixed<uint64_t>();
  res.session = in.varint();
  res.after = in.varint();
  res.position = in.varint();
  return res;
}

/// Reads a table of names. False when it cannot be one.
bool read_names(byte_reader& in, std::vector<std::string_view>& out) {
  auto n = in.varint();
  if (!in.ok() || n > in.remaining() || n > block_readings_limit)
    return false;
  out.resize(static_cast<size_t>(n));
  for (auto& x : out) {
    x = in.string();
    if (x.empty() || x.size() > name_bytes_max)
      return false;
  }
  return in.ok();
}

struct shape_table {
  /// metric << 1 | is_double, of all shapes after one another.
  std::vector<uint32_t> fields;
  /// Where each shape begins in `fields`; one more at the end.
  std::vector<uint32_t> first;
};

bool read_shapes(byte_reader& in, size_t metrics, shape_table& out) {
  auto n = in.varint();
  if (!in.ok() || n == 0 || n > in.remaining())
    return false;
  out.first.push_back(0);
  for (auto i = uint64_t{0}; i < n; ++i) {
    auto fields = in.varint();
    if (!in.ok() || fields == 0 || fields > in.remaining())
      return false;
    for (auto j = uint64_t{0}; j < fields; ++j) {
      auto x = in.varint();
      if (x >> 1 >= metrics)
        return false;
      out.fields.push_back(static_cast<uint32_t>(x));
    }
    out.first.push_back(static_cast<uint32_t>(out.fields.size()));
  }
  return in.ok();
}

} // namespace

result<block_header> decode_block_header(std::string_view bytes) {
  auto in = byte_reader{bytes};
  if (in.fixed<uint8_t>() != block_version)
    return fail(ec::version_mismatch, "a block of an unknown version");
  auto res = read_header(in);
  if (!in.ok() || bytes.size() > block_bytes_limit)
    return fail(ec::malformed, "a block's header does not decode");
  return res;
}

result<void> decode_block(std::string_view bytes, uint32_t shards,
                          decoded_block& out) {
  if (bytes.size() > block_bytes_limit)
    return bad("it is longer than a block may be");
  if (bytes.size() < sizeof(uint64_t))
    return bad("it is cut short");
  auto body = bytes.substr(0, bytes.size() - sizeof(uint64_t));
  if (byte_reader{bytes.substr(body.size())}.fixed<uint64_t>()
      != XXH3_64bits(body.data(), body.size()))
    return bad("its checksum does not match");
  auto in = byte_reader{body};
  if (in.fixed<uint8_t>() != block_version)
    return fail(ec::version_mismatch, "a block of an unknown version");
  out.header = read_header(in);
  auto records = in.varint();
  auto readings = in.varint();
  if (!in.ok() || records == 0 || records > readings
      || readings > block_readings_limit
      || out.header.position <= out.header.after || out.header.shard >= shards)
    return bad("its counts contradict each other");
  auto& batch = out.batch;
  if (!read_names(in, batch.entities) || !read_names(in, batch.metrics))
    return bad("its names are empty, too long or cut short");
  batch.entity_hashes.resize(batch.entities.size());
  for (auto i = size_t{0}; i < batch.entities.size(); ++i) {
    batch.entity_hashes[i] = entity_hash(batch.entities[i]);
    if (shard_of(batch.entity_hashes[i], shards) != out.header.shard)
      return bad("an entity belongs to another shard");
  }
  auto shapes = shape_table{};
  if (!read_shapes(in, batch.metrics.size(), shapes))
    return bad("its shapes are damaged");
  size_t sizes[3];
  for (auto& size : sizes)
    size = static_cast<size_t>(in.varint());
  auto refs = byte_reader{in.bytes(sizes[0])};
  auto times = byte_reader{in.bytes(sizes[1])};
  auto kinds = byte_reader{in.bytes(sizes[2])};
  auto one_shape = shapes.first.size() == 2;
  if (!in.ok() || (one_shape && kinds.remaining() != 0))
    return bad("its columns are cut short");
  batch.readings.resize(static_cast<size_t>(readings));
  auto pos = batch.readings.begin();
  auto end = batch.readings.end();
  auto time = uint64_t{0};
  for (auto i = uint64_t{0}; i < records; ++i) {
    auto entity = refs.varint();
    // Unsigned: hostile deltas may wrap, which is then out of range.
    time += static_cast<uint64_t>(times.zigzag());
    auto kind = one_shape ? 0 : kinds.varint();
    if (entity >= batch.entities.size() || kind >= shapes.first.size() - 1)
      return bad("a record refers to nothing");
    if (time > static_cast<uint64_t>(time_max))
      return bad("a time is out of range");
    auto first = shapes.first[kind];
    auto last = shapes.first[kind + 1];
    if (end - pos < last - first)
      return bad("it holds more readings than it says");
    for (auto j = first; j < last; ++j, ++pos) {
      pos->entity = static_cast<uint32_t>(entity);
      pos->metric = shapes.fields[j] >> 1;
      pos->time = static_cast<time_ms>(time);
      if (shapes.fields[j] & 1) {
        auto x = in.fixed<double>();
        if (!std::isfinite(x))
          return bad("a value is not finite");
        pos->value = number::of(x);
      } else {
        pos->value = number::of(in.zigzag());
      }
    }
  }
  if (pos != end || !in.done() || !refs.done() || !times.done()
      || !kinds.done())
    return bad("its columns do not fit its counts");
  return {};
}

} // namespace weir
