#pragma once

#include "cluster/outbox.hpp"
#include "cluster/sessions.hpp"
#include "windows/reading.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::test {

/// A record of an input: what a seed says of it is the same whoever reads it,
/// and whenever.
struct input_record {
  enum class kind : uint8_t {
    plain,
    /// Older than anything that is kept.
    old,
    /// Beyond what a clock may be wrong by.
    future,
    malformed,
  };

  kind what = kind::plain;
  std::string entity;
  uint32_t shard = 0;
  time_ms time = 0;
  int64_t value = 0;
};

/// A block on its way to a node.
struct append_letter {
  size_t producer = 0;
  uint64_t session = 0;
  uint32_t shard = 0;
  uint32_t attempt = 0;
  std::string node;
  /// Of the route that it was sent by.
  uint64_t epoch = 0;
  std::shared_ptr<const std::string> bytes;
};

/// One named producer: its input, which never changes, and the runs that send
/// it. A run may end anywhere; the next one begins at record 1, asks each shard
/// how far it has come, and skips what is there.
class producer {
public:
  enum class phase : uint8_t {
    /// No run.
    away,
    /// The shards are asked what they have.
    asking,
    sending,
    /// Everything is acknowledged; the coordinator does not know it yet.
    ending,
    ended,
  };

  /// @param number from 0 on
  /// @param size records of its input
  producer(size_t number, uint32_t shards, uint64_t size);

  const producer_id& id() const {
    return id_;
  }

  const std::string& name() const {
    return name_;
  }

  const std::vector<input_record>& input() const {
    return input_;
  }

  phase state() const {
    return phase_;
  }

  uint64_t session() const {
    return session_;
  }

  /// A run begins.
  void open(const producer_record& x);

  /// The run is no more.
  void kill() {
    phase_ = phase::away;
  }

  /// Shards that have not yet said what they have.
  std::optional<uint32_t> to_ask() const;

  /// `shard` has everything up to `last`.
  void resumes_after(uint32_t shard, uint64_t last);

  /// Reads up to `n` records, and makes a block for each shard of what is new
  /// to it.
  void read(uint64_t n);

  outbox& out() {
    return *out_;
  }

  void acknowledged(uint32_t shard, uint64_t position);

  /// All records up to this one are acknowledged, or need not be.
  uint64_t prefix() const;

  report_session report() const;

  void finish() {
    phase_ = phase::ended;
  }

  /// Position of the last block that any run has made for `shard`.
  uint64_t sent(uint32_t shard) const {
    return sent_[shard];
  }

  /// Records for `shard` up to number `position`.
  uint64_t records(uint32_t shard, uint64_t position) const;

  /// Sum of the values of one entity's readings up to there.
  int64_t sum(const std::string& entity, uint32_t shard,
              uint64_t position) const;

  /// The same as `records`, but of one entity.
  uint64_t readings(const std::string& entity, uint32_t shard,
                    uint64_t position) const;

private:
  std::string name_;
  producer_id id_;
  uint32_t shards_;
  std::vector<input_record> input_;
  std::vector<uint64_t> sent_;
  /// For each shard, by the number of the last one.
  std::vector<std::vector<uint64_t>> records_;

  // Of the present run.
  phase phase_ = phase::away;
  uint64_t session_ = 0;
  uint64_t read_ = 0;
  std::vector<std::optional<uint64_t>> had_;
  std::vector<uint64_t> last_;
  std::optional<outbox> out_;
};

} // namespace weir::test
