#include "input/csv.hpp"

#include "test/fuzz/lines.hpp"

// Input: units of time and which columns are named (one byte), a header, and
// lines.

using namespace weir;
using namespace weir::fuzz;

namespace {

std::string_view cut_line(std::string_view& rest) {
  auto res = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(res.size() + 1, rest.size()));
  return res;
}

} // namespace

WEIR_FUZZ_TARGET(csv) {
  if (bytes.empty())
    return;
  auto flags = static_cast<uint8_t>(bytes.front());
  bytes.remove_prefix(1);
  auto options = reader_options{};
  options.metrics_per_sample_max = 8;
  if ((flags & 0x10) != 0)
    options.event_unit = unit_of(flags);
  if ((flags & 0x20) != 0)
    options.sample_unit = unit_of(flags >> 2);
  if ((flags & 0x40) != 0)
    options.value_column = "v";
  if ((flags & 0x80) != 0)
    options.time_column = "t";
  auto header = padded_line{cut_line(bytes)};
  if (!is_line(header.view()))
    return;
  auto parser = csv_parser::make(header.view(), options);
  if (!parser) {
    require(parser.error().code == ec::malformed, "a bad header is malformed");
    return;
  }
  while (!bytes.empty()) {
    auto line = padded_line{cut_line(bytes)};
    if (!is_line(line.view()))
      continue;
    auto x = record{};
    auto why = std::string{};
    if ((*parser)->parse(line.view(), x, why))
      require_record(x, options);
    else
      require(!why.empty(), "a bad line has a reason");
  }
}
