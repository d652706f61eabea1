#include "test/simulate/describe.hpp"

#include <fmt/format.h>

namespace weir::test {

namespace {

std::string text(const log_position& x) {
  return fmt::format("{} of epoch {}", x.index, x.epoch);
}

std::string text(const replicate& x) {
  if (x.entries.empty())
    return fmt::format("heartbeat, after {}, {} are committed",
                       text(x.previous), x.committed);
  return fmt::format("entries {} to {}, after {}, {} are committed",
                     x.entries.front()->index, x.entries.back()->index,
                     text(x.previous), x.committed);
}

std::string text(const replicated& x) {
  return fmt::format("holds {}, has taken {}{}", text(x.held), x.taken,
                     x.again ? ", wants the rest again" : "");
}

std::string text(const log_claim& x) {
  auto ends = std::string{};
  for (auto& end : x.ends)
    ends += ", has " + text(end);
  return fmt::format("does not have it; has applied {}{}", text(x.applied),
                     ends);
}

std::string text(const not_followed& x) {
  return fmt::format("does not follow, has promised {}{}", x.promised,
                     x.failed ? ", is of no use" : "");
}

std::string text(const copy_begin& x) {
  return fmt::format("a copy up to {}, in {} chunks", text(x.end), x.chunks);
}

std::string text(const copy_chunk& x) {
  return fmt::format("chunk {} of the copy", x.number);
}

std::string text(const copy_taken& x) {
  return fmt::format("has taken {} chunks", x.chunks);
}

} // namespace

std::string describe(const peer_message& x) {
  return std::visit(
    [](auto& y) {
      return fmt::format("epoch {}, {}", y.epoch, text(y));
    },
    x);
}

std::string describe(const coordinator_message& x) {
  if (auto report = std::get_if<fence_report>(&x))
    return fmt::format("has promised {}, its log ends at {}, {} are committed",
                       report->epoch, text(report->end),
                       report->committed.index);
  auto& asked = std::get<proposal>(x);
  return fmt::format("proposes, instead of epoch {}: {}", asked.expected,
                     describe(asked.next));
}

std::string describe(const shard_config& x) {
  auto res = fmt::format("epoch {}, led by {}, members", x.epoch,
                         x.primary.empty() ? "nobody" : x.primary);
  for (auto& m : x.members)
    res += fmt::format(" {}({}, life {})", m.node, m.disk, m.incarnation);
  if (!x.eligible.empty())
    res += ", also asked if they are gone";
  for (auto& disk : x.eligible)
    res += ' ' + disk.disk;
  return res;
}

std::string describe(const memory_disk::news& x) {
  if (auto stored = std::get_if<log_position>(&x))
    return "entry " + text(*stored);
  if (auto promised = std::get_if<uint64_t>(&x))
    return fmt::format("its promise of {}", *promised);
  if (auto refused = std::get_if<failure>(&x))
    return "nothing more: " + refused->text;
  return "a new copy up to " + text(std::get<new_copy_install>(x).meta.end);
}

} // namespace weir::test
