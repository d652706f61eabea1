#pragma once

#include "cluster/log.hpp"
#include "windows/failure.hpp"
#include "windows/reading.hpp"

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace weir {

/// A producer, its newest session, and what its sessions reported; counts are
/// readings.
struct producer_record {
  producer_id id;
  /// Empty for a producer with a random id.
  std::string name;
  uint64_t session = 0;
  /// Record 1 of its input has number `base` + 1.
  uint64_t base = 0;
  /// Every record up to this number was acknowledged, at least.
  uint64_t prefix = 0;
  /// Digest of the input's records `base` + 1 to `digest_at`, so that another
  /// input is refused on a resume.
  uint64_t digest = 0;
  uint64_t digest_at = 0;
  /// Of the newest session; `earlier_*` of all before it.
  uint64_t malformed = 0;
  uint64_t duplicate = 0;
  uint64_t earlier_malformed = 0;
  uint64_t earlier_duplicate = 0;
  bool ended = false;
  /// Wall clock, ms.
  time_ms updated = 0;

  friend bool operator==(const producer_record& x, const producer_record& y) {
    return x.id == y.id && x.name == y.name && x.session == y.session
           && x.base == y.base && x.prefix == y.prefix && x.digest == y.digest
           && x.digest_at == y.digest_at
           && x.earlier_malformed == y.earlier_malformed
           && x.malformed == y.malformed && x.duplicate == y.duplicate
           && x.earlier_duplicate == y.earlier_duplicate && x.ended == y.ended
           && x.updated == y.updated;
  }
};

/// What a session knows and no shard does. Counts are cumulative over the
/// session, of its records up to `prefix`.
struct report_session {
  producer_id producer;
  uint64_t session = 0;
  uint64_t base = 0;
  uint64_t prefix = 0;
  /// Of the records `base` + 1 to `digest_at`.
  uint64_t digest = 0;
  uint64_t digest_at = 0;
  uint64_t malformed = 0;
  uint64_t duplicate = 0;
  bool ended = false;
  /// Greatest event time of the records up to `prefix`; -1: none.
  time_ms greatest = -1;
  /// The input pauses; nothing is under way.
  bool idle = false;
  /// With `ended`: windows need not wait for more.
  bool flush = false;
};

/// Shards and coordinator forget random producers after a while; named ones
/// stay.
bool is_random(producer_id x);

/// The same name has the same id everywhere.
producer_id named_producer(std::string_view name);

/// Makes a random id of 128 random bits.
producer_id random_producer(uint64_t high, uint64_t low);

/// The producers of a cluster, as its coordinator knows them: numbers their
/// sessions, and remembers how far each has come. What must not be forgotten is
/// saved before it is believed.
class session_registry {
public:
  /// Makes `put` durable and `removed` gone, at once or not at all.
  using save_function
    = std::function<result<void>(const std::vector<producer_record>& put,
                                 const std::vector<producer_id>& removed)>;

  explicit session_registry(save_function save) : save_(std::move(save)) {
    // nop
  }

  void load(const std::vector<producer_record>& xs);

  /// New sessions get no number below this one.
  void begin_at(uint64_t number) {
    first_ = number;
  }

  /// A run begins: the newest session is `id`'s from now on.
  /// @returns the record with the new session and what is known of the input
  ///          before
  result<producer_record> open(producer_id id, const std::string& name,
                               time_ms now);

  /// Harmless when repeated. Fails with `stale_session` for one that is not the
  /// newest.
  result<void> report(const report_session& x, time_ms now);

  /// Forgets random producers that were last heard of `expiry` ago.
  result<void> expire(time_ms now, time_ms expiry);

  /// Readings that all sessions, ended ones included, have reported.
  uint64_t malformed() const;
  uint64_t duplicate() const;

  const std::map<producer_id, producer_record>& producers() const {
    return producers_;
  }

private:
  result<void> save(const producer_record& x);
  result<void> fold(const std::vector<producer_record>& xs, time_ms now);

  save_function save_;
  uint64_t first_ = 1;
  std::map<producer_id, producer_record> producers_;
  /// Stands for all random producers that have ended: what they reported lives
  /// on in the ledger, they themselves don't.
  producer_record ended_;
  /// Some of them, in case that a last report comes twice.
  std::set<producer_id> folded_;
};

} // namespace weir
