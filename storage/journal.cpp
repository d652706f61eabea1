#include "storage/journal.hpp"

#include "storage/journal_rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace weir {

using namespace journal_rows;

namespace {

/// "WeiJ". Unsigned numbers of 64 bits are stored as the signed ones of the
/// same bits; a producer is its high, then its low half, little-endian.
constexpr auto first_schema = R"(
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
)";

/// What copies of a shard on several nodes need: how much of the log was known
/// to be committed, beside every entry, a record a shard, and a log that is to
/// take the place of a shard's own.
constexpr auto second_schema = R"(
ALTER TABLE entry ADD COLUMN committed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE entry ADD COLUMN committed_crc INTEGER NOT NULL DEFAULT 0;
CREATE TABLE replica (
  shard INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL,
  primary_node TEXT NOT NULL,
  members BLOB NOT NULL,
  eligible BLOB NOT NULL,
  min_copies INTEGER NOT NULL,
  promised INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
CREATE TABLE staged (
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
  chain INTEGER NOT NULL,
  committed INTEGER NOT NULL,
  committed_crc INTEGER NOT NULL
);
CREATE UNIQUE INDEX staged_by_index ON staged (shard, idx);
CREATE TABLE staged_log (
  shard INTEGER PRIMARY KEY,
  after_idx INTEGER NOT NULL,
  after_epoch INTEGER NOT NULL,
  after_chain INTEGER NOT NULL,
  from_index INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  chain INTEGER NOT NULL,
  crc INTEGER NOT NULL
);
)";

constexpr const char* upgrades[] = {second_schema};

constexpr auto format = file_format{0x5765694A, 2, first_schema, upgrades};

constexpr auto read_sql
  = "SELECT idx, epoch, kind, producer, session, after, position, envelope,"
    " block, crc, chain, committed, committed_crc FROM entry"
    " WHERE shard = ?1 AND idx >= ?2 ORDER BY idx";

constexpr auto tail_sql
  = "SELECT idx, epoch, kind, producer, session, after, position, envelope,"
    " block, crc, chain, committed, committed_crc FROM entry"
    " WHERE shard = ?1 ORDER BY idx DESC LIMIT 1";

constexpr auto put_record_sql
  = "REPLACE INTO replica (shard, epoch, primary_node, members, eligible,"
    " min_copies, promised, crc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

constexpr auto record_sql
  = "SELECT shard, epoch, primary_node, members, eligible, min_copies,"
    " promised, crc FROM replica WHERE shard = ?1";

constexpr auto records_sql
  = "SELECT shard, epoch, primary_node, members, eligible, min_copies,"
    " promised, crc FROM replica ORDER BY shard";

tl::unexpected<failure> refused(const std::string& path, const log_entry& x,
                                ec code, const std::string& why) {
  return fail(code, fmt::format("{}: shard {}: entry {} is refused: {}", path,
                                x.shard, x.index, why));
}

} // namespace

result<journal> journal::open(const std::string& path, durability level) {
  auto sync = level == durability::power ? sync_mode::full : sync_mode::normal;
  auto db = connection::open(format, path, sync);
  if (!db)
    return tl::unexpected(std::move(db.error()));
  auto self = journal{std::move(*db)};
  auto done = self.prepare().and_then([&] {
    return self.prepare_stage();
  });
  if (!done)
    return tl::unexpected(std::move(done.error()));
  return self;
}

result<void> journal::prepare() {
  return db_.prepare({
    {insert_, insert_sql("entry").c_str(), "append an entry"},
    {read_, read_sql, "read entries"},
    {tail_, tail_sql, "read a log's last entry"},
    {first_, "SELECT idx FROM entry WHERE shard = ?1 ORDER BY idx LIMIT 1",
     "read a log's first index"},
    {shards_,
     "SELECT shard FROM entry UNION SELECT shard FROM staged"
     " UNION SELECT shard FROM staged_log ORDER BY shard",
     "list shards"},
    {truncate_, "DELETE FROM entry WHERE shard = ?1 AND idx <= ?2",
     "truncate a log"},
    {cut_, "DELETE FROM entry WHERE shard = ?1 AND idx > ?2",
     "cut a log's end"},
    {remove_, "DELETE FROM entry WHERE shard = ?1", "remove a shard"},
    {put_record_, put_record_sql, "write down a copy's record"},
    {record_, record_sql, "read a copy's record"},
    {records_, records_sql, "read the copies' records"},
  });
}

// -- writing, into the open transaction or a new one

result<void> journal::check(const log_entry& x) const {
  if (x.index == 0 || x.index > entry_index_max)
    return refused(db_.path(), x, ec::limit_reached,
                   fmt::format("indexes go from 1 to {}", entry_index_max));
  if (auto bytes = x.envelope.size() + x.block.size(); bytes > entry_bytes_max)
    return refused(db_.path(), x, ec::limit_reached,
                   fmt::format("its {} bytes are more than {}; send smaller "
                               "blocks",
                               bytes, entry_bytes_max));
  if (entry_crc(x) != x.crc)
    return refused(db_.path(), x, ec::damaged,
                   "its checksum differs; it must be sent again");
  return {};
}

result<void> journal::check_next(const log_position& last,
                                 const log_entry& x) const {
  if (x.index != last.index + 1)
    return refused(db_.path(), x, ec::sequence_gap,
                   fmt::format("the log ends at {}; go on from there, or "
                               "remove the shard first",
                               last.index));
  if (chain_after(last.chain, x.crc) != x.chain)
    return refused(db_.path(), x, ec::conflict,
                   "its chain value belongs to another log; find where they "
                   "part, and cut this one there");
  return {};
}

result<log_position> journal::known_tail(uint32_t shard) {
  auto known = tails_.find(shard);
  if (known != tails_.end())
    return known->second;
  auto last = tail(shard);
  if (!last)
    return tl::unexpected(std::move(last.error()));
  return tails_[shard] = last->value_or(log_position{});
}

result<void> journal::append(const log_entry& x, uint64_t committed) {
  if (auto* why = failed())
    return tl::unexpected(*why);
  if (auto fine = check(x); !fine)
    return fine;
  auto last = known_tail(x.shard);
  if (!last)
    return tl::unexpected(std::move(last.error()));
  if (x.index <= last->index) {
    auto there = first_from(x.shard, x.index);
    if (!there)
      return tl::unexpected(std::move(there.error()));
    if (*there && (*there)->at == position_of(x) && (*there)->crc == x.crc)
      return {};
    // It was stored once, and truncated since.
    auto first = first_index(x.shard);
    if (!first)
      return tl::unexpected(std::move(first.error()));
    if (*first && x.index < **first)
      return {};
  }
  if (last->index > 0)
    if (auto fine = check_next(*last, x); !fine)
      return fine;
  auto done = write([&] {
    return insert(insert_, x, committed);
  });
  if (!done)
    return done;
  tails_[x.shard] = position_of(x);
  ++pending_entries_;
  pending_bytes_ += x.envelope.size() + x.block.size();
  return {};
}

result<void> journal::insert(statement& into, const log_entry& x,
                             uint64_t committed) {
  auto producer = std::array<uint64_t, 2>{x.producer.high, x.producer.low};
  auto producer_bytes = std::string_view{
    reinterpret_cast<const char*>(producer.data()), sizeof(producer)};
  return into.run(x.shard, x.index, x.epoch, static_cast<uint8_t>(x.kind),
                  blob{producer_bytes}, x.session, x.after, x.position,
                  blob{x.envelope}, blob{x.block}, x.crc, x.chain, committed,
                  committed_crc(x, committed));
}

result<void> journal::cut(uint32_t shard, uint64_t last) {
  if (auto* why = failed())
    return tl::unexpected(*why);
  auto known = known_tail(shard);
  if (known && known->index <= last)
    return {};
  tails_.erase(shard);
  return write([&] {
    return cut_.run(shard, last);
  });
}

result<void> journal::put_record(const replica_record& x) {
  auto& config = x.config;
  return write([&] {
    return put_record_.run(config.shard, config.epoch, config.primary,
                           blob{config_columns::encode(config.members)},
                           blob{config_columns::encode(config.eligible)},
                           config.min_copies, x.promised, crc_of(x));
  });
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

// -- writing, in transactions of its own

result<void> journal::set_durability(durability level) {
  return db_.set_sync(level == durability::power ? sync_mode::full
                                                 : sync_mode::normal);
}

result<bool> journal::truncate(uint32_t shard, uint64_t upto,
                               uint64_t rows_max) {
  assert((!dirty() || failed()) && rows_max > 0);
  auto known = first_index(shard);
  if (!known)
    return tl::unexpected(std::move(known.error()));
  if (!*known || **known > upto)
    return true;
  auto first = **known;
  auto end = std::min(upto - first, rows_max - 1) + first;
  auto done = db_.transact([&] {
    return truncate_.run(shard, end);
  });
  if (!done)
    return tl::unexpected(std::move(done.error()));
  return end == upto;
}

result<void> journal::remove_shard(uint32_t shard) {
  assert(!dirty() || failed());
  tails_.erase(shard);
  stages_.erase(shard);
  return db_.transact([&] {
    return remove_.run(shard).and_then([&] {
      return delete_staged(shard);
    });
  });
}

result<void> journal::put_aside(uint32_t shard, const std::string& into) {
  assert(!dirty() || failed());
  if (auto whole = check_integrity(); !whole) {
    db_.end(whole.error());
    return whole;
  }
  auto kept
    = db_.copy_rows(into, {"entry", "staged", "staged_log", "replica"}, shard);
  if (!kept)
    return kept;
  return remove_shard(shard);
}

} // namespace weir
