#include "storage/journal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace weir {

namespace {

/// "WeiJ". Unsigned numbers of 64 bits are stored as the signed ones of the
/// same bits; a producer is its high, then its low half, little-endian.
constexpr auto format = file_format{0x5765694A, 1, R"(
CREATE TABLE entry (
  shard INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  producer BLOB NOT NULL,
  session INTEGER NOT NULL,
  after INTEGER NOT NULL,
  position INTEGER NOT NULL,
  envelope BLOB NOT NULL,
  block BLOB NOT NULL,
  crc INTEGER NOT NULL,
  chain INTEGER NOT NULL
);
CREATE UNIQUE INDEX entry_by_index ON entry (shard, idx);
)"};

constexpr auto insert_sql
  = "INSERT INTO entry (shard, idx, epoch, kind, producer, session, after,"
    " position, envelope, block, crc, chain)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";

constexpr auto read_sql
  = "SELECT idx, epoch, kind, producer, session, after, position, envelope,"
    " block, crc, chain FROM entry WHERE shard = ?1 AND idx >= ?2"
    " ORDER BY idx";

constexpr auto tail_sql
  = "SELECT idx, epoch, kind, producer, session, after, position, envelope,"
    " block, crc, chain FROM entry WHERE shard = ?1"
    " ORDER BY idx DESC LIMIT 1";

/// `entry.block` is a view into the row. False if these are not an entry's
/// types; what checksums do not see is checked here.
bool decode(uint32_t shard, const row& x, log_entry& entry) {
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
  return kind <= UINT8_MAX && producer.done();
}

bool intact(uint32_t shard, const row& x, log_entry& entry) {
  return decode(shard, x, entry) && entry_crc(entry) == entry.crc;
}

tl::unexpected<failure> damaged(const std::string& path, uint32_t shard,
                                const std::string& how) {
  return fail(ec::damaged, fmt::format("{}: shard {}: {}; restore the data "
                                       "directory from a copy",
                                       path, shard, how));
}

} // namespace

result<journal> journal::open(const std::string& path, durability level) {
  auto sync = level == durability::power ? sync_mode::full : sync_mode::normal;
  auto db = connection::open(format, path, sync);
  if (!db)
    return tl::unexpected(std::move(db.error()));
  auto self = journal{std::move(*db)};
  if (auto done = self.prepare(); !done)
    return tl::unexpected(std::move(done.error()));
  return self;
}

result<void> journal::prepare() {
  return db_.prepare({
    {insert_, insert_sql, "append an entry"},
    {read_, read_sql, "read entries"},
    {tail_, tail_sql, "read a log's last entry"},
    {first_, "SELECT idx FROM entry WHERE shard = ?1 ORDER BY idx LIMIT 1",
     "read a log's first index"},
    {shards_, "SELECT DISTINCT shard FROM entry ORDER BY shard", "list shards"},
    {truncate_, "DELETE FROM entry WHERE shard = ?1 AND idx <= ?2",
     "truncate a log"},
    {cut_, "DELETE FROM entry WHERE shard = ?1 AND idx > ?2",
     "cut a log's end"},
    {remove_, "DELETE FROM entry WHERE shard = ?1", "remove a shard"},
  });
}

result<void> journal::check(const log_entry& x) {
  if (auto* why = failed())
    return tl::unexpected(*why);
  auto refuse = [&](ec code, const std::string& why) {
    return fail(code, fmt::format("{}: shard {}: entry {} is refused: {}",
                                  db_.path(), x.shard, x.index, why));
  };
  if (x.index == 0 || x.index > entry_index_max)
    return refuse(ec::limit_reached,
                  fmt::format("indexes go from 1 to {}", entry_index_max));
  if (auto bytes = x.envelope.size() + x.block.size(); bytes > entry_bytes_max)
    return refuse(ec::limit_reached,
                  fmt::format("its {} bytes are more than {}; send smaller "
                              "blocks",
                              bytes, entry_bytes_max));
  if (entry_crc(x) != x.crc)
    return refuse(ec::damaged, "its checksum differs; it must be sent again");
  auto known = tails_.find(x.shard);
  if (known == tails_.end()) {
    auto last = tail(x.shard);
    if (!last)
      return tl::unexpected(std::move(last.error()));
    known = tails_.insert({x.shard, last->value_or(log_position{})}).first;
  }
  auto& last = known->second;
  if (last.index == 0)
    return {};
  if (x.index != last.index + 1)
    return refuse(ec::sequence_gap,
                  fmt::format("the log ends at {}; go on from there, or remove "
                              "the shard first",
                              last.index));
  if (chain_after(last.chain, x.crc) != x.chain)
    return refuse(ec::conflict, "its chain value belongs to another log; find "
                                "where they part, and cut this one there");
  return {};
}

result<void> journal::set_durability(durability level) {
  return db_.set_sync(level == durability::power ? sync_mode::full
                                                 : sync_mode::normal);
}

result<void> journal::append(const log_entry& x) {
  if (auto fine = check(x); !fine)
    return fine;
  if (!db_.in_transaction())
    if (auto begun = db_.begin(); !begun)
      return begun;
  auto producer = std::array<uint64_t, 2>{x.producer.high, x.producer.low};
  auto producer_bytes = std::string_view{
    reinterpret_cast<const char*>(producer.data()), sizeof(producer)};
  auto added
    = insert_.run(x.shard, x.index, x.epoch, static_cast<uint8_t>(x.kind),
                  blob{producer_bytes}, x.session, x.after, x.position,
                  blob{x.envelope}, blob{x.block}, x.crc, x.chain);
  if (!added) {
    roll_back();
    return added;
  }
  tails_[x.shard] = log_position{x.index, x.epoch, x.chain};
  ++pending_entries_;
  pending_bytes_ += x.envelope.size() + x.block.size();
  return {};
}

result<void> journal::commit() {
  if (!dirty() && !failed())
    return {};
  auto done = db_.commit();
  if (!done)
    roll_back();
  pending_entries_ = 0;
  pending_bytes_ = 0;
  return done;
}

void journal::roll_back() {
  db_.rollback();
  pending_entries_ = 0;
  pending_bytes_ = 0;
  tails_.clear();
}

result<void> journal::read(uint32_t shard, uint64_t from,
                           std::optional<uint64_t> previous,
                           const on_entry& f) {
  auto entry = log_entry{};
  auto expected = from;
  auto check_and_pass = [&](const row& x) -> result<bool> {
    auto whole = intact(shard, x, entry);
    if (entry.index != expected)
      return damaged(
        db_.path(), shard,
        fmt::format("entry {} is missing, {} follows", expected, entry.index));
    if (!whole)
      return damaged(db_.path(), shard,
                     fmt::format("entry {} is not what was written (its "
                                 "checksum differs)",
                                 entry.index));
    if (previous && chain_after(*previous, entry.crc) != entry.chain)
      return damaged(db_.path(), shard,
                     fmt::format("entry {} does not continue the one before it "
                                 "(its chain value differs)",
                                 entry.index));
    previous = entry.chain;
    ++expected;
    return f(entry);
  };
  return read_.each(check_and_pass, shard, from);
}

result<std::optional<log_position>> journal::tail(uint32_t shard) {
  auto res = std::optional<log_position>{};
  auto entry = log_entry{};
  auto check_and_keep = [&](const row& x) -> result<bool> {
    if (!intact(shard, x, entry))
      return damaged(db_.path(), shard,
                     fmt::format("its last entry, {}, is not what was written "
                                 "(its checksum differs)",
                                 entry.index));
    res = log_position{entry.index, entry.epoch, entry.chain};
    return true;
  };
  if (auto done = tail_.each(check_and_keep, shard); !done)
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

result<bool> journal::truncate(uint32_t shard, uint64_t upto,
                               uint64_t rows_max) {
  assert((!dirty() || failed()) && rows_max > 0);
  auto first = std::optional<uint64_t>{};
  auto keep = [&](const row& x) -> result<bool> {
    first = x.integer<uint64_t>(0);
    return true;
  };
  if (auto done = first_.each(keep, shard); !done)
    return tl::unexpected(std::move(done.error()));
  if (!first || *first > upto)
    return true;
  auto end = std::min(upto - *first, rows_max - 1) + *first;
  auto done = db_.transact([&] {
    return truncate_.run(shard, end);
  });
  if (!done)
    return tl::unexpected(std::move(done.error()));
  return end == upto;
}

result<void> journal::cut(uint32_t shard, uint64_t last) {
  assert(!dirty() || failed());
  tails_.erase(shard);
  return db_.transact([&] {
    return cut_.run(shard, last);
  });
}

result<void> journal::remove_shard(uint32_t shard) {
  assert(!dirty() || failed());
  tails_.erase(shard);
  return db_.transact([&] {
    return remove_.run(shard);
  });
}

} // namespace weir
