#include "windows/sliding_table.hpp"

#include "test/fuzz/fuzz.hpp"

#include <limits>

// Input: cells of a series (one byte), the clock (zigzag), a reading (zigzags
// of time and value), and chunks to the end (strings).

using namespace weir;
using namespace weir::fuzz;

namespace {

sliding_table copied(sliding_table& x) {
  auto res = sliding_table{x.options()};
  res.advance(x.clock());
  res.lose_through(x.lost_through());
  x.begin_checkpoint(true);
  for (auto chunk = std::string{}; x.next_chunk(3, chunk); chunk.clear()) {
    auto loaded = res.load_chunk(chunk, 1);
    require(loaded && *loaded <= 3, "a chunk loads");
  }
  res.finish_recovery();
  return res;
}

void require_copy(sliding_table& x) {
  auto y = copied(x);
  require(x.digest() == y.digest(), "a checkpoint keeps all that counts");
}

} // namespace

WEIR_FUZZ_TARGET(sliding_chunk) {
  auto in = byte_reader{bytes};
  auto options = sliding_options{};
  options.cells_max = in.fixed<uint8_t>();
  options.entities_max = 8;
  auto x = sliding_table{options};
  auto clock = in.zigzag();
  auto r = reading{0, 0, in.zigzag(), {}};
  r.value = number::of(in.zigzag());
  for (auto covers = uint64_t{1}; in.remaining() > 0; ++covers)
    if (auto loaded = x.load_chunk(in.string(), covers); !loaded) {
      require(loaded.error().code == ec::damaged
                || loaded.error().code == ec::version_mismatch,
              "a bad chunk is damage");
      return;
    }
  x.advance(clock);
  x.finish_recovery();
  require_copy(x);
  auto batch = reading_batch{};
  batch.entities = {"a"};
  batch.entity_hashes = {7};
  batch.metrics = {"value"};
  for (auto i = 0; i < 300; ++i) {
    batch.readings.push_back(r);
    r.time = r.time < time_max ? r.time + 1 + i : time_min;
  }
  x.apply(batch, {}, sliding_table::index_last);
  for (auto width :
       {time_ms{1}, time_ms{60'000}, std::numeric_limits<time_ms>::max()})
    x.average("a", 7, "value", r.time, width, clock);
  require_copy(x);
  x.advance(r.time);
  while (!x.sweep(100)) {
    // Goes on.
  }
  require_copy(x);
}
