#include "windows/exact_sum.hpp"

#include "test/fuzz/fuzz.hpp"
#include "windows/partial.hpp"

// Input: two sums, and then partials to the end.

using namespace weir;
using namespace weir::fuzz;

namespace {

void calculate(const big_number& x, const big_number& y) {
  require(x + y == y + x, "a sum has no order");
  require((x + y) - y == x, "what is added can be taken away");
  require(x * y == y * x, "a product has no order");
  require((x + y) * x == x * x + y * x, "products are sums");
  x.to_double(3, 2);
  require((x - x).to_double() == 0, "nothing is left of nothing");
}

} // namespace

WEIR_FUZZ_TARGET(exact_sum) {
  auto in = byte_reader{bytes};
  auto x = exact_sum{};
  auto y = exact_sum{};
  auto fine = x.decode(in);
  fine = y.decode(in) && fine;
  if (fine) {
    require_round_trip(x);
    require_round_trip(y);
    calculate(x.value(), y.value());
    auto sum = x;
    sum.add(y);
    auto reverse = y;
    reverse.add(x);
    require(bytes_of(sum) == bytes_of(reverse), "exact sums have no order");
    sum.to_double();
    sum.overflows();
    sum.add(int64_t{1});
    sum.add(1e300);
    sum.add(-0.0);
  }
  auto total = partial{};
  for (auto one = partial{}; in.remaining() > 0 && one.decode(in);) {
    require_round_trip(one);
    total.combine(one);
    total.lift(number::of(int64_t{7}));
    total.lift(number::of(0.1));
    total.for_each_aggregate([](auto, auto) {});
  }
}
