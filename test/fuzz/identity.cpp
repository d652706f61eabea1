#include "cluster/checksum.hpp"
#include "storage/data_dir.hpp"
#include "test/fuzz/fuzz.hpp"

#include <fmt/format.h>

// Input: an identity file without its checksum.

using namespace weir;
using namespace weir::fuzz;

WEIR_FUZZ_TARGET(identity) {
  require(!parse_identity(bytes) || to_text(*parse_identity(bytes)) == bytes,
          "there is one text of an identity");
  auto text
    = std::string{bytes} + fmt::format("checksum = {:016x}\n", checksum(bytes));
  auto x = parse_identity(text);
  if (x)
    require(to_text(*x) == text, "there is one text of an identity");
  else
    require(x.error().code == ec::damaged
              || x.error().code == ec::version_mismatch,
            "a bad identity is damage");
}
