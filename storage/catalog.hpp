#pragma once

#include "storage/catalog_changes.hpp"
#include "storage/catalog_page.hpp"
#include "storage/catalog_types.hpp"
#include "storage/page_copy.hpp"
#include "storage/sqlite.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

// coordinator.db: what the coordinator must not forget; and
// coordinator-copy.db, a copy of that in a node's directory.

namespace weir {

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

  /// What cluster this is, once that was written down.
  result<std::optional<cluster_record>> cluster();

  /// Writes down what cluster this is, once; `conflict` if that was done.
  result<void> put_cluster(const cluster_record& x);

  /// Adds a version of the settings, or none of it; `conflict` if that version
  /// is there already: a version never changes.
  /// @pre `!values.empty()`.
  result<void> put_settings(uint64_t version, const setting_map& values);

  /// Adds or replaces the node of that id.
  result<void> put_node(const node_record& x);

  /// The same for several, in one transaction: a name goes from one to another.
  result<void> put_nodes(const std::vector<node_record>& xs);

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

  result<std::vector<bool>> change(
    const std::vector<config_change>& xs) override;

  /// Begins a copy of the whole file, see `connection::copy_to`.
  result<page_copy> copy_to(const std::string& path) {
    return db_.copy_to(path);
  }

  const std::string& path() const {
    return db_.path();
  }

  // -- copies: catalog_feed.cpp and catalog_copy.cpp

  /// Where this catalog comes from; all zero in one that was just created.
  result<catalog_lineage> lineage();

  result<void> put_lineage(const catalog_lineage& x);

  /// Changes are counted from here on: this is the state before the first one.
  void begin_feed(const catalog_mark& x) {
    feed_begins_ = x;
  }

  /// The present state.
  catalog_mark mark() const {
    auto res = feed_begins_;
    res.count += changes_.count();
    return res;
  }

  /// Something of what a copy lacks.
  /// @param final_through windows that end by then are final, by the rows
  result<catalog_page> page(const catalog_wish& x, time_ms final_through);

  /// Takes a page in, and says so in the lineage, in one transaction; for
  /// copies alone. Fails with `malformed` if its rows do not decode.
  result<void> apply(const catalog_page& x, const catalog_lineage& next);

  /// Adds results under their numbers, in place of what is there of these
  /// windows or of these numbers.
  result<void> put_finals(const std::vector<final_row>& xs);

  /// The number of the last result there ever was.
  result<uint64_t> last_sequence();

  /// Replaces the record; further results get numbers after `last_sequence`.
  result<void> restore_rollup(const std::string& record,
                              uint64_t last_sequence);

  result<uint64_t> count_results() {
    return count_finals();
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
  result<void> write_known(const known_commit& x);
  result<void> write_event(const event_record& x);
  result<void> prepare_copy();
  result<std::optional<rollup_row>> load_rollup();
  result<bool> has_final(const final_row& x);
  result<uint64_t> count_finals();
  result<void> load_cluster(catalog_contents& out);
  result<void> load_settings(catalog_contents& out);
  result<void> load_nodes(catalog_contents& out);
  result<void> load_known(catalog_contents& out);
  using producer_visitor
    = std::function<result<bool>(const std::string& key, producer_record x)>;
  result<void> load_producers(catalog_contents& out);
  result<void> each_producer(const std::string& from,
                             const producer_visitor& visit);
  result<void> load_gone(catalog_contents& out);
  result<void> each_gone(
    const std::function<void(node_disk x, int64_t declared)>& visit);
  using row_map = std::map<catalog_key, std::string>;
  result<row_map> rows_of(catalog_table table);
  result<void> page_changes(catalog_page& out, uint64_t after);
  result<void> page_listing(catalog_page& out, const catalog_mark& begun);
  result<void> page_finals(catalog_page& out, const catalog_wish& x,
                           size_t bytes_left);
  result<void> apply_row(const catalog_row& x);
  result<void> remove_row(const catalog_key& x);
  result<void> remove_unlisted(const catalog_page& x);
  result<void> apply_finals(const catalog_page& x);
  result<void> write_lineage(const catalog_lineage& x);
  result<void> write_node(const node_record& x);
  result<void> write_final(const final_row& x);
  result<void> write_producer(const producer_record& x);
  result<void> write_shard(const shard_config& x);
  void note(catalog_table table, uint64_t number = 0, std::string text = {}) {
    changes_.note({table, number, std::move(text)});
  }

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
  statement get_lineage_;
  statement put_lineage_;
  statement replace_final_;
  statement remove_finals_;
  statement remove_first_finals_;
  statement remove_cluster_;
  statement remove_settings_;
  statement remove_rollup_;
  statement remove_gone_;
  statement remove_shard_;
  statement remove_known_;
  /// Of the rows in `final_window`, once it was asked for.
  std::optional<uint64_t> finals_count_;
  catalog_changes changes_;
  catalog_mark feed_begins_;
};

} // namespace weir
