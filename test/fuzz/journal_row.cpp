#include "storage/journal.hpp"
#include "storage/journal_rows.hpp"
#include "test/fuzz/fuzz.hpp"

#include <sqlite3.h>

#include <filesystem>
#include <memory>

#include <unistd.h>

// Input: the record of a shard's copy, and then rows of its log, see
// `add_record` and `add_entry`. A row comes from a damaged file: a column may
// be of any type.

using namespace weir;
using namespace weir::fuzz;

namespace {

constexpr auto own_shard = uint32_t{0};

/// The connection that a journal opened last.
sqlite3* opened = nullptr;

int note_opened(sqlite3* db, const char**, const sqlite3_api_routines*) {
  opened = db;
  return SQLITE_OK;
}

/// An empty journal, and a way past it into its file.
class scratch_journal {
public:
  scratch_journal() {
    sqlite3_auto_extension(reinterpret_cast<void (*)()>(note_opened));
    auto directory
      = (std::filesystem::temp_directory_path() / "weir-fuzz-XXXXXX").string();
    require(::mkdtemp(directory.data()) != nullptr, "there is a folder");
    auto store = journal::open(directory + "/db", durability::process);
    require(store.has_value(), "there is a journal");
    store_ = std::make_unique<journal>(std::move(*store));
    sqlite3_cancel_auto_extension(reinterpret_cast<void (*)()>(note_opened));
    // Open files stay.
    std::filesystem::remove_all(directory);
    db_ = opened;
    entry_ = prepared(journal_rows::insert_sql("entry").c_str());
    record_ = prepared("INSERT INTO replica VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7,"
                       " ?8)");
  }

  scratch_journal(const scratch_journal&) = delete;

  ~scratch_journal() {
    sqlite3_finalize(entry_);
    sqlite3_finalize(record_);
  }

  /// Nothing is ever committed.
  void begin() {
    run("BEGIN");
  }

  void end() {
    run("ROLLBACK");
  }

  sqlite3_stmt* entry() {
    return entry_;
  }

  sqlite3_stmt* record() {
    return record_;
  }

  journal& store() {
    return *store_;
  }

private:
  void run(const char* sql) {
    require(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK,
            "a transaction begins and ends");
  }

  sqlite3_stmt* prepared(const char* sql) {
    auto res = static_cast<sqlite3_stmt*>(nullptr);
    require(sqlite3_prepare_v2(db_, sql, -1, &res, nullptr) == SQLITE_OK,
            "there is a table");
    return res;
  }

  std::unique_ptr<journal> store_;
  sqlite3* db_ = nullptr;
  sqlite3_stmt* entry_ = nullptr;
  sqlite3_stmt* record_ = nullptr;
};

void set(sqlite3_stmt* to, int column, std::string_view x) {
  require(sqlite3_bind_blob64(to, column, x.data(), x.size(), SQLITE_STATIC)
            == SQLITE_OK,
          "a column can be bound");
}

void set(sqlite3_stmt* to, int column, uint64_t x) {
  require(sqlite3_bind_int64(to, column, static_cast<int64_t>(x)) == SQLITE_OK,
          "a column can be bound");
}

/// False: there is a row of that key.
bool insert(sqlite3_stmt* row) {
  auto done = sqlite3_step(row) == SQLITE_DONE;
  sqlite3_reset(row);
  return done;
}

/// A column becomes something else: which one, and its text.
void spoil(sqlite3_stmt* row, byte_reader& in) {
  auto column
    = 2 + in.fixed<uint8_t>() % (sqlite3_bind_parameter_count(row) - 1);
  auto text = in.string();
  require(sqlite3_bind_text64(row, column, text.data(), text.size(),
                              SQLITE_STATIC, SQLITE_UTF8)
            == SQLITE_OK,
          "a column can be bound");
}

/// Flags (1: not the right checksum, 2: a column is spoilt), what
/// config_columns takes as strings, and numbers. True if it is as if written.
bool add_record(byte_reader& in, scratch_journal& to) {
  auto flags = in.fixed<uint8_t>();
  auto row = to.record();
  auto primary = in.string();
  auto members = in.string();
  auto eligible = in.string();
  auto epoch = in.varint();
  auto min_copies = static_cast<uint32_t>(in.varint());
  auto promised = in.varint();
  set(row, 1, uint64_t{own_shard});
  set(row, 2, epoch);
  set(row, 3, primary);
  set(row, 4, members);
  set(row, 5, eligible);
  set(row, 6, uint64_t{min_copies});
  set(row, 7, promised);
  auto crc = row_crc(own_shard, epoch, primary, members, eligible, min_copies,
                     promised);
  set(row, 8, (flags & 1) != 0 ? in.fixed<uint64_t>() : crc);
  if ((flags & 2) != 0)
    spoil(row, in);
  return insert(row) && (flags & 3) == 0;
}

/// Flags (1: not the next index, 2: not the right checksum, 4: not the right
/// chain, 8: not the right checksum of what is committed, 16: a column is
/// spoilt), and the columns. True if it is as if written.
bool add_entry(byte_reader& in, scratch_journal& to, log_entry& last) {
  auto flags = in.fixed<uint8_t>();
  auto x = log_entry{};
  x.shard = own_shard;
  x.index = (flags & 1) != 0 ? in.varint() : last.index + 1;
  x.epoch = in.varint();
  x.kind = static_cast<entry_kind>(in.fixed<uint8_t>());
  x.producer = {in.fixed<uint64_t>(), in.fixed<uint64_t>()};
  x.session = in.varint();
  x.after = in.varint();
  x.position = in.varint();
  x.envelope = in.string();
  x.block = in.string();
  auto committed = in.varint();
  x.crc = (flags & 2) != 0 ? in.fixed<uint64_t>() : entry_crc(x);
  x.chain
    = (flags & 4) != 0 ? in.fixed<uint64_t>() : chain_after(last.chain, x.crc);
  auto committed_crc = (flags & 8) != 0
                         ? in.fixed<uint64_t>()
                         : journal_rows::committed_crc(x, committed);
  auto row = to.entry();
  auto producer = std::string{};
  byte_writer{producer}.fixed(x.producer.high);
  byte_writer{producer}.fixed(x.producer.low);
  auto column = 0;
  for (auto y :
       {uint64_t{own_shard}, x.index, x.epoch, static_cast<uint64_t>(x.kind)})
    set(row, ++column, y);
  set(row, ++column, producer);
  for (auto y : {x.session, x.after, x.position})
    set(row, ++column, y);
  set(row, ++column, x.envelope);
  set(row, ++column, x.block);
  for (auto y : {x.crc, x.chain, committed, committed_crc})
    set(row, ++column, y);
  if ((flags & 16) != 0)
    spoil(row, in);
  if (!insert(row))
    return false;
  last = x;
  return (flags & 31) == 0;
}

void require_damage(const failure& x) {
  require(x.code == ec::damaged, "a bad row is damage");
}

/// How many entries there are, as far as they are whole.
uint64_t read_log(journal& store) {
  auto res = uint64_t{0};
  auto chain = uint64_t{0};
  auto done = store.read(own_shard, 1, 0, [&](const log_entry& x, uint64_t) {
    require(x.index == ++res, "entries come in order");
    require(entry_crc(x) == x.crc, "an entry has its checksum");
    chain = chain_after(chain, x.crc);
    require(chain == x.chain, "an entry continues the log");
    return true;
  });
  if (!done)
    require_damage(done.error());
  return res;
}

void look(journal& store) {
  if (auto x = store.tail(own_shard); !x)
    require_damage(x.error());
  if (auto x = store.record(own_shard); !x)
    require_damage(x.error());
  if (auto x = store.records(); !x)
    require_damage(x.error());
  require(store.first_index(own_shard) && store.shards(), "keys can be read");
}

} // namespace

WEIR_FUZZ_TARGET(journal_row) {
  static auto to = scratch_journal{};
  auto in = byte_reader{bytes};
  to.begin();
  auto fine = add_record(in, to);
  auto record = to.store().record(own_shard);
  if (fine && record)
    require(record->has_value(), "a record that was written is there");
  auto entries = uint64_t{0};
  auto last = log_entry{};
  for (fine = true; in.remaining() > 0; entries += fine)
    fine = add_entry(in, to, last) && fine;
  auto found = read_log(to.store());
  require(found >= entries, "entries that were written are there");
  look(to.store());
  to.end();
}
