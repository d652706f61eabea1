#include "test/simulate/run.hpp"

#include "test/simulate/rule.hpp"
#include "test/simulate/simulation.hpp"

namespace weir::test {

outcome run(uint64_t seed, trace::mode how) {
  auto res = outcome{};
  res.seed = seed;
  auto x = simulation{seed, how};
  try {
    x.run();
  } catch (const broken_rule& e) {
    res.broken = e.what();
  }
  res.failovers = x.failovers();
  res.committed = x.committed();
  res.finals = x.finals();
  res.story = x.story().lines();
  return res;
}

} // namespace weir::test
