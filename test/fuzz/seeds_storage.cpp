#include "apps/backup_manifest.hpp"
#include "cluster/log.hpp"
#include "cluster/rollups.hpp"
#include "storage/catalog_codec.hpp"
#include "storage/catalog_page.hpp"
#include "storage/config_columns.hpp"
#include "test/fuzz/seeds.hpp"

namespace weir::fuzz {

namespace {

rollup_record record_of(window_plan plan) {
  auto res = rollup_record{};
  res.plan = std::move(plan);
  res.watermark = {start, start + 9000, true};
  res.sealed_through = start - 10'000;
  res.final_through = start - 20'000;
  return res;
}

std::string record_and_changes(const rollup_record& x) {
  return written([&](byte_writer& out) {
    out.string(x.encode());
    out.zigzag(start);
    for (auto what : {0, 1, 6, 2, 3, 11, 4, 0x84, 5, 6, 7, 0xc4}) {
      out.fixed(static_cast<uint8_t>(what));
      out.zigzag(what == 2 ? 6000 : start + what * 1000);
      out.zigzag(start + what * 3000);
    }
  });
}

} // namespace

void add_rollups(corpus& to) {
  auto plan = window_plan{};
  require(plan.open({start, start + 5000}).has_value(), "a window opens");
  require(plan.close(start).has_value(), "it closes");
  auto record = record_of(plan);
  record.closing.push_back({start, start + 5000});
  to.add("rollup_record", record_and_changes(record));
  to.add("rollup_record",
         record_and_changes(record_of(window_plan::periodic(1000))));
}

void add_catalog(corpus& to) {
  auto config = shard_config{};
  config.epoch = 3;
  config.primary = "n1";
  config.members = {{"n1", "d1", 2}, {"n2", "d2", 300}};
  config.eligible = {{"n1", "d1"}};
  config.min_copies = 2;
  auto producer = producer_record{};
  producer.name = "p";
  producer.session = 300;
  producer.updated = start;
  auto rows = std::vector<std::string>{
    catalog_codec::encode(cluster_record{std::string(32, 'c'), start, 1}),
    catalog_codec::encode(setting_map{{"retention", "1d"}, {"lateness", "5s"}}),
    catalog_codec::encode(catalog_codec::rollup_value{
      record_of(window_plan::periodic(1000)).encode(), 7}),
    catalog_codec::encode(
      std::vector<catalog_codec::gone_row>{{{"n3", "d3"}, start}}),
    catalog_codec::encode(
      node_record{"", "d1", "one", "[::1]:7411", 7, start, node_state::dead}),
    catalog_codec::encode(config),
    catalog_codec::encode(known_commit{0, 3, 17, 42}),
    catalog_codec::encode(producer)};
  auto page = catalog_page{};
  page.cluster = std::string(32, 'c');
  page.mark = {1, 2, 300};
  for (auto i = uint8_t{0}; i < rows.size(); ++i) {
    to.add("catalog_row", static_cast<char>(i) + rows[i]);
    page.rows.push_back({{static_cast<catalog_table>(i + 1), i, "x"}, rows[i]});
  }
  page.rows.push_back({{catalog_table::node, 0, "y"}, std::nullopt});
  page.finals = {{7, start, start + 1000, 12, "totals", start + 2000}};
  to.add("catalog_page", std::string{"\0", 1} + page.encode());
  page.listing = page.listing_ends = page.complete = true;
  page.after = catalog_key{catalog_table::settings, 7, ""};
  to.add("catalog_page", std::string{"\0", 1} + page.encode());
  auto wish = catalog_wish{};
  to.add("catalog_page", "\1" + wish.encode());
  wish.listing = catalog_mark{1, 2, 300};
  wish.after = {catalog_table::producer, 0, "x"};
  to.add("catalog_page", "\1" + wish.encode());
}

void add_manifest(corpus& to) {
  auto manifest = backup_manifest{};
  manifest.cluster = std::string(32, 'c');
  manifest.program = "weir 1";
  manifest.wire = "weir/9";
  manifest.moment = start;
  manifest.files = {{"journal.db", {5, UINT64_MAX}}};
  manifest.shards = {{0, 1, 2, 3, 4, {5, 6, UINT64_MAX}, 1ull << 63},
                     {1, 0, 0, 3, 4, {5, 6, 7}, 0}};
  to.add("manifest", manifest.to_text());
}

void add_journal(corpus& to) {
  auto record = written([](byte_writer& out) {
    out.fixed(uint8_t{0});
    out.string("n1");
    out.string(config_columns::encode(std::vector<member>{{"n1", "d1", 2}}));
    out.string(config_columns::encode(std::vector<node_disk>{{"n1", "d1"}}));
    for (auto x : {3, 2, 4})
      out.varint(static_cast<uint64_t>(x));
  });
  // As it should be, and then each thing wrong that the flags stand for.
  for (auto flags : {0, 1, 2, 4, 8, 16})
    to.add("journal_row",
           record + written([&](byte_writer& out) {
             for (auto last : {0, flags}) {
               out.fixed(static_cast<uint8_t>(last));
               if (last == 1)
                 out.varint(7);
               out.varint(1);
               out.fixed(static_cast<uint8_t>(entry_kind::block));
               out.fixed(ann.high);
               out.fixed(ann.low);
               for (auto x : {1, 0, 3})
                 out.varint(static_cast<uint64_t>(x));
               out.string("envelope");
               out.string("block");
               out.varint(1);
               for (auto bit : {2, 4, 8})
                 if ((last & bit) != 0)
                   out.fixed(uint64_t{7});
               if (last == 16) {
                 out.fixed(uint8_t{3});
                 out.string("text");
               }
             }
           }));
}

} // namespace weir::fuzz
