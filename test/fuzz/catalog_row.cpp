#include "storage/catalog_codec.hpp"
#include "test/fuzz/fuzz.hpp"

// Input: a table (one byte), and the value of a row of it.

using namespace weir;
using namespace weir::fuzz;

namespace {

template <class T>
void read(std::string_view bytes) {
  auto x = T{};
  if (auto done = catalog_codec::decode(bytes, x); !done) {
    require(done.error().code == ec::malformed, "a bad row is malformed");
    return;
  }
  auto again = catalog_codec::encode(x);
  auto y = T{};
  require(catalog_codec::decode(again, y).has_value()
            && catalog_codec::encode(y) == again,
          "a row keeps what it says");
}

} // namespace

WEIR_FUZZ_TARGET(catalog_row) {
  constexpr void (*tables[])(std::string_view)
    = {read<cluster_record>,
       read<setting_map>,
       read<catalog_codec::rollup_value>,
       read<std::vector<catalog_codec::gone_row>>,
       read<node_record>,
       read<shard_config>,
       read<known_commit>,
       read<producer_record>};
  if (!bytes.empty())
    tables[static_cast<uint8_t>(bytes.front()) % std::size(tables)](
      bytes.substr(1));
}
