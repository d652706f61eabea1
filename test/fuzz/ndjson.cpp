#include "input/ndjson.hpp"

#include "test/fuzz/lines.hpp"

// Input: units of time (one byte), and lines.

using namespace weir;
using namespace weir::fuzz;

WEIR_FUZZ_TARGET(ndjson) {
  if (bytes.empty())
    return;
  auto units = static_cast<uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  auto options = reader_options{};
  options.metrics_per_sample_max = 8;
  if ((units & 0x10) != 0)
    options.event_unit = unit_of(units);
  if ((units & 0x20) != 0)
    options.sample_unit = unit_of(units >> 2);
  auto parser = ndjson_parser{options};
  auto thorough = ndjson_parser{options};
  while (!bytes.empty()) {
    auto text = bytes.substr(0, bytes.find('\n'));
    bytes.remove_prefix(std::min(text.size() + 1, bytes.size()));
    if (!is_line(text))
      continue;
    auto line = padded_line{text};
    auto x = record{};
    auto y = record{};
    auto why = std::string{};
    auto why_not = std::string{};
    auto fine = parser.parse(line.view(), x, why);
    require(fine == thorough.parse_any(line.view(), y, why_not),
            "the quick scanner takes what the parser takes");
    require(fine || !why.empty(), "a bad line has a reason");
    if (!fine)
      continue;
    require_record(x, options);
    require(to_text(x) == to_text(y), "the quick scanner reads the same");
  }
}
