#include "storage/config_columns.hpp"

#include "windows/bytes.hpp"

namespace weir::config_columns {

bool decode(std::string_view bytes, std::vector<member>& xs) {
  auto in = byte_reader{bytes};
  while (in.ok() && in.remaining() > 0) {
    auto& x = xs.emplace_back();
    x.node = in.string();
    x.disk = in.string();
    x.incarnation = in.varint();
  }
  return in.done();
}

bool decode(std::string_view bytes, std::vector<node_disk>& xs) {
  auto in = byte_reader{bytes};
  while (in.ok() && in.remaining() > 0) {
    auto& x = xs.emplace_back();
    x.node = in.string();
    x.disk = in.string();
  }
  return in.done();
}

std::string encode(const std::vector<member>& xs) {
  auto res = std::string{};
  auto out = byte_writer{res};
  for (auto& x : xs) {
    out.string(x.node);
    out.string(x.disk);
    out.varint(x.incarnation);
  }
  return res;
}

std::string encode(const std::vector<node_disk>& xs) {
  auto res = std::string{};
  auto out = byte_writer{res};
  for (auto& x : xs) {
    out.string(x.node);
    out.string(x.disk);
  }
  return res;
}

bool decode(const row& x, shard_config& res) {
  res.shard = x.integer<uint32_t>(0);
  res.epoch = x.integer<uint64_t>(1);
  res.primary = x.bytes(2);
  res.min_copies = x.integer<uint32_t>(5);
  return decode(x.bytes(3), res.members) && decode(x.bytes(4), res.eligible);
}

} // namespace weir::config_columns
