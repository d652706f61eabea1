#include "test/simulate/producer.hpp"

#include "cluster/block.hpp"
#include "cluster/sharding.hpp"
#include "test/simulate/world.hpp"

#include <algorithm>
#include <map>

namespace weir::test {

namespace {

/// Where the inputs' times begin: in the past, so that no clock holds up a
/// watermark.
constexpr time_ms input_begin = world_now - 40'000;

/// Between two records of an input, ms.
constexpr time_ms input_step = 100;

constexpr uint64_t entities = 8;

/// Small numbers that are neither prime to everything nor to one another, so
/// that kinds of records meet in blocks.
input_record make(size_t number, uint64_t n, uint32_t shards) {
  auto res = input_record{};
  auto hash = entity_hash(std::to_string(number) + '/' + std::to_string(n));
  res.entity
    = 'p' + std::to_string(number) + 'e' + std::to_string(n % entities);
  res.time = input_begin + static_cast<time_ms>(n) * input_step;
  // Tells each record from any other one, also in a sum that a double holds.
  res.value = static_cast<int64_t>(hash >> 24);
  if (n % 13 == 0) {
    res.what = input_record::kind::malformed;
  } else if (n % 17 == 0) {
    res.what = input_record::kind::old;
    res.entity += "-old";
    res.time -= 20 * 60'000;
  } else if (n % 19 == 0) {
    res.what = input_record::kind::future;
    res.time += 30 * 86'400'000ll;
  } else if (hash % 10 == 0) {
    // Out of order: late for its window, if the others were quick.
    res.time -= 3'000;
  }
  res.shard = shard_of(entity_hash(res.entity), shards);
  return res;
}

} // namespace

producer::producer(size_t number, uint32_t shards, uint64_t size)
  : name_("producer " + std::to_string(number)),
    id_(named_producer(name_)),
    shards_(shards),
    sent_(shards),
    records_(shards, std::vector<uint64_t>(1)) {
  for (auto n = uint64_t{1}; n <= size; ++n) {
    auto& x = input_.emplace_back(make(number, n, shards));
    for (auto i = uint32_t{0}; i < shards; ++i) {
      auto counts = i == x.shard && x.what != input_record::kind::malformed;
      records_[i].push_back(records_[i].back() + (counts ? 1 : 0));
    }
  }
}

void producer::open(const producer_record& x) {
  phase_ = phase::asking;
  session_ = x.session;
  read_ = 0;
  had_.assign(shards_, std::nullopt);
  last_.assign(shards_, 0);
  out_.emplace(shards_);
}

std::optional<uint32_t> producer::to_ask() const {
  for (auto i = uint32_t{0}; i < shards_; ++i)
    if (!had_[i])
      return i;
  return std::nullopt;
}

void producer::resumes_after(uint32_t shard, uint64_t last) {
  had_[shard] = last;
  last_[shard] = last;
  if (!to_ask())
    phase_ = phase::sending;
}

void producer::read(uint64_t n) {
  auto builders = std::map<uint32_t, block_builder>{};
  auto firsts = std::map<uint32_t, uint64_t>{};
  auto lasts = std::map<uint32_t, uint64_t>{};
  for (; n > 0 && read_ < input_.size(); --n) {
    auto& x = input_[static_cast<size_t>(read_++)];
    if (x.what == input_record::kind::malformed || read_ <= *had_[x.shard])
      continue;
    auto value = field{default_metric, number::of(x.value)};
    builders[x.shard].add(x.entity, entity_hash(x.entity), x.time, &value, 1);
    firsts.emplace(x.shard, read_);
    lasts[x.shard] = read_;
  }
  for (auto& [shard, builder] : builders) {
    auto& after = last_[shard];
    auto last = lasts[shard];
    auto bytes = std::make_shared<const std::string>(
      builder.finish({shard, id_, session_, after, last}));
    out_->add(shard, {firsts[shard], after, last, std::move(bytes)});
    after = last;
    sent_[shard] = std::max(sent_[shard], last);
  }
  if (read_ == input_.size() && out_->empty())
    phase_ = phase::ending;
}

void producer::acknowledged(uint32_t shard, uint64_t position) {
  if (phase_ != phase::sending)
    return;
  out_->acknowledge(shard, position);
  if (read_ == input_.size() && out_->empty())
    phase_ = phase::ending;
}

uint64_t producer::prefix() const {
  return out_->empty() ? read_ : out_->first_unacknowledged() - 1;
}

report_session producer::report() const {
  auto res = report_session{};
  res.producer = id_;
  res.session = session_;
  res.prefix = prefix();
  res.ended = phase_ == phase::ending;
  res.flush = res.ended;
  for (auto i = uint64_t{0}; i < res.prefix; ++i) {
    auto& x = input_[static_cast<size_t>(i)];
    if (x.what == input_record::kind::malformed) {
      ++res.malformed;
      continue;
    }
    if (i < *had_[x.shard])
      ++res.duplicate;
    if (x.what != input_record::kind::future)
      res.greatest = std::max(res.greatest, x.time);
  }
  return res;
}

uint64_t producer::records(uint32_t shard, uint64_t position) const {
  return records_[shard][std::min<uint64_t>(position, input_.size())];
}

int64_t producer::sum(const std::string& entity, uint32_t shard,
                      uint64_t position) const {
  auto res = int64_t{0};
  for (auto i = size_t{0}; i < std::min<uint64_t>(position, input_.size()); ++i)
    if (auto& x = input_[i]; x.shard == shard && x.entity == entity
                             && x.what == input_record::kind::plain)
      res += x.value;
  return res;
}

uint64_t producer::readings(const std::string& entity, uint32_t shard,
                            uint64_t position) const {
  auto end
    = input_.begin()
      + static_cast<ptrdiff_t>(std::min<uint64_t>(position, input_.size()));
  return static_cast<uint64_t>(std::count_if(input_.begin(), end, [&](auto& x) {
    return x.shard == shard && x.entity == entity
           && x.what == input_record::kind::plain;
  }));
}

} // namespace weir::test
