#include "storage/catalog_copy.hpp"

#include "test/storage/support.hpp"

#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

namespace {

final_row final_at(time_ms end, std::string totals = "totals") {
  auto res = final_row{};
  res.start = end - 10;
  res.end = end;
  res.readings = 3;
  res.totals = std::move(totals);
  res.stored = end;
  return res;
}

producer_record producer_at(uint64_t id, uint64_t prefix = 1) {
  auto res = producer_record{};
  res.id = {id, 3};
  res.name = "p" + std::to_string(id);
  res.session = 2;
  res.prefix = prefix;
  res.digest = UINT64_MAX;
  res.earlier_malformed = 4;
  return res;
}

shard_config config_at(uint32_t shard, uint64_t epoch) {
  return {shard, epoch, "n1", {{"n1", "d1", 7}}, {{"n2", "d2"}}, 2};
}

/// Everything that is copied.
struct everything {
  catalog_contents rows;
  std::optional<std::string> record;
  std::vector<final_row> finals;

  friend bool operator==(const everything& x, const everything& y) {
    return x.rows.cluster == y.rows.cluster
           && x.rows.settings == y.rows.settings && x.rows.nodes == y.rows.nodes
           && x.rows.shards == y.rows.shards && x.rows.known == y.rows.known
           && x.rows.producers == y.rows.producers && x.rows.gone == y.rows.gone
           && x.record == y.record && x.finals == y.finals;
  }
};

everything all_of(catalog& x) {
  return {must(x.load()), must(x.get_rollup()),
          must(x.finals_after(0, 1'000'000, SIZE_MAX))};
}

struct fixture {
  temporary_directory dir;
  uint64_t starts = 0;
  std::optional<catalog> source;
  time_ms final_through = before_time;
  std::optional<catalog_copy> copy;

  fixture() {
    start();
    must(source->put_cluster({"c1", 5, 1}));
    must(source->put_settings(1, {{"window", "1m"}, {"shards", "4"}}));
    open_copy();
  }

  /// The coordinator starts, again.
  void start(uint64_t generation = 1) {
    source.reset();
    source = must(catalog::open(dir.file("coordinator.db")));
    source->begin_feed({generation, ++starts, 0});
  }

  void open_copy() {
    copy.reset();
    copy = must(catalog_copy::open(dir.file("coordinator-copy.db")));
  }

  /// One message each way, as bytes.
  catalog_page pull() {
    auto wish = must(catalog_wish::decode(copy->wish().encode()));
    auto bytes = must(source->page(wish, final_through)).encode();
    auto page = must(catalog_page::decode(bytes));
    CHECK(page.encode() == bytes);
    must(copy->take(page));
    return page;
  }

  int pull_all() {
    auto pages = 1;
    for (pull(); !copy->complete(); pull())
      ++pages;
    return pages;
  }

  void put_final(time_ms end, std::string totals = "totals") {
    final_through = std::max(final_through, end);
    must(source->put_rollup("record " + std::to_string(end),
                            {final_at(end, std::move(totals))}));
  }

  bool same() {
    return all_of(*source) == all_of(copy->contents());
  }
};

} // namespace

TEST_SUITE("storage/catalog_copy") {
  TEST_CASE_FIXTURE(fixture, "a copy has all that the source has") {
    must(source->put_node(
      {"n1", "d1", "one", "h:1", 7, 1'700, node_state::draining}));
    must(source->compare_and_set(0, config_at(2, 5)));
    must(source->put_known({{2, 5, 77, UINT64_MAX}}));
    must(source->put_producers({producer_at(1), producer_at(2)}));
    must(source->put_gone({"n9", "d9"}, 1'600));
    put_final(10);
    put_final(20);
    CHECK(pull_all() == 1);
    CHECK(same());
    CHECK(copy->lineage().held == source->mark());
    CHECK(copy->lineage().last_sequence == 2);
    CHECK(copy->lineage().final_through == 20);
    open_copy();
    CHECK(same());
    CHECK(copy->lineage().held == source->mark());
  }

  TEST_CASE_FIXTURE(fixture, "only what has changed is sent again") {
    must(source->put_producers({producer_at(1), producer_at(2)}));
    pull_all();
    CHECK(pull().rows.empty());
    must(source->put_producers({producer_at(2, 9)}, {{1, 3}}));
    put_final(10);
    auto page = pull();
    CHECK_FALSE(page.listing);
    CHECK(page.rows.size() == 3);
    CHECK(page.finals.size() == 1);
    CHECK(same());
  }

  TEST_CASE_FIXTURE(fixture, "a source that was restarted lists all, and what "
                             "it has removed goes") {
    must(
      source->put_producers({producer_at(1), producer_at(2), producer_at(3)}));
    must(source->compare_and_set(0, config_at(1, 1)));
    must(source->put_node(
      {"n1", "d1", "one", "h:1", 7, 1'700, node_state::alive}));
    put_final(10);
    pull_all();
    // The copy hears of none of this.
    must(source->put_producers({}, {{1, 3}, {3, 3}}));
    must(source->remove_node("n1"));
    start();
    auto page = pull();
    CHECK(page.listing);
    CHECK(page.listing_ends);
    // Results are not sent twice.
    CHECK(page.finals.empty());
    CHECK(same());
  }

  TEST_CASE_FIXTURE(fixture, "whatever there is much of comes in parts below a "
                             "megabyte") {
    auto many = std::vector<producer_record>{};
    for (auto i = uint64_t{1}; i <= 20'000; ++i)
      many.push_back(producer_at(i));
    must(source->put_producers(many));
    for (auto i = 1; i <= 5; ++i)
      put_final(10 * i, std::string(300'000, 'x'));
    auto pages = 0;
    while (!copy->complete()) {
      auto page = pull();
      CHECK(page.encode().size() < 1'000'000);
      // A restart in the middle of a listing begins it anew.
      if (++pages == 2)
        open_copy();
      // What changes meanwhile is not missed, wherever the listing is.
      must(
        source->put_producers({producer_at(1, 100 + pages)},
                              {{20'000u - static_cast<uint64_t>(pages), 3}}));
      REQUIRE(pages < 100);
    }
    CHECK(pages > 8);
    pull_all();
    CHECK(same());
  }

  TEST_CASE_FIXTURE(fixture, "windows count as copied when all results are") {
    for (auto i = 1; i <= 4; ++i)
      put_final(10 * i, std::string(400'000, 'x'));
    pull();
    CHECK(copy->current());
    CHECK_FALSE(copy->complete());
    CHECK(copy->lineage().final_through == before_time);
    pull_all();
    CHECK(copy->lineage().final_through == 40);
  }

  TEST_CASE_FIXTURE(fixture, "results expire in a copy, too") {
    for (auto i = 1; i <= 4; ++i)
      put_final(10 * i);
    pull_all();
    CHECK(must(source->expire_finals(0, 2, 100)) == 2);
    put_final(50);
    pull_all();
    CHECK(same());
    CHECK(all_of(copy->contents()).finals.size() == 3);
    CHECK(must(source->expire_finals(100, 0, 100)) == 3);
    pull_all();
    CHECK(same());
    CHECK(all_of(copy->contents()).finals.empty());
  }

  TEST_CASE_FIXTURE(fixture,
                    "the numbers of a source that was restored from an "
                    "older copy mean other windows") {
    for (auto i = 1; i <= 3; ++i)
      put_final(10 * i);
    pull_all();
    source.reset();
    fs::remove(dir.file("coordinator.db"));
    start();
    must(source->put_cluster({"c1", 5, 1}));
    must(source->put_settings(1, {{"window", "2m"}}));
    put_final(15);
    put_final(20);
    pull_all();
    CHECK(same());
  }

  TEST_CASE_FIXTURE(fixture, "another cluster's catalog is not copied") {
    pull_all();
    auto page = must(source->page(copy->wish(), 0));
    page.cluster = "c2";
    CHECK(code_of(copy->take(page)) == ec::wrong_cluster);
    CHECK(same());
  }

  TEST_CASE_FIXTURE(fixture,
                    "who has promised a generation takes nothing of an "
                    "earlier one, ever") {
    pull_all();
    must(copy->promise(3));
    must(copy->promise(2));
    put_final(10);
    auto page = must(source->page(copy->wish(), final_through));
    CHECK(code_of(copy->take(page)) == ec::conflict);
    open_copy();
    CHECK(copy->lineage().promised == 3);
    CHECK(code_of(copy->take(page)) == ec::conflict);
    start(3);
    pull_all();
    CHECK(same());
  }

  TEST_CASE_FIXTURE(fixture, "a copy is a source as good") {
    must(source->put_producers({producer_at(1), producer_at(2)}));
    must(source->compare_and_set(0, config_at(2, 5)));
    put_final(10);
    pull_all();
    auto other = must(catalog_copy::open(dir.file("other.db")));
    while (!other.complete())
      must(other.take(must(copy->page(other.wish()))));
    CHECK(all_of(other.contents()) == all_of(*source));
    CHECK(other.lineage().final_through == 10);
    CHECK(other.lineage().held == copy->lineage().held);
  }

  TEST_CASE_FIXTURE(fixture, "bytes that are no page are refused by name") {
    CHECK(code_of(catalog_page::decode("")) == ec::malformed);
    CHECK(code_of(catalog_wish::decode("\x02")) == ec::malformed);
    must(source->put_producers({producer_at(1)}));
    auto bytes = must(source->page(copy->wish(), 0)).encode();
    for (auto n = size_t{0}; n < bytes.size(); ++n)
      CHECK(code_of(catalog_page::decode(bytes.substr(0, n))) == ec::malformed);
    auto page = must(source->page(copy->wish(), 0));
    page.rows.back().value = "garbage";
    CHECK(code_of(copy->take(page)) == ec::malformed);
    CHECK(all_of(copy->contents()).rows.settings.empty());
    pull_all();
    CHECK(same());
  }

  TEST_CASE("changes that were forgotten are not passed over") {
    auto changes = catalog_changes{3};
    auto key = [](uint64_t n) {
      return catalog_key{catalog_table::shard, n, {}};
    };
    for (auto i = uint64_t{1}; i <= 3; ++i)
      changes.note(key(i));
    CHECK(changes.reaches(0));
    changes.note(key(2));
    CHECK(changes.count() == 4);
    CHECK(changes.reaches(0));
    changes.note(key(4));
    // The change of row 1.
    CHECK_FALSE(changes.reaches(0));
    CHECK(changes.reaches(1));
    CHECK_FALSE(changes.reaches(6));
    auto seen = std::vector<uint64_t>{};
    changes.each_after(3, [&](uint64_t, const catalog_key& x) {
      seen.push_back(x.number);
      return true;
    });
    CHECK(seen == std::vector<uint64_t>{2, 4});
  }

  TEST_CASE("a copy ends up as its source, whatever comes in between") {
    CHECK(rc::check([] {
      auto x = fixture{};
      auto end = time_ms{0};
      auto epochs = std::map<uint32_t, uint64_t>{};
      auto version = uint64_t{1};
      for (auto steps = *rc::gen::inRange(1, 60); steps > 0; --steps) {
        auto id = *rc::gen::inRange<uint64_t>(1, 6);
        switch (*rc::gen::inRange(0, 12)) {
          case 0:
            must(x.source->put_producers({producer_at(id, id + steps)}));
            break;
          case 1:
            must(x.source->put_producers({}, {{id, 3}}));
            break;
          case 2: {
            auto shard = static_cast<uint32_t>(id);
            auto was = epochs[shard];
            epochs[shard] = was + 1;
            must(x.source->compare_and_set(was, config_at(shard, was + 1)));
            break;
          }
          case 3:
            x.put_final(end += 10,
                        std::string(*rc::gen::inRange(0, 300'000), 'x'));
            break;
          case 4:
            must(x.source->expire_finals(end - 20, 3, 2));
            break;
          case 5:
            must(x.source->put_settings(++version, {{"a", "b"}}));
            break;
          case 6:
            must(x.source->put_node({"n" + std::to_string(id), "d", "", "", id,
                                     0, node_state::dead}));
            break;
          case 7:
            must(x.source->remove_node("n" + std::to_string(id)));
            break;
          case 8:
            x.start();
            break;
          case 9:
            x.open_copy();
            break;
          default:
            x.pull();
        }
      }
      x.pull_all();
      RC_ASSERT(x.same());
    }));
  }
}
