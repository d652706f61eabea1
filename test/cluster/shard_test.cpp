#include "test/cluster/shard_fixture.hpp"

#include <doctest/doctest.h>

using namespace weir;
using namespace weir::test;

namespace {

using producers = std::vector<producer_id>;

shard_settings settings(uint64_t version, time_ms retention = 70'000) {
  auto res = shard_settings{};
  res.version = version;
  res.verdicts.retention = retention;
  res.sliding.retention = retention;
  return res;
}

} // namespace

TEST_SUITE("cluster/shard") {
  TEST_CASE_FIXTURE(shard_fixture, "it serves once the no-op of its epoch is "
                                   "committed") {
    CHECK(!self->leading());
    auto first = lead(3);
    CHECK(first.entry->kind == entry_kind::noop);
    CHECK(first.entry->index == 1);
    CHECK(first.entry->epoch == 3);
    CHECK(self->leading());
    CHECK(!self->serving());
    commit();
    CHECK(self->serving());
    CHECK(self->epoch() == 3);
    lead(4);
    CHECK(!self->serving());
    commit();
    CHECK(self->serving());
    CHECK(disk.log.back().epoch == 4);
    CHECK(self->empty());
  }

  TEST_CASE_FIXTURE(shard_fixture, "entries form a chain, each with the sum of "
                                   "its own fields") {
    serve();
    send(ann, 1, 0, {event("a", shard_now, 1)});
    self->admit_session(ann, 2, shard_now);
    commit();
    auto chain = uint64_t{0};
    for (auto& x : disk.log) {
      CHECK(x.crc == entry_crc(x));
      CHECK(x.chain == chain_after(chain, x.crc));
      chain = x.chain;
    }
    CHECK(self->applied().chain == chain);
  }

  TEST_CASE_FIXTURE(shard_fixture, "what is committed is counted and answered, "
                                   "not before") {
    serve();
    auto taken = send(ann, 1, 0,
                      {event("a", shard_now, 4), event("a", shard_now - 1, 8),
                       event("a", shard_now - 70'000, 100)});
    CHECK(taken.code == ec::none);
    REQUIRE(taken.entry != nullptr);
    CHECK(self->uncommitted_at(taken.entry->index) == taken.entry);
    CHECK(!average("a", shard_now).known_entity);
    CHECK(self->empty());
    CHECK(self->ledger().total() == 0);
    CHECK(commit() == producers{ann});
    CHECK(self->uncommitted_at(taken.entry->index) == nullptr);
    CHECK(average("a", shard_now).count == 2);
    CHECK(average("a", shard_now).average == 6.0);
    CHECK(self->ledger().accepted == 2);
    CHECK(self->ledger().late == 1);
    CHECK(!self->empty());
    auto& known = *self->producers().find(ann);
    CHECK(known.last == 3);
    CHECK(known.counts.accepted == 2);
    CHECK(known.counts.late == 1);
    CHECK(self->clock(shard_now) == shard_now);
    CHECK(self->clock(shard_now - 5) == shard_now - 5);
  }

  TEST_CASE_FIXTURE(shard_fixture, "a duplicate of a block that is not "
                                   "committed yet is not acknowledged early") {
    serve();
    send(ann, 1, 0, {event("a", shard_now, 4)});
    auto again = send(ann, 1, 0, {event("a", shard_now, 4)});
    CHECK(again.code == ec::none);
    CHECK(again.entry == nullptr);
    CHECK(self->producers().find(ann) == nullptr);
    commit();
    CHECK(self->producers().find(ann)->last == 1);
    CHECK(self->ledger().accepted == 1);
    CHECK(average("a", shard_now).count == 1);
  }

  TEST_CASE_FIXTURE(shard_fixture, "each producer is named once, however many "
                                   "of its entries are committed") {
    serve();
    send(ann, 1, 0, {event("a", shard_now, 1)});
    send(stray, 1, 0, {event("a", shard_now, 1)});
    send(ann, 1, 1, {event("a", shard_now, 1)});
    store(self->admit_settings(settings(1)));
    CHECK(commit(2) == producers{ann, stray});
    CHECK(commit() == producers{ann});
    CHECK(self->commit(99).empty());
  }

  TEST_CASE_FIXTURE(shard_fixture, "a gap is refused with the end of the log, "
                                   "committed or not") {
    serve();
    send(ann, 1, 0, {event("a", shard_now, 4)});
    auto gap = send(ann, 1, 7, {event("a", shard_now, 4)});
    CHECK(gap.code == ec::sequence_gap);
    CHECK(gap.last == 1);
    CHECK(gap.entry == nullptr);
  }

  TEST_CASE_FIXTURE(shard_fixture, "blocks that don't belong here are refused "
                                   "by name") {
    serve();
    CHECK(send("").code != ec::none);
    CHECK(send("rubbish").code != ec::none);
    auto wrong = send(block_of({1, ann, 1, 0, 1}, {event("a", shard_now, 1)}));
    CHECK(wrong.code == ec::malformed);
    CHECK(contains(wrong.text, "shard 1 came to shard 0"));
    auto damaged = block_of({0, ann, 1, 0, 1}, {event("a", shard_now, 1)});
    damaged[damaged.size() - 10] ^= 1;
    CHECK(send(damaged).code == ec::malformed);
    CHECK(on_the_way.empty());
    // None of them left a trace.
    CHECK(send(ann, 1, 0, {event("a", shard_now, 1)}).entry != nullptr);
  }

  TEST_CASE_FIXTURE(shard_fixture,
                    "a producer that nobody knows can't go on in "
                    "the middle") {
    serve();
    auto refused = send(stray, 1, 5, {event("a", shard_now, 1)});
    CHECK(refused.code == ec::not_found);
    CHECK(contains(refused.text, "has sent 5 records before"));
  }

  TEST_CASE_FIXTURE(shard_fixture, "more producers than the limit are refused, "
                                   "with blocks and with sessions") {
    auto few = settings(1);
    few.producers_max = 1;
    lead(1);
    store(self->admit_settings(few));
    commit();
    CHECK(store(self->admit_session(ann, 1, shard_now)).code == ec::none);
    auto refused = send(stray, 1, 0, {event("a", shard_now, 1)});
    CHECK(refused.code == ec::limit_reached);
    CHECK(contains(refused.text, "producers-max"));
    CHECK(self->admit_session(stray, 1, shard_now).code == ec::limit_reached);
    CHECK(send(ann, 1, 0, {event("a", shard_now, 1)}).code == ec::none);
  }

  TEST_CASE_FIXTURE(shard_fixture, "a new session fences the older ones") {
    serve();
    send(ann, 1, 0, {event("a", shard_now, 1)});
    auto opened = store(self->admit_session(ann, 2, shard_now));
    REQUIRE(opened.entry != nullptr);
    CHECK(opened.entry->kind == entry_kind::session);
    // Asked again before it is committed: nothing new.
    auto again = self->admit_session(ann, 2, shard_now);
    CHECK(again.code == ec::none);
    CHECK(again.entry == nullptr);
    CHECK(self->admit_session(ann, 1, shard_now).code == ec::stale_session);
    CHECK(send(ann, 1, 1, {event("a", shard_now, 1)}).code
          == ec::stale_session);
    commit();
    CHECK(self->producers().find(ann)->session == 2);
    CHECK(self->producers().find(ann)->last == 1);
    CHECK(send(ann, 2, 1, {event("a", shard_now, 1)}).entry != nullptr);
  }

  TEST_CASE_FIXTURE(shard_fixture, "what did not reach the disk can be sent "
                                   "again") {
    serve();
    send(ann, 1, 0, {event("a", shard_now, 1)});
    commit();
    auto lost = send(ann, 1, 1, {event("a", shard_now + 9, 2)});
    refuse();
    CHECK(self->uncommitted_at(lost.entry->index) == nullptr);
    CHECK(self->serving());
    CHECK(self->uncommitted() == 0);
    CHECK(self->tail() == self->applied());
    auto again = send(ann, 1, 1, {event("a", shard_now + 9, 2)});
    REQUIRE(again.entry != nullptr);
    CHECK(again.entry->index == lost.entry->index);
    CHECK(again.entry->chain == lost.entry->chain);
    commit();
    CHECK(average("a", shard_now + 9).average == 1.5);
    CHECK(self->ledger().accepted == 2);
  }

  TEST_CASE_FIXTURE(shard_fixture, "a shard whose no-op did not reach the disk "
                                   "leads no more") {
    serve();
    lead(2);
    refuse();
    CHECK(!self->leading());
    CHECK(!self->serving());
    CHECK(lead(2).entry->index == 2);
    commit();
    CHECK(self->serving());
    CHECK(disk.log.back().epoch == 2);
  }

  TEST_CASE_FIXTURE(shard_fixture, "settings take their place in the log") {
    lead(1);
    store(self->admit_settings(settings(1, 1000)));
    commit();
    CHECK(self->admit_settings(settings(1, 5)).entry == nullptr);
    send(ann, 1, 0,
         {event("a", shard_now, 1), event("a", shard_now - 1000, 1)});
    store(self->admit_settings(settings(2, 5000)));
    // Judged by settings that are not committed yet.
    send(ann, 1, 2,
         {event("b", shard_now - 1000, 1), event("b", shard_now - 5000, 1)});
    CHECK(self->settings().version == 1);
    commit();
    CHECK(self->settings().version == 2);
    CHECK(self->ledger().accepted == 2);
    CHECK(self->ledger().late == 2);
  }

  TEST_CASE_FIXTURE(shard_fixture, "settings survive their encoding") {
    auto x = settings(7, 12'345);
    x.verdicts.future_limit = 3;
    x.verdicts.wall_clock = true;
    x.sliding.cells_max = 9;
    x.sliding.metrics_per_entity_max = 8;
    x.sliding.entities_max = 7;
    x.producers_max = 6;
    x.producer_expiry = 5;
    x.rollups.metrics_max = 4;
    x.rollups.cells_max = 3;
    x.averages = false;
    auto y = shard_settings{};
    CHECK(y.decode(x.encode()));
    CHECK(y.encode() == x.encode());
    CHECK(y.version == 7);
    CHECK(y.verdicts.retention == 12'345);
    CHECK(y.sliding.retention == 12'345);
    CHECK(y.verdicts.future_limit == 3);
    CHECK(y.verdicts.wall_clock);
    CHECK(y.sliding.cells_max == 9);
    CHECK(y.sliding.metrics_per_entity_max == 8);
    CHECK(y.sliding.entities_max == 7);
    CHECK(y.producers_max == 6);
    CHECK(y.producer_expiry == 5);
    CHECK(y.rollups.metrics_max == 4);
    CHECK(y.rollups.cells_max == 3);
    CHECK(!y.averages);
    // Three bytes less were the whole before there were windows over all
    // entities.
    for (auto i = size_t{0}; i < x.encode().size(); ++i)
      CHECK(y.decode(x.encode().substr(0, i)) == (i + 3 == x.encode().size()));
    CHECK(!y.decode(x.encode() + '\0'));
  }

  TEST_CASE_FIXTURE(shard_fixture, "the cluster's clock makes an idle shard "
                                   "forget, in steps") {
    lead(1);
    store(self->admit_settings(settings(1, 80'000)));
    commit();
    // Nothing to forget yet.
    CHECK(self->admit_clock(shard_now).entry == nullptr);
    send(ann, 1, 0, {event("a", shard_now, 1)});
    commit();
    CHECK(self->admit_clock(shard_now + 9'999).entry == nullptr);
    CHECK(self->admit_clock(shard_now - 50'000).entry == nullptr);
    auto ticked = store(self->admit_clock(shard_now + 10'000));
    REQUIRE(ticked.entry != nullptr);
    CHECK(ticked.entry->kind == entry_kind::clock);
    CHECK(self->admit_clock(shard_now + 19'999).entry == nullptr);
    commit();
    CHECK(average("a", shard_now).count == 1);
    store(self->admit_clock(shard_now + 80'000));
    commit();
    CHECK(!average("a", shard_now).known_entity);
    // Its own event time stays: that is what readings are late by.
    CHECK(self->clock(INT64_MAX) == shard_now);
    CHECK(send(ann, 1, 1, {event("a", shard_now - 79'999, 1)}).entry
          != nullptr);
    commit();
    CHECK(self->ledger().late == 0);
  }

  TEST_CASE_FIXTURE(shard_fixture, "random producers are forgotten after their "
                                   "time, named ones are not") {
    auto x = settings(1);
    x.producer_expiry = 1000;
    lead(1);
    store(self->admit_settings(x));
    send(ann, 1, 0, {event("a", shard_now, 1)}, shard_now);
    send(stray, 1, 0, {event("a", shard_now, 1)}, shard_now);
    send({9, 9}, 1, 0, {event("a", shard_now, 1)}, shard_now + 500);
    commit();
    CHECK(self->admit_expiry(shard_now + 999).entry == nullptr);
    auto expired = store(self->admit_expiry(shard_now + 1000));
    REQUIRE(expired.entry != nullptr);
    CHECK(expired.entry->kind == entry_kind::expire);
    CHECK(self->admit_expiry(shard_now + 1000).entry == nullptr);
    // Refused at once, though not yet forgotten for good.
    CHECK(send(stray, 1, 1, {event("a", shard_now, 1)}).code == ec::not_found);
    CHECK(self->producers().find(stray) != nullptr);
    commit();
    CHECK(self->producers().find(stray) == nullptr);
    CHECK(self->producers().find(ann) != nullptr);
    CHECK(self->producers().find({9, 9}) != nullptr);
    CHECK(self->ledger().accepted == 3);
  }

  TEST_CASE_FIXTURE(shard_fixture, "readings beyond a limit of the windows are "
                                   "refused, and counted so") {
    auto x = settings(1);
    x.sliding.metrics_per_entity_max = 1;
    lead(1);
    store(self->admit_settings(x));
    auto two = plain_record{
      "a",
      shard_now,
      {{"heat", number::of(int64_t{1})}, {"load", number::of(int64_t{2})}}};
    send(ann, 1, 0, {two, two});
    commit();
    CHECK(self->ledger().accepted == 2);
    CHECK(self->ledger().refused == 2);
    CHECK(self->producers().find(ann)->counts.refused == 2);
    CHECK(self->ledger().total() == 4);
  }

  TEST_CASE_FIXTURE(shard_fixture,
                    "now is the greater of its own clock and the "
                    "cluster's") {
    serve();
    send(ann, 1, 0, {event("a", shard_now - 500, 1)});
    commit();
    auto at = time_ms{0};
    auto ask = [&](time_ms cluster_clock) {
      return self->average("a", entity_hash("a"), default_metric, std::nullopt,
                           100, cluster_clock, shard_now, at);
    };
    CHECK(ask(-1).count == 1);
    CHECK(at == shard_now - 500);
    CHECK(ask(shard_now - 401).count == 1);
    CHECK(at == shard_now - 401);
    CHECK(ask(shard_now - 400).count == 0);
    CHECK(self
            ->average("a", entity_hash("a"), default_metric, shard_now - 500,
                      100, shard_now, shard_now, at)
            .count
          == 1);
  }

  TEST_CASE_FIXTURE(shard_fixture, "by the wall clock, now is the wall clock") {
    auto x = settings(1);
    x.verdicts.wall_clock = true;
    lead(1);
    store(self->admit_settings(x));
    send(ann, 1, 0,
         {event("a", shard_now - 500, 1), event("a", shard_now - 70'000, 1)});
    commit();
    CHECK(self->ledger().late == 1);
    auto at = time_ms{0};
    self->average("a", entity_hash("a"), default_metric, std::nullopt, 100,
                  shard_now + 7, shard_now + 5, at);
    CHECK(at == shard_now + 5);
  }

} // TEST_SUITE
