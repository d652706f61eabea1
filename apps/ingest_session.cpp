#include "apps/ingest_session.hpp"

#include "actors/clock.hpp"
#include "cluster/sharding.hpp"
#include "messages/types.hpp"

#include <caf/send.hpp>

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

namespace weir {

namespace {

/// While input keeps coming, blocks may fill for this many lingers.
constexpr auto busy_lingers = 10;

/// Bytes that go to the actor in one message: it fills frames from it.
constexpr size_t parcel_bytes_max = 256 << 10;

void free_digest(XXH3_state_s* x) {
  XXH3_freeState(x);
}

} // namespace

ingest_session::ingest_session(const process_settings& process,
                               session_start start, bool digest_wanted,
                               ingest_actor actor,
                               std::shared_ptr<ingest_gate> gate)
  : process_(process),
    start_(std::move(start)),
    actor_(std::move(actor)),
    gate_(std::move(gate)),
    blocks_(start_.last.size()),
    number_(start_.base),
    handed_number_(start_.base),
    verified_(start_.digest_at <= start_.base),
    digest_(nullptr, free_digest) {
  for (auto i = size_t{0}; i < blocks_.size(); ++i)
    blocks_[i].after = start_.last[i];
  if (digest_wanted) {
    digest_.reset(XXH3_createState());
    XXH3_64bits_reset(digest_.get());
  }
}

ingest_session::~ingest_session() = default;

result<void> ingest_session::count(std::string_view raw) {
  gate_->read(++number_);
  if (digest_ == nullptr)
    return {};
  XXH3_64bits_update(digest_.get(), raw.data(), raw.size());
  XXH3_64bits_update(digest_.get(), "\n", 1);
  if (verified_ || number_ < start_.digest_at)
    return {};
  verified_ = true;
  if (XXH3_64bits_digest(digest_.get()) != start_.digest)
    return fail(ec::conflict,
                fmt::format("this is not the input that the producer sent "
                            "before: its first {} records differ; send it "
                            "without --resume, or under another --producer",
                            start_.digest_at - start_.base));
  return {};
}

result<void> ingest_session::add(const record& x) {
  if (auto same = count(x.raw); !same)
    return same;
  note_time(x.time);
  received_ += x.size;
  if (number_ <= start_.prefix) {
    duplicate_ += x.size;
    return {};
  }
  auto hash = entity_hash(x.entity);
  auto shard = shard_of(hash, static_cast<uint32_t>(blocks_.size()));
  auto& block = blocks_[shard];
  if (number_ <= start_.last[shard]) {
    duplicate_ += x.size;
    return {};
  }
  auto& builder = block.builder;
  if (builder.records() == 0) {
    block.first = number_;
    block.since = clock::now();
  }
  builder.add(x.entity, hash, x.time, x.fields, x.size);
  if (builder.readings() >= process_.block_readings_max
      || builder.bytes() >= process_.block_bytes_max)
    close(shard);
  return {};
}

result<void> ingest_session::add_bad(std::string_view raw) {
  if (auto same = count(raw); !same)
    return same;
  ++received_;
  // What was acknowledged before was reported before.
  if (number_ <= start_.prefix)
    ++duplicate_;
  else
    ++malformed_;
  return {};
}

void ingest_session::note_time(time_ms x) {
  // The clock is read when it has to have moved, and not for every record.
  if (x > present_)
    present_ = wall_clock() + start_.future_limit;
  if (x <= present_)
    greatest_ = std::max(greatest_, x);
}

void ingest_session::close(uint32_t shard) {
  auto& block = blocks_[shard];
  auto header = block_header{shard, start_.producer, start_.session,
                             block.after, number_};
  auto bytes
    = std::make_shared<const std::string>(block.builder.finish(header));
  parcel_bytes_ += bytes->size();
  parcel_.blocks.emplace_back(
    shard, outgoing_block{block.first, block.after, number_, bytes});
  block.after = number_;
  if (parcel_bytes_ >= parcel_bytes_max)
    hand_over();
}

input_mark ingest_session::mark() const {
  auto res = input_mark{};
  res.record = number_;
  if (digest_ != nullptr)
    res.digest = XXH3_64bits_digest(digest_.get());
  res.malformed = malformed_;
  res.duplicate = duplicate_;
  res.greatest = greatest_;
  return res;
}

void ingest_session::hand_over() {
  // A resumed input is not touched before it is known to be the same.
  if (!verified_)
    return;
  parcel_.mark = mark();
  parcel_.handed_over = number_;
  for (auto& x : blocks_)
    if (x.builder.records() > 0)
      parcel_.handed_over = std::min(parcel_.handed_over, x.first - 1);
  handed_number_ = number_;
  gate_->handed_over(parcel_bytes_);
  caf::anon_send(actor_, std::move(parcel_));
  parcel_ = outgoing_parcel{};
  parcel_bytes_ = 0;
}

void ingest_session::flush_some() {
  auto limit
    = clock::now() - busy_lingers * std::chrono::milliseconds{process_.linger};
  for (auto i = uint32_t{0}; i < blocks_.size(); ++i)
    if (blocks_[i].builder.records() > 0 && blocks_[i].since < limit)
      close(i);
  if (!parcel_.blocks.empty())
    hand_over();
}

void ingest_session::flush() {
  for (auto i = uint32_t{0}; i < blocks_.size(); ++i)
    if (blocks_[i].builder.records() > 0)
      close(i);
  if (number_ > handed_number_)
    hand_over();
}

result<void> ingest_session::end(bool flush) {
  // Nothing of this input may be sent, not even that it has ended: the
  // coordinator would forget what tells it from the right one.
  if (!verified_)
    return fail(ec::conflict,
                fmt::format("this input ends after {} records; the one that "
                            "the producer sent before had at least {}",
                            number_ - start_.base,
                            start_.digest_at - start_.base));
  this->flush();
  parcel_.end = true;
  parcel_.flush = flush;
  parcel_.mark = mark();
  parcel_.handed_over = handed_number_;
  gate_->handed_over(0);
  caf::anon_send(actor_, std::move(parcel_));
  return {};
}

} // namespace weir
