#include "cluster/peer_codec.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

std::shared_ptr<const std::string> shared(std::string x) {
  return std::make_shared<const std::string>(std::move(x));
}

template <class T>
T any() {
  return *rc::gen::arbitrary<T>();
}

std::string any_text() {
  return any<std::string>();
}

member any_member() {
  return {any_text(), any_text(), any<uint64_t>()};
}

log_position any_position() {
  return {any<uint64_t>(), any<uint64_t>(), any<uint64_t>()};
}

entry_ptr any_entry(uint32_t shard) {
  auto res = std::make_shared<log_entry>();
  auto block = shared(any_text());
  res->shard = shard;
  res->index = any<uint64_t>();
  res->epoch = any<uint64_t>();
  res->kind = static_cast<entry_kind>(*rc::gen::inRange(1, 10));
  res->producer = {any<uint64_t>(), any<uint64_t>()};
  res->session = any<uint64_t>();
  res->after = any<uint64_t>();
  res->position = any<uint64_t>();
  res->envelope = any_text();
  res->block = *block;
  res->keep = block;
  res->crc = entry_crc(*res);
  res->chain = any<uint64_t>();
  return res;
}

peer_message any_message() {
  auto shard = any<uint32_t>();
  auto epoch = any<uint64_t>();
  auto from = any_member();
  switch (*rc::gen::inRange(0, 7)) {
    case 0: {
      auto x
        = replicate{shard, epoch, from, any_position(), {}, any<uint64_t>()};
      for (auto n = *rc::gen::inRange(0, 4); n > 0; --n)
        x.entries.push_back(any_entry(shard));
      return x;
    }
    case 1:
      return replicated{shard,          epoch,           from,
                        any_position(), any<uint64_t>(), any<bool>()};
    case 2:
      return log_claim{
        shard, epoch, from, any_position(), {any_position(), any_position()}};
    case 3:
      return not_followed{shard, epoch, from, any<uint64_t>(), any<bool>()};
    case 4:
      return copy_begin{shard,           epoch,           from,
                        any<uint64_t>(), any<uint64_t>(), any_position(),
                        any_text(),      any<uint64_t>()};
    case 5:
      return copy_chunk{shard,           epoch,           from,
                        any<uint64_t>(), any<uint64_t>(), any_text(),
                        any<uint64_t>()};
    default:
      return copy_taken{shard, epoch, from, any<uint64_t>(), any<uint64_t>()};
  }
}

} // namespace

TEST_SUITE("cluster/peer_codec") {
  TEST_CASE("what copies of a shard tell one another arrives as it was sent") {
    CHECK(rc::check([] {
      auto sent = any_message();
      auto bytes = encode_peer_message(sent);
      auto received = must(decode_peer_message(shared(bytes)));
      RC_ASSERT(received.index() == sent.index());
      RC_ASSERT(encode_peer_message(received) == bytes);
      auto shard = std::visit(
        [](auto& x) {
          return x.shard;
        },
        sent);
      RC_ASSERT(shard_of_peer_message(bytes) == shard);
      if (auto part = std::get_if<replicate>(&received))
        for (auto& x : part->entries) {
          RC_ASSERT(x->shard == shard);
          RC_ASSERT(x->crc == entry_crc(*x));
        }
    }));
  }

  TEST_CASE("entries keep what they point into") {
    auto sent = replicate{};
    sent.shard = 5;
    auto entry = std::make_shared<log_entry>();
    auto block = std::string(1000, 'b');
    entry->shard = 5;
    entry->block = block;
    entry->crc = entry_crc(*entry);
    sent.entries.push_back(entry);
    auto received = [&] {
      auto bytes = shared(encode_peer_message(sent));
      return std::get<replicate>(must(decode_peer_message(bytes)));
    }();
    CHECK(received.entries[0]->block == block);
    CHECK(entry_crc(*received.entries[0]) == entry->crc);
  }

  TEST_CASE("bytes that nobody sent are refused, and cost no more than they "
            "are") {
    CHECK(rc::check([] {
      auto bytes = encode_peer_message(any_message());
      auto cut = bytes.substr(0, *rc::gen::inRange<size_t>(0, bytes.size()));
      RC_ASSERT(!decode_peer_message(shared(cut)));
      RC_ASSERT(!decode_peer_message(shared(bytes + "x")));
      // Anything may come of a flipped bit, but no crash.
      auto at = *rc::gen::inRange<size_t>(0, bytes.size());
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << *rc::gen::inRange(0, 8)));
      static_cast<void>(decode_peer_message(shared(bytes)));
    }));
    CHECK(!decode_peer_message(shared("")));
    CHECK(!decode_peer_message(shared("\x09\x01")));
    // A list of 2^60 entries.
    CHECK(!decode_peer_message(
      shared(std::string("\x00\x01\x01\x00\x00\x00\x00\x00", 8)
             + std::string(8, '\x00') + "\x00"
             + std::string("\xff\xff\xff\xff\xff\xff\xff\xff\x0f"))));
  }

} // TEST_SUITE
