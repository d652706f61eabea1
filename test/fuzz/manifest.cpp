#include "apps/backup_manifest.hpp"
#include "cluster/checksum.hpp"
#include "test/fuzz/fuzz.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

// Input: the manifest of a backup. It gets the right checksum, unless it is
// too deep for a parser that recurses.

using namespace weir;
using namespace weir::fuzz;

namespace {

using json = nlohmann::ordered_json;

std::string sealed(std::string_view text) {
  auto all = json::parse(text, nullptr, false);
  if (!all.is_object())
    return std::string{text};
  all.erase("checksum");
  // Strings that are no UTF-8 have no text.
  auto content = all.dump(-1, ' ', false, json::error_handler_t::ignore);
  all["checksum"] = fmt::format("{:016x}", checksum(content));
  return all.dump(2, ' ', false, json::error_handler_t::ignore);
}

void read(std::string_view text) {
  auto x = backup_manifest::parse(text);
  if (!x) {
    require(x.error().code == ec::damaged
              || x.error().code == ec::version_mismatch,
            "a bad manifest is damage");
    return;
  }
  x->entries();
  x->bytes();
  auto again = backup_manifest::parse(x->to_text());
  require(again && again->to_text() == x->to_text(),
          "a manifest keeps what it says");
}

} // namespace

WEIR_FUZZ_TARGET(manifest) {
  constexpr auto deep = 500;
  read(bytes);
  if (std::count_if(bytes.begin(), bytes.end(),
                    [](char x) {
                      return x == '[' || x == '{';
                    })
      < deep)
    read(sealed(bytes));
}
