#pragma once

#include "cluster/config_store.hpp"
#include "cluster/log.hpp"
#include "cluster/sessions.hpp"
#include "storage/page_copy.hpp"
#include "storage/sqlite.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

// coordinator.db: what the coordinator must not forget. Times are wall clock
// milliseconds since the epoch, given by the caller.

namespace weir {

struct cluster_record {
  /// 32 hexadecimal digits.
  std::string id;
  int64_t created = 0;
  /// Version of what nodes write: blocks, envelopes, checkpoints.
  uint32_t format = 0;

  friend bool operator==(const cluster_record& x, const cluster_record& y) {
    return x.id == y.id && x.created == y.created && x.format == y.format;
  }
};

/// Values by name, as the operator writes them.
using setting_map = std::map<std::string, std::string>;

/// What a node was last known to be. Stored: values never change meaning.
enum class node_state : uint8_t {
  alive = 1,
  dead = 2,
  /// It gives its shards away, and takes no others.
  draining = 3,
  /// The operator declared it gone for good.
  removed = 4,
};

struct node_record {
  std::string id;
  std::string disk;
  std::string name;
  /// HOST:PORT.
  std::string address;
  uint64_t incarnation = 0;
  int64_t last_seen = 0;
  node_state state = node_state::alive;

  friend bool operator==(const node_record& x, const node_record& y) {
    return x.id == y.id && x.disk == y.disk && x.name == y.name
           && x.address == y.address && x.incarnation == y.incarnation
           && x.last_seen == y.last_seen && x.state == y.state;
  }
};

/// How far a shard's log was known to be committed: a replica that ends before
/// it has lost something.
struct known_commit {
  uint32_t shard = 0;
  uint64_t epoch = 0;
  uint64_t index = 0;
  uint64_t chain = 0;

  friend bool operator==(const known_commit& x, const known_commit& y) {
    return x.shard == y.shard && x.epoch == y.epoch && x.index == y.index
           && x.chain == y.chain;
  }
};

/// The totals of one window over all entities, which never change.
struct final_row {
  /// 1, 2, ... in the order of becoming final; some may be missing.
  uint64_t sequence = 0;
  /// [start, end)
  time_ms start = 0;
  time_ms end = 0;
  uint64_t readings = 0;
  /// Opaque here; see windows/rollup_table.hpp.
  std::string totals;
  /// When it became final.
  time_ms stored = 0;

  friend bool operator==(const final_row& x, const final_row& y) {
    return x.sequence == y.sequence && x.start == y.start && x.end == y.end
           && x.readings == y.readings && x.totals == y.totals
           && x.stored == y.stored;
  }
};

/// Something that has to be remembered of what operators did.
struct event_record {
  int64_t happened = 0;
  std::string what;
};

/// The last events are kept, years of operators' work.
constexpr uint32_t events_max = 10'000;

/// Everything but the windows, as loaded at a start.
struct catalog_contents {
  std::optional<cluster_record> cluster;
  /// By version.
  std::map<uint64_t, setting_map> settings;
  std::vector<node_record> nodes;
  std::vector<shard_config> shards;
  std::vector<known_commit> known;
  std::vector<producer_record> producers;
  /// Disks that were declared gone.
  std::vector<node_disk> gone;
};

/// Another cluster that goes on with what one has left.
struct refounding {
  cluster_record cluster;
  /// All the nodes that it has.
  std::vector<node_record> nodes;
  std::vector<shard_config> shards;
  std::vector<known_commit> known;
  /// Why.
  event_record event;
};

/// The coordinator's memory. Each function that changes something is one
/// transaction, on the disk when it returns. A full disk undoes the call; any
/// other failure to write ends the catalog, see `failed()`. Rows carry
/// checksums: reading returns `damaged`, with table and key, for one that is
/// not what was written.
class catalog final : public config_store {
public:
  /// Opens or creates the file: see `connection::open` for the errors.
  static result<catalog> open(const std::string& path);

  bool created() const {
    return db_.created();
  }

  result<catalog_contents> load();

  /// Writes down what cluster this is, once; `conflict` if that was done.
  result<void> put_cluster(const cluster_record& x);

  /// Adds a version of the settings, or none of it; `conflict` if that version
  /// is there already: a version never changes.
  /// @pre `!values.empty()`.
  result<void> put_settings(uint64_t version, const setting_map& values);

  /// Adds or replaces the node of that id.
  result<void> put_node(const node_record& x);

  result<void> remove_node(const std::string& id);

  /// Takes the place of what there is of the cluster, of nodes and their disks,
  /// and of shards; settings, producers, windows and events stay.
  result<void> refound(const refounding& x);

  /// Adds or replaces; one transaction for all, since heartbeats bring many.
  result<void> put_known(const std::vector<known_commit>& xs);

  /// Adds or replaces; one transaction for all.
  result<void> put_producers(const std::vector<producer_record>& xs,
                             const std::vector<producer_id>& removed = {});

  /// An operator has declared that this disk will never be seen again.
  result<void> put_gone(const node_disk& x, int64_t declared);

  /// Adds an event; the oldest ones beyond `events_max` go.
  result<void> put_event(const event_record& x);

  /// The last ones, the latest first.
  result<std::vector<event_record>> events(size_t limit);

  /// What `put_rollup` wrote last; nothing before the first.
  result<std::optional<std::string>> get_rollup();

  /// Replaces the record, and adds results, which are numbered here: their
  /// `sequence` is ignored. Where a window has a result already, that stays.
  result<void> put_rollup(const std::string& record,
                          const std::vector<final_row>& finals);

  /// Results of windows that end after `from` and begin before `to`, in the
  /// order of time: at most `limit`, and no more than `bytes_max` of totals,
  /// but at least one, if there is any.
  /// @pre No two of the windows overlap, and `limit > 0`.
  result<std::vector<final_row>> finals(time_ms from, time_ms to, size_t limit,
                                        size_t bytes_max);

  /// Likewise, results with a greater number, in the order of numbers.
  result<std::vector<final_row>> finals_after(uint64_t sequence, size_t limit,
                                              size_t bytes_max);

  /// Those of the windows that end last, the latest first, without totals.
  result<std::vector<final_row>> last_finals(size_t limit);

  /// Of a window that ends by then the result may have been removed; the least
  /// int64 as long as all are here.
  result<time_ms> removed_through();

  /// Removes results that became final before `stored_before`, and all but the
  /// last `keep`, the first ones first, at most `delete_max` in a call: one
  /// takes as long as a commit. Numbers are never used again. When a window
  /// ended does not matter: the input may be years old.
  /// @returns how many were removed; `delete_max`: perhaps there are more
  result<size_t> expire_finals(time_ms stored_before, uint64_t keep,
                               size_t delete_max);

  result<std::optional<shard_config>> get(uint32_t shard) override;

  result<std::vector<shard_config>> get_all() override;

  result<bool> compare_and_set(uint32_t shard, uint64_t expected,
                               const shard_config& config) override;

  /// Begins a copy of the whole file, see `connection::copy_to`.
  result<page_copy> copy_to(const std::string& path) {
    return db_.copy_to(path);
  }

  const std::string& path() const {
    return db_.path();
  }

  const failure* failed() const {
    return db_.failed();
  }

private:
  explicit catalog(connection db) : db_(std::move(db)) {
    // nop
  }

  struct rollup_row {
    std::string record;
    uint64_t last_sequence = 0;
  };

  result<void> prepare();
  result<void> prepare_rollup();
  result<void> prepare_operator();
  result<void> write(const node_record& x);
  result<void> write(const shard_config& x);
  result<void> write(const known_commit& x);
  result<void> write(const event_record& x);
  result<std::optional<rollup_row>> load_rollup();
  result<bool> has_final(const final_row& x);
  result<uint64_t> count_finals();
  result<void> load_cluster(catalog_contents& out);
  result<void> load_settings(catalog_contents& out);
  result<void> load_nodes(catalog_contents& out);
  result<void> load_known(catalog_contents& out);
  result<void> load_producers(catalog_contents& out);
  result<void> load_gone(catalog_contents& out);

  connection db_;
  statement put_cluster_;
  statement get_cluster_;
  statement put_setting_;
  statement has_settings_;
  statement get_settings_;
  statement put_node_;
  statement remove_node_;
  statement get_nodes_;
  statement put_known_;
  statement get_known_;
  statement put_producer_;
  statement remove_producer_;
  statement get_producers_;
  statement get_shard_;
  statement get_shards_;
  statement put_shard_;
  statement put_gone_;
  statement get_gone_;
  statement put_event_;
  statement get_events_;
  statement trim_events_;
  statement put_rollup_;
  statement get_rollup_;
  statement put_final_;
  statement has_final_;
  statement get_finals_;
  statement get_finals_after_;
  statement get_last_finals_;
  statement get_first_finals_;
  statement count_finals_;
  statement remove_final_;
  /// Of the rows in `final_window`, once it was asked for.
  std::optional<uint64_t> finals_count_;
};

} // namespace weir
