#include "storage/catalog_codec.hpp"
#include "storage/catalog_rows.hpp"

#include <algorithm>

// The source of copies: what one of them lacks.

namespace weir {

using namespace catalog_rows;

namespace {

constexpr catalog_table all_tables[]
  = {catalog_table::cluster, catalog_table::settings, catalog_table::rollup,
     catalog_table::gone,    catalog_table::node,     catalog_table::shard,
     catalog_table::known,   catalog_table::producer};

/// A row costs some bytes beside its value.
constexpr size_t row_bytes = 64;

size_t bytes_of(const catalog_page& x) {
  auto res = size_t{0};
  for (auto& row : x.rows)
    res += row_bytes + (row.value ? row.value->size() : 0);
  return res;
}

} // namespace

result<catalog::row_map> catalog::rows_of(catalog_table table) {
  auto res = row_map{};
  auto contents = catalog_contents{};
  auto done = result<void>{};
  auto add = [&](const auto& x, uint64_t number = 0, std::string text = {}) {
    res.emplace(catalog_key{table, number, std::move(text)},
                catalog_codec::encode(x));
  };
  switch (table) {
    case catalog_table::cluster:
      done = load_cluster(contents);
      if (contents.cluster)
        add(*contents.cluster);
      break;
    case catalog_table::settings:
      done = load_settings(contents);
      for (auto& [version, values] : contents.settings)
        add(values, version);
      break;
    case catalog_table::rollup: {
      auto stored = load_rollup();
      if (!stored)
        return tl::unexpected(std::move(stored.error()));
      if (*stored)
        add(catalog_codec::rollup_value{(*stored)->record,
                                        (*stored)->last_sequence});
      break;
    }
    case catalog_table::gone: {
      auto gone = std::vector<catalog_codec::gone_row>{};
      done = each_gone([&](const node_disk& x, int64_t declared) {
        gone.push_back({x, declared});
      });
      if (!gone.empty())
        add(gone);
      break;
    }
    case catalog_table::node:
      done = load_nodes(contents);
      for (auto& x : contents.nodes)
        add(x, 0, x.id);
      break;
    case catalog_table::shard: {
      auto all = get_all();
      if (!all)
        return tl::unexpected(std::move(all.error()));
      for (auto& x : *all)
        add(x, x.shard);
      break;
    }
    case catalog_table::known:
      done = load_known(contents);
      for (auto& x : contents.known)
        add(x, x.shard);
      break;
    case catalog_table::producer:
      done = load_producers(contents);
      for (auto& x : contents.producers)
        add(x, 0, key_of(x.id));
      break;
  }
  if (!done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<catalog_page> catalog::page(const catalog_wish& x,
                                   time_ms final_through) {
  auto res = catalog_page{};
  auto known = cluster();
  if (!known)
    return tl::unexpected(std::move(known.error()));
  if (*known)
    res.cluster = (*known)->id;
  auto now = mark();
  auto ours = [&](const catalog_mark& y) {
    return y.generation == now.generation && y.start == now.start
           && y.count >= feed_begins_.count
           && changes_.reaches(y.count - feed_begins_.count);
  };
  auto done = result<void>{};
  if (x.listing && ours(*x.listing)) {
    res.after = x.after;
    done = page_listing(res, *x.listing);
  } else if (ours(x.held)) {
    done = page_changes(res, x.held.count - feed_begins_.count);
  } else {
    done = page_listing(res, now);
  }
  if (!done)
    return tl::unexpected(std::move(done.error()));
  res.current = res.mark == now && (!res.listing || res.listing_ends);
  res.final_through = final_through;
  auto used = bytes_of(res);
  if (res.current && used < catalog_page_bytes)
    done = page_finals(res, x, catalog_page_bytes - used);
  if (!done)
    return tl::unexpected(std::move(done.error()));
  return res;
}

result<void> catalog::page_changes(catalog_page& out, uint64_t after) {
  auto tables = std::map<catalog_table, row_map>{};
  auto bytes = size_t{0};
  auto done = result<void>{};
  out.mark = mark();
  auto find
    = [&](const catalog_key& key) -> result<std::optional<std::string>> {
    if (key.table == catalog_table::producer) {
      auto res = std::optional<std::string>{};
      auto found = each_producer(
        key.text, [&](auto& text, const producer_record& x) -> result<bool> {
          if (text == key.text)
            res = catalog_codec::encode(x);
          return false;
        });
      if (!found)
        return tl::unexpected(std::move(found.error()));
      return res;
    }
    auto table = tables.find(key.table);
    if (table == tables.end()) {
      auto rows = rows_of(key.table);
      if (!rows)
        return tl::unexpected(std::move(rows.error()));
      table = tables.emplace(key.table, std::move(*rows)).first;
    }
    auto i = table->second.find(key);
    return i != table->second.end() ? std::optional{i->second} : std::nullopt;
  };
  changes_.each_after(after, [&](uint64_t count, const catalog_key& key) {
    auto value = find(key);
    if (!value) {
      done = tl::unexpected(std::move(value.error()));
      return false;
    }
    bytes += row_bytes + (*value ? (*value)->size() : 0);
    if (bytes > catalog_page_bytes && !out.rows.empty())
      return false;
    out.rows.push_back({key, std::move(*value)});
    out.mark.count = feed_begins_.count + count;
    return true;
  });
  return done;
}

result<void> catalog::page_listing(catalog_page& out,
                                   const catalog_mark& begun) {
  out.listing = true;
  out.listing_ends = true;
  out.mark = begun;
  auto bytes = size_t{0};
  // False: the page is full.
  auto add = [&](const catalog_key& key, std::string value) {
    bytes += row_bytes + value.size();
    if (bytes > catalog_page_bytes && !out.rows.empty()) {
      out.listing_ends = false;
      return false;
    }
    out.rows.push_back({key, std::move(value)});
    return true;
  };
  for (auto table : all_tables) {
    if (out.after && table < out.after->table)
      continue;
    if (table == catalog_table::producer) {
      auto begins_here = out.after && out.after->table == table;
      return each_producer(
        begins_here ? out.after->text : std::string{},
        [&](auto& key, const producer_record& x) -> result<bool> {
          if (begins_here && key == out.after->text)
            return true;
          return add({table, 0, key}, catalog_codec::encode(x));
        });
    }
    auto rows = rows_of(table);
    if (!rows)
      return tl::unexpected(std::move(rows.error()));
    for (auto& [key, value] : *rows)
      if ((!out.after || *out.after < key) && !add(key, value))
        return {};
  }
  return {};
}

result<void> catalog::page_finals(catalog_page& out, const catalog_wish& x,
                                  size_t bytes_left) {
  auto stored = load_rollup();
  if (!stored)
    return tl::unexpected(std::move(stored.error()));
  auto last = *stored ? (*stored)->last_sequence : 0;
  // A restored catalog gives numbers a second time.
  out.finals_anew = x.last_sequence > last;
  auto after = out.finals_anew ? 0 : x.last_sequence;
  out.first_sequence = last + 1;
  auto note = [&](const row& y) -> result<bool> {
    out.first_sequence = y.integer<uint64_t>(0);
    return false;
  };
  if (auto done = get_first_finals_.each(note, int64_t{1}); !done)
    return done;
  auto rows = finals_after(after, catalog_page_finals, bytes_left);
  if (!rows)
    return tl::unexpected(std::move(rows.error()));
  out.finals = std::move(*rows);
  out.complete = out.finals.empty() || out.finals.back().sequence >= last;
  return {};
}

} // namespace weir
