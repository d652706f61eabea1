#pragma once

#include "apps/client.hpp"
#include "storage/directory_rebuild.hpp"

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace weir {

/// The nodes of a cluster whose coordinator's directory is lost: finds them,
/// and gets from each what it knows.
class survivors {
public:
  /// One that was reached, or why it was not.
  struct visited {
    std::string address;
    failure trouble;
    node_actor actor;
    survivor who;
    /// Null if it has copied nothing.
    std::shared_ptr<catalog_copy> copy;
    std::vector<config_witness> records;
  };

  /// @param scratch a folder for copies, which exists
  survivors(client& net, const process_settings& process, std::string scratch)
    : net_(net), process_(process), scratch_(std::move(scratch)) {
    // nop
  }

  /// Asks at these addresses, and at all that the copies name. Fails with
  /// `conflict` if one of them is connected to a coordinator, or is one.
  result<void> find(const std::vector<endpoint>& addresses);

  /// Makes all of them promise to follow no directory before this one, and gets
  /// what they know once more: nothing of it can change from then on.
  result<void> fence(uint64_t generation);

  /// Greater than that of any directory that was ever heard of.
  uint64_t next_generation() const;

  const std::vector<visited>& all() const {
    return all_;
  }

  /// What has to be decided on.
  result<directory_rebuild> gather(uint64_t generation) const;

private:
  result<bool> visit(const std::string& address, bool named);
  result<void> ask(visited& x, uint64_t promise);
  static result<void> check(const visited& x, uint64_t promised);
  result<void> pull(visited& x);
  result<void> get_all_records();
  uint32_t shards() const;

  client& net_;
  const process_settings& process_;
  std::string scratch_;
  std::vector<visited> all_;
};

} // namespace weir
