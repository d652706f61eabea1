#include "apps/ingest_session.hpp"

#include "actors/clock.hpp"
#include "test/actors/scripted.hpp"
#include "test/support/results.hpp"

using namespace weir;
using namespace weir::test;

namespace {

struct fixture : actor_fixture {
  process_settings process;
  session_start start;
  std::vector<outgoing_parcel> parcels;
  std::shared_ptr<ingest_gate> gate = std::make_shared<ingest_gate>();
  caf::actor receiver = spawn([this] {
    return keep(parcels);
  });
  std::unique_ptr<ingest_session> session;

  fixture() {
    start.producer = {1, 2};
    start.session = 1;
    start.last.resize(4);
    start.future_limit = 60'000;
  }

  ~fixture() {
    end();
  }

  void begin() {
    session = std::make_unique<ingest_session>(
      process, start, false, play<ingest_actor>(receiver), gate);
  }

  void add(time_ms time) {
    auto x = record{};
    auto value = field{default_metric, number::of(int64_t{1})};
    x.entity = "e";
    x.time = time;
    x.fields = &value;
    x.size = 1;
    must(session->add(x));
  }

  outgoing_parcel last_parcel() {
    session->flush();
    run();
    REQUIRE(!parcels.empty());
    return parcels.back();
  }

  time_ms greatest() {
    return last_parcel().mark.greatest;
  }
};

} // namespace

TEST_SUITE("apps/ingest_session") {
  TEST_CASE_FIXTURE(fixture, "the greatest time is of all records that were "
                             "handed over") {
    begin();
    add(5'000);
    add(9'000);
    add(7'000);
    CHECK(greatest() == 9'000);
    add(8'000);
    CHECK(greatest() == 9'000);
    CHECK(parcels.back().mark.record == 4);
  }

  TEST_CASE_FIXTURE(fixture, "what was acknowledged before counts for the "
                             "greatest time") {
    start.prefix = 2;
    start.digest_at = 0;
    begin();
    add(9'000);
    add(1'000);
    add(3'000);
    CHECK(greatest() == 9'000);
    CHECK(parcels.back().mark.duplicate == 2);
  }

  TEST_CASE_FIXTURE(fixture, "bad lines have no time") {
    begin();
    must(session->add_bad("what?"));
    CHECK(greatest() == -1);
    CHECK(parcels.back().mark.malformed == 1);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a record from the future is no progress, and those "
                    "after it are") {
    begin();
    auto now = wall_clock();
    add(now - 1'000);
    add(now + 3'600'000);
    CHECK(greatest() == now - 1'000);
    add(now + 30'000);
    add(time_max);
    CHECK(greatest() == now + 30'000);
  }

  TEST_CASE_FIXTURE(fixture, "every record that is read is known to be read") {
    start.base = 10;
    start.prefix = 10;
    start.digest_at = 10;
    begin();
    CHECK(gate->last_read() == 0);
    add(1);
    must(session->add_bad("what?"));
    CHECK(gate->last_read() == 12);
  }

  TEST_CASE_FIXTURE(fixture, "the end is flushed if that is wanted") {
    for (auto flush : {false, true}) {
      begin();
      add(1'000);
      must(session->end(flush));
      run();
      CHECK(parcels.back().end);
      CHECK(parcels.back().flush == flush);
      CHECK(parcels.back().mark.greatest == 1'000);
    }
  }

} // TEST_SUITE
