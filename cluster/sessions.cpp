#include "cluster/sessions.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>

namespace weir {

namespace {

/// Bit 0 of the lower half tells random ids from those made of a name.
constexpr uint64_t random_bit = 1;

/// Not a producer's: bit 0 is not set, and no name hashes to it but by chance
/// of 1 in 2^127.
constexpr auto ended_id = producer_id{0, 0};

/// Reports are repeated within seconds.
constexpr size_t folded_max = 10'000;

} // namespace

bool is_random(producer_id x) {
  return (x.low & random_bit) != 0;
}

producer_id named_producer(std::string_view name) {
  auto hash = XXH3_128bits(name.data(), name.size());
  return {hash.high64, hash.low64 & ~random_bit};
}

producer_id random_producer(uint64_t high, uint64_t low) {
  return {high, low | random_bit};
}

void session_registry::load(const std::vector<producer_record>& xs) {
  for (auto& x : xs) {
    if (x.id == ended_id)
      ended_ = x;
    else
      producers_[x.id] = x;
  }
}

result<void> session_registry::save(const producer_record& x) {
  if (auto done = save_({x}, {}); !done)
    return done;
  producers_[x.id] = x;
  return {};
}

result<void> session_registry::fold(const std::vector<producer_record>& xs,
                                    time_ms now) {
  auto total = ended_;
  auto gone = std::vector<producer_id>{};
  total.id = ended_id;
  total.ended = true;
  total.updated = now;
  for (auto& x : xs) {
    total.earlier_malformed += x.earlier_malformed + x.malformed;
    total.earlier_duplicate += x.earlier_duplicate + x.duplicate;
    gone.push_back(x.id);
  }
  if (auto done = save_({total}, gone); !done)
    return done;
  ended_ = total;
  if (folded_.size() >= folded_max)
    folded_.clear();
  for (auto& id : gone) {
    producers_.erase(id);
    folded_.insert(id);
  }
  return {};
}

result<producer_record> session_registry::open(producer_id id,
                                               const std::string& name,
                                               time_ms now) {
  auto known = producers_.find(id);
  auto res = known != producers_.end() ? known->second : producer_record{};
  res.id = id;
  res.name = name;
  res.session = std::max(res.session + 1, first_);
  res.earlier_malformed += res.malformed;
  res.earlier_duplicate += res.duplicate;
  res.malformed = 0;
  res.duplicate = 0;
  res.ended = false;
  res.updated = now;
  // A random one leaves no trace before it has something to report.
  if (is_random(id))
    producers_[id] = res;
  else if (auto saved = save(res); !saved)
    return tl::unexpected(saved.error());
  return res;
}

result<void> session_registry::report(const report_session& x, time_ms now) {
  auto known = producers_.find(x.producer);
  if (known == producers_.end() && folded_.count(x.producer) > 0)
    return {}; // Reported before; the answer got lost.
  // An unknown one opened its session before the coordinator was restarted.
  auto record = known != producers_.end() ? known->second : producer_record{};
  if (x.session < record.session)
    return fail(ec::stale_session,
                fmt::format("another process has taken over the producer {}",
                            record.name));
  record.id = x.producer;
  record.session = x.session;
  record.base = x.base;
  record.prefix = std::max(x.prefix, x.base);
  record.digest = x.digest;
  record.digest_at = x.digest_at;
  record.malformed = x.malformed;
  record.duplicate = x.duplicate;
  record.ended = x.ended;
  auto news = known == producers_.end();
  if (!news) {
    // Most reports are but signs of life, and not worth a write each.
    record.updated = known->second.updated;
    news = !(record == known->second);
  }
  record.updated = now;
  if (is_random(x.producer) && x.ended)
    return fold({record}, now);
  // Of a random one the ledger misses nothing but these counts.
  if (news && (!is_random(x.producer) || x.malformed > 0 || x.duplicate > 0))
    return save(record);
  producers_[x.producer] = record;
  return {};
}

result<void> session_registry::expire(time_ms now, time_ms expiry) {
  auto old = std::vector<producer_record>{};
  for (auto& [id, x] : producers_)
    if (is_random(id) && now - x.updated >= expiry)
      old.push_back(x);
  return old.empty() ? result<void>{} : fold(old, now);
}

uint64_t session_registry::malformed() const {
  auto res = ended_.earlier_malformed;
  for (auto& [id, x] : producers_)
    res += x.earlier_malformed + x.malformed;
  return res;
}

uint64_t session_registry::duplicate() const {
  auto res = ended_.earlier_duplicate;
  for (auto& [id, x] : producers_)
    res += x.earlier_duplicate + x.duplicate;
  return res;
}

} // namespace weir
