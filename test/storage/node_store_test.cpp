#include "storage/node_store.hpp"

#include "storage/catalog_copy.hpp"
#include "storage/quarantine.hpp"
#include "test/storage/support.hpp"

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto now = time_ms{1'700'000'000'000};

struct fixture {
  temporary_directory parent;
  std::string path = parent.file("node");
  std::string log_path = path + "/journal.db";
  std::string state_path = path + "/state.db";
  std::string copy_path = path + "/" + coordinator_copy_name;
  shard_config config;
  identity before;

  data_dir open_dir() const {
    return must(data_dir::open(path, ""));
  }

  /// A node that has entries of shard 3, of which others have copies, too.
  explicit fixture(size_t copies = 2) {
    auto dir = open_dir();
    auto store = must(open_node_store(dir, {}, now));
    CHECK(store.news == "");
    append_all(store.log, make_log(3, 60));
    must(dir.join("c1"));
    config.shard = 3;
    config.epoch = 1;
    config.members = {{dir.who().node, dir.who().disk, 1}};
    for (auto i = size_t{1}; i < copies; ++i)
      config.members.push_back({"other", "disk", i});
    auto record = replica_record{};
    record.config = config;
    must(store.log.put_record(record));
    must(store.log.commit());
    put_copy(config);
    before = dir.who();
  }

  /// What the node has copied of the coordinator's directory.
  void put_copy(const shard_config& x) const {
    auto source = must(catalog::open(parent.file("coordinator.db")));
    source.begin_feed({1, x.epoch, 0});
    if (!must(source.cluster()))
      must(source.put_cluster({"c1", 5, 1}));
    auto held = must(source.get(x.shard));
    must(source.compare_and_set(held ? held->epoch : 0, x));
    auto copy = must(catalog_copy::open(copy_path));
    while (!copy.complete())
      must(copy.take(must(source.page(copy.wish(), before_time))));
  }

  /// Damages the only page of the index, in a way that SQLite sees.
  void spoil_index() const {
    auto bytes = bytes_of(log_path);
    for (auto page = size_t{1}; page * 4096 < bytes.size(); ++page)
      if (bytes[page * 4096] == 0x0a)
        bytes[page * 4096 + 3] = 0x7f;
    put_bytes(log_path, bytes);
  }

  std::vector<fs::path> kept() const {
    auto res = std::vector<fs::path>{};
    if (fs::exists(path + "/quarantine"))
      for (auto& x : fs::directory_iterator{path + "/quarantine"})
        res.push_back(x.path());
    std::sort(res.begin(), res.end());
    return res;
  }

  /// They were put aside, and nobody can take what is there now for them.
  void check_anew(const std::string& why) const {
    auto dir = open_dir();
    auto store = must(open_node_store(dir, {}, now));
    INFO(store.news);
    CHECK(contains(store.news, why));
    CHECK(must(store.log.shards()).empty());
    CHECK(must(store.state.shards()).empty());
    CHECK(dir.who().node == before.node);
    CHECK(dir.who().disk != before.disk);
    REQUIRE(kept().size() == 1);
    auto aside = must(parse_identity(bytes_of(kept()[0] / "identity")));
    CHECK(aside.disk == before.disk);
  }
};

struct only_copy_fixture : fixture {
  only_copy_fixture() : fixture(1) {
    // nop
  }

  /// It does not start, and all is as it was.
  void refused(const std::vector<shard_config>& known,
               const std::string& why = "the only copy of shards 3,") const {
    auto there = fs::exists(log_path);
    auto bytes = there ? bytes_of(log_path) : "";
    auto dir = open_dir();
    auto store = open_node_store(dir, known, now);
    CHECK(code_of(store) == ec::damaged);
    INFO(text_of(store));
    CHECK(contains(text_of(store), why));
    CHECK(contains(text_of(store), "move journal.db and state.db out of it"));
    CHECK(fs::exists(log_path) == there);
    if (there)
      CHECK(bytes_of(log_path) == bytes);
    CHECK(fs::exists(state_path));
    CHECK(dir.who().disk == before.disk);
    CHECK(kept().empty());
  }
};

} // namespace

TEST_SUITE("storage/node_store") {
  TEST_CASE_FIXTURE(fixture, "whole databases are opened as they are") {
    auto dir = open_dir();
    auto store = must(open_node_store(dir, {}, now));
    CHECK(store.news == "");
    CHECK(must(store.log.shards()) == std::vector<uint32_t>{3});
    CHECK(dir.who().disk == before.disk);
    CHECK(kept().empty());
  }

  TEST_CASE_FIXTURE(fixture, "a corrupt journal is put aside with what belongs "
                             "to it, and the directory is another disk") {
    spoil_index();
    auto bytes = bytes_of(log_path);
    check_anew("journal.db");
    CHECK(bytes_of(kept()[0] / "journal.db") == bytes);
    CHECK(fs::exists(kept()[0] / "state.db"));
  }

  TEST_CASE_FIXTURE(fixture, "what is no database is put aside, too") {
    put_bytes(state_path, std::string(8192, 'x'));
    check_anew("state.db: is no SQLite database");
    CHECK(fs::exists(kept()[0] / "journal.db"));
  }

  TEST_CASE_FIXTURE(fixture, "without one of them the other is of no use") {
    SUBCASE("the journal") {
      fs::remove(log_path);
      check_anew("journal.db is missing beside state.db");
    }
    SUBCASE("the journal, but not its WAL") {
      fs::remove(log_path);
      put_bytes(log_path + "-wal", "something");
      check_anew("journal.db-wal are left");
      CHECK(fs::exists(kept()[0] / "journal.db-wal"));
    }
    SUBCASE("the checkpoints") {
      fs::remove(state_path);
      check_anew("state.db is missing beside journal.db");
    }
  }

  TEST_CASE_FIXTURE(fixture, "without both of them there is nothing to keep") {
    fs::remove(log_path);
    fs::remove(state_path);
    auto dir = open_dir();
    auto store = must(open_node_store(dir, {}, now));
    CHECK(contains(store.news, "are missing"));
    CHECK(dir.who().disk != before.disk);
    CHECK(kept().empty());
  }

  TEST_CASE_FIXTURE(fixture, "a row that is not what was written is the "
                             "business of whoever reads it") {
    run_sql(log_path, "UPDATE entry SET block = x'00' WHERE idx = 9");
    auto dir = open_dir();
    auto store = must(open_node_store(dir, {}, now));
    CHECK(store.news == "");
    CHECK(dir.who().disk == before.disk);
    CHECK(code_of(read_log(store.log, 3).end) == ec::damaged);
  }

  TEST_CASE_FIXTURE(only_copy_fixture, "the only copy of a shard stays where "
                                       "it is, byte by byte") {
    SUBCASE("as the journal says") {
      spoil_index();
      fs::remove(copy_path);
      refused({});
    }
    SUBCASE("as the coordinator says") {
      put_bytes(log_path, std::string(8192, 'x'));
      fs::remove(copy_path);
      refused({config});
    }
    SUBCASE("as the copy of its directory says") {
      put_bytes(log_path, std::string(8192, 'x'));
      refused({});
    }
    SUBCASE("as the newer one of the two says") {
      spoil_index();
      auto next = config;
      next.shard = 4;
      put_copy(next);
      config.members.push_back({"other", "disk", 1});
      config.epoch = 2;
      put_copy(config);
      refused({}, "the only copy of shards 4,");
    }
  }

  TEST_CASE_FIXTURE(only_copy_fixture, "what may be the only copy for all that "
                                       "can be read stays, too") {
    auto why = std::string{"neither journal.db nor coordinator-copy.db can"};
    SUBCASE("without a copy") {
      put_bytes(log_path, std::string(8192, 'x'));
      fs::remove(copy_path);
      refused({}, why);
    }
    SUBCASE("with a copy that has never been whole") {
      put_bytes(log_path, std::string(8192, 'x'));
      fs::remove(copy_path);
      must(catalog_copy::open(copy_path));
      refused({}, why);
    }
    SUBCASE("with two files that are damaged") {
      put_bytes(log_path, std::string(8192, 'x'));
      put_bytes(copy_path, std::string(8192, 'x'));
      refused({}, why);
    }
    SUBCASE("without a journal, and none is made") {
      fs::remove(log_path);
      fs::remove(copy_path);
      refused({}, why);
      CHECK_FALSE(fs::exists(log_path));
      CHECK_FALSE(fs::exists(copy_path));
    }
  }

  TEST_CASE_FIXTURE(only_copy_fixture, "a journal that was deleted takes the "
                                       "checkpoints of an only copy nowhere") {
    fs::remove(log_path);
    refused({});
    CHECK_FALSE(fs::exists(log_path));
  }

  TEST_CASE("who has never joined a cluster has no copies to lose") {
    auto parent = temporary_directory{};
    auto path = parent.file("node");
    {
      auto dir = must(data_dir::open(path, ""));
      must(open_node_store(dir, {}, now));
    }
    put_bytes(path + "/journal.db", std::string(8192, 'x'));
    auto dir = must(data_dir::open(path, ""));
    CHECK(must(open_node_store(dir, {}, now)).news != "");
  }

  TEST_CASE_FIXTURE(fixture, "another version is no damage") {
    run_sql(log_path, "PRAGMA user_version = 99");
    auto dir = open_dir();
    CHECK(code_of(open_node_store(dir, {}, now)) == ec::version_mismatch);
    CHECK(dir.who().disk == before.disk);
    CHECK(kept().empty());
  }

  TEST_CASE_FIXTURE(fixture, "what is kept is bounded, and the oldest goes") {
    auto names = std::vector<std::string>{};
    for (auto i = size_t{0}; i < quarantine_items_max + 3; ++i) {
      names.push_back(must(
        begin_quarantine(path, "shard-7", now + static_cast<time_ms>(i / 2))));
      put_bytes(names.back() + "/journal.db", "rows");
    }
    auto left = kept();
    REQUIRE(left.size() == quarantine_items_max);
    for (auto i = size_t{0}; i < left.size(); ++i)
      CHECK(left[i].string() == names[i + 3]);
    // One that is too large alone is the newest, and then gone.
    fs::resize_file(names.back() + "/journal.db", quarantine_bytes_max + 1);
    CHECK(kept().size() == quarantine_items_max);
    must(begin_quarantine(path, "shard-8", now + 1'000));
    CHECK(kept().size() == 1);
  }
}
