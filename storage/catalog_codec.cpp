#include "storage/catalog_codec.hpp"

#include "storage/config_columns.hpp"
#include "windows/bytes.hpp"

namespace weir::catalog_codec {

namespace {

result<void> ended(const byte_reader& in) {
  if (in.done())
    return {};
  return fail(ec::malformed,
              "a row of a copy of the coordinator's directory does not decode; "
              "run the same version of weir everywhere");
}

} // namespace

std::string encode(const cluster_record& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.string(x.id);
  out.zigzag(x.created);
  out.varint(x.format);
  return res;
}

result<void> decode(std::string_view bytes, cluster_record& x) {
  auto in = byte_reader{bytes};
  x.id = in.string();
  x.created = in.zigzag();
  x.format = static_cast<uint32_t>(in.varint());
  return ended(in);
}

std::string encode(const setting_map& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  for (auto& [name, value] : x) {
    out.string(name);
    out.string(value);
  }
  return res;
}

result<void> decode(std::string_view bytes, setting_map& x) {
  auto in = byte_reader{bytes};
  while (in.ok() && in.remaining() > 0) {
    auto name = std::string{in.string()};
    x[name] = in.string();
  }
  return ended(in);
}

std::string encode(const rollup_value& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.string(x.record);
  out.varint(x.last_sequence);
  return res;
}

result<void> decode(std::string_view bytes, rollup_value& x) {
  auto in = byte_reader{bytes};
  x.record = in.string();
  x.last_sequence = in.varint();
  return ended(in);
}

std::string encode(const std::vector<gone_row>& xs) {
  auto res = std::string{};
  auto out = byte_writer{res};
  for (auto& x : xs) {
    out.string(x.disk.node);
    out.string(x.disk.disk);
    out.zigzag(x.declared);
  }
  return res;
}

result<void> decode(std::string_view bytes, std::vector<gone_row>& xs) {
  auto in = byte_reader{bytes};
  while (in.ok() && in.remaining() > 0) {
    auto& x = xs.emplace_back();
    x.disk.node = in.string();
    x.disk.disk = in.string();
    x.declared = in.zigzag();
  }
  return ended(in);
}

std::string encode(const node_record& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.string(x.disk);
  out.string(x.name);
  out.string(x.address);
  out.varint(x.incarnation);
  out.zigzag(x.last_seen);
  out.fixed(static_cast<uint8_t>(x.state));
  return res;
}

result<void> decode(std::string_view bytes, node_record& x) {
  auto in = byte_reader{bytes};
  x.disk = in.string();
  x.name = in.string();
  x.address = in.string();
  x.incarnation = in.varint();
  x.last_seen = in.zigzag();
  auto state = in.fixed<uint8_t>();
  if (state < static_cast<uint8_t>(node_state::alive)
      || state > static_cast<uint8_t>(node_state::removed))
    in.fail();
  x.state = static_cast<node_state>(state);
  return ended(in);
}

std::string encode(const shard_config& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.varint(x.epoch);
  out.string(x.primary);
  out.string(config_columns::encode(x.members));
  out.string(config_columns::encode(x.eligible));
  out.varint(x.min_copies);
  return res;
}

result<void> decode(std::string_view bytes, shard_config& x) {
  auto in = byte_reader{bytes};
  x.epoch = in.varint();
  x.primary = in.string();
  if (!config_columns::decode(in.string(), x.members)
      || !config_columns::decode(in.string(), x.eligible))
    in.fail();
  x.min_copies = static_cast<uint32_t>(in.varint());
  return ended(in);
}

std::string encode(const known_commit& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.varint(x.epoch);
  out.varint(x.index);
  out.fixed(x.chain);
  return res;
}

result<void> decode(std::string_view bytes, known_commit& x) {
  auto in = byte_reader{bytes};
  x.epoch = in.varint();
  x.index = in.varint();
  x.chain = in.fixed<uint64_t>();
  return ended(in);
}

std::string encode(const producer_record& x) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.string(x.name);
  for (auto n : {x.session, x.base, x.prefix, x.digest_at, x.malformed,
                 x.duplicate, x.earlier_malformed, x.earlier_duplicate})
    out.varint(n);
  out.fixed(x.digest);
  out.fixed(static_cast<uint8_t>(x.ended));
  out.zigzag(x.updated);
  return res;
}

result<void> decode(std::string_view bytes, producer_record& x) {
  auto in = byte_reader{bytes};
  x.name = in.string();
  for (auto n : {&x.session, &x.base, &x.prefix, &x.digest_at, &x.malformed,
                 &x.duplicate, &x.earlier_malformed, &x.earlier_duplicate})
    *n = in.varint();
  x.digest = in.fixed<uint64_t>();
  x.ended = in.fixed<uint8_t>() != 0;
  x.updated = in.zigzag();
  return ended(in);
}

} // namespace weir::catalog_codec
