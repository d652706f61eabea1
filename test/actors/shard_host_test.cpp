#include "actors/shard_host.hpp"
#include "cluster/peer_codec.hpp"
#include "test/actors/scripted.hpp"
#include "test/cluster/records.hpp"
#include "test/support/results.hpp"

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto ann = producer_id{1, 2};
constexpr auto start = time_ms{1'700'000'000'000};

/// A shard at its node, between a scripted journal and scripted checkpoints.
struct fixture : actor_fixture {
  scripted_journal journal;
  scripted_checkpoints checkpoints;
  std::vector<append_ack> acks;
  std::vector<shard_report> reports;
  std::vector<shard_checkpointed> checkpointed;
  std::vector<outgoing_peer> outgoing;
  std::vector<proposal> proposals;
  std::vector<fence_report> fence_reports;
  shard_settings settings;

  caf::actor producer = spawn([this] {
    return keep(acks);
  });
  std::vector<shard_sealed> sealed;
  window_plan plan;
  time_ms final_through = before_time;
  caf::actor node = spawn([this] {
    return keep(reports, checkpointed, sealed, moved, outgoing, proposals,
                fence_reports);
  });
  caf::actor journal_hdl = spawn([this](caf::event_based_actor* x) {
    return journal.behavior(x);
  });
  caf::actor checkpoints_hdl = spawn([this] {
    return checkpoints.behavior();
  });
  shard_actor host;
  member us = {"id1", "disk1", 1};
  std::vector<shard_moved> moved;

  fixture() {
    settings.version = 1;
  }

  ~fixture() {
    end();
  }

  shard_rules rules() const {
    return {std::make_shared<const shard_settings>(settings),
            std::make_shared<const window_plan>(plan), before_time};
  }

  void begin(uint64_t epoch = 1) {
    auto context = shard_context{};
    context.shard = 3;
    context.shards = 8;
    context.self = us;
    context.node_name = "n1";
    context.node = play<local_node_actor>(node);
    context.journal = play<journal_actor>(journal_hdl);
    context.checkpoints = play<checkpoint_actor>(checkpoints_hdl);
    context.rules = rules();
    context.window = 60'000;
    context.checkpoint_chunk_entities = 2;
    host = spawn(shard_host, std::move(context));
    run();
    lead(epoch);
  }

  /// The coordinator says that this one, alone, is primary.
  void lead(uint64_t epoch) {
    auto next = shard_config{3, epoch, us.node, {us}, {}, 1};
    tell(host, announced_shard{{next, {}}, rules()});
  }

  /// The process of the shard ends, and another one begins.
  void restart(uint64_t epoch) {
    kill(host);
    ++us.incarnation;
    begin(epoch);
  }

  static std::string id(size_t i = 0) {
    static const auto ids = entities_of(3, 8, 10);
    return ids[i];
  }

  static std::string block(uint64_t after, uint64_t n, int64_t value = 4,
                           uint64_t session = 1) {
    auto records = std::vector<plain_record>{};
    for (auto i = uint64_t{1}; i <= n; ++i)
      records.push_back(event(id((after + i) % 10),
                              start + static_cast<time_ms>(after + i), value));
    return block_of({3, ann, session, after, after + n}, records);
  }

  void send(const std::string& bytes, uint64_t epoch = 1,
            uint32_t attempt = 1) {
    tell(host,
         local_block{epoch, attempt, std::make_shared<const std::string>(bytes),
                     caf::actor_cast<caf::strong_actor_ptr>(producer)});
  }

  void open(uint64_t session) {
    caf::send_as(producer, host, open_session{3, 1, ann, session});
    run();
  }

  /// The one acknowledgement that has come.
  append_ack ack() {
    REQUIRE(acks.size() == 1);
    auto res = acks[0];
    acks.clear();
    return res;
  }

  average_answer average(size_t i) {
    auto request = average_request{};
    request.entity = id(i);
    request.metric = std::string{default_metric};
    auto res = must(ask<average_answers>(host, average_batch{3, {request}}));
    REQUIRE(res.answers.size() == 1);
    return res.answers[0];
  }

  void tick(time_ms cluster_clock = -1) {
    tell(host, shard_tick{cluster_clock, final_through, rules().settings,
                          rules().plan, 60'000});
  }

  /// When what the disk has refused is due again.
  void tick_later() {
    advance(std::chrono::milliseconds{600});
    tick();
  }

  shard_report report() {
    return must(ask<shard_report>(host, report_shard{}));
  }
};

using kinds = std::vector<entry_kind>;
using calls = std::vector<std::string>;

} // namespace

TEST_SUITE("actors/shard_host") {
  TEST_CASE_FIXTURE(fixture, "a shard leads with a no-op and the settings") {
    begin();
    CHECK(journal.kinds(3) == kinds{entry_kind::noop, entry_kind::settings});
    CHECK(report().state == shard_state::serving);
    CHECK(report().replica.empty);
    CHECK(report().text.empty());
  }

  TEST_CASE_FIXTURE(fixture, "a block is acknowledged when the journal has it, "
                             "not before") {
    begin();
    journal.hold = true;
    send(block(0, 2), 1, 7);
    CHECK(acks.empty());
    CHECK(!average(1).known_entity);
    journal.release();
    run();
    auto x = ack();
    CHECK(x.code == ec::none);
    CHECK(x.shard == 3);
    CHECK(x.epoch == 1);
    CHECK(x.attempt == 7);
    CHECK(x.producer == ann);
    CHECK(x.session == 1);
    CHECK(x.position == 2);
    CHECK(x.counts.accepted == 2);
    CHECK(x.copies == 1);
    auto answer = average(1);
    CHECK(answer.code == ec::none);
    CHECK(answer.count == 1);
    CHECK(answer.average == 4.0);
    CHECK(answer.node == "n1");
    CHECK(answer.role == "primary");
    CHECK(answer.end == start + 2);
    CHECK(answer.start == start + 2 - 60'000);
  }

  TEST_CASE_FIXTURE(fixture, "a duplicate is acknowledged again, and not "
                             "counted") {
    begin();
    send(block(0, 2));
    CHECK(ack().position == 2);
    send(block(0, 2), 1, 2);
    auto again = ack();
    CHECK(again.position == 2);
    CHECK(again.attempt == 2);
    CHECK(again.counts.accepted == 2);
    CHECK(average(1).count == 1);
    CHECK(journal.kinds(3).size() == 3);
  }

  TEST_CASE_FIXTURE(fixture, "a duplicate of what is not yet durable waits for "
                             "that") {
    begin();
    journal.hold = true;
    send(block(0, 2), 1, 1);
    send(block(0, 2), 1, 2);
    CHECK(acks.empty());
    journal.release();
    run();
    CHECK(ack().attempt == 2);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a full disk refuses what waits, and is tried again; "
                    "sent again, it counts once") {
    begin();
    send(block(0, 2));
    acks.clear();
    journal.refuse = failure{ec::disk_full, "no space left"};
    send(block(2, 1));
    auto refused = ack();
    CHECK(refused.code == ec::disk_full);
    CHECK(contains(refused.text, "node n1: no space left"));
    CHECK(refused.attempt == 1);
    CHECK(refused.position == 0);
    CHECK(report().state == shard_state::serving);
    CHECK(report().text == "no space left");
    // Nothing more is taken meanwhile.
    send(block(3, 1));
    CHECK(ack().code == ec::disk_full);
    journal.refuse.reset();
    tick_later();
    CHECK(report().text.empty());
    send(block(2, 1), 1, 2);
    auto taken = acks.back();
    CHECK(taken.code == ec::none);
    CHECK(taken.position == 3);
    CHECK(taken.counts.accepted == 3);
    CHECK(average(3).count == 1);
    // And after a restart it is what it was.
    auto before = report();
    restart(2);
    CHECK(report().ledger.accepted == before.ledger.accepted);
    CHECK(average(3).count == 1);
  }

  TEST_CASE_FIXTURE(fixture,
                    "everything on the way is stored when the disk has "
                    "room again, in its order") {
    begin();
    journal.hold = true;
    send(block(0, 1));
    send(block(1, 1));
    journal.refuse = failure{ec::disk_full, "no space left"};
    journal.release();
    run();
    CHECK(!acks.empty());
    for (auto& x : acks)
      CHECK(x.code == ec::disk_full);
    journal.refuse.reset();
    tick_later();
    acks.clear();
    send(block(0, 1), 1, 2);
    send(block(1, 1), 1, 2);
    REQUIRE(acks.size() == 2);
    CHECK(acks[1].position == 2);
    CHECK(acks[1].counts.accepted == 2);
    CHECK(journal.kinds(3)
          == kinds{entry_kind::noop, entry_kind::settings, entry_kind::block,
                   entry_kind::block});
  }

  TEST_CASE_FIXTURE(fixture, "a shard that could not write its no-op tries "
                             "again") {
    journal.refuse = failure{ec::disk_full, "no space left"};
    begin();
    send(block(0, 1));
    auto refused = ack();
    CHECK(refused.code == ec::unavailable);
    CHECK(contains(refused.text, "no space left"));
    CHECK(report().state == shard_state::recovering);
    tick_later();
    CHECK(report().state == shard_state::recovering);
    journal.refuse.reset();
    tick_later();
    CHECK(report().state == shard_state::serving);
    auto now = ack();
    CHECK(now.code == ec::stale_epoch);
    CHECK(now.primary == us.node);
    send(block(0, 1));
    CHECK(ack().position == 1);
    CHECK(journal.kinds(3)
          == kinds{entry_kind::noop, entry_kind::settings, entry_kind::block});
  }

  TEST_CASE_FIXTURE(fixture, "after any other failure of the disk a shard is "
                             "not served, and says so") {
    begin();
    auto epoch = uint64_t{1};
    for (auto code : {ec::io_error, ec::sequence_gap}) {
      restart(++epoch);
      acks.clear();
      journal.refuse = failure{code, "the disk is gone"};
      send(block(0, 1), epoch);
      // Whatever the journal calls it: the producer has to come back.
      auto refused = ack();
      CHECK(refused.code == ec::unavailable);
      CHECK(contains(refused.text, "the disk is gone"));
      journal.refuse.reset();
      send(block(0, 1), epoch);
      CHECK(ack().code == ec::unavailable);
      tick();
      CHECK(report().state == shard_state::failed);
      CHECK(contains(report().text, "the disk is gone"));
      CHECK(contains(average(1).text, "the disk is gone"));
    }
  }

  TEST_CASE_FIXTURE(fixture, "a shard that is recovering is unavailable, and "
                             "says so") {
    journal.hold = true;
    begin();
    CHECK(average(1).code == ec::unavailable);
    CHECK(contains(average(1).text, "shard 3 is recovering on node n1"));
    send(block(0, 1));
    CHECK(ack().code == ec::unavailable);
    open(1);
    CHECK(ack().code == ec::unavailable);
    CHECK(report().state == shard_state::recovering);
    CHECK(!must(ask<bool>(host, drop_copy{3, 1})));
    // The log is read; what came meanwhile is not forgotten.
    journal.release();
    run();
    CHECK(report().state == shard_state::serving);
    CHECK(average(1).code == ec::none);
    CHECK(average(1).role == "primary");
  }

  TEST_CASE_FIXTURE(fixture, "a block of another primary's epoch is refused by "
                             "name; any of this one's is taken") {
    begin(2);
    send(block(0, 1), 1);
    auto refused = ack();
    CHECK(refused.code == ec::stale_epoch);
    CHECK(contains(refused.text, "shard 3 is in epoch 2, not 1"));
    CHECK(refused.epoch == 2);
    CHECK(refused.primary == us.node);
    lead(5);
    lead(4);
    send(block(0, 1), 6);
    CHECK(ack().code == ec::stale_epoch);
    send(block(0, 1), 2);
    CHECK(ack().epoch == 5);
    CHECK(journal.logs[3].back()->epoch == 5);
  }

  TEST_CASE_FIXTURE(fixture, "a gap is refused with the end of the log") {
    begin();
    send(block(0, 2));
    acks.clear();
    send(block(5, 1), 1, 3);
    auto refused = ack();
    CHECK(refused.code == ec::sequence_gap);
    CHECK(refused.last == 2);
    CHECK(refused.attempt == 3);
    send("rubbish");
    CHECK(ack().code != ec::none);
  }

  TEST_CASE_FIXTURE(fixture, "a session is open when that is durable, and "
                             "fences the older ones") {
    begin();
    send(block(0, 2));
    acks.clear();
    journal.hold = true;
    open(2);
    CHECK(acks.empty());
    journal.release();
    run();
    auto opened = ack();
    CHECK(opened.session == 2);
    CHECK(opened.position == 2);
    open(2);
    CHECK(ack().position == 2);
    open(1);
    CHECK(ack().code == ec::stale_session);
    send(block(2, 1, 4, 1));
    CHECK(ack().code == ec::stale_session);
    send(block(2, 1, 4, 2));
    CHECK(ack().counts.accepted == 1);
  }

  TEST_CASE_FIXTURE(fixture, "what was acknowledged is there after a restart") {
    begin();
    send(block(0, 3, 1));
    send(block(3, 3, 2));
    acks.clear();
    restart(2);
    CHECK(average(4).average == 2.0);
    CHECK(report().ledger.accepted == 6);
    send(block(3, 3, 2), 2);
    CHECK(ack().position == 6);
    CHECK(report().ledger.accepted == 6);
    CHECK(journal.logs[3].back()->kind == entry_kind::noop);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a checkpoint is weighed, begun, written in chunks "
                    "and finished; then the log goes, but for its "
                    "last entry") {
    begin();
    send(block(0, 3));
    tell(host, checkpoint_shard{});
    CHECK(checkpoints.calls
          == calls{"weigh", "begin full", "chunk", "chunk", "finish"});
    REQUIRE(checkpointed.size() == 1);
    CHECK(checkpointed[0].shard == 3);
    CHECK(checkpointed[0].upto == 3);
    CHECK(journal.kinds(3) == kinds{entry_kind::block});
    send(block(3, 1));
    checkpoints.calls.clear();
    tell(host, checkpoint_shard{});
    CHECK(checkpoints.calls == calls{"weigh", "begin", "chunk", "finish"});
    acks.clear();
    restart(2);
    CHECK(report().ledger.accepted == 4);
    CHECK(average(3).count == 1);
    CHECK(average(4).count == 1);
    send(block(0, 3), 2);
    CHECK(ack().position == 4);
  }

  TEST_CASE_FIXTURE(fixture, "readings go on while a checkpoint is written") {
    begin();
    send(block(0, 9, 1));
    // The node's messages, one by one, and a block in between.
    caf::anon_send(host, checkpoint_shard{});
    for (auto position = uint64_t{9}; scheduler.try_run_once();)
      if (checkpoints.calls.size() > 2 && position < 12) {
        caf::anon_send(
          host,
          local_block{
            1, 1, std::make_shared<const std::string>(block(position, 1, 3)),
            caf::actor_cast<caf::strong_actor_ptr>(producer)});
        ++position;
      }
    CHECK(acks.back().position == 12);
    CHECK(checkpointed.size() == 1);
    auto before = report();
    restart(2);
    CHECK(report().ledger.accepted == 12);
    CHECK(report().entities == before.entities);
    CHECK(average(1).count == 2);
    CHECK(average(1).average == 2.0);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a checkpoint that fails leaves the log as it is") {
    begin();
    send(block(0, 3));
    checkpoints.refuse = failure{ec::disk_full, "no space left"};
    tell(host, checkpoint_shard{});
    REQUIRE(checkpointed.size() == 1);
    CHECK(checkpointed[0].upto == 0);
    CHECK(journal.truncated.empty());
    checkpoints.refuse.reset();
    tell(host, checkpoint_shard{});
    CHECK(checkpointed.back().upto == 3);
    restart(2);
    CHECK(average(1).count == 1);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a checkpoint that does not load is the end of the "
                    "replica, with a sentence") {
    begin();
    send(block(0, 3));
    tell(host, checkpoint_shard{});
    checkpoints.stored[3].meta.bytes.pop_back();
    restart(2);
    CHECK(report().state == shard_state::failed);
    CHECK(contains(report().text, "the checkpoint of shard 3"));
    checkpoints.refuse = failure{ec::damaged, "row 7 is not what was written"};
    restart(3);
    CHECK(contains(report().text, "row 7 is not what was written"));
    // It doesn't write to a log that it could not read.
    CHECK(journal.kinds(3) == kinds{entry_kind::block});
  }

  TEST_CASE_FIXTURE(fixture, "an epoch below what was promised is not led; a "
                             "greater one is asked for") {
    begin(5);
    auto entries = journal.logs[3].size();
    restart(4);
    CHECK(report().state == shard_state::following);
    CHECK(journal.logs[3].size() == entries);
    // Its configuration names it as the primary, in its life before.
    lead(6);
    CHECK(report().state == shard_state::serving);
    CHECK(journal.records[3].promised == 6);
    CHECK(journal.records[3].config.epoch == 6);
  }

  TEST_CASE_FIXTURE(fixture, "another primary ends this one's time: whoever "
                             "waits is told to look elsewhere") {
    begin(2);
    journal.hold = true;
    send(block(0, 1), 2);
    auto other = member{"id2", "disk2", 1};
    auto next = shard_config{3, 3, other.node, {other, us}, {}, 1};
    tell(host, announced_shard{{next, {}}, rules()});
    auto refused = ack();
    CHECK(refused.code == ec::stale_epoch);
    CHECK(refused.epoch == 3);
    CHECK(refused.primary == "id2");
    journal.release();
    run();
    CHECK(acks.empty());
    CHECK(moved.back().report.state == shard_state::following);
    CHECK(moved.back().report.replica.role == replica_role::backup);
    send(block(0, 1), 3);
    CHECK(ack().code == ec::stale_epoch);
    advance(std::chrono::seconds{3});
    CHECK(average(1).code == ec::none);
    CHECK(average(1).role == "backup");
    CHECK(average(1).stale >= 3000);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a block that comes before the news of its epoch is "
                    "called for when the shard serves in it") {
    begin(2);
    auto other = member{"id2", "disk2", 1};
    auto next = shard_config{3, 3, other.node, {other, us}, {}, 1};
    tell(host, announced_shard{{next, {}}, rules()});
    send(block(0, 1), 4);
    auto refused = ack();
    CHECK(refused.code == ec::stale_epoch);
    CHECK(refused.primary.empty());
    tick();
    CHECK(acks.empty());
    journal.hold = true;
    lead(5);
    CHECK(acks.empty());
    journal.release();
    run();
    auto called = ack();
    CHECK(called.code == ec::stale_epoch);
    CHECK(called.epoch == 5);
    CHECK(called.primary == us.node);
    send(block(0, 1), 5);
    CHECK(ack().position == 1);
  }

  TEST_CASE_FIXTURE(fixture,
                    "two copies: nothing is acknowledged that only one "
                    "of them holds") {
    auto other = member{"id2", "disk2", 1};
    begin(1);
    auto next = shard_config{3, 2, us.node, {us, other}, {}, 1};
    tell(host, announced_shard{{next, {}}, rules()});
    REQUIRE(!outgoing.empty());
    CHECK(outgoing[0].node == "id2");
    // The other one is a replica without an actor.
    auto copy = replica{other, 3, 8};
    must(copy.recovered());
    auto at = int64_t{1};
    auto deliver = [&] {
      for (auto& x : std::exchange(outgoing, {}))
        copy.receive(must(decode_peer_message(
                       std::make_shared<const std::string>(x.bytes))),
                     ++at);
      for (auto& x : copy.take_effects()) {
        if (auto entry = std::get_if<journal_append>(&x)) {
          auto& y = *entry->entry;
          copy.stored({y.index, y.epoch, y.chain}, ++at);
        } else if (auto record = std::get_if<record_write>(&x)) {
          copy.record_stored(record->record.promised, ++at);
        } else if (auto message = std::get_if<peer_send>(&x)) {
          tell(host, peer_bytes{std::make_shared<const std::string>(
                       encode_peer_message(message->message))});
        }
      }
    };
    for (auto i = 0; i < 10; ++i) {
      deliver();
      tick();
    }
    CHECK(report().state == shard_state::serving);
    outgoing.clear();
    send(block(0, 2), 2);
    CHECK(acks.empty());
    CHECK(!average(1).known_entity);
    for (auto i = 0; i < 10 && acks.empty(); ++i) {
      deliver();
      tick();
    }
    CHECK(ack().copies == 2);
    CHECK(average(1).count == 1);
    CHECK(copy.durable() == report().replica.end);
  }

  TEST_CASE_FIXTURE(fixture, "a promise is kept on the disk before it is "
                             "reported") {
    begin(2);
    send(block(0, 2), 2);
    journal.hold = true;
    tell(host, fence{3, 7});
    CHECK(fence_reports.empty());
    journal.release();
    run();
    REQUIRE(fence_reports.size() == 1);
    CHECK(fence_reports[0].epoch == 7);
    CHECK(fence_reports[0].from == us);
    CHECK(fence_reports[0].end.index == 3);
    CHECK(journal.records[3].promised == 7);
    acks.clear();
    send(block(2, 1), 2);
    CHECK(ack().code == ec::stale_epoch);
  }

  TEST_CASE_FIXTURE(fixture, "a copy that somebody counts on stays; one that "
                             "nobody does may go") {
    begin(2);
    CHECK(!must(ask<bool>(host, drop_copy{3, 2})));
    auto other = member{"id2", "disk2", 1};
    tell(host,
         announced_shard{{{3, 4, other.node, {other}, {}, 1}, {}}, rules()});
    CHECK(!must(ask<bool>(host, drop_copy{3, 3})));
    CHECK(must(ask<bool>(host, drop_copy{3, 4})));
    CHECK(must(ask<bool>(host, drop_copy{3, 4})));
    send(block(0, 1), 2);
    CHECK(ack().code == ec::stale_epoch);
    CHECK(contains(average(1).text, "shard 3 has left node n1"));
  }

  TEST_CASE_FIXTURE(fixture, "new settings enter the log with the next tick") {
    begin();
    send(block(0, 1));
    settings.version = 2;
    settings.verdicts.retention = 1000;
    tick();
    CHECK(journal.logs[3].back()->kind == entry_kind::settings);
    CHECK(reports.size() == 1);
    auto entries = journal.logs[3].size();
    tick();
    CHECK(journal.logs[3].size() == entries);
    tick(start + 5000);
    CHECK(journal.logs[3].back()->kind == entry_kind::clock);
    CHECK(!average(1).known_entity);
  }

  TEST_CASE_FIXTURE(fixture, "a report says where the shard stands") {
    begin(4);
    send(block(0, 3), 4);
    tick();
    REQUIRE(reports.size() == 1);
    auto& x = reports[0];
    CHECK(x.shard == 3);
    CHECK(x.replica.epoch == 4);
    CHECK(x.replica.role == replica_role::primary);
    CHECK(x.state == shard_state::serving);
    CHECK(x.replica.committed.index == 3);
    CHECK(x.replica.committed.chain == journal.logs[3].back()->chain);
    CHECK(!x.replica.empty);
    CHECK(x.clock == start + 3);
    CHECK(x.entities == 3);
    CHECK(x.window_bytes > 0);
    CHECK(x.ledger.accepted == 3);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a seal is answered once it is durable; what comes "
                    "after it is late, after a restart too") {
    plan = window_plan::periodic(60'000);
    begin();
    send(block(0, 3));
    auto end = plan.find(start)->end;
    auto range = seal_range{before_time, end, false};
    journal.hold = true;
    tell(host, seal_shard{range, rules().plan});
    CHECK(sealed.empty());
    journal.hold = false;
    journal.release();
    run();
    REQUIRE(sealed.size() == 1);
    CHECK(sealed[0].range == range);
    CHECK(sealed[0].upto == end);
    REQUIRE(sealed[0].windows->size() == 1);
    auto first = *sealed[0].windows;
    CHECK(first[0].count == 3);
    send(block(3, 2));
    CHECK(report().rollup.in == 3);
    CHECK(report().rollup.late == 2);
    auto entries = journal.logs[3].size();
    tell(host, seal_shard{range, rules().plan});
    CHECK(journal.logs[3].size() == entries);
    restart(2);
    tell(host, seal_shard{range, rules().plan});
    REQUIRE(sealed.size() == 3);
    CHECK(*sealed[1].windows == first);
    CHECK(*sealed[2].windows == first);
  }

  TEST_CASE_FIXTURE(fixture, "a shard that has not all its log yet tells no "
                             "totals") {
    plan = window_plan::periodic(60'000);
    begin();
    send(block(0, 3));
    auto all = get_partials{0, window_plan::forever, true, 10};
    CHECK(must(ask<shard_windows>(host, all)).windows.size() == 1);
    journal.hold = true;
    restart(2);
    CHECK(!ask<shard_windows>(host, all));
    journal.hold = false;
    journal.release();
    run();
    CHECK(must(ask<shard_windows>(host, all)).windows[0].count == 3);
  }

  TEST_CASE_FIXTURE(fixture, "what is final elsewhere is forgotten, once") {
    plan = window_plan::periodic(60'000);
    begin();
    send(block(0, 3));
    final_through = plan.find(start)->end;
    tick();
    CHECK(journal.logs[3].back()->kind == entry_kind::block);
    tell(host, seal_shard{{before_time, final_through, false}, rules().plan});
    tick();
    CHECK(journal.logs[3].back()->kind == entry_kind::release);
    auto entries = journal.logs[3].size();
    tick();
    CHECK(journal.logs[3].size() == entries);
    CHECK(report().rollup.in == 3);
  }

  TEST_CASE_FIXTURE(fixture, "a new plan enters the log before the seal that "
                             "needs it") {
    begin();
    send(block(0, 2));
    CHECK(report().rollup.outside == 2);
    plan = window_plan::periodic(60'000);
    tell(host, seal_shard{{before_time, 60'000, false}, rules().plan});
    auto& log = journal.logs[3];
    CHECK(log[log.size() - 2]->kind == entry_kind::plan);
    CHECK(log.back()->kind == entry_kind::seal);
    CHECK(report().plan_version == 1);
    CHECK(report().plan_greatest == start + 2);
  }

} // TEST_SUITE
