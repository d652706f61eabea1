#include "test/actors/node_fixture.hpp"

using namespace weir;
using namespace weir::test;

namespace {

struct fixture : node_fixture {
  caf::actor shard_1;
  caf::actor shard_2;

  /// Nine readings for shard 1 and as many for shard 2.
  void send_nine_each(uint64_t after = 0) {
    send(after, 9);
    shard_1 = acker;
    send({{2, epoch_of(2), 1, block(after, 9, 2)}});
    shard_2 = acker;
    REQUIRE(shard_1 != shard_2);
  }

  /// A checkpoint that is none.
  void spoil_checkpoint(uint32_t shard) {
    must(state->begin(shard, true));
    must(state->add_chunk(shard, 1, "chunk"));
    must(state->finish(shard, {0, 1, 1, 1, "\1"}));
  }

  /// The last entry in the checkpoint of `shard`, 0 without any.
  uint64_t covered(uint32_t shard) {
    auto meta = must(state->meta(shard));
    return meta ? meta->index : 0;
  }

  /// Stops after `steps` messages of a round of checkpoints.
  void begin_checkpoints(int steps) {
    scheduler.advance_time(
      std::chrono::milliseconds{context.process.heartbeat});
    for (auto i = 0; i < steps; ++i)
      scheduler.try_run_once();
  }
};

} // namespace

TEST_SUITE("actors/node_recovery") {
  TEST_CASE_FIXTURE(fixture, "a shard that dies is recovered from its log") {
    serve();
    send(0, 3);
    ack();
    auto dead = acker;
    kill(dead, caf::exit_reason::unhandled_exception);
    CHECK(average().count == 3);
    send(0, 3);
    CHECK(ack().position == 3);
    CHECK(acker != dead);
    send(3, 1);
    auto taken = ack();
    CHECK(taken.position == 4);
    CHECK(taken.counts.accepted == 4);
    CHECK(average().count == 4);
    CHECK(beat().shards[0].state == shard_state::serving);
  }

  TEST_CASE("what was on its way when a shard died is there once, or not at "
            "all") {
    // It dies at every moment on the way of a block to the disk and back.
    for (auto steps = 0; steps < 12; ++steps) {
      INFO(steps);
      auto x = fixture{};
      x.serve();
      x.send(0);
      x.acks.clear();
      caf::send_as(x.producer, x.node,
                   append_frame{{{1, x.epoch_of(1), 1, fixture::block(1)}}});
      for (auto i = 0; i < steps; ++i)
        x.scheduler.try_run_once();
      x.kill(x.acker, caf::exit_reason::unhandled_exception);
      x.acks.clear();
      x.send(1);
      CHECK(x.ack().position == 2);
      CHECK(x.average().count == 2);
      CHECK(x.beat().shards[0].ledger.accepted == 2);
    }
  }

  TEST_CASE_FIXTURE(fixture,
                    "a shard that dies again and again is given up, and "
                    "said to be") {
    serve();
    for (auto i = uint64_t{0}; i < 3; ++i) {
      acks.clear();
      send(i);
      auto taken = ack();
      CHECK(taken.position == i + 1);
      kill(acker, caf::exit_reason::unhandled_exception);
    }
    auto news = beat();
    CHECK(news.shards[0].state == shard_state::failed);
    CHECK(contains(news.shards[0].text, "died 3 times"));
    CHECK(contains(news.trouble, "died 3 times"));
    CHECK(contains(average().text, "died 3 times"));
    send(3);
    CHECK(ack().code == ec::stale_epoch);
    drop(1, 1);
    CHECK(beat().shards[0].replica.failed);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a damaged copy is put aside when nobody counts on "
                    "it, and begins with nothing") {
    serve();
    send(0, 3);
    ack();
    auto dead = acker;
    spoil_checkpoint(1);
    kill(dead, caf::exit_reason::unhandled_exception);
    auto news = beat();
    CHECK(news.shards[0].state == shard_state::failed);
    CHECK(contains(news.trouble, "does not decode"));
    // It is counted on still: nothing may go.
    assign(1, epoch_of(1));
    CHECK(must(log->shards()) == std::vector<uint32_t>{1});
    CHECK(!fs::exists(dir.file("quarantine")));
    lose(1, epoch_of(1) + 5);
    CHECK(must(log->shards()).empty());
    auto kept = std::vector<std::string>{};
    for (auto& x : fs::directory_iterator{dir.file("quarantine")})
      kept.push_back(x.path().string());
    REQUIRE(kept.size() == 1);
    CHECK(contains(kept[0], "shard-1"));
    CHECK(fs::exists(kept[0] + "/journal.db"));
    CHECK(fs::exists(kept[0] + "/state.db"));
    news = beat();
    CHECK(news.shards[0].state == shard_state::following);
    CHECK(!news.shards[0].replica.failed);
    CHECK(news.shards[0].replica.end.index == 0);
    CHECK(news.shards[0].replica.promised >= epoch_of(1) + 5);
    CHECK(contains(news.trouble, kept[0]));
    // Until it is a member again.
    assign(1, epoch_of(1) + 6);
    CHECK(beat().trouble == "");
  }

  TEST_CASE_FIXTURE(fixture, "what the disk itself refuses is put nowhere") {
    serve();
    send(0, 3);
    ack();
    fs::remove(dir.file("journal.db"));
    send(3, 1);
    CHECK(ack().code == ec::unavailable);
    CHECK(contains(beat().trouble, "while it was in use"));
    lose(1, epoch_of(1) + 5);
    CHECK(!fs::exists(dir.file("quarantine")));
  }

  TEST_CASE_FIXTURE(fixture, "checkpoints follow the journal's bytes, and a "
                             "shard recovers from one and what came after") {
    context.process.checkpoint_every = 100;
    serve();
    assign(2);
    send_nine_each();
    CHECK(must(state->shards()).empty());
    advance(1s);
    CHECK(must(state->shards()) == std::vector<uint32_t>{1, 2});
    for (auto shard : {1U, 2U}) {
      // The last entry that is covered has stayed, and no other.
      auto left = test::read_log(*log, shard, 3, std::nullopt).entries;
      REQUIRE(left.size() == 1);
      CHECK(left[0].kind == entry_kind::block);
      CHECK(code_of(test::read_log(*log, shard, 2).end) == ec::damaged);
    }
    send(9);
    kill(shard_1, caf::exit_reason::unhandled_exception);
    kill(shard_2, caf::exit_reason::unhandled_exception);
    CHECK(average(1).count == 10);
    CHECK(average(2).count == 9);
    acks.clear();
    send(0, 9);
    CHECK(ack().position == 10);
    CHECK(beat().shards[0].ledger.accepted == 10);
  }

  TEST_CASE("a shard that dies at its checkpoint is recovered, and the other "
            "shards' checkpoints go on") {
    for (auto steps = 0; steps < 60; ++steps) {
      INFO(steps);
      auto x = fixture{};
      x.context.process.checkpoint_every = 100;
      x.serve();
      x.assign(2);
      x.send_nine_each();
      x.begin_checkpoints(steps);
      x.kill(x.shard_2, caf::exit_reason::unhandled_exception);
      CHECK(x.average(2).count == 9);
      CHECK(x.covered(1) == must(x.log->tail(1))->index);
      x.send_nine_each(9);
      x.advance(1s);
      CHECK(must(x.state->shards()) == std::vector<uint32_t>{1, 2});
      for (auto shard : {1U, 2U}) {
        CHECK(x.covered(shard) == must(x.log->tail(shard))->index);
        CHECK(x.average(shard).count == 18);
      }
    }
  }

  TEST_CASE("a shard that leaves at its checkpoint does not end the others'") {
    for (auto steps = 0; steps < 60; ++steps) {
      INFO(steps);
      auto x = fixture{};
      x.context.process.checkpoint_every = 100;
      x.serve();
      x.assign(2);
      x.send(0, 30);
      x.begin_checkpoints(steps);
      x.lose(2, 5);
      x.drop(2, 5);
      x.send(30, 30);
      x.advance(1s);
      CHECK(must(x.state->shards()) == std::vector<uint32_t>{1});
      CHECK(x.covered(1) == must(x.log->tail(1))->index);
    }
  }

} // TEST_SUITE
