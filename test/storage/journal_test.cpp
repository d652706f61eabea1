#include "test/storage/support.hpp"

#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

struct fixture {
  temporary_directory dir;
  std::string path = dir.file("journal.db");

  journal open(durability level = durability::power) const {
    return must(journal::open(path, level));
  }
};

/// Any 64 bits, the extreme ones often.
rc::Gen<uint64_t> any_number() {
  return rc::gen::weightedOneOf<uint64_t>(
    {{3, rc::gen::arbitrary<uint64_t>()},
     {1, rc::gen::element<uint64_t>(0, 1, INT64_MAX, 1ull << 63, UINT64_MAX)}});
}

/// Any bytes, empty, small, and larger than several pages.
rc::Gen<std::string> any_bytes() {
  return rc::gen::weightedOneOf<std::string>(
    {{1, rc::gen::just(std::string{})},
     {4, rc::gen::arbitrary<std::string>()},
     {1, rc::gen::map(rc::gen::pair(rc::gen::inRange(4'000, 300'000),
                                    rc::gen::arbitrary<char>()),
                      [](const std::pair<int, char>& x) {
                        return std::string(static_cast<size_t>(x.first),
                                           x.second);
                      })}});
}

log_entry any_entry() {
  auto res = log_entry{};
  res.epoch = *any_number();
  res.kind = static_cast<entry_kind>(*rc::gen::inRange(1, 7));
  res.producer = {*any_number(), *any_number()};
  res.session = *any_number();
  res.after = *any_number();
  res.position = *any_number();
  res.envelope = *any_bytes();
  auto block = std::make_shared<std::string>(*any_bytes());
  res.block = *block;
  res.keep = block;
  return res;
}

} // namespace

TEST_SUITE("storage/journal") {
  TEST_CASE("what is committed is read back as it was, after a reopen too") {
    CHECK(rc::check([] {
      auto self = fixture{};
      auto logs = std::map<uint32_t, std::vector<log_entry>>{};
      {
        auto store = self.open();
        auto first = *rc::gen::element<uint64_t>(1, 7, entry_index_max - 40);
        auto n = *rc::gen::inRange(1, 40);
        for (auto i = 0; i < n; ++i) {
          auto shard = *rc::gen::element<uint32_t>(0, 1, 255, UINT32_MAX);
          auto& log = logs[shard];
          auto x = any_entry();
          seal(x, shard, first + log.size(),
               log.empty() ? 0 : log.back().chain);
          must(store.append(x));
          log.push_back(x);
          if (*rc::gen::inRange(0, 4) == 0)
            must(store.commit());
        }
        must(store.commit());
        for (auto& [shard, log] : logs) {
          auto got = read_log(store, shard, first);
          must(got.end);
          RC_ASSERT(same(got.entries, log));
        }
      }
      auto store = self.open(durability::process);
      RC_ASSERT(must(store.shards()).size() == logs.size());
      for (auto& [shard, log] : logs) {
        auto got = read_log(store, shard, log.front().index);
        must(got.end);
        RC_ASSERT(same(got.entries, log));
        auto& last = log.back();
        RC_ASSERT(must(store.tail(shard))
                  == (log_position{last.index, last.epoch, last.chain}));
      }
    }));
  }

  TEST_CASE_FIXTURE(fixture, "what was not committed is gone after a reopen") {
    auto log = make_log(3, 20);
    {
      auto store = open();
      for (auto i = 0u; i < 20; ++i) {
        must(store.append(log[i]));
        if (i == 11)
          must(store.commit());
      }
      CHECK(store.dirty());
      CHECK(store.pending_entries() == 8);
    }
    auto store = open();
    CHECK(!store.created());
    CHECK(!store.dirty());
    auto got = read_log(store, 3);
    must(got.end);
    CHECK(same(got.entries, {log.begin(), log.begin() + 12}));
  }

  TEST_CASE_FIXTURE(fixture,
                    "pending bytes are those of the open transaction") {
    auto store = open();
    CHECK(store.created());
    auto log = make_log(0, 2);
    must(store.append(log[0]));
    CHECK(store.pending_bytes()
          == log[0].envelope.size() + log[0].block.size());
    must(store.commit());
    CHECK(store.pending_bytes() == 0);
    CHECK(!store.dirty());
    must(store.commit());
    CHECK(must(store.tail(0))->index == 1);
  }

  TEST_CASE_FIXTURE(fixture, "an entry that does not continue its log is "
                             "refused without a trace") {
    auto store = open();
    auto log = make_log(9, 10);
    for (auto i = 0u; i < 5; ++i)
      must(store.append(log[i]));
    auto other = make_log(9, 1, 2, 5, log[3].chain);
    CHECK(code_of(store.append(other[0])) == ec::sequence_gap);
    CHECK(code_of(store.append(log[6])) == ec::sequence_gap);
    auto stranger = copy_of(log[5]);
    stranger.chain ^= 1;
    CHECK(code_of(store.append(stranger)) == ec::conflict);
    auto flipped = copy_of(log[5]);
    flipped.session ^= 1;
    CHECK(code_of(store.append(flipped)) == ec::damaged);
    auto nowhere = copy_of(log[5]);
    seal(nowhere, 10, 0, 0);
    CHECK(code_of(store.append(nowhere)) == ec::limit_reached);
    seal(nowhere, 10, entry_index_max + 1, 0);
    CHECK(code_of(store.append(nowhere)) == ec::limit_reached);
    // Reserved, but never touched, so it costs no memory.
    auto memory = std::unique_ptr<char[]>{new char[entry_bytes_max + 1]};
    auto large = log_entry{};
    large.index = 6;
    large.shard = 9;
    large.block = {memory.get(), entry_bytes_max + 1};
    CHECK(code_of(store.append(large)) == ec::limit_reached);
    CHECK(store.failed() == nullptr);
    CHECK(store.pending_entries() == 5);
    must(store.append(log[5]));
    must(store.commit());
    CHECK(same(read_log(store, 9).entries, {log.begin(), log.begin() + 6}));
    CHECK(must(store.shards()) == std::vector<uint32_t>{9});
  }

  TEST_CASE_FIXTURE(fixture,
                    "a log that was truncated to nothing goes on where "
                    "it ended") {
    auto log = make_log(1, 6);
    auto store = open();
    append_all(store, {log.begin(), log.begin() + 4});
    CHECK(must(store.truncate(1, 4, 100)));
    CHECK(!must(store.tail(1)));
    CHECK(code_of(store.append(log[5])) == ec::sequence_gap);
    append_all(store, {log.begin() + 4, log.end()});
    CHECK(read_log(store, 1, 5, log[3].chain).entries.size() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "truncation goes in steps, and leaves the rest "
                             "continuous") {
    auto log = make_log(2, 100);
    auto other = make_log(7, 30);
    auto store = open();
    append_all(store, log);
    append_all(store, other);
    auto steps = 1;
    while (!must(store.truncate(2, 64, 10))) {
      auto got = read_log(store, 2, 10u * static_cast<unsigned>(steps) + 1,
                          log[10u * static_cast<unsigned>(steps) - 1].chain);
      must(got.end);
      CHECK(got.entries.size() == 100u - 10u * static_cast<unsigned>(steps));
      ++steps;
    }
    CHECK(steps == 7);
    CHECK(must(store.truncate(2, 64, 10)));
    auto got = read_log(store, 2, 65, log[63].chain);
    must(got.end);
    CHECK(same(got.entries, {log.begin() + 64, log.end()}));
    CHECK(same(read_log(store, 7).entries, other));
    // What is gone is a gap to who asks for it.
    CHECK(code_of(read_log(store, 2, 64).end) == ec::damaged);
    append_all(store, make_log(2, 1, 5, 101, log.back().chain));
  }

  TEST_CASE_FIXTURE(fixture, "truncated room is used again") {
    auto store = open();
    auto chain = uint64_t{0};
    auto sizes = std::vector<uint64_t>{};
    for (auto round = 0u; round < 12; ++round) {
      auto log = make_log(0, 200, round, round * 200 + 1, chain, 20'000);
      chain = log.back().chain;
      append_all(store, log);
      auto full = must(store.used_bytes());
      while (!must(store.truncate(0, round * 200 + 200, 50))) {
      }
      CHECK(must(store.used_bytes()) < full / 10);
      sizes.push_back(must(store.file_bytes()));
    }
    // Of 24 MB written, the file holds what one round needs.
    CHECK(sizes.back() < sizes[5] + sizes[5] / 10);
    CHECK(sizes.back() < 10'000'000);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a divergent end is cut, and another one follows") {
    auto ours = make_log(4, 20);
    auto store = open();
    append_all(store, ours);
    auto theirs = make_log(4, 8, 77, 13, ours[11].chain);
    CHECK(code_of(store.append(theirs[0])) == ec::sequence_gap);
    must(store.cut(4, 12));
    append_all(store, theirs);
    auto expected = std::vector<log_entry>(ours.begin(), ours.begin() + 12);
    expected.insert(expected.end(), theirs.begin(), theirs.end());
    auto got = read_log(store, 4);
    must(got.end);
    CHECK(same(got.entries, expected));
  }

  TEST_CASE_FIXTURE(fixture, "a removed shard may begin anew anywhere") {
    auto store = open();
    append_all(store, make_log(1, 10));
    append_all(store, make_log(2, 10));
    must(store.remove_shard(1));
    CHECK(must(store.shards()) == std::vector<uint32_t>{2});
    CHECK(!must(store.tail(1)));
    append_all(store, make_log(1, 3, 9, 5'000, 42));
    CHECK(must(store.tail(1))->index == 5'002);
    CHECK(read_log(store, 2).entries.size() == 10);
  }

  TEST_CASE_FIXTURE(fixture,
                    "reading begins where it is told to, and stops when "
                    "told to") {
    auto log = make_log(0, 30);
    auto store = open();
    append_all(store, log);
    auto seen = std::vector<uint64_t>{};
    must(store.read(0, 11, log[9].chain, [&](const log_entry& x, uint64_t) {
      seen.push_back(x.index);
      return seen.size() < 3;
    }));
    CHECK(seen == std::vector<uint64_t>{11, 12, 13});
    CHECK(read_log(store, 0, 31, log[29].chain).entries.empty());
    CHECK(read_log(store, 1).entries.empty());
  }

  TEST_CASE_FIXTURE(fixture, "a log that continues another is not believed") {
    auto log = make_log(0, 10);
    auto store = open();
    append_all(store, log);
    auto got = read_log(store, 0, 5, log[3].chain ^ 1);
    CHECK(code_of(got.end) == ec::damaged);
    CHECK(contains(text_of(got.end), "shard 0: entry 5 does not continue"));
    CHECK(got.entries.empty());
    // Whoever does not know the chain asks without.
    CHECK(read_log(store, 0, 5, std::nullopt).entries.size() == 6);
  }

} // TEST_SUITE
