#include "config/toml_file.hpp"
#include "test/fuzz/scratch_file.hpp"

// Input: a configuration file.

using namespace weir;
using namespace weir::fuzz;

WEIR_FUZZ_TARGET(toml) {
  auto file = scratch_file{bytes};
  auto x = read_toml_file(file.path());
  for (auto& entry : x.entries) {
    require(entry.what != nullptr, "an entry is an option's");
    require(entry.place.substr(0, file.path().size()) == file.path(),
            "an entry has a place");
    auto text = format_value(*entry.what, entry.value);
    require(parse_value(*entry.what, text) == entry.value,
            "a value has a text");
  }
  for (auto& text : x.errors)
    require(text.substr(0, file.path().size()) == file.path(),
            "an error has a place");
}
