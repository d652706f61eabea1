#include "cluster/envelope.hpp"

#include "cluster/shard.hpp"
#include "windows/bytes.hpp"
#include "windows/window_plan.hpp"

#include <fmt/format.h>

namespace weir {

namespace {

bool is_time(std::string_view bytes) {
  auto in = byte_reader{bytes};
  return is_clock_time(in.zigzag()) && in.done();
}

bool is_plan(std::string_view bytes) {
  auto in = byte_reader{bytes};
  return window_plan{}.decode(in) && in.done();
}

bool is_seal(std::string_view bytes) {
  return bytes.size() == 1 + 2 * sizeof(time_ms)
         && byte_reader{bytes}.fixed<uint8_t>() <= 1;
}

} // namespace

std::string envelope_complaint(const log_entry& x) {
  auto fine = true;
  auto& bytes = x.envelope;
  switch (x.kind) {
    case entry_kind::noop:
      fine = bytes.empty();
      break;
    case entry_kind::block:
      break;
    case entry_kind::session:
    case entry_kind::clock:
      fine = is_time(bytes);
      break;
    case entry_kind::settings:
      fine = shard_settings{}.decode(bytes);
      break;
    case entry_kind::expire:
      fine = !bytes.empty() && bytes.size() % (2 * sizeof(uint64_t)) == 0;
      break;
    case entry_kind::plan:
      fine = is_plan(bytes);
      break;
    case entry_kind::seal:
      fine = is_seal(bytes);
      break;
    case entry_kind::release:
      fine = bytes.size() == sizeof(time_ms);
      break;
    default:
      return fmt::format("its kind is {}, which this weir does not know; "
                         "upgrade weir, or rebuild this copy",
                         static_cast<unsigned>(x.kind));
  }
  if (fine)
    return {};
  return fmt::format("its content, of kind {}, does not decode; rebuild this "
                     "copy from another one",
                     static_cast<unsigned>(x.kind));
}

} // namespace weir
