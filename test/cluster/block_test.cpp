#include "cluster/block.hpp"
#include "test/cluster/records.hpp"
#include "test/golden/block.hpp"
#include "test/support/hex.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

const auto header = block_header{0, {7, 9}, 3, 100, 142};

decoded_block decode(const std::string& bytes, uint32_t shards = 1) {
  auto res = decoded_block{};
  must(decode_block(bytes, shards, res));
  return res;
}

/// Records of two shapes, some of them of the same entity.
std::vector<plain_record> some_records() {
  auto two = [](double heat, int64_t load) {
    return std::vector<std::pair<std::string, number>>{
      {"heat", number::of(heat)}, {"load", number::of(load)}};
  };
  return {event("pump", 1'700'000'000'000, 41),
          {"valve", 1'700'000'000'250, two(-0.5, 1)},
          {"pump", 1'699'999'999'999, two(1e300, INT64_MIN)},
          event("pump", 1'700'000'000'001, INT64_MAX)};
}

} // namespace

TEST_SUITE("cluster/block") {
  TEST_CASE("what goes into a block comes out of it, in order") {
    // One builder for all, so that none leaves anything to the next.
    auto builder = block_builder{};
    auto out = decoded_block{};
    CHECK(rc::check("any records", [&] {
      auto records = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<plain_record>>(any_record()));
      auto head = block_header{};
      head.producer
        = {*rc::gen::arbitrary<uint64_t>(), *rc::gen::arbitrary<uint64_t>()};
      head.session = *rc::gen::arbitrary<uint64_t>();
      head.after = *rc::gen::arbitrary<uint32_t>();
      head.position = head.after + records.size();
      for (auto& x : records)
        add(builder, x);
      auto expected = flatten(records);
      RC_ASSERT(builder.records() == records.size());
      RC_ASSERT(builder.readings() == expected.size());
      auto bytes = builder.finish(head);
      RC_ASSERT(decode_block(bytes, 1, out).has_value());
      RC_ASSERT(flatten(out.batch) == expected);
      RC_ASSERT(out.header.producer == head.producer);
      RC_ASSERT(out.header.session == head.session);
      RC_ASSERT(out.header.after == head.after);
      RC_ASSERT(out.header.position == head.position);
      for (auto i = size_t{0}; i < out.batch.entities.size(); ++i)
        RC_ASSERT(out.batch.entity_hashes[i]
                  == entity_hash(out.batch.entities[i]));
      RC_ASSERT(builder.records() == 0u);
    }));
  }

  TEST_CASE("the header alone reads like the whole") {
    auto bytes = block_of({5, {7, 9}, 3, 100, 142},
                          {event(entities_of(5, 8, 1)[0], 1, 1)});
    auto alone = must(decode_block_header(bytes));
    auto whole = decode(bytes, 8).header;
    CHECK(alone.shard == 5);
    CHECK(whole.shard == 5);
    CHECK(alone.producer == whole.producer);
    CHECK(alone.session == whole.session);
    CHECK(alone.after == whole.after);
    CHECK(alone.position == whole.position);
  }

  TEST_CASE("an entity is named once, however many there are") {
    auto records = std::vector<plain_record>{};
    for (auto i = 0; i < 6000; ++i)
      records.push_back(event("e" + std::to_string(i % 3000), i, i));
    auto bytes = block_of(header, records);
    auto out = decode(bytes);
    CHECK(out.batch.entities.size() == 3000);
    CHECK(flatten(out.batch) == flatten(records));
  }

  TEST_CASE("entities whose hashes agree are told apart") {
    auto builder = block_builder{};
    auto records = std::vector<plain_record>{};
    for (auto i = 0; i < 2400; ++i) {
      records.push_back(event("e" + std::to_string(i % 1200), i, i));
      add(builder, records.back(), 0xabcdef);
    }
    auto bytes = builder.finish(header);
    auto out = decode(bytes);
    CHECK(out.batch.entities.size() == 1200);
    CHECK(flatten(out.batch) == flatten(records));
  }

  TEST_CASE("a builder starts over after every block, beyond the range of its "
            "generations") {
    auto builder = block_builder{};
    auto out = decoded_block{};
    for (auto i = 0; i < 140'000; ++i) {
      auto record = event("e" + std::to_string(i % 3), i, i);
      add(builder, record);
      auto bytes = builder.finish(header);
      auto done = decode_block(bytes, 1, out);
      if (!done || flatten(out.batch) != flatten({record}))
        FAIL("block " << i << " differs");
    }
  }

  TEST_CASE("the bytes of a block are what they have always been") {
    auto bytes = block_of(header, some_records());
    CHECK(to_hex(bytes) == golden::block_1);
  }

  TEST_CASE("no flipped bit goes unnoticed") {
    auto bytes = block_of(header, some_records());
    auto out = decoded_block{};
    for (auto i = size_t{0}; i < 8 * bytes.size(); ++i) {
      auto bad = bytes;
      bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << i % 8));
      if (decode_block(bad, 1, out))
        FAIL("bit " << i << " does not matter");
    }
  }

  TEST_CASE("a block that is cut short or goes on is refused") {
    auto bytes = block_of(header, some_records());
    auto out = decoded_block{};
    for (auto i = size_t{0}; i < bytes.size(); ++i)
      if (decode_block(std::string_view{bytes}.substr(0, i), 1, out))
        FAIL("cut at " << i);
    CHECK(code_of(decode_block(bytes + '\0', 1, out)) == ec::malformed);
    CHECK(must(decode_block_header(bytes)).position == 142);
    CHECK(code_of(decode_block_header(bytes.substr(0, 20))) == ec::malformed);
    CHECK(code_of(decode_block_header("")) != ec::none);
  }

} // TEST_SUITE
