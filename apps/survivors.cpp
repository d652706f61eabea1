#include "apps/survivors.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace weir {

namespace {

/// Records of shards in one answer: a message should stay below a megabyte.
constexpr uint32_t records_at_a_time = 512;

} // namespace

result<void> survivors::ask(visited& x, uint64_t promise) {
  auto who = net_.ask<survivor>(x.actor, x.address, get_survivor{promise});
  if (!who)
    return tl::unexpected(std::move(who.error()));
  x.who = std::move(*who);
  return {};
}

/// Whether one that has answered may be asked for more.
result<void> survivors::check(const visited& x, uint64_t promised) {
  if (x.who.connected)
    return fail(ec::conflict,
                fmt::format("node {} at {} is connected to a coordinator: its "
                            "directory is not lost. If another one shall take "
                            "its place all the same, stop that coordinator",
                            x.who.name, x.address));
  if (x.who.generation < promised)
    return fail(ec::conflict,
                fmt::format("node {} at {} keeps no copy, and can't be kept "
                            "from following an old coordinator; stop it, and "
                            "go on --without it",
                            x.who.name, x.address));
  return {};
}

result<void> survivors::pull(visited& x) {
  if (x.copy == nullptr) {
    auto db = catalog_copy::open(fmt::format("{}/{}.db", scratch_, x.who.node));
    if (!db)
      return tl::unexpected(std::move(db.error()));
    x.copy = std::make_shared<catalog_copy>(std::move(*db));
  }
  do {
    auto part = net_.ask<catalog_part>(x.actor, x.address,
                                       get_catalog{x.copy->wish().encode()});
    if (!part && part.error().code == ec::not_found) {
      x.copy.reset();
      return {};
    }
    if (!part)
      return tl::unexpected(std::move(part.error()));
    auto page = catalog_page::decode(part->bytes);
    if (!page)
      return tl::unexpected(std::move(page.error()));
    if (auto done = x.copy->take(*page); !done)
      return done;
  } while (!x.copy->complete());
  return {};
}

result<bool> survivors::visit(const std::string& address, bool named) {
  auto& x = all_.emplace_back();
  x.address = address;
  auto where = parse_endpoint(address);
  auto timeout = std::chrono::milliseconds{process_.timeout};
  auto found = result<dialed>{};
  if (where)
    found = net_.ask<dialed>(net_.dialer(), address,
                             dial{{where->host, where->port},
                                  {wire_version, {}, "client", {}},
                                  timeout},
                             timeout);
  else
    found = tl::unexpected(where.error());
  if (!found && found.error().code == ec::untrusted)
    return tl::unexpected(found.error());
  if (found && found->who.role != "node" && named)
    return fail(ec::conflict, fmt::format("{} is a {}, and not a node; nothing "
                                          "has to be rebuilt as long as the "
                                          "coordinator is there",
                                          address, found->who.role));
  if (found && found->who.role != "node")
    found = fail(ec::unreachable, "another process listens there");
  if (!found) {
    x.trouble = found.error();
    return false;
  }
  x.actor = caf::actor_cast<node_actor>(found->actor);
  if (auto done = ask(x, 0); !done)
    return tl::unexpected(std::move(done.error()));
  if (!named && x.who.cluster != all_.front().who.cluster) {
    x.trouble = {ec::unreachable, "a node of another cluster listens there"};
    return false;
  }
  if (auto done = check(x, 0); !done)
    return tl::unexpected(std::move(done.error()));
  for (auto& other : all_) {
    if (&other == &x || other.trouble.code != ec::none
        || other.who.node != x.who.node)
      continue;
    all_.pop_back(); // By two addresses.
    return false;
  }
  if (auto done = pull(x); !done)
    return tl::unexpected(std::move(done.error()));
  return true;
}

result<void> survivors::find(const std::vector<endpoint>& addresses) {
  auto open = std::deque<std::string>{};
  for (auto& x : addresses)
    open.push_back(to_string(x));
  auto named = open.size();
  auto seen = std::vector<std::string>{};
  for (auto i = size_t{0}; i < open.size(); ++i) {
    auto address = open[i];
    if (std::find(seen.begin(), seen.end(), address) != seen.end())
      continue;
    seen.push_back(address);
    auto fresh = visit(address, i < named);
    if (!fresh)
      return tl::unexpected(std::move(fresh.error()));
    if (!*fresh || all_.back().copy == nullptr)
      continue;
    auto rows = all_.back().copy->contents().load();
    if (!rows)
      return tl::unexpected(std::move(rows.error()));
    auto gone = [&](const node_record& x) {
      return std::find(rows->gone.begin(), rows->gone.end(),
                       node_disk{x.id, x.disk})
             != rows->gone.end();
    };
    for (auto& x : rows->nodes)
      if (x.state != node_state::removed && !gone(x))
        open.push_back(x.address);
  }
  return get_all_records();
}

uint32_t survivors::shards() const {
  auto res = uint32_t{0};
  for (auto& x : all_) {
    if (x.copy == nullptr)
      continue;
    auto rows = x.copy->contents().load();
    if (rows && !rows->settings.empty())
      if (auto known = rows->settings.rbegin()->second.find("shards");
          known != rows->settings.rbegin()->second.end())
        res = std::max(res, static_cast<uint32_t>(std::strtoul(
                              known->second.c_str(), nullptr, 10)));
  }
  return res;
}

result<void> survivors::get_all_records() {
  auto count = shards();
  for (auto& x : all_) {
    if (x.trouble.code != ec::none)
      continue;
    x.records.clear();
    while (x.records.size() < count) {
      auto first = static_cast<uint32_t>(x.records.size());
      auto part = net_.ask<shard_records>(
        x.actor, x.address,
        get_records{first, std::min(count - first, records_at_a_time)});
      if (!part)
        return tl::unexpected(std::move(part.error()));
      if (part->records.empty())
        return fail(ec::malformed, fmt::format("node {} does not tell what its "
                                               "journal holds",
                                               x.who.name));
      for (auto& y : part->records)
        x.records.push_back({{x.who.node, x.who.disk, x.who.incarnation},
                             y.promised,
                             std::move(y.config)});
    }
  }
  return {};
}

uint64_t survivors::next_generation() const {
  auto res = uint64_t{1};
  for (auto& x : all_) {
    res = std::max(res, x.who.generation);
    if (x.copy != nullptr)
      res = std::max(
        {res, x.copy->lineage().promised, x.copy->lineage().held.generation});
  }
  return res + 1;
}

result<void> survivors::fence(uint64_t generation) {
  for (auto& x : all_) {
    if (x.trouble.code != ec::none)
      continue;
    if (auto done = ask(x, generation); !done)
      return done;
    if (auto done = check(x, generation); !done)
      return done;
    if (x.copy != nullptr)
      if (auto done = pull(x); !done)
        return done;
  }
  return get_all_records();
}

result<directory_rebuild> survivors::gather(uint64_t generation) const {
  auto res = directory_rebuild{generation};
  for (auto& x : all_) {
    if (x.trouble.code != ec::none)
      continue;
    auto node = surviving_node{};
    node.self = {x.who.node, x.who.disk, x.who.incarnation};
    node.name = x.who.name;
    node.address = x.address;
    node.generation = x.who.generation;
    node.records = x.records;
    if (auto done = res.add(std::move(node), x.copy); !done)
      return tl::unexpected(std::move(done.error()));
  }
  return res;
}

} // namespace weir
