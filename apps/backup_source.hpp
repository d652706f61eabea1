#pragma once

#include "apps/client.hpp"
#include "config/settings.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>

namespace weir {

/// The cluster, for a backup that goes on while its nodes, and its coordinator,
/// come and go.
class backup_source {
public:
  backup_source(client& cluster, const process_settings& process)
    : first_(cluster), process_(process) {
    // nop
  }

  /// Asks the coordinator, and connects to it again if need be.
  template <class Answer, class Question>
  result<Answer> ask_coordinator(const Question& x) {
    auto res = cluster().ask<Answer>(x);
    if (!res && is_lost(res.error()) && reconnect())
      res = cluster().ask<Answer>(x);
    return res;
  }

  /// Asks the coordinator who serves which shard.
  result<void> refresh();

  const routes& where() const {
    return where_;
  }

  /// Asks the node that leads `x.shard`; with `other` greater than 0, the
  /// nodes with other copies in turn.
  template <class Answer, class Question>
  result<Answer> ask(const Question& x, size_t other = 0) {
    auto node = find(x.shard, other);
    if (!node)
      return tl::unexpected(std::move(node.error()));
    auto& actor = links_.at(*node);
    auto res = cluster().ask<Answer>(
      actor, fmt::format("node {}", where_.nodes[index_of(*node)].name), x);
    // Whoever did not answer may be another process by now.
    if (!res && is_lost(res.error()))
      links_.erase(*node);
    return res;
  }

  /// Tells whoever knows of the shard's backup.
  void tell(const end_backup& x);

  /// The process that was asked may be gone.
  static bool is_lost(const failure& x) {
    return x.code == ec::timeout || x.code == ec::unreachable;
  }

private:
  client& cluster() {
    return again_ ? *again_ : first_;
  }

  bool reconnect();
  result<std::string> find(uint32_t shard, size_t other);
  size_t index_of(const std::string& where) const;

  client& first_;
  /// In its place, since the coordinator was restarted.
  std::unique_ptr<client> again_;
  const process_settings& process_;
  routes where_;
  /// By address.
  std::map<std::string, node_actor> links_;
};

} // namespace weir
