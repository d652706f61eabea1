#include "cluster/block.hpp"
#include "cluster/checksum.hpp"
#include "test/cluster/records.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <cmath>
#include <limits>

// Blocks that no builder makes, with checksums that are right.

using namespace weir;
using namespace weir::test;

namespace {

std::string varint(uint64_t x) {
  auto res = std::string{};
  byte_writer{res}.varint(x);
  return res;
}

std::string zigzag(int64_t x) {
  auto res = std::string{};
  byte_writer{res}.zigzag(x);
  return res;
}

std::string fixed(double x) {
  auto res = std::string{};
  byte_writer{res}.fixed(x);
  return res;
}

std::string name(const std::string& x) {
  return varint(x.size()) + x;
}

std::string sealed(std::string body) {
  byte_writer{body}.fixed(checksum(body));
  return body;
}

/// A block of two records of one entity, part by part.
struct parts {
  std::string version = "\x01";
  std::string shard = varint(0);
  std::string producer = std::string(16, '\x07');
  std::string session = varint(1);
  std::string after = varint(0);
  std::string position = varint(2);
  std::string records = varint(2);
  std::string readings = varint(2);
  std::string entities = varint(1) + name("a");
  std::string metrics = varint(1) + name("value");
  std::string shapes = varint(1) + varint(1) + varint(0);
  std::string ref_bytes = varint(2);
  std::string time_bytes = varint(2);
  std::string kind_bytes = varint(0);
  std::string refs = varint(0) + varint(0);
  std::string times = zigzag(7) + zigzag(1);
  std::string kinds;
  std::string values = zigzag(1) + zigzag(2);

  std::string encode() const {
    return sealed(version + shard + producer + session + after + position
                  + records + readings + entities + metrics + shapes + ref_bytes
                  + time_bytes + kind_bytes + refs + times + kinds + values);
  }
};

ec outcome(const parts& x, uint32_t shards = 1) {
  auto out = decoded_block{};
  return code_of(decode_block(x.encode(), shards, out));
}

template <class Change>
ec outcome_of(Change change) {
  auto x = parts{};
  change(x);
  return outcome(x);
}

} // namespace

TEST_SUITE("cluster/block") {
  TEST_CASE("the block that the others are made of is fine") {
    CHECK(outcome({}) == ec::none);
  }

  TEST_CASE("a block of another version is refused by name") {
    CHECK(outcome_of([](parts& x) {
            x.version = "\x02";
          })
          == ec::version_mismatch);
    auto x = parts{};
    x.version = "\x02";
    CHECK(code_of(decode_block_header(x.encode())) == ec::version_mismatch);
  }

  TEST_CASE("counts that can't be are refused before they cost memory") {
    auto huge = varint(UINT64_MAX);
    auto large = varint(uint64_t{1} << 40);
    for (auto& n : {huge, large}) {
      CHECK(outcome_of([&](parts& x) {
              x.readings = n;
            })
            == ec::malformed);
      CHECK(outcome_of([&](parts& x) {
              x.records = x.readings = n;
            })
            == ec::malformed);
      CHECK(outcome_of([&](parts& x) {
              x.entities = n;
            })
            == ec::malformed);
      CHECK(outcome_of([&](parts& x) {
              x.metrics = n;
            })
            == ec::malformed);
      CHECK(outcome_of([&](parts& x) {
              x.shapes = n;
            })
            == ec::malformed);
      CHECK(outcome_of([&](parts& x) {
              x.shapes = varint(1) + n;
            })
            == ec::malformed);
      CHECK(outcome_of([&](parts& x) {
              x.ref_bytes = n;
            })
            == ec::malformed);
      CHECK(outcome_of([&](parts& x) {
              x.time_bytes = n;
            })
            == ec::malformed);
      CHECK(outcome_of([&](parts& x) {
              x.kind_bytes = n;
            })
            == ec::malformed);
      CHECK(outcome_of([&](parts& x) {
              x.entities = varint(1) + n + "a";
            })
            == ec::malformed);
    }
  }

  TEST_CASE("counts that contradict each other are refused") {
    CHECK(outcome_of([](parts& x) {
            x.records = varint(0);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.records = varint(3);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.records = varint(1);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.readings = varint(3);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.position = varint(0);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.after = varint(2);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.values += zigzag(3);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.values = zigzag(1);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.refs += varint(0);
            x.ref_bytes = varint(3);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.times += zigzag(0);
            x.time_bytes = varint(3);
          })
          == ec::malformed);
    // With a single shape there is no column of shapes.
    CHECK(outcome_of([](parts& x) {
            x.kinds = varint(0) + varint(0);
            x.kind_bytes = varint(2);
          })
          == ec::malformed);
  }

  TEST_CASE("references to nothing are refused") {
    CHECK(outcome_of([](parts& x) {
            x.refs = varint(0) + varint(1);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.shapes = varint(1) + varint(1) + varint(2);
          })
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.shapes = varint(1) + varint(0);
          })
          == ec::malformed);
    auto two_shapes = [](std::string kinds) {
      return outcome_of([&](parts& x) {
        x.shapes = varint(2) + varint(1) + varint(0) + varint(1) + varint(0);
        x.kinds = kinds;
        x.kind_bytes = varint(kinds.size());
      });
    };
    CHECK(two_shapes(varint(0) + varint(1)) == ec::none);
    CHECK(two_shapes(varint(0) + varint(2)) == ec::malformed);
    CHECK(two_shapes(varint(0)) == ec::malformed);
  }

  TEST_CASE("names are neither empty nor longer than the limit") {
    auto entity = [](const std::string& id) {
      return outcome_of([&](parts& x) {
        x.entities = varint(1) + name(id);
      });
    };
    CHECK(entity(std::string(name_bytes_max, 'x')) == ec::none);
    CHECK(entity(std::string(name_bytes_max + 1, 'x')) == ec::malformed);
    CHECK(entity("") == ec::malformed);
    auto metric = [](const std::string& id) {
      return outcome_of([&](parts& x) {
        x.metrics = varint(1) + name(id);
      });
    };
    CHECK(metric(std::string(name_bytes_max, 'x')) == ec::none);
    CHECK(metric(std::string(name_bytes_max + 1, 'x')) == ec::malformed);
    CHECK(metric("") == ec::malformed);
  }

  TEST_CASE("times stay between 1970 and 9999, however they wrap") {
    auto times = [](int64_t first, int64_t second) {
      return outcome_of([&](parts& x) {
        x.times = zigzag(first) + zigzag(second);
        x.time_bytes = varint(x.times.size());
      });
    };
    CHECK(times(0, time_max) == ec::none);
    CHECK(times(time_max, -time_max) == ec::none);
    CHECK(times(0, time_max + 1) == ec::malformed);
    CHECK(times(0, -1) == ec::malformed);
    CHECK(times(-1, 1) == ec::malformed);
    CHECK(times(time_max, INT64_MAX) == ec::malformed);
    CHECK(times(5, INT64_MIN) == ec::malformed);
  }

  TEST_CASE("a value that is no finite number is refused") {
    auto value = [](double v) {
      return outcome_of([&](parts& x) {
        x.shapes = varint(1) + varint(1) + varint(1);
        x.values = fixed(0.5) + fixed(v);
      });
    };
    CHECK(value(-1.7e308) == ec::none);
    CHECK(value(std::numeric_limits<double>::infinity()) == ec::malformed);
    CHECK(value(-std::numeric_limits<double>::infinity()) == ec::malformed);
    CHECK(value(std::nan("")) == ec::malformed);
  }

  TEST_CASE("an entity of another shard is refused") {
    auto id = entities_of(1, 2, 1)[0];
    auto out = decoded_block{};
    auto records = std::vector<plain_record>{event(id, 1, 1)};
    CHECK(code_of(decode_block(block_of({1, {}, 1, 0, 1}, records), 2, out))
          == ec::none);
    CHECK(code_of(decode_block(block_of({0, {}, 1, 0, 1}, records), 2, out))
          == ec::malformed);
    CHECK(code_of(decode_block(block_of({2, {}, 1, 0, 1}, records), 2, out))
          == ec::malformed);
    CHECK(outcome_of([](parts& x) {
            x.shard = varint(uint64_t{1} << 32);
          })
          == ec::malformed);
  }

  TEST_CASE("a block of more bytes than the limit is refused") {
    auto records = std::vector<plain_record>{};
    for (auto i = 0; i < 2100; ++i)
      records.push_back(
        event(std::to_string(i) + std::string(name_bytes_max - 6, 'x'), 1, 1));
    auto out = decoded_block{};
    auto fits = block_of(
      {0, {}, 1, 0, 1},
      std::vector<plain_record>{records.begin(), records.begin() + 2000});
    CHECK(fits.size() < block_bytes_limit);
    CHECK(decode_block(fits, 1, out).has_value());
    auto bytes = block_of({0, {}, 1, 0, 1}, records);
    CHECK(bytes.size() > block_bytes_limit);
    CHECK(code_of(decode_block(bytes, 1, out)) == ec::malformed);
    CHECK(code_of(decode_block_header(bytes)) == ec::malformed);
  }

  TEST_CASE("any bytes decode to readings that hold what they promise, or not "
            "at all") {
    auto out = decoded_block{};
    CHECK(rc::check("damaged blocks with right checksums", [&] {
      auto records = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<plain_record>>(any_record()));
      auto body = block_of({0, {1, 2}, 1, 0, records.size()}, records);
      body.resize(body.size() - sizeof(uint64_t));
      auto changes = *rc::gen::inRange(0, 4);
      for (auto i = 0; i < changes; ++i) {
        auto at = *rc::gen::inRange<size_t>(0, body.size());
        body[at] = *rc::gen::weightedOneOf<char>(
          {{1, rc::gen::arbitrary<char>()},
           {1, rc::gen::element('\x00', '\x01', '\x7f', '\x80', '\xff')}});
      }
      if (*rc::gen::inRange(0, 4) == 0)
        body.resize(*rc::gen::inRange<size_t>(0, body.size()));
      auto bytes = sealed(body);
      auto done = decode_block(bytes, 1, out);
      RC_CLASSIFY(done.has_value());
      if (!done)
        return;
      auto& batch = out.batch;
      RC_ASSERT(!batch.readings.empty());
      RC_ASSERT(batch.entity_hashes.size() == batch.entities.size());
      for (auto& x : batch.readings) {
        RC_ASSERT(x.entity < batch.entities.size());
        RC_ASSERT(x.metric < batch.metrics.size());
        RC_ASSERT(x.time >= time_min);
        RC_ASSERT(x.time <= time_max);
        RC_ASSERT(std::isfinite(x.value.to_double()));
      }
    }));
  }

} // TEST_SUITE
