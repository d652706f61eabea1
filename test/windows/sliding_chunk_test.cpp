#include "test/windows/sliding_fixture.hpp"
#include "windows/sliding_table.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

sliding_options options_of(time_ms retention, uint32_t cells_max) {
  auto res = sliding_options{};
  res.retention = retention;
  res.cells_max = cells_max;
  res.metrics_per_entity_max = 2;
  return res;
}

std::string to_hex(std::string_view bytes) {
  constexpr auto digits = std::string_view{"0123456789abcdef"};
  auto res = std::string{};
  for (auto x : bytes) {
    res += digits[static_cast<uint8_t>(x) >> 4];
    res += digits[static_cast<uint8_t>(x) & 15];
  }
  return res;
}

/// One entity with readings, with cells and with coarse cells.
std::string small_chunk() {
  auto table = sliding_table{options_of(1000, 2)};
  table.advance(2000);
  auto batch = batch_of{};
  auto integer = [](int64_t x) {
    return number::of(x);
  };
  batch.add("pump", "heat", 1500, integer(1), 7);
  batch.add("pump", "load", 1400, integer(2), 7);
  batch.add("pump", "load", 1401, integer((int64_t{1} << 53) + 1), 7);
  batch.add("tank", "heat", 1500, number::of(0.5), 8);
  batch.add("tank", "heat", 1502, number::of(1.5), 8);
  batch.add("tank", "heat", 1509, number::of(2.5), 8);
  table.apply(batch.get(), {}, 1);
  table.begin_checkpoint(true);
  auto res = std::string{};
  CHECK(table.next_chunk(10, res));
  CHECK(!table.next_chunk(10, res));
  return res;
}

/// Whether a chunk loads that has one entity, last heard of at 100, with `n`
/// series as `write` writes them.
template <class Write>
bool loads(uint64_t n, Write write) {
  auto bytes = std::string{};
  auto out = byte_writer{bytes};
  out.fixed(uint8_t{1});
  out.fixed(uint32_t{1});
  out.zigzag(0);
  out.varint(1);
  out.string("heat");
  out.fixed(uint64_t{7});
  out.string("pump");
  out.zigzag(100);
  out.varint(n);
  write(out);
  auto res = sliding_table{{}}.load_chunk(bytes, 1);
  CHECK((res || res.error().code == ec::damaged));
  return res.has_value();
}

/// Readings as they came, each with its distance from the one before.
void readings(byte_writer& out,
              const std::vector<std::pair<uint64_t, double>>& xs,
              uint64_t metric = 0) {
  out.varint(metric);
  out.fixed(uint8_t{0xff});
  out.varint(xs.size());
  for (auto& [distance, value] : xs) {
    if (&distance == &xs.front().first)
      out.zigzag(static_cast<int64_t>(distance));
    else
      out.varint(distance);
    out.fixed(value);
  }
}

void good_series(byte_writer& out, uint64_t metric = 0) {
  readings(out, {{10, 1.0}, {0, 2.0}, {90, 3.0}}, metric);
}

} // namespace

TEST_SUITE("windows/sliding_chunk") {
  TEST_CASE("the bytes of a chunk never change") {
    CHECK(to_hex(small_chunk())
          // version, 2 entities, nothing lost, heat, load
          == "0102000000ffffffffffffffffff01020468656174046c6f6164"
             // pump, last at 1500: heat as it came
             "07000000000000000470756d70b8170200ff01b817000000000000f03f"
             // load, cells of 1 ms from 1400 on, the second one beyond 2^53
             "010002f01501000000000000004000000000000000000101000000000000"
             "4043000000000000f03f00"
             // tank, last at 1509: heat, cells of 4 ms
             "08000000000000000474616e6bca1701000202ee05020000000000000040"
             "000000000000000002010000000000000440000000000000000001");
  }

  TEST_CASE("what a chunk holds comes back") {
    auto table = sliding_table{options_of(1000, 2)};
    table.advance(2000);
    CHECK(table.load_chunk(small_chunk(), 1).value() == 2);
    table.finish_recovery();
    CHECK(table.average("pump", 7, "heat", 2000, 900, 0).average == 1.0);
    CHECK(table.average("pump", 7, "load", 1401, 1, 0).average
          == 9007199254740992.0);
    CHECK(table.average("tank", 8, "heat", 2000, 900, 0).average == 1.5);
    CHECK(table.average("tank", 8, "heat", 1501, 1, 0).resolution == 4);
  }

  TEST_CASE("a chunk of another version says what to do") {
    auto table = sliding_table{{}};
    auto chunk = small_chunk();
    chunk[0] = 2;
    auto res = table.load_chunk(chunk, 77);
    REQUIRE(!res);
    CHECK(res.error().code == ec::version_mismatch);
    CHECK(res.error().text.find("77") != std::string::npos);
  }

  TEST_CASE("a chunk cut short or with more behind it is damaged") {
    auto chunk = small_chunk();
    for (auto n = size_t{0}; n < chunk.size(); ++n) {
      auto res = sliding_table{{}}.load_chunk(chunk.substr(0, n), 1);
      REQUIRE(!res);
      CHECK(res.error().code == ec::damaged);
    }
    CHECK(!sliding_table{{}}.load_chunk(chunk + '\0', 1));
  }

  TEST_CASE("a chunk with an entity that makes no sense is damaged") {
    CHECK(loads(1, [](byte_writer& out) {
      good_series(out);
    }));
    CHECK(loads(0, [](byte_writer&) {}));
    auto is_damaged = [](uint64_t n, auto write) {
      return !loads(n, write);
    };
    // The same metric twice, a metric that isn't named.
    CHECK(is_damaged(2, [](byte_writer& out) {
      good_series(out);
      good_series(out);
    }));
    CHECK(is_damaged(1, [](byte_writer& out) {
      good_series(out, 1);
    }));
    // A number that is none, a reading after the entity's last.
    constexpr auto limits = std::numeric_limits<double>{};
    CHECK(is_damaged(1, [&](byte_writer& out) {
      readings(out, {{10, limits.quiet_NaN()}});
    }));
    CHECK(is_damaged(1, [&](byte_writer& out) {
      readings(out, {{10, limits.infinity()}});
    }));
    CHECK(is_damaged(1, [](byte_writer& out) {
      readings(out, {{10, 1.0}, {91, 1.0}});
    }));
    // No items, and too many.
    CHECK(is_damaged(1, [](byte_writer& out) {
      readings(out, {});
    }));
    auto many = std::vector<std::pair<uint64_t, double>>(
      sliding_series::cells_limit + 1);
    CHECK(is_damaged(1, [&](byte_writer& out) {
      readings(out, many);
    }));
    many.pop_back();
    CHECK(loads(1, [&](byte_writer& out) {
      readings(out, many);
    }));
    // Cells: good ones, two of one slot, an empty one, too wide ones, one out
    // of int64's range, and a last reading that isn't in the last cell.
    auto cells = [](uint8_t shift, int64_t first, uint64_t distance,
                    uint64_t count, uint64_t last) {
      return [=](byte_writer& out) {
        out.varint(0);
        out.fixed(shift);
        out.varint(2);
        out.zigzag(first);
        out.varint(1);
        out.fixed(1.0);
        out.fixed(0.0);
        out.varint(distance);
        out.varint(count);
        out.fixed(1.0);
        out.fixed(0.0);
        out.varint(last);
      };
    };
    CHECK(loads(1, cells(3, 4, 1, 1, 7)));
    CHECK(is_damaged(1, cells(3, 4, 0, 1, 7)));
    CHECK(is_damaged(1, cells(3, 4, 1, 0, 7)));
    CHECK(is_damaged(1, cells(64, 4, 1, 1, 7)));
    CHECK(is_damaged(1, cells(3, 4, uint64_t{1} << 60, 1, 7)));
    CHECK(is_damaged(1, cells(3, -(int64_t{1} << 61), 1, 1, 7)));
    CHECK(is_damaged(1, cells(3, 4, 1, 1, 8)));
  }

  TEST_CASE("a chunk names each metric once, and an entity has it once") {
    auto loaded = [](const std::vector<std::string>& names,
                     const std::vector<uint64_t>& series) {
      auto bytes = std::string{};
      auto out = byte_writer{bytes};
      out.fixed(uint8_t{1});
      out.fixed(uint32_t{2});
      out.zigzag(0);
      out.varint(names.size());
      for (auto& x : names)
        out.string(x);
      for (auto hash : {7, 8}) {
        out.fixed(static_cast<uint64_t>(hash));
        out.string("pump");
        out.zigzag(100);
        out.varint(series.size());
        for (auto metric : series)
          readings(out, {{4, 1.5}}, metric);
      }
      return sliding_table{{}}.load_chunk(bytes, 1).has_value();
    };
    CHECK(loaded({"heat", "load"}, {1, 0}));
    CHECK(!loaded({"heat", "load"}, {1, 0, 1}));
    CHECK(!loaded({"heat", "load", "heat"}, {1, 0}));
    // Taking longer than a moment would be quadratic.
    auto names = std::vector<std::string>{};
    auto series = std::vector<uint64_t>{};
    for (auto i = size_t{0}; i < entity_record::series_max; ++i) {
      names.push_back(std::to_string(i));
      series.push_back(i);
    }
    CHECK(loaded(names, series));
  }

  TEST_CASE("no bytes are too hostile") {
    CHECK(rc::check([] {
      auto bytes = small_chunk();
      auto changes = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<std::pair<uint16_t, uint8_t>>>(
          rc::gen::arbitrary<std::pair<uint16_t, uint8_t>>()));
      for (auto& [at, value] : changes)
        if (auto i = at % bytes.size(); i != 0)
          bytes[i] = static_cast<char>(value);
      auto table = sliding_table{options_of(1000, 2)};
      table.advance(*rc::gen::arbitrary<time_ms>());
      if (!table.load_chunk(bytes, *rc::gen::arbitrary<uint64_t>()))
        return;
      table.finish_recovery();
      table.digest();
      for (auto hash : {uint64_t{7}, uint64_t{8}})
        for (auto id : {"pump", "tank"}) {
          table.average(id, hash, "heat", *rc::gen::arbitrary<time_ms>(),
                        *rc::gen::arbitrary<time_ms>(), 0);
          auto batch = batch_of{};
          for (auto i = 0; i < 5; ++i)
            batch.add(id, "heat", *rc::gen::arbitrary<time_ms>(), *any_number(),
                      hash);
          table.apply(batch.get(), {}, 2);
          table.average(id, hash, "heat", 0, *rc::gen::arbitrary<time_ms>(),
                        *rc::gen::arbitrary<time_ms>());
        }
      table.begin_checkpoint(true);
      auto again = std::string{};
      if (table.next_chunk(10, again))
        RC_ASSERT(sliding_table{{}}.load_chunk(again, 1).has_value());
      while (!table.sweep(1))
        ;
    }));
  }
} // TEST_SUITE
