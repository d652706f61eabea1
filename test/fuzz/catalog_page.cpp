#include "storage/catalog_page.hpp"

#include "test/fuzz/fuzz.hpp"

// Input: what a copy of the coordinator's directory is sent, or, with a first
// byte that is odd, what it asks for.

using namespace weir;
using namespace weir::fuzz;

namespace {

template <class T>
void read(std::string_view bytes) {
  auto x = T::decode(bytes);
  if (!x) {
    require(x.error().code == ec::malformed, "a bad message is malformed");
    return;
  }
  auto again = x->encode();
  require(again.size() <= bytes.size(), "there is no shorter form");
  auto y = T::decode(again);
  require(y && y->encode() == again, "a message keeps what it says");
}

} // namespace

WEIR_FUZZ_TARGET(catalog_page) {
  if (bytes.empty())
    return;
  auto wish = bytes.front() % 2 != 0;
  bytes.remove_prefix(1);
  if (wish)
    read<catalog_wish>(bytes);
  else
    read<catalog_page>(bytes);
}
