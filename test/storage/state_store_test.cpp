#include "storage/state_store.hpp"

#include "test/storage/faulty_disk.hpp"
#include "test/storage/support.hpp"

#include <rapidcheck.h>

#include <map>

using namespace weir;
using namespace weir::test;

namespace {

using chunk_list = std::vector<std::pair<std::string, uint64_t>>;

checkpoint_meta meta_of(uint64_t index, std::string text = "meta") {
  return {index - index / 3, index, 1 + index / 7, index * 31, std::move(text)};
}

struct loaded {
  result<std::optional<checkpoint_meta>> meta;
  chunk_list chunks;
};

loaded load(state_store& self, uint32_t shard) {
  auto chunks = chunk_list{};
  auto keep = [&](std::string_view bytes, uint64_t covers) -> result<void> {
    chunks.emplace_back(bytes, covers);
    return {};
  };
  auto meta = self.load(shard, keep);
  return {std::move(meta), std::move(chunks)};
}

/// The same, piece by piece.
loaded load_copy(state_store& self, uint32_t shard) {
  auto res = loaded{};
  auto copy = self.open_copy(shard);
  if (!copy)
    return {tl::unexpected(copy.error()), {}};
  if (!*copy)
    return res;
  for (auto id : (*copy)->chunks) {
    auto chunk = self.read_chunk(shard, id);
    if (!chunk)
      return {tl::unexpected(chunk.error()), {}};
    res.chunks.emplace_back(std::move(chunk->bytes), chunk->covers);
  }
  res.meta = std::move((*copy)->meta);
  return res;
}

void put(state_store& self, uint32_t shard, bool full, const chunk_list& chunks,
         const checkpoint_meta& meta) {
  must(self.begin(shard, full));
  for (auto& [bytes, covers] : chunks)
    must(self.add_chunk(shard, covers, bytes));
  must(self.finish(shard, meta));
}

struct fixture {
  temporary_directory dir;
  std::string path = dir.file("state.db");

  state_store open() const {
    return must(state_store::open(path));
  }

  /// As a process that ended without a word.
  void reopen(std::optional<state_store>& store) const {
    store.reset();
    store.emplace(open());
  }

  /// Rows in the closed file, visible or not.
  int64_t chunks_left(state_store store) const {
    { auto closed = std::move(store); }
    sqlite3* db = nullptr;
    REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
    auto res = int64_t{-1};
    auto keep = [](void* out, int, char** values, char**) {
      *static_cast<int64_t*>(out) = std::atoll(values[0]);
      return 0;
    };
    sqlite3_exec(db, "SELECT count(*) FROM chunk", keep, &res, nullptr);
    sqlite3_close(db);
    return res;
  }
};

} // namespace

TEST_SUITE("storage/state_store") {
  TEST_CASE_FIXTURE(fixture, "a shard without a checkpoint has none") {
    auto store = open();
    CHECK(store.created());
    CHECK(!must(load(store, 0).meta));
    CHECK(!must(load_copy(store, 0).meta));
    CHECK(!must(store.size(0)));
    CHECK(must(store.shards()).empty());
  }

  TEST_CASE("a base and its deltas are read back in order, whatever happened "
            "to other shards in between") {
    CHECK(rc::check([] {
      auto self = fixture{};
      auto model = std::map<uint32_t, std::pair<chunk_list, checkpoint_meta>>{};
      auto making = std::map<uint32_t, std::pair<bool, chunk_list>>{};
      auto store = std::optional{self.open()};
      auto steps = *rc::gen::inRange(1, 60);
      for (auto i = 0; i < steps; ++i) {
        auto shard = *rc::gen::inRange<uint32_t>(0, 3);
        auto open = making.find(shard);
        switch (*rc::gen::inRange(0, 8)) {
          case 0: {
            auto full = *rc::gen::arbitrary<bool>();
            auto begun = store->begin(shard, full);
            making.erase(shard);
            if (!full && !model.count(shard)) {
              RC_ASSERT(code_of(begun) == ec::not_found);
            } else {
              must(begun);
              making[shard].first = full;
            }
            break;
          }
          default:
            if (open == making.end()) {
              must(store->begin(shard, true));
              open = making.try_emplace(shard, true, chunk_list{}).first;
            }
            open->second.second.emplace_back(*rc::gen::arbitrary<std::string>(),
                                             *rc::gen::arbitrary<uint64_t>());
            must(store->add_chunk(shard, open->second.second.back().second,
                                  open->second.second.back().first));
            break;
          case 5:
            if (open != making.end()) {
              auto meta = checkpoint_meta{*rc::gen::arbitrary<uint64_t>(),
                                          *rc::gen::arbitrary<uint64_t>(),
                                          *rc::gen::arbitrary<uint64_t>(),
                                          *rc::gen::arbitrary<uint64_t>(),
                                          *rc::gen::arbitrary<std::string>()};
              must(store->finish(shard, meta));
              auto& [chunks, last] = model[shard];
              if (open->second.first)
                chunks.clear();
              for (auto& x : open->second.second)
                chunks.push_back(x);
              last = meta;
              making.erase(open);
            }
            break;
          case 6:
            must(store->abort(shard));
            making.erase(shard);
            break;
          case 7:
            if (*rc::gen::inRange(0, 4) == 0) {
              must(store->remove_shard(shard));
              model.erase(shard);
              making.erase(shard);
            } else {
              self.reopen(store);
              making.clear();
            }
            break;
        }
        for (auto& [id, expected] : model) {
          auto got = load(*store, id);
          RC_ASSERT(must(std::move(got.meta)) == expected.second);
          RC_ASSERT(got.chunks == expected.first);
          auto copy = load_copy(*store, id);
          RC_ASSERT(must(std::move(copy.meta)) == expected.second);
          RC_ASSERT(copy.chunks == expected.first);
        }
        RC_ASSERT(must(store->shards()).size() == model.size());
      }
    }));
  }

  TEST_CASE_FIXTURE(fixture, "an unfinished checkpoint is never seen, and its "
                             "room comes back") {
    auto store = std::optional{open()};
    put(*store, 1, true, {{"base", 10}}, meta_of(10));
    must(store->begin(1, false));
    must(store->add_chunk(1, 12, "never finished"));
    reopen(store);
    CHECK(load(*store, 1).chunks == chunk_list{{"base", 10}});
    put(*store, 1, false, {{"delta", 20}}, meta_of(20));
    CHECK(load(*store, 1).chunks == chunk_list{{"base", 10}, {"delta", 20}});
    must(store->begin(1, true));
    must(store->add_chunk(1, 30, "never finished"));
    reopen(store);
    CHECK(load(*store, 1).chunks == chunk_list{{"base", 10}, {"delta", 20}});
    put(*store, 1, true, {{"new", 40}}, meta_of(40));
    CHECK(load(*store, 1).chunks == chunk_list{{"new", 40}});
    CHECK(chunks_left(std::move(*store)) == 1);
  }

  TEST_CASE_FIXTURE(fixture, "sizes tell base from deltas") {
    auto store = open();
    put(store, 0, true, {{"12345", 1}, {"678", 2}}, meta_of(2));
    put(store, 0, false, {{"ab", 3}}, meta_of(3));
    put(store, 0, false, {{"cd", 4}, {"", 4}}, meta_of(4));
    auto size = must(store.size(0)).value_or(checkpoint_size{});
    CHECK(size.base_bytes == 8);
    CHECK(size.delta_bytes == 4);
    put(store, 0, true, {{"x", 5}}, meta_of(5));
    size = must(store.size(0)).value_or(checkpoint_size{});
    CHECK(size.base_bytes == 1);
    CHECK(size.delta_bytes == 0);
  }

  TEST_CASE_FIXTURE(fixture, "an empty shard has a checkpoint of no chunks") {
    auto store = open();
    put(store, 0, true, {{"old", 1}}, meta_of(1));
    put(store, 0, true, {}, meta_of(9));
    auto got = load(store, 0);
    CHECK(must(got.meta) == meta_of(9));
    CHECK(got.chunks.empty());
    put(store, 0, false, {{"first", 10}}, meta_of(10));
    CHECK(load(store, 0).chunks.size() == 1);
    must(store.remove_shard(0));
    CHECK(chunks_left(std::move(store)) == 0);
  }

  TEST_CASE_FIXTURE(fixture, "what is replaced or given up leaves no chunks") {
    auto store = open();
    put(store, 0, true, {{"a", 1}, {"b", 2}}, meta_of(2));
    put(store, 0, true, {}, meta_of(3));
    must(store.begin(1, true));
    must(store.add_chunk(1, 1, "c"));
    must(store.abort(1));
    must(store.abort(1));
    CHECK(chunks_left(std::move(store)) == 0);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a copy stays as it is while other checkpoints are "
                    "made, and one of its own is not finished") {
    auto store = open();
    auto chunks = chunk_list{{"a", 1}, {"b", 2}};
    put(store, 0, true, chunks, meta_of(2));
    auto copy = must(store.open_copy(0)).value_or(checkpoint_copy{});
    put(store, 1, true, {{"other", 9}}, meta_of(9));
    must(store.begin(0, true));
    must(store.add_chunk(0, 5, "c"));
    CHECK(copy.meta == meta_of(2));
    auto got = chunk_list{};
    for (auto id : copy.chunks) {
      auto chunk = must(store.read_chunk(0, id));
      got.emplace_back(chunk.bytes, chunk.covers);
    }
    CHECK(got == chunks);
    // Those of another shard are none of it.
    CHECK(code_of(store.read_chunk(1, copy.chunks[0])) == ec::not_found);
    must(store.finish(0, meta_of(5)));
    auto gone = store.read_chunk(0, copy.chunks[1]);
    CHECK(code_of(gone) == ec::not_found);
    CHECK(contains(text_of(gone), "checkpoint of shard 0: "));
  }

  TEST_CASE_FIXTURE(fixture, "a failure of the reader ends the reading") {
    auto store = open();
    put(store, 0, true, {{"a", 1}, {"b", 2}, {"c", 3}}, meta_of(3));
    auto seen = 0;
    auto done = store.load(0, [&](std::string_view, uint64_t) -> result<void> {
      if (++seen == 2)
        return fail(ec::malformed, "no such state");
      return {};
    });
    CHECK(code_of(done) == ec::malformed);
    CHECK(seen == 2);
    CHECK(load(store, 0).chunks.size() == 3);
  }

  TEST_CASE_FIXTURE(fixture,
                    "every change of a chunk or a checkpoint is found, "
                    "and a full one gets over it") {
    {
      auto store = open();
      put(store, 0, true, {{"apple", 1}, {"banana", 2}}, meta_of(2));
      put(store, 0, false, {{"cherry", 5}}, meta_of(5));
      put(store, 1, true, {{"other", 7}}, meta_of(7));
    }
    auto pristine = bytes_of(path);
    for (std::string change :
         {"UPDATE chunk SET data = x'00' WHERE id = 2",
          "UPDATE chunk SET covers = 3 WHERE id = 2",
          "UPDATE chunk SET crc = crc + 1 WHERE id = 2",
          "DELETE FROM chunk WHERE id = 1",
          "DELETE FROM chunk WHERE id = 3",
          "UPDATE chunk SET shard = 1 WHERE id = 3",
          "UPDATE chunk SET id = 0 WHERE id = 2",
          "INSERT INTO chunk SELECT 0, shard, covers, data, crc FROM chunk"
          " WHERE id = 1",
          "UPDATE checkpoint SET from_index = 0 WHERE shard = 0",
          "UPDATE checkpoint SET idx = 0 WHERE shard = 0",
          "UPDATE checkpoint SET epoch = 0 WHERE shard = 0",
          "UPDATE checkpoint SET chain = 0 WHERE shard = 0",
          "UPDATE checkpoint SET meta = x'' WHERE shard = 0",
          "UPDATE checkpoint SET base_bytes = 0 WHERE shard = 0",
          "UPDATE checkpoint SET delta_bytes = 0 WHERE shard = 0",
          "UPDATE checkpoint SET last_chunk = 2 WHERE shard = 0",
          "UPDATE checkpoint SET chunks = 2 WHERE shard = 0",
          "UPDATE checkpoint SET digest = 0 WHERE shard = 0",
          "UPDATE checkpoint SET crc = 0 WHERE shard = 0",
          "UPDATE checkpoint SET shard = 5 WHERE shard = 0"}) {
      CAPTURE(change);
      put_bytes(path, pristine);
      run_sql(path, change);
      auto store = open();
      auto moved = contains(change, "SET shard = 5");
      auto got = load(store, moved ? 5 : 0);
      CHECK(code_of(got.meta) == ec::damaged);
      CHECK(contains(text_of(got.meta), moved ? "shard 5" : "shard 0"));
      CHECK(code_of(load_copy(store, moved ? 5 : 0).meta) == ec::damaged);
      put(store, 0, true, {{"anew", 8}}, meta_of(8));
      CHECK(load(store, 0).chunks == chunk_list{{"anew", 8}});
      must(load(store, 0).meta);
    }
  }

  TEST_CASE_FIXTURE(fixture, "no flipped bit of the file is ever answered with "
                             "a wrong chunk") {
    auto expected = std::map<uint32_t, chunk_list>{};
    auto random = std::mt19937_64{11};
    {
      auto store = open();
      for (auto shard : {0u, 1u}) {
        auto& chunks = expected[shard];
        for (auto i = 0u; i < 4; ++i)
          chunks.emplace_back(std::string(random() % 6'000, 'x'), i);
        put(store, shard, true, chunks, meta_of(9));
      }
    }
    auto pristine = bytes_of(path);
    auto told = 0;
    for (auto round = 0; round < 1'000; ++round) {
      auto bytes = pristine;
      auto at = random() % (bytes.size() * 8);
      bytes[at / 8] = static_cast<char>(bytes[at / 8] ^ (1 << at % 8));
      put_bytes(path, bytes);
      fs::remove(path + "-wal");
      auto store = state_store::open(path);
      if (!store) {
        ++told;
        continue;
      }
      for (auto& [shard, chunks] : expected) {
        auto got = load(*store, shard);
        if (!got.meta)
          ++told;
        else if (*got.meta)
          CHECK((**got.meta == meta_of(9) && got.chunks == chunks));
      }
    }
    CHECK(told > 300);
  }

  TEST_CASE_FIXTURE(fixture, "sync puts what was finished on the disk itself") {
    auto disk = faulty_disk{};
    auto store = open();
    put(store, 0, true, {{"base", 1}}, meta_of(1));
    disk.syncs = 0;
    put(store, 0, false, {{"delta", 2}}, meta_of(2));
    CHECK(disk.syncs == 0);
    must(store.sync());
    CHECK(disk.syncs == 2); // The WAL, then the file.
    // The file alone has it: what a power cut may take is not needed.
    auto copy = dir.file("copy.db");
    put_bytes(copy, bytes_of(path));
    auto alone = must(state_store::open(copy));
    CHECK(must(load(alone, 0).meta) == meta_of(2));
    CHECK(load(alone, 0).chunks.size() == 2);
    disk.fail_sync = SQLITE_IOERR_FSYNC;
    must(store.sync()); // Nothing new, nothing to do.
    disk.fail_sync = SQLITE_OK;
    put(store, 0, false, {{"delta", 3}}, meta_of(3));
    disk.fail_sync = SQLITE_IOERR_FSYNC;
    CHECK(code_of(store.sync()) == ec::io_error);
    disk.fail_sync = SQLITE_OK;
    CHECK(code_of(store.sync()) == ec::io_error);
    CHECK(code_of(store.begin(0, false)) == ec::io_error);
    REQUIRE(store.failed() != nullptr);
  }

} // TEST_SUITE
