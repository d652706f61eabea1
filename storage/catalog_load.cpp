#include "storage/catalog_rows.hpp"

// The reading half of the catalog.

namespace weir {

using namespace catalog_rows;

namespace {

/// Nothing if the row is damaged.
std::optional<shard_config> shard_of(const row& x) {
  auto res = shard_config{};
  if (!config_columns::decode(x, res) || crc_of(res) != x.integer<uint64_t>(6))
    return std::nullopt;
  return res;
}

} // namespace

result<catalog_contents> catalog::load() {
  auto res = catalog_contents{};
  auto done = load_cluster(res)
                .and_then([&] {
                  return load_settings(res);
                })
                .and_then([&] {
                  return load_nodes(res);
                })
                .and_then([&] {
                  return load_known(res);
                })
                .and_then([&] {
                  return load_producers(res);
                })
                .and_then([&] {
                  return load_gone(res);
                })
                .and_then([&] {
                  return get_all();
                });
  if (!done)
    return tl::unexpected(std::move(done.error()));
  res.shards = std::move(*done);
  return res;
}

result<std::optional<cluster_record>> catalog::cluster() {
  auto res = catalog_contents{};
  if (auto done = load_cluster(res); !done)
    return tl::unexpected(std::move(done.error()));
  return res.cluster;
}

result<void> catalog::load_cluster(catalog_contents& out) {
  return get_cluster_.each([&](const row& x) -> result<bool> {
    auto& self = out.cluster.emplace();
    self.id = x.bytes(0);
    self.created = x.integer<int64_t>(1);
    self.format = x.integer<uint32_t>(2);
    if (crc_of(self) != x.integer<uint64_t>(3))
      return damaged(db_.path(), "cluster", self.id);
    return true;
  });
}

result<void> catalog::load_settings(catalog_contents& out) {
  return get_settings_.each([&](const row& x) -> result<bool> {
    auto version = x.integer<uint64_t>(0);
    auto name = std::string{x.bytes(1)};
    auto value = std::string{x.bytes(2)};
    if (row_crc(version, name, value) != x.integer<uint64_t>(3))
      return damaged(db_.path(), "setting",
                     fmt::format("{} of version {}", name, version));
    out.settings[version].emplace(std::move(name), std::move(value));
    return true;
  });
}

result<void> catalog::load_nodes(catalog_contents& out) {
  return get_nodes_.each([&](const row& x) -> result<bool> {
    auto& self = out.nodes.emplace_back();
    self.id = x.bytes(0);
    self.disk = x.bytes(1);
    self.name = x.bytes(2);
    self.address = x.bytes(3);
    self.incarnation = x.integer<uint64_t>(4);
    self.last_seen = x.integer<int64_t>(5);
    self.state = static_cast<node_state>(x.integer<uint8_t>(6));
    if (crc_of(self) != x.integer<uint64_t>(7))
      return damaged(db_.path(), "node", self.id);
    return true;
  });
}

result<void> catalog::load_known(catalog_contents& out) {
  return get_known_.each([&](const row& x) -> result<bool> {
    auto& self = out.known.emplace_back();
    self.shard = x.integer<uint32_t>(0);
    self.epoch = x.integer<uint64_t>(1);
    self.index = x.integer<uint64_t>(2);
    self.chain = x.integer<uint64_t>(3);
    if (crc_of(self) != x.integer<uint64_t>(4))
      return damaged(db_.path(), "last commit of shard",
                     std::to_string(self.shard));
    return true;
  });
}

result<void> catalog::load_producers(catalog_contents& out) {
  return each_producer({}, [&](auto&, producer_record x) -> result<bool> {
    out.producers.push_back(std::move(x));
    return true;
  });
}

result<void> catalog::each_producer(const std::string& from,
                                    const producer_visitor& visit) {
  auto check_and_visit = [&](const row& x) -> result<bool> {
    auto self = producer_record{};
    auto key = std::string{x.bytes(0)};
    self.id = producer_of(key);
    self.name = x.bytes(1);
    self.session = x.integer<uint64_t>(2);
    self.base = x.integer<uint64_t>(3);
    self.prefix = x.integer<uint64_t>(4);
    self.digest = x.integer<uint64_t>(5);
    self.digest_at = x.integer<uint64_t>(6);
    self.earlier_malformed = x.integer<uint64_t>(7);
    self.malformed = x.integer<uint64_t>(8);
    self.duplicate = x.integer<uint64_t>(9);
    self.earlier_duplicate = x.integer<uint64_t>(10);
    self.ended = x.integer<uint8_t>(11) != 0;
    self.updated = x.integer<int64_t>(12);
    if (crc_of(self) != x.integer<uint64_t>(13))
      return damaged(db_.path(), "producer", key);
    return visit(key, std::move(self));
  };
  return get_producers_.each(check_and_visit, from);
}

result<std::optional<shard_config>> catalog::get(uint32_t shard) {
  auto res = std::optional<shard_config>{};
  auto check_and_keep = [&](const row& x) -> result<bool> {
    res = shard_of(x);
    if (!res)
      return damaged(db_.path(), "shard", std::to_string(shard));
    return true;
  };
  if (auto done = get_shard_.each(check_and_keep, shard); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<std::vector<shard_config>> catalog::get_all() {
  auto res = std::vector<shard_config>{};
  auto check_and_keep = [&](const row& x) -> result<bool> {
    auto config = shard_of(x);
    if (!config)
      return damaged(db_.path(), "shard",
                     std::to_string(x.integer<uint32_t>(0)));
    res.push_back(std::move(*config));
    return true;
  };
  if (auto done = get_shards_.each(check_and_keep); !done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

} // namespace weir
