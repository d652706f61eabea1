#include "cluster/outbox.hpp"
#include "cluster/producers.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>

using namespace weir;
using namespace weir::test;

namespace {

/// An outbox for one shard with blocks of ten records each.
struct fixture {
  outbox box{1};
  uint64_t records = 0;

  void add(size_t blocks) {
    for (; blocks > 0; --blocks) {
      box.add(0, {records + 1, records, records + 10,
                  std::make_shared<const std::string>("0123456789abcdef")});
      records += 10;
    }
  }

  /// Last records of all blocks that leave now.
  std::vector<uint64_t> take_all() {
    auto res = std::vector<uint64_t>{};
    while (auto x = box.take(0))
      res.push_back(x->position);
    return res;
  }
};

using positions = std::vector<uint64_t>;

} // namespace

TEST_SUITE("cluster/outbox") {
  TEST_CASE_FIXTURE(fixture, "blocks leave once, in order") {
    add(3);
    CHECK(take_all() == positions{10, 20, 30});
    CHECK(take_all().empty());
    add(1);
    CHECK(box.has_unsent(0));
    CHECK(take_all() == positions{40});
  }

  TEST_CASE_FIXTURE(fixture, "what is acknowledged is free, the rest is "
                             "counted") {
    CHECK(box.empty());
    CHECK(box.first_unacknowledged() == UINT64_MAX);
    add(3);
    CHECK(box.bytes() == 48);
    CHECK(box.first_unacknowledged() == 1);
    take_all();
    CHECK(box.acknowledge(0, 20) == 32);
    CHECK(box.acknowledge(0, 20) == 0);
    CHECK(box.bytes() == 16);
    CHECK(box.bytes(0) == 16);
    CHECK(box.first_unacknowledged() == 21);
    CHECK(box.acknowledge(0, 30) == 16);
    CHECK(box.empty());
    CHECK(box.empty(0));
  }

  TEST_CASE("the first record that is not acknowledged is the least of all "
            "shards") {
    auto box = outbox{3};
    auto bytes = std::make_shared<const std::string>("x");
    box.add(2, {5, 0, 7, bytes});
    box.add(1, {2, 0, 6, bytes});
    CHECK(box.first_unacknowledged() == 2);
    CHECK(!box.has_unsent(0));
    box.acknowledge(1, 6);
    CHECK(box.first_unacknowledged() == 5);
    CHECK(!box.empty());
    CHECK(box.empty(1));
  }

  TEST_CASE_FIXTURE(fixture, "a new attempt sends again what is not "
                             "acknowledged") {
    add(3);
    take_all();
    box.acknowledge(0, 10);
    CHECK(box.restart(0, 1));
    CHECK(box.attempt(0) == 2);
    CHECK(take_all() == positions{20, 30});
  }

  TEST_CASE_FIXTURE(fixture, "a refusal of an older attempt is old news") {
    add(3);
    take_all();
    CHECK(box.restart(0, 1));
    CHECK(take_all() == positions{10, 20, 30});
    CHECK(!box.restart(0, 1));
    CHECK(!must(box.restart_after(0, 1, 10)));
    CHECK(take_all().empty());
  }

  TEST_CASE_FIXTURE(fixture, "after a gap only what the shard lacks goes out "
                             "again") {
    add(4);
    take_all();
    CHECK(must(box.restart_after(0, 1, 20)));
    CHECK(take_all() == positions{30, 40});
    // What lies before is in the log, but not for good.
    CHECK(box.bytes() == 64);
    CHECK(must(box.restart_after(0, 2, 0)));
    CHECK(take_all() == positions{10, 20, 30, 40});
  }

  TEST_CASE_FIXTURE(fixture, "acknowledged blocks that had to go out again "
                             "don't") {
    add(4);
    take_all();
    box.restart(0, 1);
    CHECK(box.take(0)->position == 10);
    box.acknowledge(0, 30);
    CHECK(take_all() == positions{40});
  }

  TEST_CASE_FIXTURE(fixture, "a shard that has lost what it acknowledged is "
                             "found out") {
    add(3);
    take_all();
    box.acknowledge(0, 20);
    // The shard may have said that before it acknowledged.
    CHECK(must(box.restart_after(0, 1, 10)));
    CHECK(take_all() == positions{30});
    auto lost = box.restart_after(0, 2, 10);
    CHECK(code_of(lost) == ec::damaged);
    CHECK(contains(text_of(lost), "record 10"));
    CHECK(contains(text_of(lost), "record 20"));
  }

  TEST_CASE("whatever a network does to messages, every block arrives once, "
            "and in order") {
    CHECK(rc::check([] {
      struct answer {
        admission outcome = admission::fresh;
        uint32_t attempt = 0;
        uint64_t position = 0;
        uint64_t last = 0;
      };
      struct message {
        uint32_t attempt = 0;
        uint64_t after = 0;
        uint64_t position = 0;
      };
      constexpr auto producer = producer_id{1, 1};
      auto box = outbox{1};
      auto shard = producer_table{};
      auto log = positions{};
      auto committed = uint64_t{0};
      auto sent = positions{};
      auto there = std::vector<message>{};
      auto back = std::vector<answer>{};
      auto faults = *rc::gen::inRange(0, 100);
      auto dice = [](int n) {
        return *rc::gen::noShrink(rc::gen::inRange(0, n));
      };
      // Takes one of `xs` out of turn; with bad luck it is lost, or stays to
      // come again.
      auto receive = [&](auto& xs, auto use) {
        if (xs.empty())
          return;
        auto i = dice(100) < faults
                   ? static_cast<size_t>(dice(static_cast<int>(xs.size())))
                   : 0;
        auto x = xs[i];
        auto fate = dice(200);
        if (fate >= faults || fate % 2 == 0)
          xs.erase(xs.begin() + static_cast<ptrdiff_t>(i));
        if (fate >= faults || fate % 2 == 1)
          use(x);
      };
      auto shard_takes = [&](const message& x) {
        auto outcome = shard.check(producer, 1, x.after, x.position, 1);
        auto known = shard.find(producer);
        auto last = known == nullptr ? 0 : known->last;
        if (outcome == admission::fresh) {
          log.push_back(x.position);
          shard.enter(producer, 1, x.position, 0);
        } else if (outcome == admission::unknown_producer) {
          outcome = admission::gap; // It begins in the middle.
        }
        if (outcome == admission::gap)
          back.push_back({outcome, x.attempt, 0, last});
        else if (committed >= x.position)
          back.push_back({admission::duplicate, x.attempt, committed, 0});
      };
      auto box_takes = [&](const answer& x) {
        if (x.outcome == admission::gap)
          RC_ASSERT(box.restart_after(0, x.attempt, x.last).has_value());
        else
          box.acknowledge(0, x.position);
      };
      for (auto step = 0; step < 400; ++step) {
        switch (dice(6)) {
          case 0:
            if (sent.size() < 30) {
              auto after = sent.empty() ? 0 : sent.back();
              auto position = after + static_cast<uint64_t>(1 + dice(5));
              sent.push_back(position);
              box.add(0, {after + 1, after, position,
                          std::make_shared<const std::string>("x")});
            }
            break;
          case 1:
            if (auto x = box.take(0))
              there.push_back({box.attempt(0), x->after, x->position});
            break;
          case 2:
          case 3:
            receive(there, shard_takes);
            break;
          case 4:
            receive(back, box_takes);
            break;
          case 5: // The disk has caught up, or the connection was lost.
            if (dice(10) > 0) {
              committed = log.empty() ? 0 : log.back();
              back.push_back({admission::fresh, box.attempt(0), committed, 0});
            } else if (dice(100) < faults) {
              box.restart(0, box.attempt(0));
            }
            break;
        }
      }
      // The network recovers, and patience ends.
      faults = 0;
      for (auto rounds = 0; !box.empty() && rounds < 10; ++rounds) {
        box.restart(0, box.attempt(0));
        while (!there.empty() || box.has_unsent(0)) {
          if (auto x = box.take(0))
            there.push_back({box.attempt(0), x->after, x->position});
          receive(there, shard_takes);
        }
        committed = log.empty() ? 0 : log.back();
        back.push_back({admission::fresh, box.attempt(0), committed, 0});
        while (!back.empty())
          receive(back, box_takes);
      }
      RC_ASSERT(box.empty());
      RC_ASSERT(log == sent);
    }));
  }

} // TEST_SUITE
