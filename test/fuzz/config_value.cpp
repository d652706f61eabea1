#include "config/option.hpp"
#include "config/settings.hpp"
#include "test/fuzz/fuzz.hpp"
#include "windows/time_text.hpp"

// Input: an option (one byte), and the text of its value, which is also read as
// whatever else people write.

using namespace weir;
using namespace weir::fuzz;

namespace {

void read_option(const option& what, std::string_view text) {
  auto x = parse_value(what, text);
  if (!x) {
    require(!x.error().text.empty(), "a refusal has a reason");
    return;
  }
  auto again = parse_value(what, format_value(what, *x));
  require(again && *again == *x, "a value has a text");
}

void read_settings(std::string_view name, std::string_view text) {
  auto x = cluster_settings{};
  if (!assign(x, name, text))
    return;
  if (validate(x))
    require(cluster_settings_from(to_pairs(x)).has_value(),
            "settings that are stored can be read");
}

void read_words(std::string_view text) {
  if (auto x = parse_endpoint(text)) {
    auto again = parse_endpoint(to_string(*x));
    require(again && *again == *x, "an endpoint has a text");
  }
  if (auto x = parse_duration(text)) {
    auto again = parse_duration(format_duration(*x));
    require(*x >= 0 && again && *again == *x, "a duration has a text");
  }
  if (auto x = parse_iso_time(text)) {
    auto again = parse_iso_time(format_time(*x));
    require(again && *again == *x, "a time has a text");
  }
  for (auto now : {time_min, time_ms{1'700'000'000'000}, time_max})
    if (auto x = parse_time(text, now)) {
      auto again = parse_time(format_time(*x), now);
      require(again && *again == *x, "a time has a text");
    }
}

} // namespace

WEIR_FUZZ_TARGET(config_value) {
  if (bytes.empty())
    return;
  auto& all = options();
  auto which = static_cast<uint8_t>(bytes.front()) % all.size();
  auto& what = all[which];
  auto text = bytes.substr(1);
  // It compares with every name: four fifths of the time, if always asked.
  if (which == 0)
    did_you_mean(text);
  read_option(what, text);
  read_settings(what.name, text);
  read_words(text);
}
