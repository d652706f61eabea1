#include "apps/backup_source.hpp"

#include <caf/send.hpp>

namespace weir {

namespace {

std::string key_of(const address& x) {
  return to_string(endpoint{x.host, x.port});
}

} // namespace

bool backup_source::reconnect() {
  auto found = client::connect(process_);
  if (!found || (*found)->cluster() != first_.cluster())
    return false;
  again_ = std::move(*found);
  return true;
}

result<void> backup_source::refresh() {
  auto found = ask_coordinator<routes>(get_routes{});
  if (!found)
    return tl::unexpected(std::move(found.error()));
  where_ = std::move(*found);
  return {};
}

size_t backup_source::index_of(const std::string& where) const {
  auto i = size_t{0};
  while (i + 1 < where_.nodes.size()
         && key_of(where_.nodes[i].listens) != where)
    ++i;
  return i;
}

result<std::string> backup_source::find(uint32_t shard, size_t other) {
  auto& route = where_.shards.at(shard);
  auto index = other == 0 || other > route.backups.size()
                 ? route.node
                 : route.backups[other - 1];
  if (index >= where_.nodes.size())
    return fail(ec::unavailable,
                route.trouble.empty() ? "nobody holds it" : route.trouble);
  auto& node = where_.nodes[index];
  if (!node.up)
    return fail(ec::unavailable, route.trouble.empty()
                                   ? fmt::format("node {} is down", node.name)
                                   : route.trouble);
  auto where = key_of(node.listens);
  if (links_.count(where) > 0)
    return where;
  auto timeout = std::chrono::milliseconds{process_.timeout};
  auto who = hello{wire_version, first_.cluster(), "client", {}};
  auto found = cluster().ask<dialed>(
    cluster().dialer(), where, dial{node.listens, who, timeout}, 3 * timeout);
  if (!found)
    return tl::unexpected(std::move(found.error()));
  if (found->who.role != "node")
    return fail(ec::unreachable,
                fmt::format("{} is a {}, not a node", where, found->who.role));
  links_[where] = caf::actor_cast<node_actor>(found->actor);
  return where;
}

void backup_source::tell(const end_backup& x) {
  for (auto& [where, actor] : links_)
    caf::anon_send(actor, x);
}

} // namespace weir
