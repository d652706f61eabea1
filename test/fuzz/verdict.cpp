#include "cluster/verdict.hpp"

#include "cluster/block.hpp"
#include "test/fuzz/fuzz.hpp"

// Input: number of readings (varint), and the envelope of a block.

using namespace weir;
using namespace weir::fuzz;

WEIR_FUZZ_TARGET(verdict) {
  auto in = byte_reader{bytes};
  auto readings = static_cast<size_t>(in.varint() % (block_readings_limit + 1));
  auto x = decode_verdict(in.bytes(in.remaining()), readings);
  if (!x) {
    require(x.error().code == ec::damaged, "a bad verdict is damage");
    return;
  }
  require(x->counts.total() == readings, "a verdict counts each reading once");
  for (auto i = size_t{0}; i < x->skip.size(); ++i)
    require(x->skip[i] < readings && (i == 0 || x->skip[i] > x->skip[i - 1]),
            "what is left out is named in order");
  auto again = encode_verdict(*x);
  auto y = decode_verdict(again, readings);
  require(y && encode_verdict(*y) == again, "a verdict keeps what it says");
}
