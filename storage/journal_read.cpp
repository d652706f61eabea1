#include "storage/journal.hpp"
#include "storage/journal_rows.hpp"

#include <fmt/format.h>

// The reading half of the journal.

namespace weir {

using namespace journal_rows;

namespace {

/// What a row of the table `entry` holds.
struct stored_entry {
  /// Its block is a view into the row.
  log_entry entry;
  uint64_t committed = 0;

  /// False if these are not an entry's types, or not what was written; what
  /// checksums do not see is checked here.
  bool decode(uint32_t shard, const row& x) {
    entry.shard = shard;
    entry.index = x.integer<uint64_t>(0);
    entry.epoch = x.integer<uint64_t>(1);
    auto kind = x.integer<uint64_t>(2);
    entry.kind = static_cast<entry_kind>(kind);
    auto producer = byte_reader{x.bytes(3)};
    entry.producer.high = producer.fixed<uint64_t>();
    entry.producer.low = producer.fixed<uint64_t>();
    entry.session = x.integer<uint64_t>(4);
    entry.after = x.integer<uint64_t>(5);
    entry.position = x.integer<uint64_t>(6);
    entry.envelope = x.bytes(7);
    entry.block = x.bytes(8);
    entry.crc = x.integer<uint64_t>(9);
    entry.chain = x.integer<uint64_t>(10);
    committed = x.integer<uint64_t>(11);
    return kind <= UINT8_MAX && producer.done() && entry_crc(entry) == entry.crc
           && committed_crc(entry, committed) == x.integer<uint64_t>(12);
  }
};

std::string changed(std::string_view what, uint64_t index) {
  return fmt::format("{} {} is not what was written (its checksum differs)",
                     what, index);
}

result<bool> read_record(const std::string& path, const row& x,
                         replica_record& out) {
  auto fine = config_columns::decode(x, out.config);
  out.promised = x.integer<uint64_t>(6);
  if (!fine || crc_of(out) != x.integer<uint64_t>(7))
    return damaged(path, out.config.shard,
                   "its copy's record is not what was written (its checksum "
                   "differs)");
  return true;
}

} // namespace

result<void> journal::read(uint32_t shard, uint64_t from,
                           std::optional<uint64_t> previous,
                           const on_entry& f) {
  auto stored = stored_entry{};
  auto& entry = stored.entry;
  auto expected = from;
  auto check_and_pass = [&](const row& x) -> result<bool> {
    auto whole = stored.decode(shard, x);
    if (entry.index != expected)
      return damaged(
        db_.path(), shard,
        fmt::format("entry {} is missing, {} follows", expected, entry.index));
    if (!whole)
      return damaged(db_.path(), shard, changed("entry", entry.index));
    if (previous && chain_after(*previous, entry.crc) != entry.chain)
      return damaged(db_.path(), shard,
                     fmt::format("entry {} does not continue the one before it "
                                 "(its chain value differs)",
                                 entry.index));
    previous = entry.chain;
    ++expected;
    return f(entry, stored.committed);
  };
  return read_.each(check_and_pass, shard, from);
}

result<std::optional<log_position>> journal::tail(uint32_t shard) {
  auto res = std::optional<log_position>{};
  auto stored = stored_entry{};
  auto check_and_keep = [&](const row& x) -> result<bool> {
    if (!stored.decode(shard, x))
      return damaged(db_.path(), shard,
                     changed("its last entry,", stored.entry.index));
    res = position_of(stored.entry);
    return true;
  };
  if (auto done = tail_.each(check_and_keep, shard); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<std::optional<journal::held>> journal::first_from(uint32_t shard,
                                                         uint64_t index) {
  auto res = std::optional<held>{};
  auto stored = stored_entry{};
  auto check_and_keep = [&](const row& x) -> result<bool> {
    if (!stored.decode(shard, x))
      return damaged(db_.path(), shard, changed("entry", stored.entry.index));
    res = held{position_of(stored.entry), stored.entry.crc};
    return false;
  };
  if (auto done = read_.each(check_and_keep, shard, index); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<std::optional<uint64_t>> journal::first_index(uint32_t shard) {
  auto res = std::optional<uint64_t>{};
  auto keep = [&](const row& x) -> result<bool> {
    res = x.integer<uint64_t>(0);
    return true;
  };
  if (auto done = first_.each(keep, shard); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<std::vector<uint32_t>> journal::shards() {
  auto res = std::vector<uint32_t>{};
  auto keep = [&](const row& x) -> result<bool> {
    res.push_back(x.integer<uint32_t>(0));
    return true;
  };
  if (auto done = shards_.each(keep); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<std::optional<replica_record>> journal::record(uint32_t shard) {
  auto res = std::optional<replica_record>{};
  auto check_and_keep = [&](const row& x) {
    return read_record(db_.path(), x, res.emplace());
  };
  if (auto done = record_.each(check_and_keep, shard); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<std::vector<replica_record>> journal::records() {
  auto res = std::vector<replica_record>{};
  auto check_and_keep = [&](const row& x) {
    return read_record(db_.path(), x, res.emplace_back());
  };
  if (auto done = records_.each(check_and_keep); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

} // namespace weir
