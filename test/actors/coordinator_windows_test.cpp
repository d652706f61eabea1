#include "test/actors/coordinator_fixture.hpp"

using namespace weir;
using namespace weir::test;

namespace {

window_partial minute(time_ms start, int64_t value) {
  auto res = window_partial{{start, start + 60'000}, true, 1, {}};
  auto& metric = res.metrics.emplace_back();
  metric.metric = "m";
  metric.total.lift(number::of(value));
  return res;
}

/// Two nodes with two shards each, and a producer.
struct fixture : coordinator_fixture {
  scripted_node* n1 = nullptr;
  scripted_node* n2 = nullptr;
  producer_opened who;

  void serve() {
    begin();
    n1 = &join("n1");
    n2 = &join("n2");
    settle();
    REQUIRE(n1->assigned.size() == 2);
    REQUIRE(n2->assigned.size() == 2);
    who = must(open("ann"));
  }

  void reach(time_ms greatest, bool flush = false) {
    auto x = report_session{};
    x.producer = who.producer;
    x.session = who.session;
    x.greatest = greatest;
    x.flush = flush;
    x.ended = flush;
    must(ask<session_reported>(boss, x));
  }

  /// The node's part of what it was asked last.
  sealed_partials part(const scripted_node& x,
                       const std::vector<window_partial>& windows) {
    auto& request = x.seals.back();
    auto res = sealed_partials{};
    res.node = x.self.node;
    res.range = request.range;
    for (auto& shard : request.shards)
      res.shards.push_back(shard.shard);
    res.upto = request.range.through;
    auto out = byte_writer{res.windows};
    encode_windows(windows, out);
    return res;
  }

  void answer_seal(const scripted_node& x,
                   const std::vector<window_partial>& windows) {
    caf::send_as(x.hdl, boss, part(x, windows));
    run();
  }

  /// What the node says of windows that are not final.
  static void holds(scripted_node& x, const std::vector<window_partial>& xs) {
    x.partials = {};
    for (auto& [shard, epoch] : x.assigned)
      x.partials.shards.push_back(shard);
    auto out = byte_writer{x.partials.windows};
    encode_windows(xs, out);
  }

  window_answers query(time_ms at, bool partial = false) {
    return must(
      ask<window_answers>(boss, window_query{at, at + 1, {}, partial}));
  }

  static int64_t sum(const window_answer& x) {
    REQUIRE(x.metrics.size() == 1);
    auto total = partial{};
    auto in = byte_reader{x.metrics[0].total};
    REQUIRE(total.decode(in));
    return static_cast<int64_t>(total.get<sum_aggregate>().sum.integer());
  }
};

} // namespace

TEST_SUITE("actors/coordinator_windows") {
  TEST_CASE_FIXTURE(fixture, "a window is sealed when the watermark has passed "
                             "its end and lateness, and final when all shards "
                             "are in") {
    serve();
    reach(69'999);
    CHECK(n1->seals.empty());
    CHECK(query(0).windows[0].state == window_state::complete);
    CHECK(query(60'000).windows[0].state == window_state::open);
    reach(70'000);
    REQUIRE(n1->seals.size() == 1);
    REQUIRE(n2->seals.size() == 1);
    CHECK(n1->seals[0].range.through == 60'000);
    CHECK(n1->seals[0].shards.size() == 2);
    answer_seal(*n1, {minute(0, 5)});
    CHECK(query(0).windows[0].state == window_state::complete);
    answer_seal(*n2, {minute(0, 7)});
    auto found = query(1'000);
    REQUIRE(found.windows.size() == 1);
    CHECK(found.windows[0].state == window_state::final);
    CHECK(found.windows[0].start == 0);
    CHECK(found.windows[0].end == 60'000);
    CHECK(sum(found.windows[0]) == 12);
    // Nodes may forget it.
    beat(*n1);
    CHECK(n1->acks.back().final_through == 60'000);
  }

  TEST_CASE_FIXTURE(fixture, "an answer that comes twice counts once") {
    serve();
    reach(130'000);
    auto first = part(*n1, {minute(60'000, 5)});
    caf::send_as(n1->hdl, boss, first);
    caf::send_as(n1->hdl, boss, first);
    run();
    answer_seal(*n2, {minute(60'000, 7)});
    caf::send_as(n1->hdl, boss, first);
    run();
    CHECK(sum(query(60'000).windows[0]) == 12);
  }

  TEST_CASE_FIXTURE(fixture, "shards that do not answer are asked again, and "
                             "they alone") {
    serve();
    reach(130'000);
    answer_seal(*n1, {});
    pass(3'000);
    CHECK(n1->seals.size() == 1);
    REQUIRE(n2->seals.size() > 1);
    CHECK(n2->seals.back().range == n2->seals[0].range);
    CHECK(n2->seals.back().shards.size() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "a coordinator that is restarted asks again for "
                             "what it had sealed, and has what was final") {
    serve();
    reach(130'000);
    answer_seal(*n1, {minute(60'000, 5)});
    answer_seal(*n2, {minute(60'000, 7)});
    reach(190'000);
    answer_seal(*n1, {minute(120'000, 1)});
    restart();
    join_again(*n1);
    join_again(*n2);
    beat(*n1);
    beat(*n2);
    pass(200);
    CHECK(sum(query(60'000).windows[0]) == 12);
    CHECK(query(120'000).windows[0].state == window_state::complete);
    REQUIRE(n1->seals.back().range.through == 180'000);
    answer_seal(*n1, {minute(120'000, 1)});
    answer_seal(*n2, {minute(120'000, 2)});
    CHECK(sum(query(120'000).windows[0]) == 3);
  }

  TEST_CASE_FIXTURE(fixture, "a window in which nothing was is final and "
                             "empty") {
    serve();
    reach(250'000);
    answer_seal(*n1, {});
    answer_seal(*n2, {});
    auto found = query(60'000);
    REQUIRE(found.windows.size() == 1);
    CHECK(found.windows[0].state == window_state::final);
    CHECK(found.windows[0].metrics.empty());
  }

  TEST_CASE_FIXTURE(fixture, "a flush makes the last window final") {
    serve();
    reach(61'000, true);
    REQUIRE(!n1->seals.empty());
    CHECK(n1->seals.back().range.through == 120'000);
  }

  TEST_CASE_FIXTURE(fixture, "whoever follows gets a window when it is final, "
                             "or nothing in time") {
    serve();
    auto request
      = self->request(boss, caf::infinite, follow_windows{0, 30'000});
    run();
    CHECK(self->mailbox().empty());
    reach(130'000);
    answer_seal(*n1, {minute(60'000, 5)});
    answer_seal(*n2, {});
    REQUIRE(!self->mailbox().empty());
    auto sequence = uint64_t{0};
    request.receive(
      [&](const window_answers& x) {
        REQUIRE(x.windows.size() == 1);
        sequence = x.windows[0].sequence;
      },
      [](const caf::error&) {
        FAIL("an error");
      });
    auto again
      = self->request(boss, caf::infinite, follow_windows{sequence, 2'000});
    run();
    CHECK(self->mailbox().empty());
    pass(2'500);
    REQUIRE(!self->mailbox().empty());
    again.receive(
      [](const window_answers& x) {
        CHECK(x.windows.empty());
      },
      [](const caf::error&) {
        FAIL("an error");
      });
  }

  TEST_CASE_FIXTURE(fixture, "partial totals are the shards' that answer; the "
                             "others are named") {
    serve();
    auto out = byte_writer{n1->partials.windows};
    encode_windows({minute(60'000, 5)}, out);
    for (auto& [shard, epoch] : n1->assigned)
      n1->partials.shards.push_back(shard);
    auto nothing = byte_writer{n2->partials.windows};
    encode_windows({}, nothing);
    auto found = query(60'000, true);
    REQUIRE(found.windows.size() == 1);
    CHECK(found.windows[0].state == window_state::open);
    CHECK(sum(found.windows[0]) == 5);
    CHECK(found.missing.size() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "what becomes final while its totals so far are "
                             "asked for is told as final") {
    serve();
    reach(70'000);
    holds(*n1, {});
    holds(*n2, {});
    // They have released it when they answer.
    n1->before_partials = [this] {
      caf::send_as(n1->hdl, boss, part(*n1, {minute(0, 5)}));
      caf::send_as(n2->hdl, boss, part(*n2, {minute(0, 7)}));
      n1->before_partials = nullptr;
    };
    auto found = query(0, true);
    REQUIRE(found.windows.size() == 1);
    CHECK(found.windows[0].state == window_state::final);
    CHECK(sum(found.windows[0]) == 12);
  }

  TEST_CASE_FIXTURE(fixture, "a result that is no longer kept is not told as "
                             "empty") {
    initial.rollup_keep_windows = 1;
    {
      auto db = must(catalog::open(dir.file("coordinator.db")));
      auto pairs = to_pairs(initial);
      must(db.put_settings(2, {pairs.begin(), pairs.end()}));
    }
    serve();
    reach(130'000);
    answer_seal(*n1, {minute(0, 5), minute(60'000, 6)});
    answer_seal(*n2, {});
    CHECK(sum(query(0).windows[0]) == 5);
    pass(6'000);
    CHECK(query(0).code == ec::not_found);
    CHECK(query(0).windows.empty());
    CHECK(sum(query(60'000).windows[0]) == 6);
  }

  TEST_CASE_FIXTURE(fixture, "totals so far come in pages, of which each has "
                             "all that the shards hold") {
    serve();
    auto page = [this](time_ms from) {
      return must(ask<window_answers>(
        boss, window_query{from, window_plan::forever, {}, true}));
    };
    holds(*n1, {minute(0, 1)});
    holds(*n2, {});
    page(0);
    auto max = static_cast<time_ms>(n1->asked_for.windows_max);
    // One holds every window and the other every second: their first ones go
    // differently far.
    auto all = std::vector<window_partial>{};
    auto some = std::vector<window_partial>{};
    for (auto i = time_ms{0}; i < max; ++i) {
      all.push_back(minute(60'000 * i, 1));
      some.push_back(minute(120'000 * i, 1));
    }
    holds(*n1, all);
    holds(*n2, some);
    auto found = page(0);
    CHECK(found.more);
    REQUIRE(static_cast<time_ms>(found.windows.size()) == max);
    for (auto i = size_t{0}; i < found.windows.size(); ++i)
      REQUIRE(sum(found.windows[i]) == (i % 2 == 0 ? 2 : 1));
    CHECK(found.windows.back().end == 60'000 * max);
  }

  TEST_CASE_FIXTURE(fixture, "a change of duration holds once every shard has "
                             "taken it") {
    serve();
    auto change = change_windows{};
    change.every = 300'000;
    auto made = must(ask<windows_changed>(boss, change));
    CHECK(must(ask<window_list>(boss, get_windows{})).every_pending == 300'000);
    auto taken = [&](scripted_node& x, time_ms greatest) {
      x.news.plan_version = made.version;
      for (auto& shard : x.news.shards) {
        shard.plan_version = made.version;
        shard.plan_greatest = greatest;
      }
      caf::send_as(x.hdl, boss, x.news);
      run();
    };
    taken(*n1, 299'999);
    CHECK(must(ask<window_list>(boss, get_windows{})).every == 60'000);
    // Nothing is sealed while it isn't settled which windows there are.
    reach(130'000);
    CHECK(n1->seals.empty());
    taken(*n2, 300'000);
    CHECK(must(ask<window_list>(boss, get_windows{})).every == 300'000);
    CHECK(query(599'999).windows[0].start == 540'000);
    CHECK(query(600'000).windows[0].end == 900'000);
    CHECK(n2->plans.back().version > made.version);
  }

  TEST_CASE_FIXTURE(fixture, "explicit windows need the periodic ones off") {
    initial.rollup_every = std::nullopt;
    {
      auto db = must(catalog::open(dir.file("coordinator.db")));
      auto pairs = to_pairs(initial);
      must(db.put_settings(2, {pairs.begin(), pairs.end()}));
    }
    serve();
    CHECK(query(1'000).code == ec::not_found);
    auto change = change_windows{};
    change.kind = change_windows::what::open;
    change.start = 1'000;
    change.end = 5'000;
    must(ask<windows_changed>(boss, change));
    CHECK(query(1'000).windows[0].state == window_state::open);
    auto overlap = change;
    overlap.start = 4'999;
    overlap.end = 6'000;
    auto refused = ask<windows_changed>(boss, overlap);
    REQUIRE(!refused);
    CHECK(refused.error().code == ec::conflict);
    change.kind = change_windows::what::close;
    must(ask<windows_changed>(boss, change));
    REQUIRE(!n1->seals.empty());
    CHECK(n1->seals.back().range.single);
    CHECK(n1->seals.back().range.after == 1'000);
    CHECK(n1->seals.back().range.through == 5'000);
    answer_seal(*n1, {});
    answer_seal(*n2, {});
    CHECK(query(4'999).windows[0].state == window_state::final);
    change.kind = change_windows::what::every;
    change.every = 1'000;
    must(ask<windows_changed>(boss, change));
    change.kind = change_windows::what::open;
    change.start = 8'000;
    change.end = 9'000;
    CHECK(!ask<windows_changed>(boss, change));
  }
}
