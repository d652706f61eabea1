#include "test/actors/ingest_fixture.hpp"

#include <rapidcheck.h>

using namespace weir;
using namespace weir::test;

using positions = std::vector<uint64_t>;

TEST_SUITE("actors/ingest_host") {
  TEST_CASE_FIXTURE(ingest_fixture, "a producer without a name asks no shard") {
    begin();
    auto x = must(start());
    CHECK(x.producer == producer);
    CHECK(x.session == 1);
    CHECK(x.base == 0);
    CHECK(x.last == positions{0, 0, 0, 0});
    CHECK(sessions_opened == 0);
    CHECK(opens.at(0).name.empty());
  }

  TEST_CASE_FIXTURE(ingest_fixture, "a named producer opens its session at "
                                    "every shard, and numbers on from there") {
    context.producer = "pump";
    opened = {producer, 3, 10, 20, 0, 0};
    shards[2].producers.enter(producer, 2, 25, 0);
    shards[1].producers.enter(producer, 2, 9, 0);
    begin();
    auto x = must(start());
    CHECK(x.session == 3);
    CHECK(x.base == 25);
    CHECK(x.prefix == 25);
    CHECK(x.last == positions{0, 9, 25, 0});
    // Each once a connection that is new, not once an answer.
    CHECK(sessions_opened <= 8);
    CHECK(shards[3].producers.find(producer)->session == 3);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "a resumed session goes on where the last "
                                    "one was") {
    context.producer = "pump";
    context.resume = true;
    opened = {producer, 3, 10, 20, 77, 18};
    begin();
    auto x = must(start());
    CHECK(opens.at(0).resume);
    CHECK(x.base == 10);
    CHECK(x.prefix == 20);
    CHECK(x.digest == 77);
    CHECK(x.digest_at == 18);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "an input that was acknowledged before "
                                    "reports its duplicates") {
    context.producer = "pump";
    context.resume = true;
    opened = {producer, 3, 10, 20, 77, 20};
    begin();
    auto parcel = outgoing_parcel{};
    parcel.mark = {20, 77, 1, 9};
    parcel.handed_over = 20;
    parcel.end = true;
    tell(ingest, std::move(parcel));
    CHECK(ended());
    CHECK(reports.back().prefix == 20);
    CHECK(reports.back().digest == 77);
    CHECK(reports.back().malformed == 1);
    CHECK(reports.back().duplicate == 9);
  }

  TEST_CASE_FIXTURE(ingest_fixture,
                    "blocks go to the nodes of their shards, and "
                    "are counted when acknowledged") {
    begin();
    feed({0, 1, 2, 3, 0});
    CHECK(shards[0].log == positions{1, 5});
    CHECK(shards[1].log == positions{2});
    CHECK(shards[2].log == positions{3});
    CHECK(blocks[11] == 3);
    CHECK(blocks[12] == 2);
    CHECK(progress().counts.accepted == 5);
    CHECK(progress().acknowledged == 5);
    CHECK(progress().in_flight == 0);
    CHECK(progress().copies == 1);
    CHECK(!ended());
    end_of_input();
    CHECK(ended());
    CHECK(reports.back().ended);
    CHECK(reports.back().prefix == 5);
    CHECK(reports.back().digest == 35);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "progress is what is acknowledged from the "
                                    "beginning on, whatever comes after") {
    begin();
    decide = [](uint32_t shard, uint64_t) {
      return shard == 0 ? fate::lost : fate::taken;
    };
    feed({1});
    feed({0});
    feed({1});
    feed({2});
    CHECK(progress().acknowledged == 1);
    CHECK(progress().counts.accepted == 3);
    CHECK(progress().in_flight > 0);
    end_of_input();
    CHECK(!ended());
    decide = [](uint32_t, uint64_t) {
      return fate::taken;
    };
    advance(4s);
    CHECK(progress().acknowledged == 4);
    CHECK(ended());
  }

  TEST_CASE_FIXTURE(ingest_fixture, "progress is reported while the session "
                                    "runs") {
    begin();
    feed({0, 1});
    advance(1100ms);
    REQUIRE(!reports.empty());
    CHECK(reports.back().prefix == 2);
    CHECK(!reports.back().ended);
  }

  TEST_CASE_FIXTURE(ingest_fixture,
                    "blocks that a busy node refused come again, "
                    "and count once") {
    begin();
    auto refusals = 3;
    decide = [&](uint32_t, uint64_t) {
      return --refusals >= 0 ? fate::busy : fate::taken;
    };
    feed({0, 0, 2, 0});
    CHECK(progress().trouble == "not now");
    CHECK(progress().acknowledged == 0);
    advance(2s);
    CHECK(shards[0].log == positions{1, 2, 4});
    CHECK(shards[2].log == positions{3});
    CHECK(progress().acknowledged == 4);
    CHECK(progress().trouble.empty());
  }

  TEST_CASE_FIXTURE(ingest_fixture, "a busy node is asked ever more seldom") {
    begin();
    decide = [](uint32_t, uint64_t) {
      return fate::busy;
    };
    feed({0});
    advance(10s);
    CHECK(blocks[11] > 8);
    CHECK(blocks[11] < 20);
  }

  TEST_CASE_FIXTURE(ingest_fixture,
                    "blocks go at once to the primary that a refusal names, "
                    "unless that is older news") {
    begin();
    feed({0, 1});
    auto asked = routes_asked;
    known.shards[0] = {1, {}, 5, {}};
    shards[0].epoch = 5;
    named_primary = "id2";
    feed({0});
    CHECK(shards[0].log == positions{1, 3});
    CHECK(blocks[12] == 2);
    CHECK(routes_asked == asked);
    // Who led before says that it still does.
    auto late = append_ack{};
    late.producer = producer;
    late.session = 1;
    late.epoch = 4;
    late.code = ec::stale_epoch;
    late.primary = "id1";
    tell(ingest, late);
    feed({0});
    CHECK(shards[0].log == positions{1, 3, 4});
    CHECK(blocks[11] == 2);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "after a gap the blocks from there on come "
                                    "again") {
    begin();
    decide = [done = false](uint32_t, uint64_t position) mutable {
      return position == 2 && !std::exchange(done, true) ? fate::lost
                                                         : fate::taken;
    };
    feed({0});
    feed({0});
    feed({0});
    CHECK(shards[0].log == positions{1, 2, 3});
    CHECK(blocks[11] == 5);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "a block whose answer got lost comes again "
                                    "after a while, and counts once") {
    begin();
    decide = [](uint32_t, uint64_t) {
      return fate::answer_lost;
    };
    feed({0});
    decide = [](uint32_t, uint64_t) {
      return fate::taken;
    };
    advance(2900ms);
    CHECK(progress().acknowledged == 0);
    advance(300ms);
    CHECK(progress().acknowledged == 1);
    CHECK(progress().counts.accepted == 1);
    CHECK(shards[0].log == positions{1});
    end_of_input();
    auto waits = gate->waits();
    REQUIRE(waits.size() == 4);
    CHECK(waits[0] >= 3000);
    CHECK(waits[1] == 0);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "a node that is lost and comes back gets "
                                    "again what it has not acknowledged") {
    begin();
    feed({0, 1, 2, 3});
    decide = [](uint32_t shard, uint64_t) {
      return shard % 2 == 0 ? fate::lost : fate::taken;
    };
    feed({0, 1, 2, 3, 0});
    stop(11);
    feed({0});
    CHECK(contains(progress().trouble, "nobody answers"));
    feed({1});
    CHECK(shards[1].log == positions{2, 6, 11});
    advance(1s);
    decide = [](uint32_t, uint64_t) {
      return fate::taken;
    };
    start_node(11);
    advance(3s);
    CHECK(shards[0].log == positions{1, 5, 9, 10});
    CHECK(shards[2].log == positions{3, 7});
    CHECK(progress().acknowledged == 11);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "a shard that has moved is followed") {
    begin();
    feed({0});
    known.shards[0] = {1, {}, 2, {}};
    shards[0].epoch = 2;
    feed({0, 0});
    advance(1s);
    CHECK(shards[0].log == positions{1, 2, 3});
    CHECK(blocks[12] == 2);
    CHECK(progress().acknowledged == 3);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "a shard without a node is waited for, and "
                                    "the reason shown") {
    known.shards[0] = {UINT32_MAX, {}, 0, "no node has joined yet"};
    begin();
    must(start());
    feed({0, 1});
    advance(1s);
    CHECK(progress().trouble == "no node has joined yet");
    CHECK(progress().acknowledged == 0);
    known.shards[0] = {0, {}, 1, {}};
    advance(5s);
    CHECK(progress().acknowledged == 2);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "the older of two processes under one name "
                                    "stops, with a sentence") {
    context.producer = "pump";
    begin();
    must(start());
    feed({0});
    shards[0].producers.enter(producer, 2, 0, 0);
    feed({0});
    CHECK(trouble().code == ec::stale_session);
    auto n = blocks[11];
    advance(10s);
    CHECK(blocks[11] == n);
  }

  TEST_CASE_FIXTURE(ingest_fixture,
                    "a session that the coordinator finds stale "
                    "stops") {
    begin();
    refuse_reports = failure{ec::stale_session, "another process"};
    feed({0});
    advance(2s);
    CHECK(trouble().code == ec::stale_session);
  }

  TEST_CASE_FIXTURE(ingest_fixture,
                    "a shard that has lost what it acknowledged "
                    "stops the session") {
    begin();
    feed({0});
    feed({0});
    shards[0].producers = {};
    shards[0].producers.enter(producer, 1, 1, 0);
    feed({0});
    CHECK(trouble().code == ec::damaged);
    CHECK(contains(trouble().text, "shard 0 has lost what it acknowledged"));
  }

  TEST_CASE_FIXTURE(ingest_fixture, "whoever else answers at the coordinator's "
                                    "address is refused by name") {
    dialer.doors[1].role = "node";
    begin();
    CHECK(code_of(start()) == ec::invalid_argument);
    CHECK(contains(text_of(start()), "wants the coordinator's address"));
  }

  TEST_CASE_FIXTURE(ingest_fixture,
                    "a coordinator that is not there is the end "
                    "of a session that begins") {
    stop(1);
    begin();
    CHECK(code_of(start()) == ec::unreachable);
  }

  TEST_CASE_FIXTURE(ingest_fixture,
                    "a coordinator that is lost on the way stops "
                    "nothing but the end") {
    begin();
    feed({0});
    stop(1);
    feed({0, 1, 2, 3});
    end_of_input();
    advance(5s);
    CHECK(progress().acknowledged == 5);
    CHECK(!ended());
    start_coordinator();
    advance(2s);
    CHECK(ended());
    CHECK(reports.back().prefix == 5);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "another cluster at the coordinator's "
                                    "address is noticed") {
    begin();
    feed({0});
    stop(1);
    known.shards.resize(2);
    start_coordinator();
    advance(2s);
    CHECK(trouble().code == ec::wrong_cluster);
  }

  TEST_CASE_FIXTURE(ingest_fixture,
                    "another cluster with as many shards learns "
                    "nothing of the session") {
    known.cluster = "c2"; // And the coordinator says c1.
    begin();
    feed({0});
    auto n = reports.size();
    stop(1);
    start_coordinator();
    advance(2s);
    CHECK(trouble().code == ec::wrong_cluster);
    CHECK(reports.size() == n);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "nothing of a new input leaves before the "
                                    "coordinator knows what tells it from "
                                    "others") {
    context.producer = "pump";
    begin();
    refuse_reports = failure{ec::disk_full, "no space left"};
    feed({0, 1});
    advance(3s);
    CHECK(blocks[11] == 0);
    CHECK(reports.size() > 2);
    CHECK(reports[0].digest_at == 0);
    CHECK(reports[1].digest == 14);
    CHECK(reports[1].digest_at == 2);
    CHECK(reports[1].prefix == 0);
    CHECK(reports.back().digest_at == 2);
    refuse_reports.reset();
    advance(2s);
    CHECK(progress().acknowledged == 2);
  }

  TEST_CASE_FIXTURE(ingest_fixture, "reading waits while too much is on its "
                                    "way") {
    context.process.inflight_bytes_max = 200;
    begin();
    CHECK(must(gate->wait_room(0ms)));
    decide = [](uint32_t, uint64_t) {
      return fate::lost;
    };
    feed({0, 0, 2, 2, 0, 0});
    CHECK(!must(gate->wait_room(0ms)));
    // Though there is room in all, one node has as much as it may have.
    decide = [](uint32_t, uint64_t) {
      return fate::taken;
    };
    advance(4s);
    CHECK(must(gate->wait_room(0ms)));
  }

  TEST_CASE("whatever happens on the way, every block is taken once, in order, "
            "and the session ends") {
    CHECK(rc::check([] {
      auto x = ingest_fixture{};
      auto dice = [](int n) {
        return *rc::gen::noShrink(rc::gen::inRange(0, n));
      };
      auto faults = *rc::gen::inRange(0, 60);
      x.decide = [&](uint32_t, uint64_t) {
        if (dice(100) >= faults)
          return fate::taken;
        auto all
          = {fate::lost, fate::busy, fate::unavailable, fate::answer_lost};
        return *(all.begin() + dice(4));
      };
      x.begin();
      RC_ASSERT(x.start().has_value());
      auto sent = std::vector<positions>(x.shards.size());
      auto acknowledged = uint64_t{0};
      for (auto n = dice(40); n > 0; --n) {
        auto to = std::vector<uint32_t>{};
        for (auto k = 1 + dice(6); k > 0; --k)
          to.push_back(static_cast<uint32_t>(dice(4)));
        for (auto i = size_t{0}; i < to.size(); ++i)
          sent[to[i]].push_back(x.record + i + 1);
        x.feed(to);
        auto port = static_cast<uint16_t>(11 + dice(2));
        switch (dice(12)) {
          case 0:
            x.stop(port);
            x.advance(std::chrono::milliseconds{dice(500)});
            x.start_node(port);
            break;
          case 1: {
            auto shard = static_cast<size_t>(dice(4));
            x.known.shards[shard].node = static_cast<uint32_t>(dice(2));
            x.known.shards[shard].epoch = ++x.shards[shard].epoch;
            break;
          }
          case 2:
            x.stop(1);
            x.start_coordinator();
            break;
          default:
            x.advance(std::chrono::milliseconds{dice(300)});
        }
        RC_ASSERT(x.progress().acknowledged >= acknowledged);
        acknowledged = x.progress().acknowledged;
        for (auto shard = size_t{0}; shard < sent.size(); ++shard)
          for (auto position : sent[shard])
            if (position <= acknowledged)
              RC_ASSERT(std::count(x.shards[shard].log.begin(),
                                   x.shards[shard].log.end(), position)
                        == 1);
      }
      x.end_of_input();
      faults = 0;
      x.advance(70s);
      RC_ASSERT(x.trouble().text == "");
      RC_ASSERT(x.ended());
      for (auto i = size_t{0}; i < sent.size(); ++i)
        RC_ASSERT(x.shards[i].log == sent[i]);
      RC_ASSERT(x.progress().counts.accepted == x.record);
      RC_ASSERT(x.reports.back().prefix == x.record);
      auto greatest = time_ms{-1};
      for (auto& report : x.reports) {
        RC_ASSERT(report.greatest >= greatest);
        greatest = report.greatest;
        RC_ASSERT(greatest <= x.seconds_of(report.prefix));
      }
      RC_ASSERT(greatest == (x.record == 0 ? -1 : x.seconds_of(x.record)));
    }));
  }

} // TEST_SUITE
