#include "actors/query_host.hpp"
#include "cluster/sharding.hpp"
#include "test/actors/scripted.hpp"
#include "test/cluster/records.hpp"
#include "test/support/results.hpp"

#include <caf/typed_response_promise.hpp>

using namespace weir;
using namespace weir::test;

namespace {

constexpr auto shards = uint32_t{4};

/// Two nodes at ports 11 and 12, which answer with the length of the question.
struct fixture : actor_fixture {
  routes known;
  std::optional<failure> refuse_routes;
  size_t routes_asked = 0;
  std::map<uint16_t, std::vector<average_batch>> asked;
  /// What a shard says instead of an answer.
  std::map<uint32_t, failure> refuse;
  /// The port of a node that has lost shard 0.
  uint16_t moved_from = 0;
  /// The port of a node that does not answer.
  uint16_t hangs = 0;
  std::vector<caf::typed_response_promise<average_answers>> forgotten;
  bool leave_one_out = false;

  scripted_dialer dialer;
  caf::actor dialer_hdl = spawn([this] {
    return dialer.behavior();
  });
  caf::actor boss = spawn([this]() -> caf::behavior {
    return {[this](const get_routes&) -> caf::result<routes> {
      ++routes_asked;
      if (refuse_routes)
        return to_error(*refuse_routes);
      return known;
    }};
  });
  query_context context;
  query_actor query;

  using answers_handle = decltype(std::declval<caf::scoped_actor>()->request(
    query_actor{}, caf::infinite, ask_averages{}));
  std::function<std::vector<average_answer>()> receive_answers;

  fixture() {
    known.nodes = {{"id1", "n1", {"127.0.0.1", 11}, true},
                   {"id2", "n2", {"127.0.0.1", 12}, true}};
    for (auto i = uint32_t{0}; i < shards; ++i)
      known.shards.push_back({i % 2, {}, 1, {}});
    start_node(11);
    start_node(12);
    context.dialer = play<dialer_actor>(dialer_hdl);
    context.coordinator = play<coordinator_actor>(boss);
    context.cluster = "c1";
    context.process.timeout = 2000;
  }

  ~fixture() {
    forgotten.clear();
    end();
  }

  void begin() {
    query = spawn(query_host, context);
    run();
  }

  void start_node(uint16_t port) {
    auto hdl = spawn([this, port](caf::event_based_actor* x) -> caf::behavior {
      return {
        [this, port,
         x](const average_batch& y) -> caf::result<average_answers> {
          asked[port].push_back(y);
          if (port == hangs)
            return forgotten.emplace_back(
              x->make_response_promise<average_answers>());
          auto res = answer(y);
          if (port == moved_from && y.shard == 0)
            for (auto& z : res.answers)
              z.code = ec::stale_epoch;
          return res;
        },
      };
    });
    dialer.doors[port] = {hdl, "node"};
  }

  void stop(uint16_t port) {
    auto gone = dialer.doors[port].actor;
    dialer.doors.erase(port);
    kill(gone);
  }

  average_answers answer(const average_batch& x) const {
    auto res = average_answers{};
    for (auto& request : x.requests) {
      auto& y = res.answers.emplace_back();
      y.shard = x.shard;
      y.count = request.entity.size();
      y.node = request.entity;
      if (auto i = refuse.find(x.shard); i != refuse.end()) {
        y.code = i->second.code;
        y.text = i->second.text;
      }
    }
    if (leave_one_out)
      res.answers.pop_back();
    return res;
  }

  /// Asks for entities, and returns the answers if there are any within `ms`.
  std::vector<average_answer> ask_for(const std::vector<std::string>& entities,
                                      time_ms ms = 0) {
    auto x = ask_averages{};
    for (auto& id : entities)
      x.requests.push_back({id, "value", 0, false, 0});
    auto pending = std::make_shared<answers_handle>(
      self->request(query, caf::infinite, x));
    receive_answers = [pending] {
      auto res = std::vector<average_answer>{};
      pending->receive(
        [&](average_answers& y) {
          res = std::move(y.answers);
        },
        [](caf::error&) {
          FAIL("no answers");
        });
      return res;
    };
    return wait_for(ms);
  }

  /// The answers to the last question, if there are any within `ms`.
  std::vector<average_answer> wait_for(time_ms ms) {
    run();
    for (; ms > 0 && self->mailbox().empty(); ms -= 10)
      advance(10ms);
    if (self->mailbox().empty())
      return {};
    return receive_answers();
  }

  static std::string of_shard(uint32_t shard, size_t i = 0) {
    return entities_of(shard, shards, i + 1)[i];
  }
};

} // namespace

TEST_SUITE("actors/query_host") {
  TEST_CASE_FIXTURE(fixture, "answers come in the order of the questions, "
                             "wherever they are from") {
    begin();
    auto entities = std::vector<std::string>{};
    for (auto i = 0; i < 50; ++i)
      entities.push_back("entity" + std::to_string(i * 7919));
    auto answers = ask_for(entities, 100);
    REQUIRE(answers.size() == 50);
    for (auto i = size_t{0}; i < 50; ++i) {
      CHECK(answers[i].node == entities[i]);
      CHECK(answers[i].shard == shard_of(entity_hash(entities[i]), shards));
    }
    // A message a shard, not one a question.
    CHECK(asked[11].size() == 2);
    CHECK(asked[12].size() == 2);
  }

  TEST_CASE_FIXTURE(fixture, "no question, no answer") {
    begin();
    CHECK(must(ask<average_answers>(query, ask_averages{})).answers.empty());
  }

  TEST_CASE_FIXTURE(fixture,
                    "a shard that has moved is asked where it is now") {
    begin();
    CHECK(ask_for({of_shard(0)}, 100).size() == 1);
    moved_from = 11;
    known.shards[0].node = 1;
    CHECK(ask_for({of_shard(0)}, 200).at(0).code == ec::none);
    CHECK(asked[12].size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "what every node refuses is answered so when the "
                             "time is over, and nothing else waits longer") {
    begin();
    refuse[0] = {ec::stale_epoch, "shard 0 is not on node n1"};
    CHECK(ask_for({of_shard(0), of_shard(1)}, 1800).empty());
    // Not as often as the network can.
    CHECK(asked[11].size() < 50);
    auto answers = wait_for(300);
    REQUIRE(answers.size() == 2);
    CHECK(answers.at(0).code == ec::unavailable);
    CHECK(answers.at(0).text == "shard 0 is not on node n1");
    CHECK(answers.at(1).code == ec::none);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a shard that says it is unavailable is believed") {
    begin();
    refuse[0] = {ec::unavailable, "shard 0 is recovering on node n1"};
    auto answers = ask_for({of_shard(0), of_shard(1)}, 100);
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].code == ec::unavailable);
    CHECK(answers[0].text == "shard 0 is recovering on node n1");
    CHECK(answers[1].code == ec::none);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a node that is down makes its shards unavailable, "
                    "and no others") {
    known.nodes[0].up = false;
    known.shards[0].trouble = "its node n1 is down";
    begin();
    auto answers = ask_for({of_shard(0), of_shard(1)}, 100);
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].code == ec::unavailable);
    CHECK(answers[0].text == "shard 0 is unavailable: its node n1 is down");
    CHECK(answers[1].code == ec::none);
    // Not by what was so once.
    known.nodes[0].up = true;
    CHECK(ask_for({of_shard(0)}, 100).at(0).code == ec::none);
  }

  TEST_CASE_FIXTURE(fixture, "a shard that is unavailable is so at once, even "
                             "if the coordinator is gone by then") {
    known.nodes[0].up = false;
    known.shards[0].trouble = "its node n1 is down";
    begin();
    refuse_routes = failure{ec::unreachable, "gone"};
    CHECK(ask_for({of_shard(0)}, 100).at(0).text
          == "shard 0 is unavailable: its node n1 is down");
  }

  TEST_CASE_FIXTURE(fixture, "a backup answers for a primary that is gone, "
                             "also where there was no connection to it") {
    known.shards[0].backups = {1};
    known.shards[0].trouble = "node n1 is down";
    SUBCASE("before the coordinator knows") {
      begin();
      stop(11);
    }
    SUBCASE("when the coordinator knows") {
      known.nodes[0].up = false;
      begin();
    }
    auto answers = ask_for({of_shard(0)}, 300);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].code == ec::none);
    CHECK(asked[12].size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a shard that nobody has says why") {
    known.shards[3] = {UINT32_MAX, {}, 0, "no node has joined yet"};
    begin();
    auto answers = ask_for({of_shard(3)}, 100);
    CHECK(answers.at(0).text
          == "shard 3 is unavailable: no node has joined "
             "yet");
  }

  TEST_CASE_FIXTURE(fixture, "a node that hangs is given up when the time is "
                             "over") {
    begin();
    hangs = 11;
    CHECK(ask_for({of_shard(0)}, 1900).empty());
    auto answers = wait_for(200);
    REQUIRE(!answers.empty());
    CHECK(answers.at(0).code == ec::timeout);
    CHECK(answers.at(0).text == "node n1 did not answer in time");
  }

  TEST_CASE_FIXTURE(fixture, "a node that hangs holds up no other question, "
                             "and is not asked twice") {
    begin();
    hangs = 11;
    refuse[1] = {ec::stale_epoch, "shard 1 is not on node n2"};
    CHECK(ask_for({of_shard(0), of_shard(1), of_shard(3)}, 500).empty());
    auto other = ask_averages{{{of_shard(3), "value", 0, false, 0}}};
    CHECK(must(ask<average_answers>(query, other)).answers.at(0).node
          == of_shard(3));
    CHECK(asked[11].size() == 1);
    refuse.clear();
    auto answers = wait_for(1600);
    REQUIRE(answers.size() == 3);
    CHECK(answers[0].code == ec::timeout);
    CHECK(answers[1].code == ec::none);
    CHECK(answers[2].code == ec::none);
    CHECK(asked[11].size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a question that is asked again gets no more time "
                             "for it") {
    begin();
    refuse[0] = {ec::stale_epoch, "shard 0 is not on node n1"};
    CHECK(ask_for({of_shard(0)}, 1800).empty());
    hangs = 11;
    auto answers = wait_for(300);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].code == ec::timeout);
  }

  TEST_CASE_FIXTURE(fixture, "a question whose node dies goes to who has the "
                             "shard then") {
    begin();
    hangs = 11;
    CHECK(ask_for({of_shard(0)}, 100).empty());
    known.shards[0].node = 1;
    stop(11);
    auto answers = wait_for(200);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].code == ec::none);
    CHECK(asked[12].size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a node that lets nobody in is named, too") {
    auto unanswered = std::vector<caf::typed_response_promise<dialed>>{};
    context.dialer = play<dialer_actor>(
      spawn([&](caf::event_based_actor* x) -> caf::behavior {
        return {[&unanswered, x](const dial&) -> caf::result<dialed> {
          return unanswered.emplace_back(x->make_response_promise<dialed>());
        }};
      }));
    begin();
    auto answers = ask_for({of_shard(0)}, 2100);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].code == ec::unreachable);
    CHECK(answers[0].text == "node n1 is not reachable: it has not answered");
    CHECK(unanswered.size() == 1);
  }

  TEST_CASE_FIXTURE(fixture, "a node that is not reachable is named when the "
                             "time is over") {
    stop(11);
    begin();
    CHECK(ask_for({of_shard(0)}, 1900).empty());
    auto answers = wait_for(300);
    REQUIRE(!answers.empty());
    CHECK(answers.at(0).code == ec::unreachable);
    CHECK(answers.at(0).text == "node n1 is not reachable: nobody answers");
  }

  TEST_CASE_FIXTURE(fixture, "a connection that is lost is made again") {
    begin();
    CHECK(ask_for({of_shard(0)}, 100).size() == 1);
    stop(11);
    start_node(11);
    CHECK(ask_for({of_shard(0)}, 500).at(0).code == ec::none);
  }

  TEST_CASE_FIXTURE(fixture,
                    "a question that a node leaves out is asked again") {
    begin();
    leave_one_out = true;
    CHECK(ask_for({of_shard(0), of_shard(0, 1)}, 40).empty());
    leave_one_out = false;
    auto answers = wait_for(100);
    REQUIRE(!answers.empty());
    CHECK(answers.at(0).node == of_shard(0));
    CHECK(answers.at(1).node == of_shard(0, 1));
    CHECK(asked[11].back().requests.size() == 1);
  }

  TEST_CASE_FIXTURE(fixture,
                    "questions wait for a coordinator that is not there "
                    "yet, though not for ever") {
    refuse_routes = failure{ec::unavailable, "not yet"};
    begin();
    CHECK(ask_for({of_shard(0)}, 500).empty());
    refuse_routes.reset();
    auto answers = wait_for(200);
    REQUIRE(!answers.empty());
    CHECK(answers.at(0).code == ec::none);
  }

  TEST_CASE_FIXTURE(fixture, "without a coordinator there is an answer, too") {
    refuse_routes = failure{ec::unavailable, "not yet"};
    begin();
    auto answers = ask_for({of_shard(0)}, 2200);
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].code == ec::unreachable);
    CHECK(answers[0].text == "the coordinator does not answer");
    // Nothing goes on in the background.
    auto n = routes_asked;
    advance(5s);
    CHECK(routes_asked == n);
  }

} // TEST_SUITE
