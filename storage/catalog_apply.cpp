#include "storage/catalog_codec.hpp"
#include "storage/catalog_rows.hpp"

// A catalog that is a copy: how it takes in what it lacked.

namespace weir {

using namespace catalog_rows;

result<void> catalog::prepare_copy() {
  return db_.prepare({
    {get_lineage_,
     "SELECT generation, start, changes, last_sequence, final_through,"
     " promised, crc FROM lineage",
     "read the lineage"},
    {put_lineage_,
     "REPLACE INTO lineage (one, generation, start, changes, last_sequence,"
     " final_through, promised, crc) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
     "write down the lineage"},
    {replace_final_,
     "REPLACE INTO final_window (sequence, starts, ends, readings, stored,"
     " totals_crc, crc, totals) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
     "copy a window's result"},
    {remove_finals_, "DELETE FROM final_window", "remove all results"},
    {remove_first_finals_,
     "DELETE FROM final_window WHERE sequence IN (SELECT sequence FROM"
     " final_window WHERE sequence < ?1 ORDER BY sequence LIMIT ?2)",
     "remove old results"},
    {remove_cluster_, "DELETE FROM cluster", "remove the cluster"},
    {remove_settings_, "DELETE FROM setting WHERE version = ?1",
     "remove settings"},
    {remove_rollup_, "DELETE FROM rollup", "remove the windows"},
    {remove_gone_, "DELETE FROM gone_disk", "remove the disks that are gone"},
    {remove_shard_, "DELETE FROM shard WHERE shard = ?1",
     "remove a shard's configuration"},
    {remove_known_, "DELETE FROM known_commit WHERE shard = ?1",
     "remove a commit"},
  });
}

// -- lineage

result<catalog_lineage> catalog::lineage() {
  auto res = catalog_lineage{};
  auto done = get_lineage_.each([&](const row& x) -> result<bool> {
    res.held.generation = x.integer<uint64_t>(0);
    res.held.start = x.integer<uint64_t>(1);
    res.held.count = x.integer<uint64_t>(2);
    res.last_sequence = x.integer<uint64_t>(3);
    res.final_through = x.integer<time_ms>(4);
    res.promised = x.integer<uint64_t>(5);
    if (crc_of(res) != x.integer<uint64_t>(6))
      return damaged(db_.path(), "lineage", "row");
    return true;
  });
  if (!done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<void> catalog::write_lineage(const catalog_lineage& x) {
  return put_lineage_.run(x.held.generation, x.held.start, x.held.count,
                          x.last_sequence, x.final_through, x.promised,
                          crc_of(x));
}

result<void> catalog::put_lineage(const catalog_lineage& x) {
  return db_.transact([&] {
    return write_lineage(x);
  });
}

// -- rows

result<void> catalog::remove_row(const catalog_key& x) {
  switch (x.table) {
    case catalog_table::cluster:
      return remove_cluster_.run();
    case catalog_table::settings:
      return remove_settings_.run(x.number);
    case catalog_table::rollup:
      return remove_rollup_.run();
    case catalog_table::gone:
      return remove_gone_.run();
    case catalog_table::node:
      return remove_node_.run(x.text);
    case catalog_table::shard:
      return remove_shard_.run(x.number);
    case catalog_table::known:
      return remove_known_.run(x.number);
    case catalog_table::producer:
      return remove_producer_.run(x.text);
  }
  return {};
}

result<void> catalog::apply_row(const catalog_row& x) {
  if (auto removed = remove_row(x.key); !removed || !x.value)
    return removed;
  auto put = [&](auto value, auto write) -> result<void> {
    if (auto read = catalog_codec::decode(*x.value, value); !read)
      return read;
    return write(value);
  };
  switch (x.key.table) {
    case catalog_table::cluster:
      return put(cluster_record{}, [&](auto& y) {
        return put_cluster_.run(y.id, y.created, y.format, crc_of(y));
      });
    case catalog_table::settings:
      return put(setting_map{}, [&](auto& y) -> result<void> {
        for (auto& [name, value] : y)
          if (auto done = put_setting_.run(x.key.number, name, value,
                                           row_crc(x.key.number, name, value));
              !done)
            return done;
        return {};
      });
    case catalog_table::rollup:
      return put(catalog_codec::rollup_value{}, [&](auto& y) {
        return put_rollup_.run(blob{y.record}, y.last_sequence,
                               row_crc(y.record, y.last_sequence));
      });
    case catalog_table::gone:
      return put(
        std::vector<catalog_codec::gone_row>{}, [&](auto& ys) -> result<void> {
          for (auto& y : ys)
            if (auto done
                = put_gone_.run(y.disk.node, y.disk.disk, y.declared,
                                row_crc(y.disk.node, y.disk.disk, y.declared));
                !done)
              return done;
          return {};
        });
    case catalog_table::node:
      return put(node_record{}, [&](auto& y) {
        y.id = x.key.text;
        return write_node(y);
      });
    case catalog_table::shard:
      return put(shard_config{}, [&](auto& y) {
        y.shard = static_cast<uint32_t>(x.key.number);
        return write_shard(y);
      });
    case catalog_table::known:
      return put(known_commit{}, [&](auto& y) {
        y.shard = static_cast<uint32_t>(x.key.number);
        return write_known(y);
      });
    case catalog_table::producer:
      return put(producer_record{}, [&](auto& y) {
        y.id = producer_of(x.key.text);
        return write_producer(y);
      });
  }
  return {};
}

/// What the copy has between the first row of a listing's page and its last
/// one, and the source has not.
result<void> catalog::remove_unlisted(const catalog_page& x) {
  auto gone = std::vector<catalog_key>{};
  auto next = x.rows.begin();
  // False: what comes behind is not this page's business.
  auto look = [&](const catalog_key& key) {
    if (x.after && !(*x.after < key))
      return true;
    while (next != x.rows.end() && next->key < key)
      ++next;
    if (next == x.rows.end() && !x.listing_ends)
      return false;
    if (next == x.rows.end() || !(next->key == key))
      gone.push_back(key);
    return true;
  };
  for (auto i = static_cast<uint8_t>(catalog_table::cluster);
       i <= static_cast<uint8_t>(catalog_table::producer); ++i) {
    auto table = static_cast<catalog_table>(i);
    if (x.after && table < x.after->table)
      continue;
    if (table == catalog_table::producer) {
      auto begins_here = x.after && x.after->table == table;
      auto done
        = each_producer(begins_here ? x.after->text : std::string{},
                        [&](auto& key, const producer_record&) -> result<bool> {
                          return look({table, 0, key});
                        });
      if (!done)
        return done;
      break;
    }
    auto rows = rows_of(table);
    if (!rows)
      return tl::unexpected(std::move(rows.error()));
    for (auto& known : *rows)
      if (!look(known.first))
        break;
  }
  for (auto& key : gone)
    if (auto done = remove_row(key); !done)
      return done;
  return {};
}

// -- results

result<void> catalog::write_final(const final_row& x) {
  auto totals_crc = checksum(x.totals);
  return replace_final_.run(x.sequence, x.start, x.end, x.readings, x.stored,
                            totals_crc, crc_of(x, totals_crc), blob{x.totals});
}

result<void> catalog::put_finals(const std::vector<final_row>& xs) {
  finals_count_.reset();
  return db_.transact([&]() -> result<void> {
    for (auto& x : xs)
      if (auto done = write_final(x); !done)
        return done;
    return {};
  });
}

result<uint64_t> catalog::last_sequence() {
  auto stored = load_rollup();
  if (!stored)
    return tl::unexpected(std::move(stored.error()));
  return *stored ? (*stored)->last_sequence : 0;
}

result<void> catalog::restore_rollup(const std::string& record,
                                     uint64_t last_sequence) {
  return db_.transact([&] {
    return put_rollup_.run(blob{record}, last_sequence,
                           row_crc(record, last_sequence));
  });
}

result<void> catalog::apply_finals(const catalog_page& x) {
  finals_count_.reset();
  if (x.finals_anew)
    if (auto done = remove_finals_.run(); !done)
      return done;
  if (x.first_sequence > 0)
    if (auto done
        = remove_first_finals_.run(x.first_sequence, catalog_page_expired);
        !done)
      return done;
  for (auto& row : x.finals)
    if (auto done = write_final(row); !done)
      return done;
  return {};
}

result<void> catalog::apply(const catalog_page& x,
                            const catalog_lineage& next) {
  return db_.transact([&]() -> result<void> {
    if (x.listing)
      if (auto done = remove_unlisted(x); !done)
        return done;
    for (auto& row : x.rows)
      if (auto done = apply_row(row); !done)
        return done;
    if (auto done = apply_finals(x); !done)
      return done;
    return write_lineage(next);
  });
}

} // namespace weir
