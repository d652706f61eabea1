#include "test/actors/ingest_fixture.hpp"

using namespace weir;
using namespace weir::test;

namespace {

struct fixture : ingest_fixture {
  /// Lines of which nothing is sent.
  void feed_bad(uint64_t lines) {
    auto parcel = outgoing_parcel{};
    record += lines;
    parcel.mark = {record, 7 * record, lines, 0, -1};
    parcel.handed_over = record;
    gate->read(record);
    tell(ingest, std::move(parcel));
  }

  void set(std::string option, std::string value) {
    known.settings.values.emplace_back(std::move(option), std::move(value));
  }

  void lose_blocks() {
    decide = [](uint32_t, uint64_t) {
      return fate::lost;
    };
  }

  void take_blocks() {
    decide = [](uint32_t, uint64_t) {
      return fate::taken;
    };
  }

  size_t idle_reports() const {
    return static_cast<size_t>(
      std::count_if(reports.begin(), reports.end(), [](auto& x) {
        return x.idle;
      }));
  }
};

} // namespace

TEST_SUITE("actors/ingest_reports") {
  TEST_CASE_FIXTURE(fixture, "the coordinator hears of a session as soon as it "
                             "is open, and nothing new of its input") {
    known.shards[0] = {UINT32_MAX, {}, 0, "no node has joined yet"};
    context.producer = "pump";
    opened = {producer, 3, 10, 20, 77, 18};
    begin();
    CHECK(!start());
    CHECK(reports.size() == 1);
    advance(5s);
    CHECK(reports.size() >= 3);
    for (auto& x : reports) {
      CHECK(x.producer == producer);
      CHECK(x.session == 3);
      CHECK(x.base == 10);
      CHECK(x.prefix == 20);
      CHECK(x.digest == 77);
      CHECK(x.digest_at == 18);
      CHECK(x.greatest == -1);
      CHECK(!x.idle);
    }
  }

  TEST_CASE_FIXTURE(fixture, "as long as nothing of a new input was sent, the "
                             "one before can be resumed") {
    context.producer = "pump";
    opened = {producer, 3, 10, 20, 77, 18};
    begin();
    CHECK(must(start()).base == 20);
    advance(30s);
    CHECK(reports.back().base == 10);
    CHECK(reports.back().digest_at == 18);
    CHECK(idle());
    record = 20;
    feed({0});
    CHECK(reports.back().base == 20);
    CHECK(reports.back().digest_at == 21);
    advance(1100ms);
    CHECK(reports.back().prefix == 21);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a session without progress says every two seconds "
                    "that it lives") {
    begin();
    feed({0});
    advance(1100ms);
    auto n = reports.size();
    advance(6s);
    CHECK(reports.size() == n + 3);
    CHECK(reports.back().prefix == 1);
    CHECK(!reports.back().idle);
  }

  TEST_CASE_FIXTURE(fixture, "whoever would soon be taken for lost says more "
                             "often that it lives") {
    set("idle-after", "300ms");
    begin();
    lose_blocks();
    feed({0});
    auto n = reports.size();
    auto pauses = idle_reports();
    advance(3s);
    CHECK(reports.size() >= n + 20);
    CHECK(idle_reports() == pauses);
  }

  TEST_CASE_FIXTURE(fixture, "a report has the greatest time of what is "
                             "acknowledged, and of nothing behind it") {
    begin();
    decide = [](uint32_t shard, uint64_t) {
      return shard == 0 ? fate::lost : fate::taken;
    };
    feed({1});
    feed({1});
    feed({0});
    feed({1});
    advance(2500ms);
    CHECK(reports.back().prefix == 2);
    CHECK(reports.back().greatest == 2'000);
    take_blocks();
    advance(4s);
    CHECK(reports.back().greatest == 4'000);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a pause of the input is told, and at once when it "
                    "is over") {
    begin();
    feed({0});
    advance(9'900ms);
    CHECK(!idle());
    advance(200ms);
    CHECK(idle());
    CHECK(reports.back().greatest == 1'000);
    advance(30s);
    CHECK(idle());
    feed({1});
    CHECK(!idle());
    advance(9'900ms);
    CHECK(!idle());
    CHECK(reports.back().greatest == 2'000);
  }

  TEST_CASE_FIXTURE(fixture, "an input that never begins is a pause") {
    begin();
    advance(10s);
    CHECK(idle());
  }

  TEST_CASE_FIXTURE(fixture, "waiting for a node is no pause of the input") {
    begin();
    feed({0});
    lose_blocks();
    feed({0, 1});
    advance(60s);
    CHECK(idle_reports() == 0);
    CHECK(reports.size() > 25);
    take_blocks();
    advance(70s);
    CHECK(idle());
  }

  TEST_CASE_FIXTURE(fixture, "a block that is not yet full is no pause of the "
                             "input") {
    begin();
    feed({0});
    gate->read(record + 1);
    advance(60s);
    CHECK(idle_reports() == 0);
  }

  TEST_CASE_FIXTURE(fixture,
                    "reading what was acknowledged before is no pause") {
    context.producer = "pump";
    context.resume = true;
    opened = {producer, 3, 0, 1'000, 77, 1'000};
    begin();
    for (auto i = uint64_t{1}; i <= 30; ++i) {
      gate->read(i);
      advance(1s);
    }
    CHECK(idle_reports() == 0);
    CHECK(reports.back().prefix == 1'000);
    CHECK(reports.back().digest == 77);
    advance(10s);
    CHECK(idle());
  }

  TEST_CASE_FIXTURE(fixture,
                    "bad lines are passed without an acknowledgement") {
    begin();
    feed_bad(3);
    advance(1100ms);
    CHECK(reports.back().prefix == 3);
    CHECK(reports.back().malformed == 3);
    CHECK(reports.back().greatest == -1);
    advance(10s);
    CHECK(idle());
  }

  TEST_CASE_FIXTURE(fixture,
                    "the last report of an input that is to be flushed "
                    "says so, and no other") {
    begin();
    feed({0, 1});
    auto parcel = outgoing_parcel{};
    parcel.mark = {2, 14, 0, 0, 2'000};
    parcel.handed_over = 2;
    parcel.end = true;
    parcel.flush = true;
    tell(ingest, std::move(parcel));
    CHECK(ended());
    CHECK(reports.back().ended);
    CHECK(reports.back().flush);
    CHECK(!reports.back().idle);
    CHECK(reports.back().greatest == 2'000);
    reports.pop_back();
    for (auto& x : reports)
      CHECK(!x.flush);
  }

  TEST_CASE_FIXTURE(fixture, "an input that ends is not flushed unasked") {
    begin();
    feed({0});
    end_of_input();
    CHECK(ended());
    CHECK(reports.back().ended);
    CHECK(!reports.back().flush);
  }

  TEST_CASE_FIXTURE(fixture, "a coordinator that was restarted hears of the "
                             "session at once") {
    begin();
    feed({0});
    advance(1100ms);
    stop(1);
    advance(500ms);
    start_coordinator();
    auto n = reports.size();
    advance(300ms);
    CHECK(reports.size() == n + 1);
    CHECK(reports.back().greatest == 1'000);
  }

  TEST_CASE_FIXTURE(fixture,
                    "an input that begins while a report is on its way "
                    "is sent after that") {
    context.producer = "pump";
    hold_reports = true;
    begin();
    must(start());
    CHECK(reports.size() == 1);
    feed({0});
    CHECK(reports.size() == 1);
    CHECK(blocks[11] == 0);
    answer_reports();
    CHECK(reports.size() == 2);
    CHECK(reports.back().digest_at == 1);
    CHECK(progress().acknowledged == 1);
  }

  TEST_CASE_FIXTURE(fixture, "settings that this version does not know keep a "
                             "session from beginning, and stop none") {
    begin();
    feed({0});
    set("colour", "blue");
    stop(1);
    start_coordinator();
    feed({0});
    advance(3s);
    CHECK(progress().acknowledged == 2);
    CHECK(trouble().code == ec::none);
    auto later = fixture{};
    later.set("colour", "blue");
    later.begin();
    CHECK(code_of(later.start()) == ec::version_mismatch);
  }

} // TEST_SUITE
