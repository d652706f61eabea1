#pragma once

#include "actors/ingest_gate.hpp"
#include "cluster/block.hpp"
#include "config/settings.hpp"
#include "input/record.hpp"
#include "messages/interfaces.hpp"

#include <chrono>
#include <memory>
#include <vector>

struct XXH3_state_s;

namespace weir {

/// The reader's end of a session: numbers records, sorts them by shard, and
/// hands blocks to the ingest actor.
class ingest_session {
public:
  using clock = std::chrono::steady_clock;

  ingest_session(const process_settings& process, session_start start,
                 bool digest_wanted, ingest_actor actor,
                 std::shared_ptr<ingest_gate> gate);

  ~ingest_session();

  /// The next record of the input. Fails with `conflict` if a resumed input
  /// turns out to be another one than before.
  result<void> add(const record& x);

  /// The next line of the input, which is none.
  result<void> add_bad(std::string_view raw);

  /// Hands over what is full, or has waited for long.
  void flush_some();

  /// Hands over everything.
  void flush();

  /// Hands over everything; nothing follows. Fails with `conflict` if the input
  /// ended before the place to which it had come before.
  /// @param flush windows need not wait for more
  result<void> end(bool flush);

  /// Readings, bad lines included, that were read so far.
  uint64_t received() const {
    return received_;
  }

  /// Bad lines, but those of an earlier run.
  uint64_t malformed() const {
    return malformed_;
  }

  uint64_t records() const {
    return number_ - start_.base;
  }

private:
  struct open_block {
    block_builder builder;
    /// Position of the block before.
    uint64_t after = 0;
    /// Number of its first record.
    uint64_t first = 0;
    clock::time_point since{};
  };

  result<void> count(std::string_view raw);
  void note_time(time_ms x);
  input_mark mark() const;
  void close(uint32_t shard);
  void hand_over();

  const process_settings& process_;
  session_start start_;
  ingest_actor actor_;
  std::shared_ptr<ingest_gate> gate_;
  std::vector<open_block> blocks_;
  /// Number of the last record.
  uint64_t number_;
  uint64_t handed_number_;
  uint64_t received_ = 0;
  uint64_t malformed_ = 0;
  /// Readings and bad lines that were acknowledged or reported before.
  uint64_t duplicate_ = 0;
  /// Of all records but those from the future; -1: none yet.
  time_ms greatest_ = -1;
  /// No record up to this time is from the future.
  time_ms present_ = -1;
  bool verified_;
  std::unique_ptr<XXH3_state_s, void (*)(XXH3_state_s*)> digest_;
  outgoing_parcel parcel_;
  size_t parcel_bytes_ = 0;
};

} // namespace weir
